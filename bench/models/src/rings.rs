//! The rings: what is taken is what was put, in order, and no slot is touched by both sides.
//!
//! The other side of each ring is the same code in the other role, as in the simulated kernel; the
//! kernel's own side (`net/xdp/xsk_queue.h`) has the same acquires and releases.

use loom::thread;

use crate::place::{Layout, Region};
use crate::ring::{Consumer, NEED_WAKEUP, Producer};

fn sides(size: u32, start: u32) -> (Producer<u64>, Consumer<u64>) {
    let region = Region::new(size, start);
    let producer = Producer::new(&region, Layout, size).unwrap();
    (producer, Consumer::new(&region, Layout, size).unwrap())
}

/// Puts as many of `from..` as there is room for, up to `most`; answers the next.
fn put(producer: &mut Producer<u64>, from: u64, most: u32) -> u64 {
    let room = producer.room(most);
    let staged = (0..u64::from(room)).all(|i| producer.stage(from + i));
    assert!(staged, "there was room");
    assert_eq!(producer.publish(), room);
    from + u64::from(room)
}

/// Takes what is there, up to `most`, which must go on from `from`; answers the next.
fn take(consumer: &mut Consumer<u64>, from: u64, most: u32) -> u64 {
    let ready = consumer.ready(most).expect("a sound index");
    for i in 0..u64::from(ready) {
        assert_eq!(consumer.take(), from + i, "lost, doubled or out of order");
    }
    consumer.release();
    from + u64::from(ready)
}

/// A producer and a consumer, `turns` times each, in a ring of two from index `start` on.
pub fn in_order(turns: usize, start: u32) {
    let (mut producer, mut consumer) = sides(2, start);
    let putting = thread::spawn(move || {
        let sent = (0..turns).fold(0, |next, _| put(&mut producer, next, 2));
        (producer, sent)
    });
    let seen = (0..turns).fold(0, |next, _| take(&mut consumer, next, 2));
    let (producer, sent) = putting.join().unwrap();
    assert_eq!(u64::from(producer.waiting()), sent - seen);
    assert_eq!(take(&mut consumer, seen, 2), sent, "all that was put can be taken");
    assert_eq!(producer.waiting(), 0);
}

/// A frame's way through two rings and back: fill, then RX, by two threads.
pub fn there_and_back(turns: usize) {
    let (mut fill, mut kernel_fill) = sides(1, u32::MAX);
    let (mut kernel_rx, mut rx) = sides(1, u32::MAX);
    let kernel = thread::spawn(move || {
        for _ in 0..turns {
            if kernel_rx.room(1) == 1 && kernel_fill.ready(1) == Some(1) {
                let frame = kernel_fill.take();
                kernel_fill.release();
                assert!(kernel_rx.stage(frame));
                kernel_rx.publish();
            }
        }
    });
    let mut free = vec![8, 7];
    for _ in 0..turns {
        if fill.room(1) == 1
            && let Some(frame) = free.pop()
        {
            fill.stage(frame);
            fill.publish();
        }
        if rx.ready(1) == Some(1) {
            free.push(rx.take());
            rx.release();
        }
        // Downstream first: a frame that moves on meanwhile is missed, never seen twice.
        let counted = free.len() as u32 + rx.waiting() + fill.waiting();
        assert!(counted <= 2, "a frame in two places");
    }
    kernel.join().unwrap();
    assert_eq!(free.len() as u32 + rx.waiting() + fill.waiting(), 2, "a frame is lost");
}

/// The kernel falls asleep while a packet is put: whatever the flag said in between, once it sleeps
/// the next turn sees both the packet that waits and the flag, and wakes it.
pub fn no_packet_sleeps() {
    let (mut tx, mut kernel_tx) = sides(2, 0);
    let kernel = thread::spawn(move || {
        kernel_tx.ask_wakeup(true);
        take(&mut kernel_tx, 0, 1)
    });
    put(&mut tx, 0, 1);
    let mut woken = tx.needs_wakeup();
    let sent = kernel.join().unwrap();
    woken |= tx.waiting() > 0 && tx.needs_wakeup();
    assert!(sent == 1 || woken, "a packet waits and nobody wakes the kernel");
    assert_eq!(NEED_WAKEUP, 1);
}
