//! Where a worker's time goes.
//!
//! ```text
//!  rounds   |idle|idle|    busy    |idle|  busy  |  idle, asleep  |keep|idle|..
//!  1 in 16            | r  c  t  r |                          two reads a millisecond
//! ```
//! A round looks at both sides once. The loop reads the clock at its begin anyway, so each nanosecond
//! lands in one stage: a round that brought packets is busy, one that brought none is idle. How busy
//! time divides into receiving, classifying and transmitting is measured in one busy round of 16 and
//! extended to the others when counters are shown. An unmeasured round costs two additions and a
//! branch a stage; a measured one five clock reads.

use crate::{
    clock::Clock,
    status::{PacketTimes, Stages, TimeStatus},
};

/// One busy round in so many is measured.
const SAMPLE: u32 = 16;
/// The time that shares are told of is one to two of these.
const WINDOW_NS: u64 = 10_000_000_000;

/// What a worker does with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Rings, frames, the ruleset in force.
    Receive,
    /// From bytes to verdicts.
    Classify,
    /// Into the other ring, and the call that sends; what is dropped goes home.
    Transmit,
}

/// All of a worker's time so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) stages: Stages<u64>,
    /// Of the idle time.
    pub(crate) asleep_ns: u64,
    pub(crate) sleeps: u64,
    /// Packets received by then.
    pub(crate) received: u64,
}

/// What a worker shows: now, and a while ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) now: Sums,
    pub(crate) before: Sums,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    sums: Sums,
    /// When this round began, and what of it was housekeeping.
    begun_ns: u64,
    kept_ns: u64,
    /// Whether it brought packets.
    busy: bool,
    busy_rounds: u32,
    /// This round is measured, if it brings packets.
    measured: bool,
    /// The last clock read of a measured round.
    mark_ns: u64,
    /// Busy time that is not divided yet, and what measured rounds say of it.
    undivided_ns: u64,
    parts_ns: [u64; 3],
    /// When the window began; the sums then, and a window before.
    window_ns: u64,
    window: [Sums; 2],
}

impl Spent {
    /// The worker goes to work: the time before is nobody's.
    pub(crate) fn start(&mut self, at_ns: u64) {
        (self.begun_ns, self.kept_ns, self.busy) = (at_ns, 0, false);
    }

    /// A round begins, and with it the one before ends.
    #[inline]
    pub(crate) fn begin(&mut self, at_ns: u64) {
        let spent_ns = at_ns.saturating_sub(self.begun_ns).saturating_sub(self.kept_ns);
        if self.busy {
            self.undivided_ns += spent_ns;
        } else {
            self.sums.stages.idle += spent_ns;
        }
        (self.begun_ns, self.mark_ns, self.kept_ns) = (at_ns, at_ns, 0);
    }

    /// A stage of a burst with packets is over.
    #[inline]
    pub(crate) fn mark(&mut self, stage: Stage, clock: &Clock) {
        if self.measured {
            self.add(stage, clock.elapsed_ns());
        }
    }

    /// Both sides were looked at; what is not marked yet went into receiving.
    #[inline]
    pub(crate) fn took(&mut self, received: usize, clock: &Clock) {
        self.busy = received > 0;
        if self.busy {
            self.mark(Stage::Receive, clock);
            self.busy_rounds = self.busy_rounds.wrapping_add(1);
            self.measured = self.busy_rounds.is_multiple_of(SAMPLE);
        }
    }

    /// Housekeeping of this round, from then to now.
    pub(crate) fn kept(&mut self, from_ns: u64, to_ns: u64) {
        let time_ns = to_ns.saturating_sub(from_ns);
        self.kept_ns += time_ns;
        self.sums.stages.housekeeping += time_ns;
    }

    /// This round, which is idle, slept from then to now.
    pub(crate) fn slept(&mut self, from_ns: u64, to_ns: u64) {
        self.sums.asleep_ns += to_ns.saturating_sub(from_ns);
        self.sums.sleeps += 1;
    }

    /// What `status` shows, when so many packets were received.
    pub(crate) fn show(&mut self, received: u64) -> Shown {
        self.divide();
        self.sums.received = received;
        if self.begun_ns >= self.window_ns + WINDOW_NS {
            self.window = [self.window[1], self.sums];
            self.window_ns = self.begun_ns;
        }
        Shown { now: self.sums, before: self.window[0] }
    }

    fn add(&mut self, stage: Stage, at_ns: u64) {
        self.parts_ns[stage as usize] += at_ns.saturating_sub(self.mark_ns);
        self.mark_ns = at_ns;
    }

    /// Divides the busy time since the last division as the measured rounds of it say; waits for one.
    fn divide(&mut self) {
        let [receive, classify, transmit] = self.parts_ns.map(u128::from);
        let all = receive + classify + transmit;
        if all == 0 {
            return;
        }
        let part = |of: u128| u64::try_from(u128::from(self.undivided_ns) * of / all).unwrap_or(0);
        let (receive, classify) = (part(receive), part(classify));
        let Stages { receive: received, classify: classified, transmit: sent, .. } =
            &mut self.sums.stages;
        *received += receive;
        *classified += classify;
        *sent += self.undivided_ns - receive - classify;
        (self.undivided_ns, self.parts_ns) = (0, [0; 3]);
    }
}

impl Shown {
    /// Another worker's beside it.
    pub(crate) fn add(&mut self, other: &Self) {
        self.now.add(&other.now);
        self.before.add(&other.before);
    }

    /// As `status` tells it.
    pub(crate) fn status(&self) -> TimeStatus {
        let Self { now, before } = self;
        let lately = now.stages.each(before.stages, |now, before| now.saturating_sub(before));
        let all_ns = lately.total();
        let share = |part_ns: u64| round(part_ns as f64 / all_ns.max(1) as f64, 1e4);
        let packets = now.received.saturating_sub(before.received);
        let each = |part_ns: u64| round(part_ns as f64 / packets as f64, 10.0);
        let Stages { receive, classify, transmit, .. } = lately;
        let packet_ns = (packets > 0).then(|| PacketTimes {
            receive: each(receive),
            classify: each(classify),
            transmit: each(transmit),
            total: each(receive + classify + transmit),
        });
        TimeStatus {
            total_ns: now.stages,
            share: lately.map(share),
            packet_ns,
            asleep_ns: now.asleep_ns,
            asleep_share: share(now.asleep_ns.saturating_sub(before.asleep_ns)),
            sleeps: now.sleeps,
        }
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.stages = self.stages.each(other.stages, |one, other| one + other);
        self.asleep_ns += other.asleep_ns;
        self.sleeps += other.sleeps;
        self.received += other.received;
    }
}

/// To so many parts of one.
fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A round that is measured: 10 ns of receiving, 30 of classifying, 60 of transmitting.
    fn measured(spent: &mut Spent, at_ns: u64) {
        spent.begin(at_ns);
        spent.add(Stage::Receive, at_ns + 5);
        spent.add(Stage::Classify, at_ns + 35);
        spent.add(Stage::Transmit, at_ns + 95);
        spent.add(Stage::Receive, at_ns + 100);
        spent.busy = true;
    }

    #[test]
    fn every_nanosecond_is_in_one_stage() {
        let mut spent = Spent::default();
        spent.start(1000);
        spent.begin(1000); // empty
        spent.begin(1300);
        spent.kept(1310, 1350); // empty, with housekeeping, then asleep
        spent.slept(1400, 2000);
        measured(&mut spent, 2000);
        spent.begin(2100); // busy, not measured
        spent.busy = true;
        spent.begin(3100);
        let Sums { stages, asleep_ns, sleeps, .. } = spent.show(0).now;
        let expected =
            Stages { idle: 960, receive: 110, classify: 330, transmit: 660, housekeeping: 40 };
        assert_eq!((stages, asleep_ns, sleeps), (expected, 600, 1));
        assert_eq!(stages.total(), 2100);
        // The time between two runs is nobody's.
        spent.start(9000);
        spent.begin(9007);
        assert_eq!(spent.show(0).now.stages.total(), 2107);
    }

    #[test]
    fn busy_time_waits_for_a_round_that_is_measured() {
        let mut spent = Spent::default();
        spent.begin(0);
        spent.busy = true;
        spent.begin(1000);
        assert_eq!(spent.show(1).now.stages, Stages::default());
        measured(&mut spent, 1000);
        spent.begin(1100);
        assert_eq!(spent.show(2).now.stages.total(), 1100);
    }

    #[test]
    fn one_busy_round_in_sixteen_is_measured_and_idle_ones_count_for_none() {
        let (mut spent, clock) = (Spent::default(), Clock::new(Instant::now()));
        let mut measured = 0;
        for round in 0..320_u64 {
            spent.begin(round);
            let received = usize::from(round % 2 == 0);
            measured += u32::from(spent.measured && received > 0);
            spent.took(received, &clock);
        }
        assert_eq!(measured, 160 / SAMPLE - 1, "the first rounds are not");
    }

    #[test]
    fn shares_are_those_of_the_last_windows() {
        let mut spent = Spent::default();
        let window = WINDOW_NS;
        for (at, received) in [(0, 0), (window, 0), (2 * window, 0), (3 * window - 200, 0)] {
            spent.begin(at);
            spent.show(received);
        }
        measured(&mut spent, 3 * window - 100);
        spent.begin(3 * window);
        let time = spent.show(4).status();
        assert!(time.share.idle > 0.99 && time.share.idle < 1.0001, "{time:?}");
        let expected = PacketTimes { receive: 2.5, classify: 7.5, transmit: 15.0, total: 25.0 };
        assert_eq!(time.packet_ns, Some(expected));
        // Long after, nothing of it is left in the shares.
        for turn in 4..7 {
            spent.begin(turn * window);
            spent.show(4);
        }
        let time = spent.show(4).status();
        assert_eq!((time.packet_ns, time.share.transmit), (None, 0.0));
        assert_eq!(time.total_ns.transmit, 60);
    }
}
