//! The gateway's threads: none ends unheard, whether it returns or panics.
//!
//! ```text
//!  thread over --asked to?-- no --> Event::Ended --> the gateway stops, the fail mode in force
//! ```

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    Config, Error, cores,
    gateway::Answer,
    history::Who,
    roster::WantedRoster,
    sandbox::{Kind, Sandbox},
};

/// What ends a gateway, or changes it.
#[derive(Debug)]
pub(crate) enum Event {
    /// A signal asks for the end.
    Stop,
    /// A signal asks for the policy to be read again.
    Reload,
    /// A signal asks for the drop log to be begun anew.
    Turn,
    /// Somebody asks for another roster.
    Assign(Box<Assignment>),
    /// A thread is over before it was asked to.
    Ended(String),
}

/// Another roster, who asks for it, and where the answer goes.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) wanted: WantedRoster,
    pub(crate) who: Who,
    pub(crate) answer: Answer,
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

/// A thread beside the workers.
#[derive(Debug)]
pub(crate) struct Thread<T> {
    asked: Arc<AtomicBool>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Thread<T> {
    /// Starts a thread that keeps off the workers' cores, and may do what its kind is for.
    pub(crate) fn spawn<Body: FnOnce() -> T + Send + 'static>(
        (name, kind): (&str, Kind),
        (config, sandbox): (&Config, &Sandbox),
        events: mpsc::Sender<Event>,
        body: impl FnOnce(Arc<AtomicBool>) -> Body,
    ) -> Result<Self, Error> {
        let asked = Arc::new(AtomicBool::new(false));
        let body = body(Arc::clone(&asked));
        let (busy, sandbox) = (config.cores.clone(), sandbox.clone());
        let thread = spawn(name.to_owned(), Arc::clone(&asked), events, move || {
            cores::keep_off(&busy);
            sandbox.confine(kind);
            body()
        })?;
        Ok(Self { asked, thread })
    }

    /// From now on its end is no surprise.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Asks the thread to end and waits so long for it; what it returned.
    pub(crate) fn end(self, grace: Duration) -> Option<T> {
        self.ask();
        let deadline = Instant::now() + grace;
        while !self.thread.is_finished() {
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
        // A thread that panicked has said so on standard error.
        self.thread.join().ok()
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
