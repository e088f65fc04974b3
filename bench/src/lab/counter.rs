//! Counts what reaches the servers' interface, with the kernel's own packet filter.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Namespace;
use crate::{Error, Result};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An nftables counter on everything that enters a namespace from one source.
#[derive(Debug)]
pub struct Counter<'lab> {
    namespace: &'lab Namespace,
    table: String,
}

impl<'lab> Counter<'lab> {
    /// Counts packets that enter and match an nftables expression, for example `ip saddr 192.0.2.1`.
    ///
    /// # Errors
    /// When `nft` refuses the expression.
    pub fn start(namespace: &'lab Namespace, expression: &str) -> Result<Self> {
        let table = format!("inet count{}", NEXT.fetch_add(1, Ordering::Relaxed));
        namespace.run(&format!("nft add table {table}"))?;
        namespace.run(&format!(
            "nft add chain {table} in {{ type filter hook prerouting priority -300 ; }}"
        ))?;
        namespace.run(&format!("nft add rule {table} in {expression} counter"))?;
        Ok(Self { namespace, table })
    }

    /// Packets so far.
    ///
    /// # Errors
    /// When `nft` does not answer.
    pub fn packets(&self) -> Result<u64> {
        let command = format!("nft list table {}", self.table);
        let text = self.namespace.run(&command)?;
        let number = text.split("counter packets ").nth(1).and_then(|rest| rest.split(' ').next());
        number
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| Error::Command { command, message: format!("no counter in {text}") })
    }
}

impl Drop for Counter<'_> {
    fn drop(&mut self) {
        let _ = self.namespace.run(&format!("nft delete table {}", self.table));
    }
}
