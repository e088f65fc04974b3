//! The command line: what each command is for, in the words that `--help` and the man pages show.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A geo-fencing packet filter for a gateway appliance.
///
/// Palisade sits inline between an outside and an inside interface. The first packet of each flow is
/// judged by the country, autonomous system and network that it comes from and by the service that
/// it goes to; what the policy does not allow is dropped, with a record that says why.
#[derive(Debug, Parser)]
#[command(name = "palisade", version, max_term_width = 100)]
#[command(after_long_help = "\
Where to begin:
  palisade check policy.toml                      is the policy right?
  palisade explain --policy policy.toml \\
      --from 203.0.113.9 --to 10.2.0.5:5432/tcp   who gets in, and why?
  palisade run --config gateway.toml              put it inline
  palisade status                                 what it is doing

docs/policy.md explains every key of a policy, docs/gateway.md those of gateway.toml.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway in the foreground.
    Run(Run),
    /// Validate a policy: every error with its file, line, column and what to do.
    Check(Check),
    /// Say what happens to a packet, and why, by the code that the workers run.
    Explain(Explain),
    /// Write a policy in the words of another filter.
    #[command(subcommand)]
    Export(Export),
    /// Show a running gateway's counters, interfaces, queues and the modes that it was granted.
    Status(Status),
    /// Compile the policy again and put it in force without losing a packet.
    Reload(Reload),
    /// Print a completion script for a shell.
    Completions(Completions),
    /// Write the man pages of all commands to a folder.
    Man(Man),
}

/// Run the gateway in the foreground.
///
/// Needs root, or the capabilities CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK, and two
/// interfaces that carry nothing else. SIGINT and SIGTERM stop it cleanly; SIGHUP reloads the policy.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The smallest gateway.toml:

  policy = \"policy.toml\"

  [interface]
  outside = \"eth0\"
  inside  = \"eth1\"

Exit status: 0 after a clean stop, 1 when it could not start or a worker ended.")]
pub(crate) struct Run {
    /// The machine's configuration: interfaces, workers, drop log, control socket.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

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

With --batch each line of standard input is SRC DST PROTO DPORT [inside] [vlan=N], each answer is
one JSON object on one line, and a line that can't be read is answered by an object with `error`.

Exit status: 0 whatever the verdict; 1 when the policy or the question can't be read.")]
pub(crate) struct Explain {
    /// The policy to ask.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
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

/// Compile the policy again and put it in force.
///
/// A policy with a mistake changes nothing: the last good one stays in force.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Exit status: 0; 1 when the policy is refused; 3 when no gateway answers."
)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) control: Control,
}

#[derive(Debug, Args)]
pub(crate) struct Control {
    /// The gateway's control socket.
    #[arg(long, value_name = "SOCKET", default_value = "/run/palisade/control.sock")]
    pub(crate) socket: PathBuf,
}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell to write it for.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Write the man pages of all commands to a folder.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder; made when missing.
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
}
