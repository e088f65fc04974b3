//! `palisade top`: what a running gateway does, once a second.
//!
//! ```text
//!  sampler thread: GET /status --> Sample --channel--> State --> screen
//!                                   keys, signals ------^
//! ```
//! A thread asks, so that a gateway that hangs or is away leaves the keys alive; the screen keeps the
//! last answer meanwhile and goes on by itself when the gateway is back. The terminal is set back
//! at every end but SIGKILL: by a guard at a return, by a hook at a panic, by flags at signals.

mod grid;
mod picture;
mod rates;
mod sample;
mod screen;
mod state;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use std::{
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use engine::say;
use hyper::{Method, body::Bytes};
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::sample::Sample;
use self::state::State;
pub(crate) use self::state::View;
use crate::words::tell;
use crate::{cli, client};

/// How long a key may wait.
const TURN: Duration = Duration::from_millis(50);

type Answer = (Result<Sample, String>, Instant);

/// Shows the screen, or prints it once.
pub(crate) fn top(args: &cli::Top) -> ExitCode {
    let every = Duration::from_secs_f64(args.every);
    if args.once || args.json || args.svg || !io::stdout().is_terminal() {
        return once(args, every);
    }
    match live(&args.control.socket, State::new(args.view, every)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("the terminal can't be used: {error}; try palisade top --once"));
            ExitCode::FAILURE
        }
    }
}

/// Two answers and what lies between them, for pipes and documents.
fn once(args: &cli::Top, every: Duration) -> ExitCode {
    let mut state = State::new(args.view, every);
    let answers = if args.svg { args.answers } else { 2 };
    for turn in 0..answers {
        if turn > 0 {
            thread::sleep(every);
        }
        let (answer, at) = ask(&args.control.socket);
        if let Err(error) = &answer {
            return client::no_answer(&args.control, &io::Error::other(error.clone()));
        }
        state.take(answer, at);
    }
    let Some(rates) = &state.rates else { return ExitCode::FAILURE };
    if args.json {
        tell(serde_json::to_string(rates).unwrap_or_default());
    } else if args.svg {
        let (width, height) = args.size;
        tell(picture::svg(&picture::cells(&state, width, height)).trim_end());
    } else {
        tell(picture::plain(rates).trim_end());
    }
    ExitCode::SUCCESS
}

/// The screen, until a key or a signal ends it.
fn live(socket: &Path, mut state: State) -> io::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let every_ms = Arc::new(AtomicU64::new(state.every.as_millis() as u64));
    let answers = sampler(socket, Arc::clone(&every_ms))?;
    let mut terminal = ratatui::try_init()?;
    let _restored = Restored;
    while !state.quit && !stop.load(Ordering::Relaxed) {
        while let Ok((answer, at)) = answers.try_recv() {
            state.take(answer, at);
        }
        terminal.draw(|frame| screen::draw(frame, &state))?;
        if !event::poll(TURN)? {
            continue;
        }
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            state.key(key);
            every_ms.store(state.every.as_millis() as u64, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Gives the terminal back when dropped.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Asks again and again on a thread of its own, which ends with the process.
fn sampler(socket: &Path, every_ms: Arc<AtomicU64>) -> io::Result<Receiver<Answer>> {
    let (sender, answers) = mpsc::channel();
    let socket = socket.to_owned();
    let work = move || {
        while sender.send(ask(&socket)).is_ok() {
            let begin = Instant::now();
            // A pace that is changed meanwhile counts at once.
            while begin.elapsed() < Duration::from_millis(every_ms.load(Ordering::Relaxed)) {
                thread::sleep(TURN);
            }
        }
    };
    thread::Builder::new().name("sampler".to_owned()).spawn(work)?;
    Ok(answers)
}

/// One answer, and when it came.
fn ask(socket: &Path) -> Answer {
    let answer =
        client::attempt(socket, Method::GET, "/status", client::Answer::Json, Bytes::new());
    let at = Instant::now();
    let answer = answer.map_err(|error| error.to_string());
    let parsed = answer.and_then(|(status, body)| {
        if !status.is_success() {
            return Err(String::from_utf8_lossy(&body).into_owned());
        }
        serde_json::from_slice(&body).map_err(|error| format!("of another version: {error}"))
    });
    (parsed, at)
}
