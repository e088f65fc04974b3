//! A worker's thread, from before it has a worker until after.
//!
//! The thread is there before frames are sent to its queue: a system without a thread left is found
//! out while nothing has changed yet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::JoinHandle,
};

use crate::{
    Error, cores,
    orders::{End, Orders},
    roster::Roster,
    sandbox::{Kind, Sandbox},
    thread::{Event, spawn},
    worker::{Mind, Wires, Worker},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Work {
    thread: JoinHandle<Option<Mind>>,
    pub(super) orders: Orders,
    /// Its end is no surprise.
    asked: Arc<AtomicBool>,
}

/// Hands a thread its worker; without one it ends.
#[derive(Debug)]
pub(super) struct Hand {
    worker: SyncSender<Worker>,
    asked: Arc<AtomicBool>,
}

impl Work {
    /// Starts a thread that waits for its worker.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn prepare(
        core: usize,
        roster: &Roster,
        sandbox: Sandbox,
        events: mpsc::Sender<Event>,
    ) -> Result<(Self, Hand), Error> {
        let orders = Orders::new(core, roster.poll, roster.burst);
        // Until it has a worker its end is no surprise.
        let asked = Arc::new(AtomicBool::new(true));
        let (sender, worker) = mpsc::sync_channel::<Worker>(1);
        let told = orders.clone();
        let body = move || {
            sandbox.confine(Kind::Worker);
            worker.recv().ok().map(|worker| worker.run(&told))
        };
        let thread = spawn(cores::worker_name(core), Arc::clone(&asked), events, body)?;
        let hand = Hand { worker: sender, asked: Arc::clone(&asked) };
        Ok((Self { thread, orders, asked }, hand))
    }

    /// To end now.
    pub(super) fn stop(&self) {
        self.asked.store(true, Ordering::Release);
        self.orders.set_end(End::Now);
    }

    /// To end when the rings are empty.
    pub(super) fn drain(&self) {
        self.asked.store(true, Ordering::Release);
        self.orders.set_end(End::Drained);
    }

    /// Waits for its end; what it knew. A worker that panicked has said so on standard error.
    pub(super) fn end(self) -> Option<Mind> {
        self.thread.join().ok().flatten()
    }
}

impl Hand {
    /// Puts a mind to work at its wires.
    pub(super) fn over(self, wires: Wires, mind: Mind) {
        self.asked.store(false, Ordering::Release);
        // The thread waits for it.
        let _ = self.worker.send(Worker::new(wires, mind));
    }
}
