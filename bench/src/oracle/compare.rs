//! One policy, both judges, many packets; and a disagreement made small.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use lookup::export::{Family, Target, nft};
use lookup::{Ask, Policy, Proto, Revision, Ruleset, Side};

use super::converse::converse;
use super::draft::{Draft, draw};
use super::judge::{Judge, Said};
use super::packet::{Extra, Packet, proto};
use super::probe::Probes;
use super::wire::{INSIDE, Join, OUTSIDE, Wire};
use crate::error::system;
use crate::lab::Scratch;
use crate::{Error, Result};

/// What was compared, and found alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Policies, each as one kind of ruleset.
    pub policies: BTreeMap<&'static str, u64>,
    /// Packets that crossed.
    pub crossed: u64,
    /// Packets that did not, by Palisade's reason.
    pub dropped: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds the counts of another.
    pub fn add(&mut self, other: &Self) {
        self.crossed += other.crossed;
        for (family, count) in &other.policies {
            *self.policies.entry(family).or_default() += count;
        }
        for (reason, count) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += count;
        }
    }

    /// All packets.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.crossed + self.dropped.values().sum::<u64>()
    }

    fn count(&mut self, said: &Said) {
        match &said.why {
            _ if said.crosses => self.crossed += 1,
            why => {
                let reason = why.as_deref().and_then(|why| why.split(',').next()).unwrap_or("?");
                *self.dropped.entry(reason.to_owned()).or_default() += 1;
            }
        }
    }
}

/// A packet on which the two judges differ.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// The seed of the policy.
    pub seed: u64,
    /// The kind of ruleset.
    pub family: Family,
    /// The policy, with all taken out that does not matter.
    pub policy: String,
    /// The packets before it, when they matter.
    pub before: Vec<Packet>,
    /// The packet, likewise.
    pub packet: Packet,
    /// What Palisade says.
    pub palisade: Said,
    /// Whether the kernel lets it through.
    pub kernel: bool,
    /// What `explain` says.
    pub explain: String,
}

/// Both wires, and a folder for policies.
pub struct Trial {
    bridge: Wire,
    folder: Scratch,
}

type Found = std::result::Result<Tally, Box<Disagreement>>;

impl Trial {
    /// Lays the wires out, and proves that they lose nothing by themselves.
    ///
    /// # Errors
    /// When not root, or when a command of the system fails.
    pub fn new() -> Result<Self> {
        let (bridge, folder) = (Wire::new(Join::Bridge)?, Scratch::new()?);
        let draft = draw(1, folder.path())?;
        let mut probes = Probes::of(&draft.policy, &draft.geo, 1);
        let frames: Vec<_> =
            (0..500).map(|_| probes.packet()).map(|packet| (packet.side, packet.frame())).collect();
        bridge.check(&frames)?;
        Ok(Self { bridge, folder })
    }

    /// The policy of a seed as a bridge's ruleset or as netdev's, all of it without state.
    ///
    /// # Errors
    /// When the policy cannot be drawn or loaded.
    pub fn bridged(&self, seed: u64, packets: usize) -> Result<Found> {
        let family = if seed % 2 == 0 { Family::Netdev } else { Family::Bridge };
        let draft = draw(seed, self.folder.path())?;
        let mut probes = Probes::of(&draft.policy, &draft.geo, !seed);
        let mut packets: Vec<Packet> = (0..packets).map(|_| probes.packet()).collect();
        // Without connection tracking the kernel knows no replies. So nothing is opened from the
        // inside before the outside has been heard.
        packets.sort_by_key(|packet| packet.side == Side::Inside);
        self.compare(seed, &draft, family, &packets, |text| text)
    }

    /// The same for packets and for a change of the ruleset that are given.
    ///
    /// # Errors
    /// When the ruleset cannot be loaded.
    pub fn compare(
        &self,
        seed: u64,
        draft: &Draft,
        family: Family,
        packets: &[Packet],
        change: impl Fn(String) -> String,
    ) -> Result<Found> {
        let mut judge = judge(draft)?;
        self.bridge.load(&change(export(draft, family)))?;
        let mut tally = Tally::default();
        let mut side = Side::Outside;
        for packet in packets {
            if packet.side != side {
                judge.forget();
                side = packet.side;
            }
            let frame = packet.frame();
            let palisade = judge.say(packet.side, &frame);
            if palisade.crosses != self.bridge.crosses(packet.side, &frame)? {
                let small = self.minimise(seed, draft, family, packet, &change)?;
                return Ok(Err(Box::new(small)));
            }
            tally.count(&palisade);
        }
        tally.policies.insert(family.as_str(), 1);
        Ok(Ok(tally))
    }

    /// The policy of a seed as a router's ruleset, with connections that the inside opens.
    ///
    /// # Errors
    /// When the policy cannot be drawn or loaded.
    pub fn routed(&self, seed: u64, packets: usize) -> Result<Found> {
        let draft = draw(seed, self.folder.path())?;
        // A fresh one: nothing else forgets all connections.
        let wire = Wire::new(Join::Router)?;
        let mut judge = judge(&draft)?;
        wire.load(&export(&draft, Family::Inet))?;
        let mut tally = Tally::default();
        for sequence in converse(&draft.policy, &draft.geo, seed, packets) {
            for (index, packet) in sequence.iter().enumerate() {
                let frame = packet.frame();
                let palisade = judge.say(packet.side, &frame);
                let kernel = wire.crosses(packet.side, &frame)?;
                if palisade.crosses != kernel {
                    let explain = explain(&judge, packet);
                    return Ok(Err(Box::new(Disagreement {
                        seed,
                        family: Family::Inet,
                        policy: draft.text.clone(),
                        before: sequence.iter().take(index).cloned().collect(),
                        packet: packet.clone(),
                        palisade,
                        kernel,
                        explain,
                    })));
                }
                tally.count(&palisade);
            }
        }
        tally.policies.insert(Family::Inet.as_str(), 1);
        Ok(Ok(tally))
    }

    /// Takes out of policy and packet what the disagreement does not need.
    fn minimise(
        &self,
        seed: u64,
        draft: &Draft,
        family: Family,
        packet: &Packet,
        change: &impl Fn(String) -> String,
    ) -> Result<Disagreement> {
        let mut small = self.ask(seed, &draft.text, family, packet, change)?;
        let plain = [
            Packet { tag: None, ..packet.clone() },
            Packet { extra: Extra::None, ..packet.clone() },
            Packet { tag: None, extra: Extra::None, ..packet.clone() },
        ];
        for packet in plain {
            let found = self.ask(seed, &draft.text, family, &packet, change)?;
            if found.differ() {
                small = found;
            }
        }
        let mut index = 0;
        loop {
            let sections = sections(&small.policy);
            if index >= sections.len() {
                return Ok(small);
            }
            let rest = [&sections[..index], &sections[index + 1..]].concat().concat();
            match self.ask(seed, &rest, family, &small.packet, change) {
                Ok(found) if found.differ() => small = found,
                // A policy that no longer holds together needs the section too.
                _ => index += 1,
            }
        }
    }

    /// Both judges on one packet, neither having seen another.
    fn ask(
        &self,
        seed: u64,
        text: &str,
        family: Family,
        packet: &Packet,
        change: &impl Fn(String) -> String,
    ) -> Result<Disagreement> {
        let draft = read(text, &self.folder)?;
        let mut judge = judge(&draft)?;
        self.bridge.load(&change(export(&draft, family)))?;
        let frame = packet.frame();
        Ok(Disagreement {
            seed,
            family,
            policy: text.to_owned(),
            before: Vec::new(),
            packet: packet.clone(),
            palisade: judge.say(packet.side, &frame),
            kernel: self.bridge.crosses(packet.side, &frame)?,
            explain: explain(&judge, packet),
        })
    }
}

/// Reads a policy beside the lists and geo data that were drawn last.
fn read(text: &str, folder: &Scratch) -> Result<Draft> {
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, text).map_err(system("write", "policy.toml"))?;
    let (policy, geo, _) = Policy::load(&path).map_err(|error| Error::Usage(error.to_string()))?;
    Ok(Draft { text: text.to_owned(), policy, geo })
}

fn judge(draft: &Draft) -> Result<Judge> {
    let compiled = Ruleset::compile(&draft.policy, &draft.geo, Revision(1));
    Ok(Judge::new(compiled.map_err(|error| Error::Usage(error.to_string()))?))
}

/// The ruleset, for this kernel: one without connection tracking on bridges cannot load what asks
/// for it there.
fn export(draft: &Draft, family: Family) -> String {
    let (outside, inside) = (OUTSIDE.to_owned(), INSIDE.to_owned());
    let text = nft(&draft.policy, &draft.geo, &Target { family, outside, inside });
    if family == Family::Bridge {
        return text
            .lines()
            .filter(|line| !line.contains(" ct ") && !line.trim_start().starts_with("ct "))
            .fold(String::new(), |text, line| text + line + "\n");
    }
    text
}

/// A policy's sections, each with its header.
fn sections(text: &str) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in text.lines() {
        match sections.last_mut() {
            Some(last) if !line.starts_with('[') => *last += &format!("{line}\n"),
            _ => sections.push(format!("{line}\n")),
        }
    }
    sections
}

fn explain(judge: &Judge, packet: &Packet) -> String {
    let ported = Proto(packet.proto).has_ports();
    let ports = if ported { packet.ports } else { (0, 0) };
    let ask = Ask {
        from: packet.src,
        from_port: ported.then_some(ports.0),
        to: packet.dst,
        to_port: ports.1,
        proto: Proto(packet.proto).folded(),
        side: packet.side,
        vlan: packet.tag.unwrap_or(0) & 0x0fff,
    };
    serde_json::to_string_pretty(&judge.ruleset().explain(&ask)).unwrap_or_default()
}

impl Disagreement {
    fn differ(&self) -> bool {
        self.palisade.crosses != self.kernel
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, family, policy, packet, palisade, explain, .. } = self;
        let said = |crosses: bool| if crosses { "forward" } else { "drop" };
        writeln!(f, "the judges disagree, seed {seed}, {} ruleset", family.as_str())?;
        for before in &self.before {
            writeln!(f, "after     {before}")?;
        }
        writeln!(f, "packet    {packet}")?;
        let why = palisade.why.as_deref().unwrap_or("no record");
        writeln!(f, "palisade  {} ({why})", said(palisade.crosses))?;
        writeln!(f, "nftables  {}", said(self.kernel))?;
        writeln!(f, "policy:\n{policy}\nexplain:\n{explain}")
    }
}

/// Whether a router forwards packets between these two at all.
pub(super) fn routable(src: IpAddr, dst: IpAddr) -> bool {
    let ends = |address: IpAddr| match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            first != 0 && first != 127 && !(224..240).contains(&first) && !v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            bits > 1
                && !v6.is_multicast()
                && !v6.is_unicast_link_local()
                && v6.to_ipv4_mapped().is_none()
        }
    };
    ends(src) && ends(dst) && src != dst
}

/// Protocols whose connections the kernel and Palisade see alike without a handshake of their own.
pub(super) fn plain(number: u8) -> bool {
    !matches!(number, proto::SCTP | proto::DCCP)
}
