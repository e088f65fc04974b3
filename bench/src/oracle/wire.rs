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

use super::packet::Packet;
use crate::error::system;
use crate::lab::{Namespace, Scratch};
use crate::{Error, Result};

/// The name of the interface to the internet.
pub const OUTSIDE: &str = "outside";
/// The name of the interface to the protected network.
pub const INSIDE: &str = "inside";

/// VLANs whose interfaces a router has: those that policies name here, and some that none does.
const VLANS: [u16; 8] = [0, 1, 2, 10, 11, 20, 4094, 4095];

/// The name of a VLAN's interface.
fn interface(base: &str, vlan: u16) -> String {
    if vlan == 0 { base.to_owned() } else { format!("{base}.{vlan}") }
}

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
    devices: Vec<(Side, u16, Device)>,
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
        let vlans: &[u16] = if join == Join::Bridge { &[0] } else { &VLANS };
        let devices = namespace.enter(|| {
            let sides = [(Side::Outside, OUTSIDE), (Side::Inside, INSIDE)];
            let all = sides.iter().flat_map(|side| vlans.iter().map(move |vlan| (side, *vlan)));
            let open = |(&(side, base), vlan): (&(Side, &str), u16)| {
                Ok((side, vlan, Device::open(join, &interface(base, vlan))?))
            };
            all.map(open).collect::<Result<Vec<_>>>()
        })?;
        let wire = Self { join, devices, namespace, scratch: Scratch::new()? };
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
        let settings = [
            "ipv4.ip_forward=1",
            "ipv4.conf.all.rp_filter=0",
            "ipv4.conf.default.rp_filter=0",
            "ipv6.conf.all.forwarding=1",
            // Packets here have no checksums above IP, and no window that a sender would keep to.
            "netfilter.nf_conntrack_checksum=0",
            "netfilter.nf_conntrack_tcp_be_liberal=1",
        ];
        let (mut links, mut routes) = (Vec::new(), Vec::new());
        for (base, to, table) in [(OUTSIDE, INSIDE, 100), (INSIDE, OUTSIDE, 200)] {
            for name in VLANS.map(|vlan| interface(base, vlan)) {
                links.push(format!("link set {name} up"));
                routes.push(format!("rule add pref 1 iif {name} lookup {table}"));
            }
            routes.push(format!("route add default dev {to} table {table}"));
        }
        self.run(&[&format!("sysctl -q -w net.{}", settings.join(" net."))])?;
        self.batch("-4", &links)?;
        self.batch("-4", &routes)?;
        self.batch("-6", &routes)
    }

    /// Many lines of `ip` at once.
    fn batch(&self, family: &str, lines: &[String]) -> Result<()> {
        let path = self.scratch.path().join("lines");
        let name = path.display().to_string();
        fs::write(&path, lines.join("\n") + "\n").map_err(system("write", &name))?;
        self.run(&[&format!("ip {family} -batch {name}")])
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

    /// Whether a packet that arrives on its side leaves on the other one. To a router it goes without
    /// its link header, on the interface of its VLAN.
    ///
    /// # Errors
    /// When a device refuses it, or something else comes out.
    pub fn crosses(&self, packet: &Packet) -> Result<bool> {
        let (sent, vlan) = match self.join {
            Join::Bridge => (packet.frame(), 0),
            Join::Router => (packet.ip(), packet.vlan()),
        };
        let to = match packet.side {
            Side::Outside => self.device(Side::Inside, 0)?,
            Side::Inside => self.device(Side::Outside, 0)?,
        };
        let from = self.device(packet.side, vlan)?;
        from.send(&sent).map_err(system("write a frame to", "a TAP device"))?;
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
                Join::Router => came |= unrouted(found) == unrouted(&mut sent.clone()),
            }
        }
    }

    /// Without a ruleset everything crosses, at once: nothing but nftables will be what drops.
    ///
    /// # Errors
    /// The first frame that does not.
    pub fn check(&self, packets: &[Packet]) -> Result<()> {
        self.run(&["nft flush ruleset"])?;
        for packet in packets {
            if !self.crosses(packet)? {
                return Err(Error::Usage(format!("the wire itself loses {packet}")));
            }
        }
        Ok(())
    }

    fn device(&self, side: Side, vlan: u16) -> Result<&Device> {
        let found = self.devices.iter().find(|(at, id, _)| (*at, *id) == (side, vlan));
        let missing = || Error::Usage(format!("the router has no interface for VLAN {vlan}"));
        found.map(|(.., device)| device).ok_or_else(missing)
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
