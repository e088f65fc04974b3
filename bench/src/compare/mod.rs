//! `palisade-bench compare`: Palisade and its peers in turn, on the same interfaces, with the same
//! traffic, on the same cores.
//!
//! ```text
//!  core 0: generator -> c0 ==> outside (softirq)        core 0, or core 1 for the kernel's peers
//!  core 1:                     peer -> inside ==> s0 -> sink
//! ```
//! A round gives each peer one turn in a lab of its own, in an order that moves on by one each round;
//! a turn is all workloads that the peer takes part in. Every offer is counted at every hop: one whose
//! packets do not add up is void, and so is the whole run when one packet comes through that must not.

pub mod books;
mod samples;
mod search;
mod stand;
mod turn;
pub mod workload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

pub use self::samples::Samples;
pub use self::stand::{Load, Outcome, Stand};
pub use self::workload::{Figure, Workload, draw};
use crate::lab::{Lab, Setup};
use crate::load::Flow;
use crate::peers::{Fence, HugePages, Peer};
use crate::record::Record;
use crate::{Error, Result};

/// Everybody who may take a turn, testpmd first: its best rate sets the pace of the latencies.
const PEERS: [Peer; 9] = [
    Peer::Testpmd,
    Peer::Palisade,
    Peer::Workers,
    Peer::NftSet,
    Peer::NftRaw,
    Peer::NftMap,
    Peer::Conntrack,
    Peer::Router,
    Peer::Xdp,
];
/// The core of every peer.
const CORE: u32 = 1;
/// Entries of the table of flows, of whoever has one: none is ever full.
pub(crate) const FLOWS: u32 = 1 << 21;
const PORT: u16 = 123;

/// Compare Palisade with what would stand in its place: nftables, testpmd, the kernel, bare XDP.
///
/// Needs root, two cores, and `scripts/install-deps compare`. Ten rounds take about twenty minutes;
/// `--rounds 2 --only forward,flood` takes two.
#[derive(Debug, Args)]
pub struct Compare {
    /// Turns of each peer.
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Seconds of one trial of a search.
    #[arg(long, default_value_t = 0.3)]
    trial: f64,
    /// These workloads.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Workload>,
    /// These peers, beside Palisade.
    #[arg(long, value_enum, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Countries that may reach the service.
    #[arg(long, default_value = "DE,FR,US", value_delimiter = ',')]
    allow: Vec<String>,
    /// A country database instead of the embedded table.
    #[arg(long, value_name = "FILE")]
    geo: Option<PathBuf>,
    /// Bytes of a frame on the wire, FCS included.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Where the record goes.
    #[arg(long, value_name = "FOLDER", default_value = "bench/record")]
    records: PathBuf,
}

/// What all turns share.
#[derive(Debug)]
pub struct Terms {
    /// The verdicts.
    pub fence: Fence,
    /// The flows of each workload.
    pub flows: BTreeMap<Workload, Vec<Flow>>,
    /// Length of one measurement.
    pub length: Duration,
    /// Length of one trial of a search.
    pub trial: Duration,
    /// Bytes on the wire.
    pub wire_bytes: usize,
    /// Half of testpmd's best rate, once it is known.
    pub half_pps: Option<u64>,
}

impl Compare {
    /// Runs it, prints a table and writes a record.
    ///
    /// # Errors
    /// When the lab or a peer fails, or a packet came through that must not.
    pub fn run(&self) -> Result<()> {
        let _pages = HugePages::for_peers()?;
        let mut terms = self.terms()?;
        let mut samples = Samples::default();
        let peers = self.turns(&terms);
        if terms.flows.contains_key(&Workload::Latency) {
            terms.half_pps = Some(self.half(&terms)?);
        }
        let begin = Instant::now();
        for round in 0..self.rounds {
            for place in 0..peers.len() {
                let peer = peers[(place + round as usize) % peers.len()];
                match terms.turn(peer, round) {
                    Ok(found) => samples.add(round, peer, found),
                    Err(Error::Void(what)) => return Err(Error::Void(what)),
                    // A peer that did not start this time has no figures of this round.
                    Err(error) => {
                        let void = vec![format!("{}: {error}", peer.name())];
                        samples.add(round, peer, turn::Found { void, ..Default::default() });
                    }
                }
                turn::settle();
            }
            println!("round {} of {}, {} s", round + 1, self.rounds, begin.elapsed().as_secs());
        }
        let mut record = Record::begin("compare");
        record.notes = self.notes(&terms, &samples);
        record.rows = samples.rows();
        println!("{}", samples.table(&record.rows));
        record.notes.iter().for_each(|note| println!("{note}"));
        println!("record: {}", record.write(&self.records)?.display());
        Ok(())
    }

    fn terms(&self) -> Result<Terms> {
        let countries: Vec<&str> = self.allow.iter().map(String::as_str).collect();
        let fence = Fence::new(self.geo.clone(), &countries, PORT)?;
        let wanted = |workload: &Workload| self.only.is_empty() || self.only.contains(workload);
        let flows = Workload::ALL.into_iter().filter(wanted);
        let flows = flows.map(|workload| Ok((workload, workload.flows(&fence)?)));
        Ok(Terms {
            flows: flows.collect::<Result<_>>()?,
            fence,
            length: Duration::from_secs_f64(self.seconds.clamp(0.05, 60.0)),
            trial: Duration::from_secs_f64(self.trial.clamp(0.05, 60.0)),
            wire_bytes: self.size,
            half_pps: None,
        })
    }

    /// Who takes turns: Palisade, and whom it is compared with in one of the workloads.
    fn turns(&self, terms: &Terms) -> Vec<Peer> {
        let takes_part = |peer: Peer| terms.flows.keys().any(|load| load.peers().contains(&peer));
        let asked = |peer: Peer| {
            self.peers.is_empty() || self.peers.contains(&peer) || peer == Peer::Palisade
        };
        PEERS.into_iter().filter(|peer| takes_part(*peer) && asked(*peer)).collect()
    }

    /// Half of what testpmd forwards at best.
    fn half(&self, terms: &Terms) -> Result<u64> {
        let lab = Lab::new(1)?;
        let stand = terms.stand(&lab, Peer::Testpmd)?;
        let flows = Workload::Forward.flows(&terms.fence)?;
        let mut load = stand.load(Workload::Forward, &flows, terms.wire_bytes)?;
        stand.offer(&mut load, turn::WARM_UP, None)?;
        let outcome = stand.offer(&mut load, terms.length, None)?;
        Ok((outcome.rate_pps() / 2.0) as u64)
    }

    fn notes(&self, terms: &Terms, samples: &Samples) -> Vec<String> {
        let mut notes = vec![
            format!(
                "veth pairs between three network namespaces of one machine; frames of {} bytes on \
                 the wire, UDP over IPv4; measurements of {:?}, trials of {:?}",
                self.size, terms.length, terms.trial
            ),
            "core 0: generator and the softirq of the receiving veth; core 1: the peer. The \
             kernel's peers have threaded NAPI on core 1"
                .to_owned(),
            format!(
                "one service, {} may reach it: {} intervals in the sets of nftables, {} in its map, \
                 the whole table in Palisade, whose drop log is on; nftables logs nothing",
                self.allow.join(", "),
                terms.fence.intervals().matches(',').count(),
                terms.fence.marks().matches(',').count(),
            ),
            format!("tables of flows and conntrack: room for {FLOWS} each"),
        ];
        if let Some(flows) = terms.flows.get(&Workload::Flood) {
            let may = flows.iter().filter(|flow| terms.fence.welcomes(flow.source)).count();
            notes.push(format!(
                "flood: {:.1} % of the sources may pass; each frame is of a flow of its own",
                may as f64 * 100.0 / flows.len().max(1) as f64
            ));
        }
        if let Some(half) = terms.half_pps {
            notes.push(format!("half of testpmd's best rate: {:.3} Mpps", half as f64 / 1e6));
        }
        notes.extend(samples.void.iter().map(|void| format!("void: {void}")));
        notes
    }
}

impl Terms {
    /// One turn of one peer in a lab of its own.
    fn turn(&self, peer: Peer, round: u32) -> Result<turn::Found> {
        let lab = Lab::new(1)?;
        let stand = self.stand(&lab, peer)?;
        turn::take(&stand, self, round)
    }

    /// A peer at its place.
    ///
    /// # Errors
    /// When it does not start.
    pub fn stand<'lab>(&self, lab: &'lab Lab, peer: Peer) -> Result<Stand<'lab>> {
        let policy = self.fence.policy();
        let setup =
            Setup { cores: vec![CORE], poll: "busy", flows: FLOWS, ..Setup::new(lab, &policy) };
        let running = peer.start(lab, &setup, &self.fence)?;
        Ok(Stand { lab, peer, running })
    }
}
