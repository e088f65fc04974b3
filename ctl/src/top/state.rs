//! What the screen knows: the last answers, the view, and what keys change.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::grid::Sort;
use super::rates::Rates;
use super::sample::Sample;

/// Answers that the curves can show.
const HISTORY: usize = 256;
/// How often a gateway may be asked, milliseconds.
const PACES_MS: [u64; 8] = [200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/// A page of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum View {
    /// A part of everything.
    #[default]
    Overview,
    /// By domain, and by drop reason.
    Domains,
    /// By country and domain.
    Countries,
    /// By autonomous system.
    Operators,
    /// The busiest dropped sources.
    Sources,
    /// Workers, their frames, and the interfaces.
    Workers,
    /// Exceptions, records, warnings.
    Policy,
}

impl View {
    pub(super) const ALL: [Self; 7] = [
        Self::Overview,
        Self::Domains,
        Self::Countries,
        Self::Operators,
        Self::Sources,
        Self::Workers,
        Self::Policy,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Domains => "domains",
            Self::Countries => "countries",
            Self::Operators => "operators",
            Self::Sources => "sources",
            Self::Workers => "workers",
            Self::Policy => "policy",
        }
    }

    fn step(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}

/// The screen's state.
#[derive(Debug)]
pub(super) struct State {
    pub(super) view: View,
    pub(super) sort: Sort,
    pub(super) paused: bool,
    pub(super) quit: bool,
    pub(super) scroll: usize,
    pub(super) every: Duration,
    /// What is shown; nothing before the first answer.
    pub(super) rates: Option<Rates>,
    /// Packets forwarded and dropped a second, the latest last.
    pub(super) history: VecDeque<[u64; 2]>,
    /// Since when the gateway does not answer, and what became of the last try.
    pub(super) silence: Option<(Instant, String)>,
    last: Option<(Sample, Instant)>,
}

impl State {
    pub(super) fn new(view: View, every: Duration) -> Self {
        Self {
            view,
            sort: Sort::default(),
            paused: false,
            quit: false,
            scroll: 0,
            every,
            rates: None,
            history: VecDeque::new(),
            silence: None,
            last: None,
        }
    }

    /// Takes what became of a question that was answered at `at`.
    pub(super) fn take(&mut self, answer: Result<Sample, String>, at: Instant) {
        let sample = match answer {
            Ok(sample) => sample,
            Err(error) => {
                let since = self.silence.take().map_or(at, |(since, _)| since);
                self.silence = Some((since, error));
                return;
            }
        };
        self.silence = None;
        let before = self.last.as_ref();
        let before = before.map(|(old, then)| (old, at.duration_since(*then).as_secs_f64()));
        let rates = Rates::between(before, &sample);
        self.last = Some((sample, at));
        if self.paused {
            return;
        }
        if let (Some(forwarded), Some(dropped)) = (rates.forwarded.per_s, rates.dropped.per_s) {
            self.history.push_back([forwarded as u64, dropped as u64]);
            if self.history.len() > HISTORY {
                self.history.pop_front();
            }
        }
        self.rates = Some(rates);
    }

    /// Does what a key asks for.
    pub(super) fn key(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if control => self.quit = true,
            KeyCode::Char('q') | KeyCode::Esc => self.quit = true,
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.turn(self.view.step(1)),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => {
                self.turn(self.view.step(View::ALL.len() - 1));
            }
            KeyCode::Char(digit @ '1'..='7') => {
                self.turn(View::ALL[digit as usize - '1' as usize]);
            }
            KeyCode::Char(' ' | 'p') => self.paused = !self.paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('+') => self.pace(|now, pace| *pace < now, true),
            KeyCode::Char('-') => self.pace(|now, pace| *pace > now, false),
            KeyCode::Down | KeyCode::Char('j') => self.scroll = self.scroll.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => self.scroll = self.scroll.saturating_add(10),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
    }

    fn turn(&mut self, view: View) {
        self.view = view;
        self.scroll = 0;
    }

    /// The next pace that `fits`: the last one that does when it is to be faster.
    fn pace(&mut self, fits: fn(u64, &u64) -> bool, faster: bool) {
        let now = self.every.as_millis() as u64;
        let mut paces = PACES_MS.into_iter().filter(|pace| fits(now, pace));
        let next = if faster { paces.next_back() } else { paces.next() };
        self.every = next.map_or(self.every, Duration::from_millis);
    }
}
