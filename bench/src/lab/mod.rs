//! A lab of three namespaces: clients, a gateway that is a bump in the wire, servers.
//!
//! ```text
//!  clients            gateway              servers
//!    c0  <- veth ->  outside | inside  <- veth ->  s0
//! ```
//!
//! Clients and servers share one link layer through the gateway: both ends have a default route on
//! their interface without a next hop, so every address is resolved by ARP or neighbour discovery,
//! which the gateway must let through. No namespace has a way out to the machine's own network, so
//! that public addresses can be used as sources.
//!
//! Names carry the process id. A lab cleans up when it is dropped, on SIGINT and on SIGTERM; what a
//! killed process left is swept when the next lab is made.

mod branch;
mod client;
mod command;
mod counter;
mod duty;
mod gateway;
mod hops;
mod http;
mod identity;
mod link;
mod namespace;
mod raw;
mod scratch;
mod server;
mod status;
mod sweep;
mod tagger;
mod transfer;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

pub use branch::{Beyond, Branch};
pub use client::{Answer, Client};
pub use command::run;
pub use counter::Counter;
pub(crate) use duty::Duty;
pub use gateway::{Fail, Gateway, Setup, binary, records};
pub use hops::Hops;
pub use http::http;
pub use identity::{Books, check_identities, check_log};
pub use link::{CLIENT_MAC, CLIENT_VETH, INSIDE, OUTSIDE, OUTSIDE_MAC, SERVER_MAC, SERVER_VETH};
pub(crate) use link::{mac_text, set};
pub use namespace::Namespace;
pub use raw::{checksum, send_raw};
pub(crate) use scratch::Scratch;
pub use server::{Server, Service};
pub use status::{
    Domain, Frames, FromCountry, Interface, Record, Records, Stages, Status, Time, Why, Worker,
};
pub use tagger::{Tag, Tagger};
pub use transfer::{End, Haul, Transfer};

use crate::{Error, Result};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Three namespaces with their wires.
#[derive(Debug)]
pub struct Lab {
    /// Where the clients and the packet generator are.
    pub clients: Namespace,
    /// Where the device under test is.
    pub gateway: Namespace,
    /// Where the servers and the sink are.
    pub servers: Namespace,
    queues: u16,
}

impl Lab {
    /// Lays out a lab whose interfaces have so many queues each.
    ///
    /// # Errors
    /// When not root, or when a command of the system fails.
    pub fn new(queues: u16) -> Result<Self> {
        if !is_root() {
            return Err(Error::NotRoot);
        }
        sweep::sweep()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |role: &str| sweep::name(number, role);
        let lab = Self {
            clients: Namespace::create(&name("clients"))?,
            gateway: Namespace::create(&name("gateway"))?,
            servers: Namespace::create(&name("servers"))?,
            queues,
        };
        link::wire(&lab.clients, &lab.gateway, &lab.servers, queues)?;
        Ok(lab)
    }

    /// Queues of every interface.
    #[must_use]
    pub fn queues(&self) -> u16 {
        self.queues
    }

    /// Gives the clients' interface an address of any country.
    ///
    /// # Errors
    /// When `ip` refuses it.
    pub fn add_client(&self, address: IpAddr) -> Result<()> {
        link::add_address(&self.clients, CLIENT_VETH, address)
    }

    /// Gives the servers' interface an address.
    ///
    /// # Errors
    /// When `ip` refuses it.
    pub fn add_server(&self, address: IpAddr) -> Result<()> {
        link::add_address(&self.servers, SERVER_VETH, address)
    }

    /// Sends everything that the clients send to one queue of the gateway's outside interface.
    ///
    /// # Errors
    /// When the kernel has no transmit steering (XPS).
    pub fn steer_clients(&self, queue: u16) -> Result<()> {
        link::steer(&self.clients, CLIENT_VETH, queue, self.queues)
    }

    /// Sends everything that the servers send to one queue of the gateway's inside interface.
    ///
    /// # Errors
    /// When the kernel has no transmit steering (XPS).
    pub fn steer_servers(&self, queue: u16) -> Result<()> {
        link::steer(&self.servers, SERVER_VETH, queue, self.queues)
    }
}

/// Whether this process may make a lab.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
