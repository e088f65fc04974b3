//! The stamps and the pinholes: what another worker finds, changes and closes at the same time.
//!
//! A table of one set of four slots, so that all keys meet. Both places of a key are then the same, and
//! a change is made twice: so what is made of a stamp must be the same when made again. Words of different keys differ here. Two
//! keys with one and the same word could trade a change between the reading of a word and its
//! exchange; the word says nothing then that it could not have said, and no key is found that was
//! never put: [`only_what_was_put`].

use loom::sync::Arc;
use loom::thread;

use crate::Side::{Inside, Outside};
use crate::flow::{Key, Progress, Row, State};
use crate::parse::Step;
use crate::pinhole::Pinholes;
use crate::stamps::{Stamp, Stamps};

/// One deadline after another, each a tick of its own.
fn at(ticks: u64) -> u64 {
    ticks * 64
}

fn stamps() -> Arc<Stamps> {
    Arc::new(Stamps::new(1, &[1; 16]))
}

/// A table where the first three of its four slots are taken for long.
fn crowded() -> Arc<Stamps> {
    let stamps = stamps();
    for print in 101..104 {
        assert!(stamps.put(print, 0, Stamp::new(at(1000), 9)));
    }
    stamps
}

fn value(stamps: &Stamps, print: u64) -> Option<u32> {
    stamps.find(print, 0).map(|stamp| stamp.value)
}

/// A key gives way to another while both are looked for: each is found with its own value or not.
pub fn only_what_was_put() {
    let stamps = crowded();
    assert!(stamps.put(11, 0, Stamp::new(at(10), 1)));
    let writer = {
        let stamps = Arc::clone(&stamps);
        thread::spawn(move || assert!(stamps.put(12, 0, Stamp::new(at(20), 2))))
    };
    assert!(matches!(value(&stamps, 11), None | Some(1)));
    assert!(matches!(value(&stamps, 12), None | Some(2)));
    assert_eq!(value(&stamps, 13), None, "never put");
    writer.join().unwrap();
    assert_eq!((value(&stamps, 11), value(&stamps, 12)), (None, Some(2)));
}

/// A key is changed while its slot is given to another: the other's stamp stays what it was.
pub fn a_change_never_lands_elsewhere() {
    let stamps = crowded();
    assert!(stamps.put(11, 0, Stamp::new(at(10), 1)));
    let writer = {
        let stamps = Arc::clone(&stamps);
        thread::spawn(move || stamps.put(12, 0, Stamp::new(at(20), 2)))
    };
    let changed = stamps.change(11, 0, |old| Stamp::new(at(30), old.value | 4));
    assert!(changed.is_none_or(|stamp| stamp.value == 5));
    let put = writer.join().unwrap();
    let found = (value(&stamps, 11), value(&stamps, 12));
    // Prolonged in time, the first one stays.
    assert_eq!(found, if put { (None, Some(2)) } else { (Some(5), None) });
}

/// Two workers change one key: neither change is lost.
pub fn no_change_is_lost() {
    let stamps = stamps();
    assert!(stamps.put(11, 0, Stamp::new(at(10), 0)));
    let add = |stamps: &Stamps, bit: u32| {
        let changed = stamps.change(11, 0, |old| Stamp::new(at(10), old.value | bit));
        assert!(changed.is_some_and(|stamp| stamp.value & bit != 0));
    };
    let other = {
        let stamps = Arc::clone(&stamps);
        thread::spawn(move || add(&stamps, 2))
    };
    add(&stamps, 1);
    other.join().unwrap();
    assert_eq!(value(&stamps, 11), Some(3));
}

/// Two workers put two keys into the last slot: one has it, whole, and the other knows.
pub fn one_of_two_has_the_place() {
    let stamps = crowded();
    let other = {
        let stamps = Arc::clone(&stamps);
        thread::spawn(move || stamps.put(12, 0, Stamp::new(at(20), 2)))
    };
    let mine = stamps.put(11, 0, Stamp::new(at(10), 1));
    let theirs = other.join().unwrap();
    // Who finds the place busy until it gives up says so, and the table tells that it is crowded.
    assert!(mine || theirs);
    assert!((mine && theirs) || stamps.crowded(0, 0));
    let found = if theirs { (None, Some(2)) } else { (Some(1), None) };
    assert_eq!((value(&stamps, 11), value(&stamps, 12)), found);
}

const LIVES: Row = [at_ms(60), at_ms(7440), at_ms(120)];
const KEY: Key = Key(7);

const fn at_ms(seconds: u32) -> u32 {
    seconds * 1000
}

fn opened() -> Arc<Pinholes> {
    let pinholes = Arc::new(Pinholes::new(1, &[1; 16]));
    assert!(pinholes.open(&KEY, 0, LIVES, Progress::default()));
    pinholes
}

/// The inside closes while packets from the outside renew: it is closed, and for as short as it says.
pub fn a_close_is_not_lost() {
    let pinholes = opened();
    let renewing = {
        let pinholes = Arc::clone(&pinholes);
        thread::spawn(move || {
            pinholes.advance(&KEY, 0, LIVES, (Outside, Step::Segment));
        })
    };
    let closed = pinholes.advance(&KEY, 0, LIVES, (Inside, Step::End));
    assert!(closed.is_some_and(|progress| progress.state == State::Closing));
    renewing.join().unwrap();
    let found = pinholes.find(&KEY, 0).map(|progress| progress.state);
    assert_eq!(found, Some(State::Closing));
    let after = u64::from(LIVES[State::Closing as usize]) + 128;
    assert_eq!(pinholes.find(&KEY, after), None, "the outside prolonged it");
}

/// The outside answers while the inside goes on: both are seen, and the connection is open.
pub fn both_directions_count() {
    let pinholes = opened();
    let answering = {
        let pinholes = Arc::clone(&pinholes);
        thread::spawn(move || {
            pinholes.advance(&KEY, 0, LIVES, (Outside, Step::SynAck));
        })
    };
    pinholes.advance(&KEY, 0, LIVES, (Inside, Step::Segment));
    answering.join().unwrap();
    let progress = pinholes.find(&KEY, 0).unwrap();
    assert!(progress.from_outside && progress.from_inside);
    // Whichever came last, the next segment finds it open.
    let next = pinholes.advance(&KEY, 0, LIVES, (Inside, Step::Segment));
    assert!(next.is_some_and(|progress| progress.state == State::Open));
}

/// Two workers open one connection at once; a close then reaches it, wherever it stands.
pub fn twins_close_together() {
    let pinholes = Arc::new(Pinholes::new(1, &[1; 16]));
    let open = |pinholes: &Pinholes| {
        if pinholes.advance(&KEY, 0, LIVES, (Inside, Step::Syn)).is_none() {
            assert!(pinholes.open(&KEY, 0, LIVES, Progress::default()));
        }
    };
    let other = {
        let pinholes = Arc::clone(&pinholes);
        thread::spawn(move || open(&pinholes))
    };
    open(&pinholes);
    other.join().unwrap();
    assert!(pinholes.find(&KEY, 0).is_some());
    pinholes.advance(&KEY, 0, LIVES, (Inside, Step::End));
    let after = u64::from(LIVES[State::Closing as usize]) + 128;
    assert_eq!(pinholes.find(&KEY, after), None, "a twin stays open");
}
