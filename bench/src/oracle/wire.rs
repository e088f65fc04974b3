//! The kernel's side: a namespace whose two TAP devices are ports of a bridge, or whose two TUN
//! devices are the interfaces of a router, with the exported ruleset between them.
//!
//! ```text
//!  write --> outside --> nftables --> bridge or routes --> inside --> read: it came, or not
//!  read  <-- outside <-- bridge or routes <-- nftables <-- inside <-- write
//! ```
//!
//! A write to such a device runs the kernel's receive path to its end before it returns (`drivers/
//! net/tun.c`, `tun_get_user` calls `netif_receive_skb`), so what was accepted can be read at once and
//! what cannot be read was dropped: no timeouts. [`Wire::check`] proves that before it is relied on.
//! Costs: a write and a read a packet, some microseconds.

use std::fs;
use std::io::{self, ErrorKind};

use lookup::Side;
use tappers::{Interface, Tap, Tun};

use crate::error::system;
use crate::lab::{Namespace, Scratch};
use crate::{Error, Result};

/// The name of the interface to the internet.
pub const OUTSIDE: &str = "outside";
/// The name of the interface to the protected network.
pub const INSIDE: &str = "inside";

/// What joins the two interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Join {
    /// A bridge: whole frames, any address.
    Bridge,
    /// A router: IP packets, addresses that a router forwards, connection tracking.
    Router,
}

/// A namespace with two devices that this process writes to and reads from.
pub struct Wire {
    join: Join,
    outside: Device,
    inside: Device,
    // After the devices: they are closed before their namespace goes.
    namespace: Namespace,
    scratch: Scratch,
}

enum Device {
    Tap(Tap),
    Tun(Tun),
}

/// Longer than any frame that is sent here.
const FRAME_BYTES: usize = 2048;

impl Wire {
    /// Lays the wire out, and proves that it carries what no ruleset drops.
    ///
    /// # Errors
    /// When not root, without `/dev/net/tun`, or when a command of the system fails.
    pub fn new(join: Join) -> Result<Self> {
        let role = if join == Join::Bridge { "bridge" } else { "router" };
        let namespace = Namespace::alone(role)?;
        for setting in ["all.disable_ipv6=1", "default.disable_ipv6=1"] {
            if join == Join::Bridge {
                namespace.run(&format!("sysctl -q -w net.ipv6.conf.{setting}"))?;
            }
        }
        let (outside, inside) =
            namespace.enter(|| Ok((Device::open(join, OUTSIDE)?, Device::open(join, INSIDE)?)))?;
        let wire = Self { join, outside, inside, namespace, scratch: Scratch::new()? };
        match join {
            Join::Bridge => wire.bridge()?,
            Join::Router => wire.route()?,
        }
        Ok(wire)
    }

    fn bridge(&self) -> Result<()> {
        self.run(&["ip link add br0 type bridge stp_state 0 mcast_snooping 0"])?;
        for kind in ["arptables", "iptables", "ip6tables"] {
            // Absent where the kernel has no br_netfilter: then there is nothing to turn off.
            let _ = self.namespace.run(&format!("sysctl -q -w net.bridge.bridge-nf-call-{kind}=0"));
        }
        self.run(&[
            "ip link set outside master br0",
            "ip link set inside master br0",
            "ip link set br0 up",
            "ip link set outside up",
            "ip link set inside up",
        ])
    }

    fn route(&self) -> Result<()> {
        for setting in [
            "ipv4.ip_forward=1",
            "ipv4.conf.all.rp_filter=0",
            "ipv4.conf.default.rp_filter=0",
            "ipv4.conf.outside.rp_filter=0",
            "ipv4.conf.inside.rp_filter=0",
            "ipv6.conf.all.forwarding=1",
            // Packets here have no checksums above IP, and no window that a sender would keep to.
            "netfilter.nf_conntrack_checksum=0",
            "netfilter.nf_conntrack_tcp_be_liberal=1",
        ] {
            self.run(&[&format!("sysctl -q -w net.{setting}")])?;
        }
        self.run(&["ip link set outside up", "ip link set inside up", "ip link set lo down"])?;
        for family in ["-4", "-6"] {
            self.run(&[
                &format!("ip {family} route add default dev inside table 100"),
                &format!("ip {family} route add default dev outside table 200"),
                &format!("ip {family} rule add pref 1 iif outside lookup 100"),
                &format!("ip {family} rule add pref 2 iif inside lookup 200"),
            ])?;
        }
        Ok(())
    }

    fn run(&self, lines: &[&str]) -> Result<()> {
        lines.iter().try_for_each(|line| self.namespace.run(line).map(drop))
    }

    /// Puts a ruleset in force, in place of all that was there. A router goes on knowing the
    /// connections that it tracked: take a new one for each ruleset.
    ///
    /// # Errors
    /// When nft refuses it.
    pub fn load(&self, ruleset: &str) -> Result<()> {
        let path = self.scratch.path().join("ruleset.nft");
        let name = path.display().to_string();
        fs::write(&path, ruleset).map_err(system("write", &name))?;
        self.run(&["nft flush ruleset", &format!("nft -f {name}")])
    }

    /// Whether a frame that arrives on `side` leaves on the other one. To a router it goes without its
    /// link header.
    ///
    /// # Errors
    /// When a device refuses it, or something else comes out.
    pub fn crosses(&self, side: Side, frame: &[u8]) -> Result<bool> {
        let (from, to) = match side {
            Side::Outside => (&self.outside, &self.inside),
            Side::Inside => (&self.inside, &self.outside),
        };
        let sent = match self.join {
            Join::Bridge => frame,
            Join::Router => frame.get(14..).unwrap_or_default(),
        };
        from.send(sent).map_err(system("write a frame to", "a TAP device"))?;
        let mut bytes = [0; FRAME_BYTES];
        let mut came = false;
        loop {
            let len = match to.receive(&mut bytes) {
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(came),
                Err(error) => return Err(system("read from", "a TAP device")(error)),
            };
            let found = bytes.get_mut(..len).unwrap_or_default();
            match self.join {
                Join::Bridge if found != sent => return Err(foreign(found)),
                Join::Bridge => came = true,
                // A router has traffic of its own, and counts the hops of what it forwards.
                Join::Router => came |= unrouted(found) == unrouted(&mut sent.to_vec()),
            }
        }
    }

    /// Without a ruleset everything crosses, at once: nothing but nftables will be what drops.
    ///
    /// # Errors
    /// The first frame that does not.
    pub fn check(&self, frames: &[(Side, Vec<u8>)]) -> Result<()> {
        self.run(&["nft flush ruleset"])?;
        for (side, frame) in frames {
            if !self.crosses(*side, frame)? {
                let message = format!("the wire itself loses {side:?} {frame:02x?}");
                return Err(Error::Usage(message));
            }
        }
        Ok(())
    }

    /// What nft says of the ruleset in force, with all that it counted.
    ///
    /// # Errors
    /// When nft fails.
    pub fn ruleset(&self) -> Result<String> {
        self.namespace.run("nft list ruleset")
    }
}

/// A packet without the fields that a router writes.
fn unrouted(packet: &mut [u8]) -> &mut [u8] {
    let version = packet.first().map_or(0, |byte| byte >> 4);
    let written: &[usize] = if version == 4 { &[8, 10, 11] } else { &[7] };
    for &at in written {
        if let Some(byte) = packet.get_mut(at) {
            *byte = 0;
        }
    }
    packet
}

fn foreign(frame: &[u8]) -> Error {
    Error::Usage(format!("the bridge sent a frame that nobody gave it: {frame:02x?}"))
}

impl Device {
    fn open(join: Join, name: &str) -> Result<Self> {
        let fail = || system("make the TAP device", name);
        let interface = Interface::new(name).map_err(fail())?;
        match join {
            Join::Bridge => {
                let mut tap = Tap::new_named(interface).map_err(fail())?;
                tap.set_nonblocking(true).map_err(fail())?;
                Ok(Self::Tap(tap))
            }
            Join::Router => {
                let mut tun = Tun::new_named(interface).map_err(fail())?;
                tun.set_nonblocking(true).map_err(fail())?;
                Ok(Self::Tun(tun))
            }
        }
    }

    fn send(&self, frame: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tap(tap) => tap.send(frame),
            Self::Tun(tun) => tun.send(frame),
        }
    }

    fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tap(tap) => tap.recv(bytes),
            Self::Tun(tun) => tun.recv(bytes),
        }
    }
}
