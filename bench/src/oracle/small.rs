//! A disagreement, made as small as it gets.

use std::fmt;

use lookup::export::Family;

use super::compare::{Question, Trial};
use super::draft::Draft;
use super::judge::Said;
use super::packet::{Extra, Packet};
use crate::error::system;
use crate::{Error, Result};

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
    /// What Palisade says; the kernel says the other.
    pub palisade: Said,
    /// What `explain` says.
    pub explain: String,
}

/// Takes out of policy and packets what the disagreement on the last packet does not need.
pub(super) fn minimise(
    trial: &Trial,
    draft: &Draft,
    question: Question<'_>,
    packets: &[Packet],
) -> Result<Disagreement> {
    let router = question.family == Family::Inet;
    let last = packets.last().map(std::slice::from_ref).unwrap_or_default();
    let alone = if router { None } else { trial.ask(draft, question, last)? };
    // With those before it in its sequence, if it needs them.
    let found = match alone {
        Some(alone) => Some(alone),
        None => trial.ask(draft, question, packets)?,
    };
    let Some(mut small) = found else {
        let text = format!("seed {}: the judges disagreed, and then no more", question.seed);
        return Err(Error::Usage(text));
    };
    if router {
        // What came before matters: with less of it, it would be another question.
        return Ok(small);
    }
    for plain in [|p: &mut Packet| p.tag = None, |p: &mut Packet| p.extra = Extra::None] {
        let mut packets = small.packets();
        packets.iter_mut().for_each(plain);
        if let Some(found) = trial.ask(draft, question, &packets)? {
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
        match read(trial, &rest) {
            Ok(draft) => match trial.ask(&draft, question, &small.packets())? {
                Some(found) => small = found,
                None => index += 1,
            },
            // A policy that no longer holds together needs the section too.
            Err(_) => index += 1,
        }
    }
}

/// Reads a policy beside the lists and geo data that were drawn last.
fn read(trial: &Trial, text: &str) -> Result<Draft> {
    let path = trial.folder().join("policy.toml");
    std::fs::write(&path, text).map_err(system("write", "policy.toml"))?;
    Draft::load(&path)
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

impl Disagreement {
    fn packets(&self) -> Vec<Packet> {
        self.before.iter().chain([&self.packet]).cloned().collect()
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
        writeln!(f, "nftables  {}", said(!palisade.crosses))?;
        writeln!(f, "policy:\n{policy}\nexplain:\n{explain}")
    }
}
