//! Commands that look at a running gateway.

use std::path::PathBuf;

use clap::Args;

use super::Control;

/// Show a running gateway's counters.
#[derive(Debug, Args)]
#[command(after_long_help = "Exit status: 0; 3 when no gateway answers.")]
pub(crate) struct Status {
    /// One JSON object instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// Show what was dropped last, and why.
///
/// The gateway remembers its last 8,192 records and patterns; --follow goes on with those that come. A
/// reader that is too slow is told how many it missed, and never holds the gateway up. Options choose:
/// all that are given must hold.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  palisade drops                                      the last 20
  palisade drops --follow --domain internal           as they come, of one domain
  palisade drops --country CN --limit 1000 --json     for a script
  palisade drops --from 203.0.113.0/24 --log /var/log/palisade/drops.jsonl.1
  palisade drops --kind pattern                       sweeps, new countries, busy sources
  palisade drops --follow --kind sweep                who tries port after port

docs/see.md explains every field and every reason.

Exit status: 0; 1 when the file can't be read or an option is wrong; 3 when no gateway answers.")]
pub(crate) struct Drops {
    /// Go on with those that come, until interrupted.
    #[arg(long, short, conflicts_with = "log")]
    pub(crate) follow: bool,
    /// Of this domain; `none` for packets to no service.
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: Option<String>,
    /// From this country: two letters, or `unknown`.
    #[arg(long, value_name = "CODE")]
    pub(crate) country: Option<String>,
    /// From this autonomous system.
    #[arg(long, value_name = "NUMBER", value_parser = asn)]
    pub(crate) asn: Option<u32>,
    /// From a source in this network.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) from: Option<String>,
    /// For this reason, such as not_allowed.
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: Option<String>,
    /// Of this kind: drop, exception or pattern, or one pattern: sweep, busy, new_country, probed.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// The newest so many [default: 20; all of a file].
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// The lines of the log as they are.
    #[arg(long)]
    pub(crate) json: bool,
    /// Read a log's file instead of asking the gateway; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// `64500` or `AS64500`.
fn asn(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("AS").or(text.strip_prefix("as")).unwrap_or(text);
    digits.parse().map_err(|_| "write a number, such as 64500 or AS64500".to_owned())
}

/// Show the flows that the gateway lets through now.
///
/// The workers answer between two bursts, a slice of their tables at a time, so that asking costs no
/// packet; a table of a million flows takes some seconds. Each worker has flows of its own, and one whose
/// two directions arrive on two queues is shown twice.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  palisade flows                                   the first 100 that are found
  palisade flows --from 203.0.113.0/24             of these clients
  palisade flows --to 10.2.0.5 --domain internal   of this server
  palisade flows --json --limit 100000             for a script

`->` was opened from the outside, `<-` from the inside. State: opening (one side spoke), open, closing
(TCP FIN or RST), former (no longer allowed: judged again with its next packet). `since` is when the
ruleset of `revision` allowed it; when another is in force by now, its next packet is judged anew. `vlan`
is the id in its frames' tags, where the policy names it.

Exit status: 0; 1 when an option is wrong; 3 when no gateway answers.")]
pub(crate) struct Flows {
    /// With an outside end in this network.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) from: Option<String>,
    /// With an inside end in this network.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) to: Option<String>,
    /// Of this domain; `none` for connections of the inside.
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: Option<String>,
    /// At most so many.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    /// One JSON object a line instead of a table; palisade diff and replay read them.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) control: Control,
}
