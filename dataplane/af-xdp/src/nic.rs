//! What a driver offers: queues, rings, features, XDP. Asked for, never set.
//!
//! A driver that has no such thing, or a kernel that cannot say, answers with nothing: that is no
//! error, because most virtual interfaces have neither rings nor channels.
//!
//! Sources: `Documentation/networking/ethtool-netlink.rst`, `Documentation/netlink/specs/netdev.yaml`.

use rustix::io::Errno;

use crate::generic;
use crate::netlink::{REQUEST, find, put};
use crate::{Error, Interface, ethtool};

const RINGS_GET: u8 = 15;
/// `ETHTOOL_A_RINGS_{RX_MAX,TX_MAX,RX,TX}`.
const RINGS: [u16; 4] = [2, 5, 6, 9];
const CHANNELS_GET: u8 = 17;
/// `ETHTOOL_A_CHANNELS_{RX_MAX,TX_MAX,COMBINED_MAX,RX_COUNT,TX_COUNT,COMBINED_COUNT}`.
const CHANNELS: [u16; 6] = [2, 3, 5, 6, 7, 9];

const NETDEV: &str = "netdev";
const DEV_GET: u8 = 1;
const DEV_IFINDEX: u16 = 1;
const DEV_XDP_FEATURES: u16 = 3;

/// A feature by its name of `ethtool -k` in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub on: bool,
    /// Whether the driver never changes it.
    pub fixed: bool,
}

/// How many there are, and may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// In use.
    pub now: u32,
    /// At most.
    pub most: u32,
}

/// The queues that a driver offers (`ethtool -l`); none of a kind that may be at most 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    /// Queues that only receive.
    pub rx: Ring,
    /// Queues that only send.
    pub tx: Ring,
    /// Queues that do both.
    pub combined: Ring,
}

/// The descriptors of each of the NIC's own rings (`ethtool -g`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rings {
    /// Received frames.
    pub rx: Ring,
    /// Frames to send.
    pub tx: Ring,
}

/// What a driver can do for XDP (`enum netdev_xdp_act`, Linux 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdpSupport {
    /// It runs programs.
    pub native: bool,
    /// It redirects frames to sockets and other interfaces.
    pub redirect: bool,
    /// It takes frames that other interfaces redirect here, now.
    pub transmit: bool,
    /// It reads and writes a UMEM itself.
    pub zero_copy: bool,
}

impl Interface {
    /// All features that are on or can be turned on.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel does not answer.
    pub fn all_features(&self) -> Result<Vec<Feature>, Error> {
        let [free, active] = ethtool::features(self.index)
            .map_err(|errno| self.refused("ask for the features of", errno))?;
        let mut names = active.clone();
        names.extend(free.iter().filter(|name| !active.contains(name)).cloned());
        let feature = |name: String| {
            let (on, fixed) = (active.contains(&name), !free.contains(&name));
            Feature { name, on, fixed }
        };
        Ok(names.into_iter().map(feature).collect())
    }

    /// Its queues, where the driver counts them.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel refuses.
    pub fn channels(&self) -> Result<Option<Channels>, Error> {
        let numbers = self.offered("ask for the queues of", CHANNELS_GET, CHANNELS)?;
        Ok(numbers.map(|[rx_most, tx_most, both_most, rx, tx, both]| Channels {
            rx: ring(rx, rx_most),
            tx: ring(tx, tx_most),
            combined: ring(both, both_most),
        }))
    }

    /// The NIC's own rings, where it has some.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel refuses.
    pub fn rings(&self) -> Result<Option<Rings>, Error> {
        let numbers = self.offered("ask for the rings of", RINGS_GET, RINGS)?;
        Ok(numbers.map(|[rx_most, tx_most, rx, tx]| Rings {
            rx: ring(rx, rx_most),
            tx: ring(tx, tx_most),
        }))
    }

    /// What its driver can do for XDP; nothing before Linux 6.3.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel refuses.
    pub fn xdp(&self) -> Result<Option<XdpSupport>, Error> {
        let mut attributes = Vec::new();
        put(&mut attributes, DEV_IFINDEX, &self.index.to_ne_bytes());
        let asked = generic::family(NETDEV)
            .and_then(|family| generic::ask(family, DEV_GET, REQUEST, &attributes));
        let reply = absent(asked).map_err(|errno| self.refused("ask for XDP of", errno))?;
        let bits = reply.as_deref().and_then(|reply| find(reply, DEV_XDP_FEATURES));
        let bits = bits.and_then(|bits| bits.try_into().ok()).map(u64::from_ne_bytes);
        Ok(bits.map(|bits| XdpSupport {
            native: bits & 1 != 0,
            redirect: bits & 2 != 0,
            transmit: bits & 4 != 0,
            zero_copy: bits & 8 != 0,
        }))
    }

    fn offered<const N: usize>(
        &self,
        operation: &'static str,
        command: u8,
        kinds: [u16; N],
    ) -> Result<Option<[Option<u32>; N]>, Error> {
        absent(ethtool::numbers(self.index, command, kinds))
            .map_err(|errno| self.refused(operation, errno))
    }
}

fn ring(now: Option<u32>, most: Option<u32>) -> Ring {
    Ring { now: now.unwrap_or(0), most: most.unwrap_or(0) }
}

/// Neither the driver's "I have none" nor the kernel's "I know no such thing" is an error.
fn absent<T>(answer: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Errno::OPNOTSUPP | Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_features_and_no_queues_to_count() {
        let lo = Interface::find("lo").unwrap();
        let features = lo.all_features().unwrap();
        let of = |name: &str| features.iter().find(|feature| feature.name == name).cloned();
        let name = "loopback".to_owned();
        assert_eq!(of("loopback"), Some(Feature { name, on: true, fixed: true }));
        assert!(of("tx-generic-segmentation").is_some_and(|feature| !feature.fixed));
        assert_eq!((lo.channels().unwrap(), lo.rings().unwrap()), (None, None));
    }
}
