//! The workers' threads, and the interfaces that they work over, which may go and come back.
//!
//! ```text
//!  served --an interface is gone, or is another one--> waiting (minds kept, frames home)
//!     ^                                                   |
//!     '------ both are there and up: sockets, programs <--'
//! ```
//! A gateway with one interface forwards nothing, so both sides stop together. What workers know
//! (flows, counters, held records) is kept; UMEM and sockets are made anew. The program of the
//! interface that stayed is left on, and with it the fail mode, until the new one takes its place.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use af_xdp_rs::Interface as Link;

use crate::{
    Config, Error, cores,
    interface::{Interface, Pair},
    worker::{Mind, Worker},
};

/// What ends a gateway, or changes it.
#[derive(Debug)]
pub(crate) enum Event {
    /// A signal asks for the end.
    Stop,
    /// A signal asks for the policy to be read again.
    Reload,
    /// A thread is over before it was asked to.
    Ended(String),
}

/// Tells the gateway that a thread is over, however it ended, unless it was asked to.
#[derive(Debug)]
struct Last {
    thread: String,
    asked: Arc<AtomicBool>,
    events: mpsc::Sender<Event>,
}

impl Drop for Last {
    fn drop(&mut self) {
        if !self.asked.load(Ordering::Acquire) {
            // Nobody listens any more when the gateway itself has ended.
            let _ = self.events.send(Event::Ended(std::mem::take(&mut self.thread)));
        }
    }
}

/// Starts a thread whose end is an event, unless `asked` was set before.
///
/// # Errors
/// When the system has no thread left.
pub(crate) fn spawn<T: Send + 'static>(
    name: String,
    asked: Arc<AtomicBool>,
    events: mpsc::Sender<Event>,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    let last = Last { thread: name.clone(), asked, events };
    let start = thread::Builder::new().name(name.clone()).spawn(move || {
        let _last = last;
        body()
    });
    start.map_err(Error::io("start thread", name))
}

/// The workers of a gateway: at work, or waiting for an interface.
#[derive(Debug)]
pub(crate) struct Crew {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Mind>>,
    /// Those that wait for interfaces.
    minds: Vec<Mind>,
    events: mpsc::Sender<Event>,
}

impl Crew {
    /// Nobody at work yet.
    pub(crate) fn new(minds: Vec<Mind>, events: mpsc::Sender<Event>) -> Self {
        Self { stop: Arc::new(AtomicBool::new(false)), threads: Vec::new(), minds, events }
    }

    /// Whether it waits for interfaces.
    pub(crate) fn waits(&self) -> bool {
        self.threads.is_empty()
    }

    /// Opens both interfaces and puts all minds to work; `before` are those, if any, that they worked over.
    ///
    /// # Errors
    /// What the interfaces refuse; the minds wait on.
    pub(crate) fn start(
        &mut self,
        config: &Config,
        before: &[Interface],
    ) -> Result<[Interface; 2], Error> {
        let mut pair = Pair::open(config)?;
        pair.follow(before);
        let queues = 0..self.minds.len() as u32;
        let wires = queues.map(|queue| pair.sockets(queue)).collect::<Result<Vec<_>, _>>()?;
        let minds = std::mem::take(&mut self.minds);
        let workers: Vec<_> =
            wires.into_iter().zip(minds).map(|(wires, mind)| Worker::new(wires, mind)).collect();
        if let Err(error) = pair.attach(&workers) {
            self.minds = workers.into_iter().map(Worker::leave).collect();
            return Err(error);
        }
        self.stop = Arc::new(AtomicBool::new(false));
        for (worker, &core) in workers.into_iter().zip(&config.cores) {
            let stop = Arc::clone(&self.stop);
            let asked = Arc::clone(&stop);
            let body = move || {
                if !cores::pin(core) {
                    eprintln!("palisade: core {core} refuses to be pinned to; running anyway");
                }
                worker.run(&stop)
            };
            self.threads.push(spawn(format!("worker-{core}"), asked, self.events.clone(), body)?);
        }
        Ok(pair.into_interfaces())
    }

    /// Ends all threads, their last records out and every frame home; the minds wait.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so on standard error.
            if let Ok(mind) = thread.join() {
                self.minds.push(mind);
            }
        }
    }
}

/// Whether an interface of this name is there and up, and which; what it lacks otherwise.
pub(crate) fn present(name: &str) -> Result<u32, String> {
    match Link::find(name) {
        Ok(link) if link.up => Ok(link.index),
        Ok(_) => Err(format!("interface {name} is down")),
        Err(_) => Err(format!("interface {name} is gone")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_thread_ends_unheard() {
        let (sender, events) = mpsc::channel();
        let start = |name: &str, asked: bool, body: fn()| {
            let asked = Arc::new(AtomicBool::new(asked));
            spawn(name.to_owned(), asked, sender.clone(), body).unwrap()
        };
        let panics = start("logger", false, || panic!("on purpose"));
        assert!(panics.join().is_err());
        assert!(matches!(events.try_recv(), Ok(Event::Ended(name)) if name == "logger"));
        start("control", false, || ()).join().unwrap();
        assert!(matches!(events.try_recv(), Ok(Event::Ended(name)) if name == "control"));
        start("worker-1", true, || ()).join().unwrap();
        assert!(events.try_recv().is_err(), "it was asked to end");
    }
}
