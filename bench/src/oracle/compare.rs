//! One policy, both judges, many packets.

use std::collections::BTreeMap;
use std::time::SystemTime;

use lookup::export::{Family, Target, nft};
use lookup::{Revision, Ruleset, Side};

use super::converse::converse;
use super::draft::{Draft, draw};
use super::judge::{Judge, Said};
use super::packet::Packet;
use super::probe::Probes;
use super::small::{Disagreement, minimise};
use super::wire::{INSIDE, Join, OUTSIDE, Wire};
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

/// The wires, and a folder for policies.
pub struct Trial {
    bridge: Wire,
    pub(super) folder: Scratch,
}

/// What is asked: a kind of ruleset, and what is done to it before it is loaded.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The seed, for people.
    pub seed: u64,
    /// The kind of ruleset.
    pub family: Family,
    /// A change to the exported text; a test makes a wrong one.
    pub change: &'a dyn Fn(String) -> String,
}

impl Question<'_> {
    /// The ruleset as it is exported.
    #[must_use]
    pub fn plain(seed: u64, family: Family) -> Question<'static> {
        Question { seed, family, change: &|text| text }
    }
}

/// The sequence and the place in it where the judges first differ, or all that they agree on.
pub type Compared = std::result::Result<Tally, (usize, usize)>;

impl Trial {
    /// Lays the wires out, and proves that they lose nothing by themselves.
    ///
    /// # Errors
    /// When not root, or when a command of the system fails.
    pub fn new() -> Result<Self> {
        let (bridge, folder) = (Wire::new(Join::Bridge)?, Scratch::new()?);
        let draft = draw(1, folder.path())?;
        let mut probes = Probes::of(&draft.policy, &draft.geo, 1);
        let packets: Vec<Packet> = (0..500).map(|_| probes.packet()).collect();
        bridge.check(&packets)?;
        Ok(Self { bridge, folder })
    }

    /// Where to draw and read policies.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The policy of a seed as a bridge's ruleset or as netdev's, all of it without state.
    ///
    /// # Errors
    /// When the policy cannot be drawn or loaded, or when the judges disagree.
    pub fn bridged(&self, seed: u64, packets: usize) -> Result<Tally> {
        let family = if seed.is_multiple_of(2) { Family::Netdev } else { Family::Bridge };
        let draft = draw(seed, self.folder.path())?;
        let sequences = stateless(&draft, !seed, packets);
        self.agreed(&draft, Question::plain(seed, family), &sequences)
    }

    /// The policy of a seed as a router's ruleset, with connections that the inside opens.
    ///
    /// # Errors
    /// As [`Trial::bridged`].
    pub fn routed(&self, seed: u64, packets: usize) -> Result<Tally> {
        let draft = draw(seed, self.folder.path())?;
        let sequences = converse(&draft.policy, &draft.geo, &mut judge(&draft)?, (seed, packets));
        self.agreed(&draft, Question::plain(seed, Family::Inet), &sequences)
    }

    fn agreed(
        &self,
        draft: &Draft,
        question: Question<'_>,
        sequences: &[Vec<Packet>],
    ) -> Result<Tally> {
        match self.compare(draft, question, sequences)? {
            Ok(tally) => Ok(tally),
            Err((sequence, place)) => {
                let mut packets = sequences[sequence][..=place].to_vec();
                if question.family == Family::Inet && self.ask(draft, question, &packets)?.is_none()
                {
                    // Something before its own sequence matters: a router forgets nothing.
                    packets = [sequences[..sequence].concat(), packets].concat();
                }
                let small = minimise(self, draft, question, &packets)?;
                Err(Error::Usage(small.to_string()))
            }
        }
    }

    /// Asks both judges. What a sequence opened is forgotten after it, but for a router's.
    ///
    /// # Errors
    /// When the ruleset cannot be loaded.
    pub fn compare(
        &self,
        draft: &Draft,
        question: Question<'_>,
        sequences: &[Vec<Packet>],
    ) -> Result<Compared> {
        let mut judge = judge(draft)?;
        let router;
        let wire = if question.family == Family::Inet {
            // A fresh one: nothing else forgets all connections.
            router = Wire::new(Join::Router)?;
            &router
        } else {
            &self.bridge
        };
        wire.load(&(question.change)(export(draft, question.family)))?;
        let mut tally = Tally::default();
        for (number, sequence) in sequences.iter().enumerate() {
            for (place, packet) in sequence.iter().enumerate() {
                let palisade = judge.say(packet);
                if palisade.crosses != wire.crosses(packet)? {
                    return Ok(Err((number, place)));
                }
                tally.count(&palisade);
            }
            if question.family != Family::Inet {
                judge.forget();
            }
        }
        tally.policies.insert(question.family.as_str(), 1);
        Ok(Ok(tally))
    }

    /// Both verdicts on the last of these packets, each judge having seen those before it and no
    /// others.
    pub(super) fn ask(
        &self,
        draft: &Draft,
        question: Question<'_>,
        packets: &[Packet],
    ) -> Result<Option<Disagreement>> {
        let Some((packet, before)) = packets.split_last() else { return Ok(None) };
        let whole = [packets.to_vec()];
        let Err((_, place)) = self.compare(draft, question, &whole)? else { return Ok(None) };
        if place + 1 != packets.len() {
            return Ok(None);
        }
        let mut judge = judge(draft)?;
        before.iter().for_each(|packet| drop(judge.say(packet)));
        let palisade = judge.say(packet);
        Ok(Some(Disagreement {
            seed: question.seed,
            family: question.family,
            policy: draft.text.clone(),
            before: before.to_vec(),
            packet: packet.clone(),
            explain: judge.explain(packet),
            palisade,
        }))
    }
}

/// Random packets without state: all from the outside, then all from the inside. Without connection
/// tracking the kernel knows no replies, so nothing is opened before the outside has been heard.
#[must_use]
pub fn stateless(draft: &Draft, seed: u64, packets: usize) -> Vec<Vec<Packet>> {
    let mut probes = Probes::of(&draft.policy, &draft.geo, seed);
    let all = (0..packets).map(|_| probes.packet());
    let (outside, inside) = all.partition(|packet| packet.side == Side::Outside);
    vec![outside, inside]
}

fn judge(draft: &Draft) -> Result<Judge> {
    let compiled =
        Ruleset::compile(&draft.policy, &draft.geo, SystemTime::now().into(), Revision(1));
    Ok(Judge::new(compiled.map_err(|error| Error::Usage(error.to_string()))?))
}

/// The ruleset for this kernel: one without connection tracking on bridges (`nf_conntrack_bridge`)
/// refuses rules that ask for it there.
fn export(draft: &Draft, family: Family) -> String {
    let (outside, inside) = (OUTSIDE.to_owned(), INSIDE.to_owned());
    let text = nft(&draft.policy, &draft.geo, &Target { family, outside, inside });
    let tracks = |line: &&str| line.split_whitespace().any(|word| word == "ct");
    match family {
        Family::Bridge => {
            text.lines().filter(|line| !tracks(line)).map(|line| format!("{line}\n")).collect()
        }
        _ => text,
    }
}
