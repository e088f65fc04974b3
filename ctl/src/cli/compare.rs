//! Commands that hold one policy against another, or against traffic.

use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

use super::Control;

/// Show what differs between two policies, and whose verdicts flip.
///
/// OLD and NEW are two policies (files, revisions of the running gateway as rN, or `running` for what
/// is in force), or two databases (.mmdb, .csv) under one --policy. Policies are first compared in
/// their own terms, one line a change. Then every address is judged by both: what flips is counted,
/// not sampled, by domain and direction, in IPv4 addresses and in IPv6 networks of 48 bits, each of
/// which counts once however little of it flips.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  palisade diff policy.toml next.toml                 before it is applied
  palisade diff running next.toml                     against what is in force
  palisade diff r7 r9                                 what was changed in between?
  palisade diff old.mmdb new.mmdb --policy policy.toml
                                                      would the update be taken, and whom does it move?
  palisade flows --json | palisade diff running next.toml --flows -
                                                      whose connections would be cut?

In a domain that is a shadow only before or only after, what counts is whether a packet goes on; in one
that is a shadow in both, what would be done. Traffic that meets a service of another domain now, or none, is
compared by itself, whether the service moved, came or went, or its networks, VLANs, protocol or ports did.

Exit status, as that of diff: 0 nothing differs; 1 something does; 2 one of the two can't be read; 3 when
no gateway answers.")]
pub(crate) struct Diff {
    /// A policy, a revision (rN, running) or a database.
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// Another of the same kind.
    #[arg(value_name = "NEW")]
    pub(crate) new: String,
    /// With databases: the policy that they serve. With revisions: where the policy stands, so that the
    /// files that it names are found.
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<PathBuf>,
    /// Ask for these flows too, one JSON object a line, as palisade flows --json writes them; - is
    /// standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) flows: Option<PathBuf>,
    /// One JSON object instead of text, with everything that the text leaves out.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// Judge recorded traffic by a policy.
///
/// FILE is a capture (pcap or pcapng, Ethernet, both families, with VLAN tags or without) or recorded
/// flows, one JSON object a line, as palisade flows --json writes them; - is standard input. A capture
/// goes through the very code that the workers run, flow table, fragments and timeouts included, and its
/// own timestamps turn the clock. With --against, each packet is judged by that policy too, and what
/// differs is told.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tcpdump -i eth0 -w today.pcap                                    record
  palisade replay today.pcap --policy next.toml                    what would be dropped, and why?
  palisade replay today.pcap --policy next.toml --against policy.toml
                                                                   what would change?
  palisade replay today.pcap --policy next.toml --json | jq 'select(.verdict == \"drop\")'

Which side a packet came from: from the inside, when its source is in a network of a service or of
--inside and its destination is not; from the outside otherwise. Link traffic (ARP, neighbour discovery)
is passed on unjudged. A packet that was captured short of its end is judged by the headers that are
there, if the policy can be: use tcpdump -s 0 for all.

Exit status: 0 whatever the verdicts; 1 when a policy or the file can't be read. A file that ends in the
middle is judged up to there, with a warning.")]
pub(crate) struct Replay {
    /// The capture, or the recorded flows.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The policy to judge by.
    #[arg(long, value_name = "NEW")]
    pub(crate) policy: PathBuf,
    /// The policy to compare it with.
    #[arg(long, value_name = "OLD")]
    pub(crate) against: Option<PathBuf>,
    /// A network of the inside, beside those of services; may be given more than once.
    #[arg(long, value_name = "NET", value_parser = network)]
    pub(crate) inside: Vec<IpNet>,
    /// One JSON object for each packet or flow, on a line of its own, and at last one with the sums.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
        format!("`{text}` is no network: write 10.2.0.0/16, 2001:db8::/32 or one address")
    })
}
