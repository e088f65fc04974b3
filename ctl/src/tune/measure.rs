//! Choices tried one after the other on the running gateway, under the traffic that it has.
//!
//! ```text
//!  cores: now, proposed --best--> bursts: 16, 32, 64 --best--> modes: busy, adaptive, interrupt
//!  a trial: POST /workers with a deadline, settle, status .. seconds .. status
//! ```
//! One thing at a time: each step starts from the best of the one before. Loss decides first; of those
//! that lose no more, the cheapest. Every trial has a deadline, after which the gateway goes back by
//! itself, so that a command that is cut off changes nothing for long.

use std::time::{Duration, Instant};
use std::{fmt, thread};

use engine::{Poll, Roster, Status, WantedRoster};
use serde::Serialize;

use super::{End, ask, assign, propose::Proposal};
use crate::cli::{Prefer, Tune};
use crate::words::warn;

/// Bursts that are tried.
const BURSTS: [u8; 3] = [16, 32, 64];
/// After a change, before anything is measured: rings are drained, sleepers have slept.
const SETTLE: Duration = Duration::from_millis(500);
/// Beyond the measurement, how long a trial lasts if nobody ends it.
const SLACK_S: u64 = 10;
/// Packets that a trial needs at least: what hosts say to a silent link by themselves is far less, and
/// decides nothing.
const FEWEST: f64 = 100.0;
/// Losses that differ by no more of what came are the same.
const SAME_LOSS: f64 = 0.000_5;
/// So much dearer a packet may be in a smaller burst, which is on its way sooner.
const SAME_COST: f64 = 0.03;

/// What a choice did.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Trial {
    pub(super) roster: Roster,
    pub(super) figures: Figures,
    /// It is the one that is proposed.
    pub(super) chosen: bool,
}

/// Figures of some seconds, all workers together.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) received_pps: f64,
    pub(super) forwarded_pps: f64,
    /// Packets that found no room in a ring, or no worker.
    pub(super) lost_pps: f64,
    /// Nanoseconds of receiving, classifying and transmitting a packet.
    pub(super) packet_ns: f64,
    /// Cores' worth of time with packets in hand.
    pub(super) busy_cores: f64,
    /// Cores' worth of time that nobody else could have: busy, or spinning.
    pub(super) used_cores: f64,
}

/// All trials of one command.
pub(super) struct Run<'a> {
    pub(super) args: &'a Tune,
    pub(super) seconds: u64,
}

impl Run<'_> {
    /// Tries what the proposal leaves open, and puts the best into it. The gateway goes on as before.
    pub(super) fn choose(&self, now: &Roster, proposal: &mut Proposal) -> Result<Vec<Trial>, End> {
        let mut trials = Vec::new();
        let result = self.steps(now, proposal, &mut trials);
        let back = WantedRoster {
            cores: Some(now.cores.clone()),
            poll: Some(now.poll),
            burst: Some(now.burst),
            why: Some("the trials of palisade tune are over".to_owned()),
            trial_s: None,
        };
        let returned = if trials.is_empty() { Ok(()) } else { assign(self.args, &back) };
        result.and(returned)?;
        for trial in &mut trials {
            trial.chosen = trial.roster == proposal.roster;
        }
        Ok(trials)
    }

    fn steps(
        &self,
        now: &Roster,
        proposal: &mut Proposal,
        trials: &mut Vec<Trial>,
    ) -> Result<(), End> {
        let first = self.figures(now, trials)?;
        let mut best = now.clone();
        if proposal.roster.cores != best.cores {
            let other = Roster { cores: proposal.roster.cores.clone(), ..best.clone() };
            let figures = self.figures(&other, trials)?;
            // Named cores are wanted, whatever they bring.
            if self.args.cores.is_some() || better_cores(&first, &figures) {
                best = other;
            }
        }
        best.burst = match self.args.burst {
            Some(burst) => burst,
            None => {
                let tried = BURSTS.map(|burst| Roster { burst, ..best.clone() });
                cheapest_burst(&self.all(&tried, trials)?)
            }
        };
        best.poll = match self.args.poll {
            Some(poll) => poll,
            None => {
                let tried = Poll::ALL.map(|(_, poll)| Roster { poll, ..best.clone() });
                best_poll(&self.all(&tried, trials)?, self.args.prefer)
            }
        };
        self.figures(&best, trials)?;
        proposal.settle(best, self.seconds);
        Ok(())
    }

    fn all(
        &self,
        tried: &[Roster],
        trials: &mut Vec<Trial>,
    ) -> Result<Vec<(Roster, Figures)>, End> {
        let figures = |roster: &Roster| Ok((roster.clone(), self.figures(roster, trials)?));
        tried.iter().map(figures).collect()
    }

    /// The figures of a choice, which is tried once.
    fn figures(&self, roster: &Roster, trials: &mut Vec<Trial>) -> Result<Figures, End> {
        if let Some(known) = trials.iter().find(|trial| trial.roster == *roster) {
            return Ok(known.figures);
        }
        let wanted = WantedRoster {
            cores: Some(roster.cores.clone()),
            poll: Some(roster.poll),
            burst: Some(roster.burst),
            why: Some("palisade tune measures".to_owned()),
            trial_s: Some(self.seconds + SLACK_S),
        };
        assign(self.args, &wanted)?;
        thread::sleep(SETTLE);
        let begin = (ask::<Status>(self.args, "/status")?, Instant::now());
        thread::sleep(Duration::from_secs(self.seconds));
        let end = (ask::<Status>(self.args, "/status")?, Instant::now());
        let figures = Figures::between(&begin, &end);
        if !self.args.json {
            warn(format_args!("tried {roster}: {figures}"));
        }
        trials.push(Trial { roster: roster.clone(), figures, chosen: false });
        let came = (figures.received_pps + figures.lost_pps) * self.seconds as f64;
        if came < FEWEST {
            return Err(End::Refused(format!(
                "too few packets come to measure by, {came:.0} in {} s: try again under load, or with \
                 more seconds (a trial needs {FEWEST})",
                self.seconds
            )));
        }
        Ok(figures)
    }
}

impl Figures {
    fn between((before, begin): &(Status, Instant), (now, end): &(Status, Instant)) -> Self {
        let seconds = end.saturating_duration_since(*begin).as_secs_f64().max(1e-3);
        let lost = |status: &Status| -> u64 {
            let of = status.interfaces.iter();
            of.map(|one| one.kernel_dropped + one.unserved_dropped + one.shed).sum()
        };
        let per_s = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        let spent = |of: fn(&Status) -> u64| of(now).saturating_sub(of(before)) as f64;
        let busy_ns = spent(|status| {
            let stages = status.time.total_ns;
            stages.receive + stages.classify + stages.transmit
        });
        let awake_ns =
            spent(|status| status.time.total_ns.total()) - spent(|status| status.time.asleep_ns);
        let packets = now.packets.received.saturating_sub(before.packets.received);
        Self {
            received_pps: per_s(now.packets.received, before.packets.received),
            forwarded_pps: per_s(now.packets.forwarded, before.packets.forwarded),
            lost_pps: per_s(lost(now), lost(before)),
            packet_ns: if packets > 0 { busy_ns / packets as f64 } else { 0.0 },
            busy_cores: busy_ns / 1e9 / seconds,
            used_cores: awake_ns / 1e9 / seconds,
        }
    }

    /// The part of what came that no worker saw.
    fn loss(&self) -> f64 {
        self.lost_pps / (self.received_pps + self.lost_pps).max(1.0)
    }

    fn loses_more(&self, than: &Self) -> bool {
        self.loss() > than.loss() + SAME_LOSS
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received_pps, lost_pps, packet_ns, used_cores, .. } = self;
        write!(
            f,
            "{received_pps:.0} packets a second, {lost_pps:.0} lost, {packet_ns:.0} ns each, \
             {used_cores:.2} cores"
        )
    }
}

/// Whether other cores are better: less loss, or the same for less time a packet.
fn better_cores(now: &Figures, other: &Figures) -> bool {
    if now.loses_more(other) || other.loses_more(now) {
        return now.loses_more(other);
    }
    other.packet_ns < now.packet_ns * (1.0 - SAME_COST)
}

/// Those that lose no more than the one that loses least.
fn least_loss(tried: &[(Roster, Figures)]) -> impl Iterator<Item = &(Roster, Figures)> {
    let least = tried.iter().map(|(_, figures)| figures.loss()).fold(f64::INFINITY, f64::min);
    tried.iter().filter(move |(_, figures)| figures.loss() <= least + SAME_LOSS)
}

/// The smallest burst that costs a packet about what the best one does.
fn cheapest_burst(tried: &[(Roster, Figures)]) -> u8 {
    let least =
        least_loss(tried).map(|(_, figures)| figures.packet_ns).fold(f64::INFINITY, f64::min);
    let good = least_loss(tried).filter(|(_, one)| one.packet_ns <= least * (1.0 + SAME_COST));
    good.map(|(roster, _)| roster.burst).min().unwrap_or(64)
}

/// The mode that loses least, and of several the one that is preferred.
fn best_poll(tried: &[(Roster, Figures)], prefer: Prefer) -> Poll {
    let mut good: Vec<_> = least_loss(tried).collect();
    good.sort_by(|(_, one), (_, other)| one.used_cores.total_cmp(&other.used_cores));
    let busy = good.iter().find(|(roster, _)| roster.poll == Poll::Busy);
    let first = good.first();
    let chosen = if prefer == Prefer::Latency { busy.or(first) } else { first };
    chosen.map_or(Poll::Busy, |(roster, _)| roster.poll)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(poll: Poll, burst: u8) -> Roster {
        Roster { cores: vec![1], poll, burst }
    }

    fn figures(lost_pps: f64, packet_ns: f64, used_cores: f64) -> Figures {
        Figures { received_pps: 1e6, lost_pps, packet_ns, used_cores, ..Figures::default() }
    }

    #[test]
    fn loss_decides_before_anything_else() {
        let cheap_but_lossy = figures(50_000.0, 400.0, 0.5);
        let sound = figures(0.0, 500.0, 1.0);
        assert!(!better_cores(&sound, &cheap_but_lossy));
        assert!(better_cores(&cheap_but_lossy, &sound));
        let tried = [
            (roster(Poll::Busy, 64), sound),
            (roster(Poll::Adaptive, 64), figures(100.0, 500.0, 0.7)),
            (roster(Poll::Interrupt, 64), cheap_but_lossy),
        ];
        assert_eq!(best_poll(&tried, Prefer::Cores), Poll::Adaptive, "0.01 % is no loss");
        assert_eq!(best_poll(&tried, Prefer::Latency), Poll::Busy);
    }

    #[test]
    fn the_smallest_burst_of_those_that_cost_the_same() {
        let of = |burst, lost_pps, packet_ns| {
            (roster(Poll::Busy, burst), figures(lost_pps, packet_ns, 1.0))
        };
        let tried = [of(16, 0.0, 610.0), of(32, 0.0, 605.0), of(64, 0.0, 600.0)];
        assert_eq!(cheapest_burst(&tried), 16);
        let tried = [of(16, 0.0, 700.0), of(32, 0.0, 610.0), of(64, 0.0, 600.0)];
        assert_eq!(cheapest_burst(&tried), 32);
        let tried = [of(16, 9000.0, 500.0), of(32, 9000.0, 500.0), of(64, 0.0, 600.0)];
        assert_eq!(cheapest_burst(&tried), 64);
    }

    #[test]
    fn other_cores_must_be_better_and_not_only_as_good() {
        let now = figures(0.0, 600.0, 1.0);
        assert!(!better_cores(&now, &figures(0.0, 595.0, 1.0)));
        assert!(better_cores(&now, &figures(0.0, 500.0, 1.0)));
    }
}
