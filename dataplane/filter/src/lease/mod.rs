//! Leases: flows whose packets the XDP program may let through without the worker.
//!
//! A flow that has come to know a few packets, and of whose packets nothing more is to be learned, gets a
//! lease for one direction: its key in the form in which the program reads packets, and a term. Until
//! then the program forwards its plain packets in the driver; everything else of the flow still comes
//! here. The worker stays the only one who decides:
//!
//! ```text
//!  worker: hit, settled --lease--> [term | key | use | mark] --read--> program: let through, counted
//!             ^                          |  |
//!             '--- nobody extended it ---'  '-- tend: used? then the flow was seen, and goes on
//! ```
//! - A term names the revision of the ruleset. A lane says which one is in force, so a change of policy
//!   ends all leases by one store, before the change is reported as done.
//! - A term lasts no longer than a flow's pinhole goes without being renewed: an eighth of the shortest
//!   timeout, at most four seconds. A worker that hangs, or a flow that is forgotten, ends it by that.
//! - A lease is never the only record of anything: to lose one costs the worker a packet.
//!
//! The layout is that of `dataplane/bpf/palisade.bpf.c`.

mod given;

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;
use lookup::{Proto, Ruleset, Side};
use siphasher::sip::SipHasher13;

use self::given::{Given, Held, Words, words};
use crate::flow::Key;
use crate::parse::{Packet, Step};
use crate::process::{Burst, Filter};
use crate::{BURST, Now};

/// Eight words that a worker shares with the program.
pub type Line = [AtomicU64; 8];

/// What a worker shares with the XDP program for one direction of its queue.
pub trait Lane: Debug + Send {
    /// What the other interface takes, which others write: 0 is nothing; the revision, a mask, and five words
    /// of a secret.
    fn words(&self) -> &Line;
    /// Leases: term, five words of the key, use, mark. A power of two, at least 8.
    fn leases(&self) -> &[Line];
    /// A byte for each lease: of its key's hash, 0 where there is none. Eight in a word, from its lowest byte
    /// on.
    fn tags(&self) -> &[AtomicU64];
    /// Packets let through, by row of the tally; [`LANE_ROWS`] of them.
    fn let_through(&self) -> &[AtomicU64];
}

/// Rows of a lane's counters: more than the tally has.
pub const LANE_ROWS: usize = 512;
const _: () = assert!(LANE_ROWS > crate::MAX_DOMAINS);

/// Packets with which a flow is worth a lease: more than a question with its answer, or a handshake.
const WORTH: u32 = 4;
/// Every lease is tended so many times in the longest term.
const ROUNDS: u64 = 4;
/// Places that one call tends at most, where they are many and terms short: some ten microseconds.
const MOST: usize = 1 << 14;
/// After a pause the round goes on where it was, for no longer than so many milliseconds: what lapsed meanwhile
/// can wait.
const TURN_MS: u64 = 20;

/// The lanes of a worker, and flows of the burst that are to get a lease.
#[derive(Debug)]
pub(crate) struct Leases {
    lanes: [Option<Given>; 2],
    secret: [u64; 5],
    /// Whether flows of the burst may have leases.
    pub(crate) open: bool,
    wanted: ArrayVec<Wanted, BURST>,
}

/// A flow that may get a lease.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    slot: usize,
    key: Key,
    words: Words,
}

impl Leases {
    /// None, until there are lanes.
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        let hasher = SipHasher13::new_with_key(key);
        let secret = std::array::from_fn(|i| hasher.hash(&[b'l', i as u8]) | 1);
        Self { lanes: [None, None], secret, open: false, wanted: ArrayVec::new() }
    }

    /// Only leases of this revision count; none of 0.
    fn enforce(&mut self, revision: u32) {
        for given in self.lanes.iter_mut().flatten() {
            given.revision = revision;
            given.tell();
        }
    }

    /// A burst that arrived on `side` begins.
    #[inline]
    pub(crate) fn begin(&mut self, side: Side) {
        self.wanted.clear();
        self.open = self.lanes[side as usize].as_ref().is_some_and(Given::open);
    }

    /// A packet of a flow that is settled: it may get a lease when the burst is sent.
    #[cold]
    #[inline(never)]
    pub(crate) fn want(&mut self, packet: &Packet, slot: usize, packets: u32) {
        if packets < WORTH || packet.piece.is_some() {
            return;
        }
        if let Some(words) = words(packet) {
            // No burst has more packets than there is room here.
            let _ = self.wanted.try_push(Wanted { slot, key: packet.key, words });
        }
    }
}

impl Filter {
    /// Leases go over these lanes from now on, outside first; those before are closed. `origin_ns` is what
    /// CLOCK_MONOTONIC said when [`Now::mono_ms`] was 0.
    pub fn lease_over(
        &mut self,
        lanes: [Option<Box<dyn Lane>>; 2],
        (rules, now): (&Ruleset, Now),
        origin_ns: u64,
    ) {
        self.end_leases(now);
        let secret = self.leases.secret;
        self.leases.lanes = lanes.map(|lane| lane.map(|lane| Given::new(lane, secret, origin_ns)));
        self.revise(rules);
    }

    /// Leases end, and none are given any more over these lanes.
    pub fn close_leases(&mut self) {
        self.leases.enforce(0);
    }

    /// The same, and the lanes are let go: what went through has been counted.
    pub fn end_leases(&mut self, now: Now) {
        self.close_leases();
        self.count_let_through();
        for side in [Side::Outside, Side::Inside] {
            let places =
                self.leases.lanes[side as usize].as_ref().map_or(0, |given| given.held.len());
            for place in 0..places {
                self.end_held(side, now, place);
            }
        }
        self.leases.lanes = [None, None];
    }

    /// Another ruleset is in force: all leases of the one before have ended when this returns.
    pub fn revise(&mut self, rules: &Ruleset) {
        self.leases.enforce(rules.revision().0);
    }

    /// Whether flows of the last burst may get leases.
    #[inline]
    #[must_use]
    pub fn may_lease(&self) -> bool {
        !self.leases.wanted.is_empty()
    }

    /// Gives leases to the flows of the last burst, which arrived on `side` and is sent. Call it when no
    /// packet of theirs may be on its way here, lest the next ones overtake it.
    pub fn lease(&mut self, rules: &Ruleset, now: Now, side: Side) {
        let burst = Burst::new(rules, now, side);
        let wanted = std::mem::take(&mut self.leases.wanted);
        for one in wanted {
            self.give(&burst, &one);
        }
    }

    fn give(&mut self, burst: &Burst<'_>, wanted: &Wanted) {
        let Wanted { slot, key, words } = wanted;
        let Some(left_ms) = self.settled_ms(burst, *slot, key) else { return };
        let row = self.tally.index(self.table.entry(*slot).domain());
        let hash = self.hasher.hash(key);
        let slot = *slot as u32 + 1;
        let Some(given) = &mut self.leases.lanes[burst.side as usize] else { return };
        let (first, tag) = given.place(words);
        let places = [first, first + 1];
        // Its own place, where what ran may have lapsed; else one where nothing runs.
        let place = places.into_iter().find(|place| given.is_for(*place, words));
        let place = place.or(places.into_iter().find(|place| !given.runs(*place, burst)));
        let Some(place) = place else { return };
        let held = given.held[place];
        if held.slot == slot && held.hash == hash && given.runs(place, burst) {
            return; // a packet from before the lease
        }
        self.end(burst.side, burst.now, place);
        let Some(given) = &mut self.leases.lanes[burst.side as usize] else { return };
        let held = Held { hash, slot, ..given.held[place] };
        given.give(place, held, (words, given.term(burst, left_ms), row, tag));
    }

    /// How long the packets of a flow from one side will change nothing but the time: milliseconds.
    fn settled_ms(&mut self, burst: &Burst<'_>, slot: usize, key: &Key) -> Option<u32> {
        let renew_ms = self.table.lives.renew_ms;
        if !self.table.holds(slot, key) {
            return None;
        }
        let entry = self.table.standing(slot, burst.revision.0, burst.now_ms)?;
        if !entry.settled(burst.side, plain(key), (burst.now_ms, renew_ms)) {
            return None;
        }
        let since_ms = burst.now_ms.wrapping_sub(entry.renewed_ms);
        Some(if entry.egress() { renew_ms - since_ms } else { renew_ms })
    }

    /// Bounded work between bursts, with [`Filter::housekeep`]: counts what was let through, and extends
    /// the leases of flows that go on.
    pub fn tend(&mut self, rules: &Ruleset, now: Now) {
        if self.leases.lanes.iter().all(Option::is_none) {
            return;
        }
        self.count_let_through();
        for side in [Side::Outside, Side::Inside] {
            let burst = Burst::new(rules, now, side);
            let Some(given) = &mut self.leases.lanes[side as usize] else { continue };
            if given.count == 0 {
                continue;
            }
            let places = given.held.len();
            let since_ms = now.mono_ms.saturating_sub(given.tended_ms).min(TURN_MS);
            let round_ms = u64::from(self.table.lives.renew_ms) / ROUNDS;
            let due = (places as u64 * since_ms).div_ceil(round_ms.max(1)) as usize;
            let end = (given.cursor + due.min(MOST)).min(places);
            let cursor = std::mem::replace(&mut given.cursor, if end == places { 0 } else { end });
            given.tended_ms = now.mono_ms;
            for place in cursor..end {
                self.tend_place(&burst, place);
            }
        }
    }

    fn tend_place(&mut self, burst: &Burst<'_>, place: usize) {
        let Some(given) = &self.leases.lanes[burst.side as usize] else { return };
        let held = given.held[place];
        if held.slot == 0 {
            return;
        }
        let runs = given.runs(place, burst);
        if runs && !self.count_use(burst.side, burst.now, place) {
            return; // silent: it may go on, or lapse
        }
        // What lapsed is not revived: its flow was not judged meanwhile.
        let left_ms = if runs { self.goes_on(burst, held) } else { None };
        match (left_ms, &self.leases.lanes[burst.side as usize]) {
            (Some(left_ms), Some(given)) => given.extend(place, given.term(burst, left_ms)),
            _ => self.end(burst.side, burst.now, place),
        }
    }

    /// Ends the lease at a place if somebody has it.
    fn end_held(&mut self, side: Side, now: Now, place: usize) {
        let given = self.leases.lanes[side as usize].as_ref();
        if given.is_some_and(|given| given.held[place].slot > 0) {
            self.end(side, now, place);
        }
    }

    /// Ends the lease at a place, whoever has it, and counts what went through by it.
    fn end(&mut self, side: Side, now: Now, place: usize) {
        if let Some(given) = &self.leases.lanes[side as usize] {
            given.close(place);
        }
        self.count_use(side, now, place);
        if let Some(given) = &mut self.leases.lanes[side as usize] {
            given.free(place);
        }
    }

    /// The slot of the flow that has a lease, unless it was forgotten.
    fn flow_of(&self, held: Held) -> Option<usize> {
        let slot = held.slot.checked_sub(1)? as usize;
        let key = &self.table.peek(slot)?.key;
        (self.hasher.hash(key) == held.hash && self.table.holds(slot, key)).then_some(slot)
    }

    /// Whether the program let packets through by a lease since the last time; its flow counts them, as those
    /// that came here.
    fn count_use(&mut self, side: Side, now: Now, place: usize) -> bool {
        let Some(given) = &mut self.leases.lanes[side as usize] else { return false };
        let (used, held) = (given.used(place), given.held[place]);
        let packets = (used as u32).wrapping_sub(held.packets);
        if packets == 0 {
            return false;
        }
        given.held[place].packets = used as u32;
        let seen_ms = given.ms(used, now);
        if let Some(slot) = self.flow_of(held) {
            let entry = self.table.entry(slot);
            entry.packets = entry.packets.saturating_add(packets);
            // A packet that came here meanwhile may be a later one.
            let later = seen_ms.wrapping_sub(entry.seen_ms).cast_signed() > 0;
            if later && entry.lives_by(side, plain(&entry.key)) {
                entry.seen_ms = seen_ms;
            }
        }
        true
    }

    /// How long the lease of a flow that is in use may go on, if it may.
    fn goes_on(&mut self, burst: &Burst<'_>, held: Held) -> Option<u32> {
        let slot = self.flow_of(held)?;
        let renew_ms = self.table.lives.renew_ms;
        let entry = self.table.standing(slot, burst.revision.0, burst.now_ms)?;
        let key = entry.key;
        let step = plain(&key);
        if !entry.stays(burst.side, step) {
            return None;
        }
        // Before it must, or the lease would be over until the next packet has come here.
        let due = entry.egress() && entry.due(burst.now_ms, renew_ms / 2);
        if due && !self.consult(burst, slot, step) {
            return None;
        }
        self.settled_ms(burst, slot, &key)
    }

    /// Counts what the program let through since the last time: received, and forwarded as allowed.
    pub(crate) fn count_let_through(&mut self) {
        for given in self.leases.lanes.iter_mut().flatten() {
            let rows = given.lane.let_through().iter().zip(&mut given.counted).enumerate();
            for (row, (through, counted)) in rows {
                let through = through.load(Ordering::Relaxed);
                let packets = through.wrapping_sub(*counted);
                if packets > 0 {
                    *counted = through;
                    self.tally.let_through(row, packets);
                    self.counters.received += packets;
                    self.counters.forwarded += packets;
                    self.counters.leased += packets;
                }
            }
        }
    }
}

/// What a packet does to its flow that the program lets through.
fn plain(key: &Key) -> Step {
    if key.proto() == Proto::TCP { Step::Segment } else { Step::Datagram }
}
