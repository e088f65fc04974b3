//! A host behind a router: one end of the lab forwards to a further namespace over a smaller link.
//!
//! ```text
//!  clients                 gateway                 servers = router             far
//!    c0  <--- 1500 --->  outside | inside  <--- 1500 --->  s0 | r0  <- 1280 ->  f0
//! ```
//! The far host claims a segment size of the large links, so that only path MTU discovery tells a
//! sender on the other side how much fits. The router's own address is of no country and of no
//! service: what it says of itself must pass for the sake of the flow that it speaks of.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering;

use super::link::{self, CLIENT_VETH, SERVER_VETH};
use super::{Lab, NEXT, Namespace, sweep};
use crate::Result;

/// The router's end of the small link.
const ROUTER_VETH: &str = "r0";
/// The far host's interface.
const FAR_VETH: &str = "f0";

/// The router as the far host reaches it over IPv6.
const FAR_GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xff);

/// Which end of the lab is to be a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// A far client, behind the clients' namespace.
    Clients,
    /// A far server, behind the servers' namespace.
    Servers,
}

/// A host behind one end of the lab.
#[derive(Debug)]
pub struct Branch {
    /// The far host.
    pub far: Namespace,
}

impl Branch {
    /// Puts a host with these addresses behind an end; both families go the same way.
    ///
    /// # Errors
    /// When `ip` refuses an address or a route.
    pub fn new(
        lab: &Lab,
        beyond: Beyond,
        mtu: u16,
        router: [IpAddr; 2],
        hosts: &[IpAddr],
    ) -> Result<Self> {
        let (end, veth, other, peer) = match beyond {
            Beyond::Clients => (&lab.clients, CLIENT_VETH, &lab.servers, SERVER_VETH),
            Beyond::Servers => (&lab.servers, SERVER_VETH, &lab.clients, CLIENT_VETH),
        };
        let name = sweep::name(NEXT.fetch_add(1, Ordering::Relaxed), "far");
        let far = Namespace::create(&name)?;
        end.run(&format!(
            "ip link add {ROUTER_VETH} mtu {mtu} type veth peer name {FAR_VETH} mtu {mtu} netns {name}"
        ))?;
        for address in router {
            link::add_address(end, veth, address)?;
        }
        for (namespace, small) in [(end, ROUTER_VETH), (&far, FAR_VETH)] {
            namespace.run(&format!("ethtool -K {small} tx off tso off gso off gro off"))?;
            link::set(namespace, &format!("ipv6/conf/{small}/accept_dad"), "0")?;
            link::set(namespace, &format!("ipv4/conf/{small}/rp_filter"), "0")?;
            namespace.run(&format!("ip link set {small} up"))?;
        }
        link::set(end, "ipv4/ip_forward", "1")?;
        link::set(end, "ipv6/conf/all/forwarding", "1")?;
        // A router answers as often as it is asked: the test waits for each answer.
        link::set(end, "ipv4/icmp_ratelimit", "0")?;
        link::set(end, "ipv6/icmp/ratelimit", "0")?;
        let [v4, v6] = router;
        for host in hosts {
            link::add_address(&far, FAR_VETH, *host)?;
            let via = if host.is_ipv4() { v4 } else { v6 };
            end.run(&format!("ip route add {host} dev {ROUTER_VETH}"))?;
            other.run(&format!("ip route add {host} via {via} dev {peer} onlink"))?;
        }
        // What the router says itself comes from its own address, not from a server's.
        end.run(&format!("ip route replace default dev {veth} src {v4}"))?;
        end.run(&format!("ip -6 route replace default dev {veth} src {v6}"))?;
        link::add_address(end, ROUTER_VETH, FAR_GATEWAY.into())?;
        far.run(&format!("ip route add default dev {FAR_VETH} advmss 1460"))?;
        let hop = format!("via {FAR_GATEWAY} dev {FAR_VETH} onlink");
        far.run(&format!("ip -6 route add default {hop} advmss 1440"))?;
        // For IPv4 every address is on the far host's link: the router answers for all of them.
        link::set(end, &format!("ipv4/conf/{ROUTER_VETH}/proxy_arp"), "1")?;
        Ok(Self { far })
    }
}
