//! The wires of a lab: veth pairs, addresses, routes, offloads, queues.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::{Namespace, command::run};
use crate::error::system;
use crate::{Error, Result};

/// The gateway's interface towards the clients.
pub const OUTSIDE: &str = "outside";
/// The gateway's interface towards the servers.
pub const INSIDE: &str = "inside";
/// The clients' interface.
pub const CLIENT_VETH: &str = "c0";
/// The servers' interface.
pub const SERVER_VETH: &str = "s0";
/// What makes the kernel write VLAN tags into the frames that leave.
const TAGS_IN_FRAMES: &str = "tx-vlan-hw-insert off tx-vlan-stag-hw-insert off";
/// Link-layer address of [`CLIENT_VETH`].
pub const CLIENT_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0xc0];
/// Link-layer address of [`SERVER_VETH`].
pub const SERVER_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x50];
/// Link-layer address of [`OUTSIDE`].
pub const OUTSIDE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0a];
/// Link-layer address of [`INSIDE`].
const INSIDE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0b];

/// Connects the three namespaces.
pub(super) fn wire(
    clients: &Namespace,
    gateway: &Namespace,
    servers: &Namespace,
    queues: u16,
) -> Result<()> {
    for (host, veth, mac, end, end_mac) in [
        (clients, CLIENT_VETH, CLIENT_MAC, OUTSIDE, OUTSIDE_MAC),
        (servers, SERVER_VETH, SERVER_MAC, INSIDE, INSIDE_MAC),
    ] {
        let shape = format!("numrxqueues {queues} numtxqueues {queues}");
        run(&format!(
            "ip -n {} link add {veth} address {} {shape} type veth peer name {end} netns {} address {} {shape}",
            host.name(),
            mac_text(mac),
            gateway.name(),
            mac_text(end_mac),
        ))?;
        quiet(gateway, end)?;
        host_end(host, veth)?;
        // Last: a veth sees that its peer has NAPI, and so takes redirected frames, when it goes up.
        gateway.run(&format!("ip link set {end} up"))?;
    }
    [clients, gateway, servers].into_iter().try_for_each(carrier)
}

/// Waits until the kernel has noticed that the wires of a namespace are connected.
fn carrier(namespace: &Namespace) -> Result<()> {
    let begin = Instant::now();
    while namespace.run("ip link show")?.contains("NO-CARRIER") {
        if begin.elapsed() > Duration::from_secs(5) {
            let command = format!("ip -n {} link show", namespace.name());
            return Err(Error::Command { command, message: "a wire has no carrier".to_owned() });
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// An end host: no offloads, no duplicate address detection, everything on the link.
fn host_end(host: &Namespace, veth: &str) -> Result<()> {
    // A checksum left to the "hardware" would stay unfinished in a frame that a socket receives.
    // So would a VLAN tag beside the frame: a veth hands it on as the sender left it.
    // GRO gives the end NAPI, without which its peer takes no frames that an XDP program redirects.
    host.run(&format!("ethtool -K {veth} tx off tso off gso off gro on {TAGS_IN_FRAMES}"))?;
    for (file, value) in [
        (format!("ipv6/conf/{veth}/accept_dad"), "0"),
        (format!("ipv6/conf/{veth}/accept_ra"), "0"),
        (format!("ipv6/conf/{veth}/router_solicitations"), "0"),
        (format!("ipv4/conf/{veth}/rp_filter"), "0"),
        ("ipv4/conf/all/rp_filter".to_owned(), "0"),
        ("ipv4/ping_group_range".to_owned(), "0 0"),
    ] {
        set(host, &file, value)?;
    }
    host.run(&format!("ip link set {veth} up"))?;
    host.run(&format!("ip route add default dev {veth}"))?;
    host.run(&format!("ip -6 route add default dev {veth}"))?;
    Ok(())
}

/// The gateway's own stack says nothing on its interfaces.
fn quiet(gateway: &Namespace, interface: &str) -> Result<()> {
    set(gateway, &format!("ipv6/conf/{interface}/disable_ipv6"), "1")
}

/// Writes a network setting; `/proc/sys/net` is that of the thread that opens it.
pub(crate) fn set(namespace: &Namespace, file: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/{file}");
    namespace.enter(|| std::fs::write(&path, value).map_err(system("write", &path)))
}

/// Adds one address, usable at once.
pub(super) fn add_address(host: &Namespace, veth: &str, address: IpAddr) -> Result<()> {
    let line = match address {
        IpAddr::V4(v4) => format!("ip address replace {v4}/32 dev {veth}"),
        IpAddr::V6(v6) => format!("ip address replace {v6}/128 dev {veth} nodad"),
    };
    host.run(&line).map(drop)
}

/// Makes every core transmit on one queue (XPS), so that the peer receives on that queue.
pub(super) fn steer(host: &Namespace, veth: &str, queue: u16, queues: u16) -> Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(63);
    for tx in 0..queues {
        let mask = if tx == queue { (1_u64 << cores) - 1 } else { 0 };
        let path = format!("/sys/class/net/{veth}/queues/tx-{tx}/xps_cpus");
        host.write_sys(&path, &format!("{mask:x}"))?;
    }
    Ok(())
}

pub(crate) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
