//! Counts what reaches the servers' interface, with the kernel's own packet filter.

use super::Namespace;
use crate::{Error, Result};

/// An nftables counter on everything that enters a namespace from one source.
#[derive(Debug)]
pub struct Counter<'lab> {
    namespace: &'lab Namespace,
}

impl<'lab> Counter<'lab> {
    /// Counts packets that enter and match an nftables expression, for example `ip saddr 192.0.2.1`.
    ///
    /// # Errors
    /// When `nft` refuses the expression.
    pub fn start(namespace: &'lab Namespace, expression: &str) -> Result<Self> {
        namespace.run("nft add table inet count")?;
        namespace
            .run("nft add chain inet count in { type filter hook prerouting priority -300 ; }")?;
        namespace.run(&format!("nft add rule inet count in {expression} counter"))?;
        Ok(Self { namespace })
    }

    /// Packets so far.
    ///
    /// # Errors
    /// When `nft` does not answer.
    pub fn packets(&self) -> Result<u64> {
        let text = self.namespace.run("nft list table inet count")?;
        let number = text.split("counter packets ").nth(1).and_then(|rest| rest.split(' ').next());
        number.and_then(|number| number.parse().ok()).ok_or_else(|| Error::Command {
            command: "nft list table inet count".to_owned(),
            message: format!("no counter in {text}"),
        })
    }
}

impl Drop for Counter<'_> {
    fn drop(&mut self) {
        let _ = self.namespace.run("nft delete table inet count");
    }
}
