//! Asking a worker about its flows, which nobody else may read.
//!
//! ```text
//!  control --Ask--> ring --> worker, between two bursts: a slice of its table
//!     ^                        |
//!     '-------- ring <--Answer-'   bounded; the worker goes on when it has room again
//! ```
//! Two rings of one writer and one reader, so the worker neither locks nor allocates, and looks at the
//! mail once a millisecond: one atomic load when there is none. An answer bears the number of its
//! question, so that one nobody waited for is known as such.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use filter::{Filter, Flow, Now, Pair};
use rtrb::{Consumer, Producer, RingBuffer};

/// Answers that may wait: 4,096 flows, some 300 KB.
const ANSWERS: usize = 4096;
/// The most that one slice of the table has to say, and its end.
const SLICE: usize = 512 + 1;
/// Slices in one turn of a worker that has nothing else to do.
const IDLE_SLICES: usize = 32;
/// How long a worker may take to answer at all; at work it looks a thousand times a second.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often answers are looked for.
const LOOK: Duration = Duration::from_micros(500);

/// A question.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// All flows.
    All,
    /// One conversation.
    One(Pair),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Flow(Flow),
    End,
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct Inbox {
    asks: Consumer<(u32, Ask)>,
    answers: Producer<(u32, Answer)>,
    /// A walk through the table: its question, and where it goes on.
    walk: Option<(u32, usize)>,
}

/// The other end; whoever asks has it for himself meanwhile.
#[derive(Debug)]
pub(crate) struct Post {
    asks: Producer<(u32, Ask)>,
    answers: Consumer<(u32, Answer)>,
    number: u32,
}

/// The other ends of all workers, in the order of their queues.
#[derive(Debug, Default)]
pub(crate) struct Posts(Mutex<Vec<Arc<Mutex<Post>>>>);

impl Posts {
    /// Another worker's.
    pub(crate) fn add(&self, post: Post) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(Mutex::new(post)));
    }

    /// Those of now.
    pub(crate) fn all(&self) -> Vec<Arc<Mutex<Post>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Both ends.
pub(crate) fn pair() -> (Inbox, Post) {
    let (ask, asks) = RingBuffer::new(8);
    let (answer, answers) = RingBuffer::new(ANSWERS);
    let inbox = Inbox { asks, answers: answer, walk: None };
    (inbox, Post { asks: ask, answers, number: 0 })
}

impl Inbox {
    /// Between two bursts: answers as much as one turn allows, more when there is nothing else to do.
    #[inline]
    pub(crate) fn serve(&mut self, filter: &Filter, now: Now, idle: bool) {
        if self.walk.is_some() || !self.asks.is_empty() {
            self.answer(filter, now, idle);
        }
    }

    #[cold]
    fn answer(&mut self, filter: &Filter, now: Now, idle: bool) {
        // The newest question counts: nobody waits for the answer to one before it.
        while let Ok((number, ask)) = self.asks.pop() {
            self.walk = None;
            match ask {
                Ask::All => self.walk = Some((number, 0)),
                Ask::One(pair) => {
                    let found = filter.flow(&pair, now).map(Answer::Flow);
                    for answer in found.into_iter().chain([Answer::End]) {
                        // Without room the question goes unanswered, and is asked again.
                        let _ = self.answers.push((number, answer));
                    }
                }
            }
        }
        for _ in 0..if idle { IDLE_SLICES } else { 1 } {
            let Some((number, cursor)) = self.walk else { return };
            if self.answers.slots() < SLICE {
                return;
            }
            let next = filter.flows(cursor, now, |flow| {
                let _ = self.answers.push((number, Answer::Flow(flow)));
            });
            self.walk = next.map(|next| (number, next));
            if next.is_none() {
                let _ = self.answers.push((number, Answer::End));
            }
        }
    }
}

impl Post {
    /// Shows `take` all flows until it has enough (`false`); whether the worker answered.
    pub(crate) fn all(&mut self, take: impl FnMut(Flow) -> bool) -> bool {
        self.ask(Ask::All, take)
    }

    /// One conversation; `Err` when the worker does not answer.
    pub(crate) fn one(&mut self, pair: Pair) -> Result<Option<Flow>, ()> {
        let mut found = None;
        let answered = self.ask(Ask::One(pair), |flow| {
            found = Some(flow);
            true
        });
        if answered { Ok(found) } else { Err(()) }
    }

    fn ask(&mut self, ask: Ask, mut take: impl FnMut(Flow) -> bool) -> bool {
        self.number = self.number.wrapping_add(1);
        // What nobody waited for.
        while self.answers.pop().is_ok() {}
        if self.asks.push((self.number, ask)).is_err() {
            return false;
        }
        let mut heard = Instant::now();
        while heard.elapsed() < PATIENCE {
            let Ok((number, answer)) = self.answers.pop() else {
                thread::sleep(LOOK);
                continue;
            };
            if number != self.number {
                continue;
            }
            heard = Instant::now();
            match answer {
                Answer::End => return true,
                Answer::Flow(flow) if take(flow) => {}
                Answer::Flow(_) => return true,
            }
        }
        false
    }
}
