//! What an interface is connected to, and what else uses it: carrier, bridge, addresses.
//!
//! Sources: `include/uapi/linux/{if_link,if_addr,if_arp}.h`, `net/core/rtnetlink.c`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;

use crate::netlink::{self, find, link};
use crate::{Error, Interface};

/// The type of an Ethernet device (`ARPHRD_ETHER`).
const ETHERNET: u16 = 1;
const GETADDR: u16 = 22;
const NEWADDR: u16 = 20;
const IFADDRMSG_BYTES: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// An interface among others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// Whether its frames are Ethernet's.
    pub ethernet: bool,
    /// Whether something is plugged in and answers; `None` while it is down.
    pub carrier: Option<bool>,
    /// The link-layer address that its hardware was made with; empty where there is none.
    pub permanent: Vec<u8>,
    /// The index of the bridge, bond or other interface that it belongs to.
    pub master: Option<u32>,
    /// The index of the interface that it lies on (VLAN, MACVLAN), or of its other end (veth), where
    /// that is in the same network namespace.
    pub lower: Option<u32>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The length of its network.
    pub prefix: u8,
}

impl Interface {
    /// What it is connected to.
    ///
    /// # Errors
    /// [`Error::Interface`] when it has gone.
    pub fn wire(&self) -> Result<Wire, Error> {
        let found = netlink::by_index(self.index)
            .map_err(|errno| Error::Interface { name: self.name.clone(), source: errno.into() })?;
        let elsewhere = found.attribute(&[link::NETNS_ID]).is_some();
        let carrier = found.attribute(&[link::CARRIER]).map(|carrier| carrier.first() == Some(&1));
        let permanent = found.attribute(&[link::PERM_ADDRESS]).unwrap_or_default().to_vec();
        Ok(Wire {
            ethernet: found.device == ETHERNET,
            carrier: carrier.filter(|_| self.up),
            permanent,
            master: found.number(&[link::MASTER]),
            lower: found
                .number(&[link::LOWER])
                .filter(|lower| !elsewhere && *lower != self.index && *lower != 0),
        })
    }

    /// Its addresses.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel refuses.
    pub fn addresses(&self) -> Result<Vec<Address>, Error> {
        let all = netlink::dump(GETADDR, NEWADDR, &[0; IFADDRMSG_BYTES])
            .map_err(|errno: Errno| self.refused("ask for the addresses of", errno))?;
        Ok(all.iter().filter_map(|message| address(message, self.index)).collect())
    }
}

/// An `ifaddrmsg` and its attributes, if it is about this interface.
fn address(message: &[u8], index: u32) -> Option<Address> {
    let [family, prefix, _, _, at @ ..] = *message.first_chunk::<IFADDRMSG_BYTES>()?;
    if u32::from_ne_bytes(at) != index {
        return None;
    }
    let attributes = message.get(IFADDRMSG_BYTES..)?;
    // Of a point-to-point link the one is the other end's.
    let bytes = find(attributes, IFA_LOCAL).or_else(|| find(attributes, IFA_ADDRESS))?;
    let ip = match family {
        AF_INET => IpAddr::from(Ipv4Addr::from(*bytes.first_chunk::<4>()?)),
        AF_INET6 => IpAddr::from(Ipv6Addr::from(*bytes.first_chunk::<16>()?)),
        _ => return None,
    };
    Some(Address { ip, prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_its_address_and_no_wire() {
        let lo = Interface::find("lo").unwrap();
        let wire = lo.wire().unwrap();
        assert_eq!((wire.ethernet, wire.master, wire.lower), (false, None, None));
        let home = Address { ip: IpAddr::from([127, 0, 0, 1]), prefix: 8 };
        assert!(lo.addresses().unwrap().contains(&home) == lo.up);
    }

    #[test]
    fn an_answer_cut_short_has_no_address() {
        let mut whole = vec![AF_INET, 8, 0, 0];
        whole.extend(7_u32.to_ne_bytes());
        netlink::put(&mut whole, IFA_LOCAL, &[10, 0, 0, 1]);
        let expected = Address { ip: IpAddr::from([10, 0, 0, 1]), prefix: 8 };
        assert_eq!(address(&whole, 7), Some(expected));
        assert_eq!(address(&whole, 8), None);
        for len in 0..whole.len() {
            assert_eq!(address(&whole[..len], 7), None, "{len} bytes");
        }
    }
}
