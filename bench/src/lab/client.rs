//! Real clients inside a namespace: each speaks from an address of its choice.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket};

use super::server::Service;
use super::{Namespace, command::run};
use crate::error::system;
use crate::{Error, Result};

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The right answer came back.
    Reached,
    /// Nothing came back in time: what a dropped packet looks like from outside.
    Silence,
    /// Something came back, but not the answer: refused, reset, unreachable, or wrong bytes.
    Other,
}

/// A client at one address.
#[derive(Clone, Copy, Debug)]
pub struct Client<'lab> {
    namespace: &'lab Namespace,
    address: IpAddr,
    patience: Duration,
}

impl<'lab> Client<'lab> {
    /// A client that speaks from `address`, which the namespace must have, and waits one second.
    #[must_use]
    pub fn new(namespace: &'lab Namespace, address: IpAddr) -> Self {
        Self { namespace, address, patience: Duration::from_secs(1) }
    }

    /// Waits so long for each step instead.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Opens a connection (or sends a datagram), asks, and compares the answer.
    ///
    /// # Errors
    /// When the client has no such address, or no socket can be had.
    pub fn ask(&self, service: Service, to: SocketAddr) -> Result<Answer> {
        self.ask_from_port(service, to, 0)
    }

    /// As [`Client::ask`], from a port of its choice.
    ///
    /// # Errors
    /// When the client has no such address or port, or no socket can be had.
    pub fn ask_from_port(&self, service: Service, to: SocketAddr, port: u16) -> Result<Answer> {
        self.namespace.enter(|| {
            let from = SocketAddr::new(self.address, port);
            let socket = self.bound(service, from).map_err(system("bind", &from.to_string()))?;
            Ok(judge(self.exchange(&socket, service, to)))
        })
    }

    /// Sends echo requests with `ping` until one is answered or the patience ends.
    ///
    /// # Errors
    /// When `ping` is missing or cannot use the address.
    pub fn ping(&self, to: IpAddr) -> Result<Answer> {
        let wait = self.patience.as_secs().max(1);
        let line = format!("ping -q -n -i 0.2 -c 2 -W {wait} -I {} {to}", self.address);
        match self.namespace.enter(|| run(&line)) {
            Ok(_) => Ok(Answer::Reached),
            // 1: no answer; 2: ping itself failed, and said why.
            Err(Error::Command { message, .. }) if message.contains("exit status: 1") => {
                Ok(Answer::Silence)
            }
            Err(error) => Err(error),
        }
    }

    fn bound(&self, service: Service, from: SocketAddr) -> std::io::Result<Socket> {
        let socket = service.socket(Domain::for_address(from))?;
        socket.set_reuse_address(true)?;
        socket.set_read_timeout(Some(self.patience))?;
        socket.set_write_timeout(Some(self.patience))?;
        socket.bind(&from.into())?;
        Ok(socket)
    }

    fn exchange(
        &self,
        mut socket: &Socket,
        service: Service,
        to: SocketAddr,
    ) -> std::io::Result<bool> {
        socket.connect_timeout(&to.into(), self.patience)?;
        socket.write_all(service.question())?;
        let mut answer = vec![0; service.answer().len()];
        socket.read_exact(&mut answer)?;
        Ok(answer == service.answer())
    }
}

fn judge(exchange: std::io::Result<bool>) -> Answer {
    match exchange {
        Ok(true) => Answer::Reached,
        Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
            Answer::Silence
        }
        Ok(false) | Err(_) => Answer::Other,
    }
}
