//! Commands about a policy in a file: nothing runs, nothing is asked.

use std::path::PathBuf;

use super::Control;
use clap::{Args, Subcommand, ValueEnum};

/// Validate a policy.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Exit status: 0 when the policy is valid (warnings allowed), 1 when not."
)]
pub(crate) struct Check {
    /// The policy to validate, with the files and databases that it names.
    #[arg(value_name = "POLICY")]
    pub(crate) policy: PathBuf,
    /// For people or for scripts.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
}

/// How `check` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The line in question, marked, with what to do.
    Human,
    /// One JSON object.
    Json,
}

/// Say what happens to a packet, and why.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  palisade explain --policy policy.toml --from 203.0.113.9 --to 10.2.0.5:5432/tcp
  palisade explain --policy policy.toml --from 2001:db8::1 --to '[2001:db8:2::5]:53/udp' --json
  palisade explain --policy policy.toml --from 10.2.0.9 --to 192.0.2.80:443/tcp --arriving inside
  palisade explain --running --from 203.0.113.9:40000 --to 10.2.0.5:5432/tcp

With --running the gateway answers: the verdict by the ruleset in force, the flow's entry if there is
one (who allowed it when, and how long it is silent), and the last drops of the pair.

With --batch each line of standard input is SRC DST PROTO DPORT [inside] [vlan=N], each answer is
one JSON object on one line, and a line that can't be read is answered by an object with `error`.

Exit status: 0 whatever the verdict; 1 when the policy or the question can't be read; 3 when no gateway
answers.")]
pub(crate) struct Explain {
    /// The policy to ask.
    #[arg(long, value_name = "FILE", required_unless_present = "running")]
    pub(crate) policy: Option<PathBuf>,
    /// Ask the running gateway instead.
    #[arg(long, conflicts_with_all = ["policy", "batch"])]
    pub(crate) running: bool,
    #[command(flatten)]
    pub(crate) control: Control,
    /// Where the packet comes from; with a port when the packet is a reply.
    #[arg(long, value_name = "ADDR", required_unless_present = "batch", conflicts_with = "batch")]
    pub(crate) from: Option<String>,
    /// Where the packet goes to.
    #[arg(
        long,
        value_name = "ADDR:PORT/PROTO",
        required_unless_present = "batch",
        conflicts_with = "batch"
    )]
    pub(crate) to: Option<String>,
    /// The interface that it arrives on.
    #[arg(long, value_enum, default_value_t = Arriving::Outside, conflicts_with = "batch")]
    pub(crate) arriving: Arriving,
    /// The id in its VLAN tag; 0 without one.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "batch",
          value_parser = clap::value_parser!(u16).range(0..=4095))]
    pub(crate) vlan: u16,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Read questions from standard input, one a line.
    #[arg(long)]
    pub(crate) batch: bool,
}

/// The interface that a packet arrives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arriving {
    /// From the internet.
    Outside,
    /// From the protected network.
    Inside,
}

/// Write a policy in the words of another filter.
#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// As an nftables ruleset, on standard output.
    Nft(ExportNft),
}

/// Write a policy as an nftables ruleset.
///
/// For a second filter behind the gateway, and for whoever leaves: one table with a set for each
/// group, a chain for each domain, and a counter and the policy's own names on each rule. The head of
/// the file says how to load it, and what Palisade does that it does not.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  palisade export nft policy.toml > palisade.nft           a router: forwarded packets
  palisade export nft policy.toml --family bridge ...      a bridge: forwarded frames
  palisade export nft policy.toml --family netdev ...      any host: before everything, no state
  nft -c -f palisade.nft                                   would the kernel take it?
  nft -f palisade.nft                                      load it, or replace what was loaded
  nft list table inet palisade                             what it is, and what it counted

Countries and operators are written as networks, as the database has them now: export again for newer
data. docs/export.md shows an example.

Exit status: 0; 1 when the policy is refused.")]
pub(crate) struct ExportNft {
    /// The policy to write, with the files and databases that it names.
    #[arg(value_name = "POLICY")]
    pub(crate) policy: PathBuf,
    /// Where in the kernel the ruleset will stand.
    #[arg(long, value_enum, default_value_t = NftFamily::Inet)]
    pub(crate) family: NftFamily,
    /// The interface to the internet.
    #[arg(long, value_name = "INTERFACE", default_value = "eth0", value_parser = interface)]
    pub(crate) outside: String,
    /// The interface to the protected network.
    #[arg(long, value_name = "INTERFACE", default_value = "eth1", value_parser = interface)]
    pub(crate) inside: String,
}

/// Where in the kernel a ruleset stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NftFamily {
    /// On a router: packets that it forwards, with connection tracking.
    Inet,
    /// On a bridge: frames that it forwards, with connection tracking (nf_conntrack_bridge).
    Bridge,
    /// On any host: all that arrives on the two interfaces, without connection tracking.
    Netdev,
}

/// A name that the kernel takes for an interface, and nft within quotes.
fn interface(name: &str) -> Result<String, String> {
    let bad =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '"' | '*' | '\\');
    match name {
        "" | "." | ".." => Err("an interface has a name, such as eth0".to_owned()),
        _ if name.len() > 15 => Err("an interface's name has at most 15 bytes".to_owned()),
        _ if name.contains(bad) => Err("no interface has such a name".to_owned()),
        _ => Ok(name.to_owned()),
    }
}
