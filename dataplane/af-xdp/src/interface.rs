//! What a gateway must know of an interface before it opens sockets on it.
//!
//! Index, MTU, driver kind and flags come from route netlink, so they are those of the caller's
//! network namespace. The number of queues in use comes from sysfs, where that shows the same
//! namespace (`ip netns exec` mounts a fresh one); else netlink's number of queues that there are.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::Error;
use crate::ethtool;
use crate::netlink::{self, Link, link};

const IFF_UP: u32 = 1;
const IFF_PROMISC: u32 = 0x100;

/// An interface, as it was when it was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index in this network namespace.
    pub index: u32,
    /// Its MTU: the largest packet without the link's own header.
    pub mtu_bytes: u32,
    /// Receive queues in use.
    pub rx_queues: u32,
    /// Transmit queues in use.
    pub tx_queues: u32,
    /// The driver of its device, or the kind of a virtual link (`veth`), or nothing.
    pub driver: String,
    /// Whether it is up.
    pub up: bool,
    /// Whether an operator (or a gateway) made it promiscuous.
    pub promiscuous: bool,
}

impl Interface {
    /// Looks an interface up by name.
    ///
    /// # Errors
    /// [`Error::Interface`] when there is none.
    pub fn find(name: &str) -> Result<Self, Error> {
        let link = netlink::by_name(name)
            .map_err(|errno| Error::Interface { name: name.to_owned(), source: errno.into() })?;
        let home = home(name, link.index);
        let home = home.as_deref();
        Ok(Self {
            name: link.text(&[link::NAME]).unwrap_or_else(|| name.to_owned()),
            index: link.index,
            mtu_bytes: link.number(&[link::MTU]).unwrap_or(0),
            rx_queues: queues(home, "rx-").or(link.number(&[link::RX_QUEUES])).unwrap_or(1),
            tx_queues: queues(home, "tx-").or(link.number(&[link::TX_QUEUES])).unwrap_or(1),
            driver: driver(home, &link),
            up: link.flags & IFF_UP != 0,
            promiscuous: link.flags & IFF_PROMISC != 0,
        })
    }

    /// Makes the interface accept frames that are addressed to others, or no longer.
    ///
    /// An inline gateway needs it on a real NIC; veth accepts all frames anyway. It is the flag
    /// that `ip link set promisc on` sets, so it outlives the process, as the XDP program does: a
    /// gateway that fails open must go on bridging frames addressed to others.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel refuses.
    pub fn set_promiscuous(&self, on: bool) -> Result<(), Error> {
        let flags = if on { IFF_PROMISC } else { 0 };
        netlink::change(self.index, flags, IFF_PROMISC, &[]).map_err(|errno| Error::Link {
            operation: "set promiscuous mode of",
            interface: self.name.clone(),
            source: errno.into(),
            hint: permission(errno, "the driver may not have it"),
        })
    }

    /// Which of these features are on, by their names of `ethtool -k` in the kernel
    /// (`net/ethtool/common.c`): `rx-vlan-hw-parse` and so on.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel does not answer.
    pub fn features(&self, of: &[&'static str]) -> Result<Vec<&'static str>, Error> {
        let active = ethtool::active(self.index)
            .map_err(|errno| self.refused("ask for the features of", errno))?;
        Ok(of.iter().filter(|name| active.iter().any(|on| on == *name)).copied().collect())
    }

    /// Turns features on or off; answers which of them are on then, because a driver that cannot
    /// change a feature leaves it as it is.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel refuses.
    pub fn set_features(
        &self,
        names: &[&'static str],
        on: bool,
    ) -> Result<Vec<&'static str>, Error> {
        ethtool::turn(self.index, names, on)
            .map_err(|errno| self.refused("set the features of", errno))?;
        self.features(names)
    }

    pub(crate) fn refused(&self, operation: &'static str, errno: Errno) -> Error {
        Error::Link {
            operation,
            interface: self.name.clone(),
            source: errno.into(),
            hint: permission(errno, "the kernel needs CONFIG_ETHTOOL_NETLINK"),
        }
    }
}

/// The way out of a refusal, which is most often for want of a capability.
pub(crate) fn permission(errno: Errno, otherwise: &'static str) -> &'static str {
    match errno {
        Errno::PERM | Errno::ACCESS => "it needs root, or CAP_NET_ADMIN",
        _ => otherwise,
    }
}

/// The interface's folder in sysfs; none where sysfs shows another namespace, which may have an
/// interface of the same name.
fn home(name: &str, index: u32) -> Option<PathBuf> {
    let home = Path::new("/sys/class/net").join(name);
    let shown = fs::read_to_string(home.join("ifindex")).ok()?;
    (shown.trim() == index.to_string()).then_some(home)
}

/// Sysfs has one folder a queue in use.
fn queues(home: Option<&Path>, prefix: &str) -> Option<u32> {
    let entries = fs::read_dir(home?.join("queues")).ok()?;
    let names = entries.flatten().map(|entry| entry.file_name());
    Some(names.filter(|name| name.to_string_lossy().starts_with(prefix)).count() as u32)
}

fn driver(home: Option<&Path>, link: &Link) -> String {
    let module = home.and_then(|home| fs::read_link(home.join("device/driver")).ok());
    let name = module.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.or_else(|| link.text(&[link::INFO, link::INFO_KIND])).unwrap_or_default()
}
