//! The gateway under test: writes its configuration, runs the real binary, reads what it says.

use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::scratch::Scratch;
use super::status::{Record, Status};
use super::{INSIDE, Lab, OUTSIDE, http};
use crate::error::system;
use crate::{Error, Result};

/// How long a gateway may take to answer, to fall quiet, or to stop.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long two equal readings are apart when a gateway is quiet.
const QUIET: Duration = Duration::from_millis(300);

/// What the XDP program does with a queue that no worker serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fail {
    /// Drops.
    #[default]
    Closed,
    /// Bridges to the other interface.
    Open,
}

/// How a gateway is set up; the fields are those of `gateway.toml`.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The text of `policy.toml`.
    pub policy: String,
    /// The outside interface.
    pub outside: String,
    /// The inside interface.
    pub inside: String,
    /// One worker a core.
    pub cores: Vec<u32>,
    /// `auto`, `zerocopy`, `copy` or `skb`.
    pub mode: &'static str,
    /// `busy`, `adaptive` or `interrupt`.
    pub poll: &'static str,
    /// UMEM frames a worker.
    pub frames: u32,
    /// Flow entries a worker.
    pub flows: u32,
    /// Drop records a second and worker.
    pub rate: u32,
    /// The drop log, within the gateway's folder.
    pub log: &'static str,
    /// More lines of `[drops]`; `{folder}` stands for the gateway's.
    pub drops: String,
    /// Fail mode.
    pub fail: Fail,
    /// Where `/metrics` is served, in the gateway's namespace.
    pub metrics: Option<SocketAddr>,
    /// The group that may use the control socket.
    pub group: Option<String>,
    /// Leases that flows may have, when it is not for the gateway to say.
    pub leases: Option<u32>,
    /// Keeps the history of revisions in its folder, over restarts.
    pub history: bool,
    /// More sections of gateway.toml; `{folder}` stands for the gateway's.
    pub more: String,
    /// Words before the command, such as `setpriv` with its options.
    pub wrapper: Vec<String>,
}

impl Setup {
    /// A gateway between the interfaces of a lab, one worker a queue from core 0 on, polling as a
    /// machine with other work on its cores needs it.
    #[must_use]
    pub fn new(lab: &Lab, policy: &str) -> Self {
        Self {
            policy: policy.to_owned(),
            outside: OUTSIDE.to_owned(),
            inside: INSIDE.to_owned(),
            cores: (0..u32::from(lab.queues())).collect(),
            mode: "auto",
            poll: "adaptive",
            frames: 16_384,
            flows: 1 << 18,
            rate: 10_000,
            log: "drops.jsonl",
            drops: String::new(),
            fail: Fail::Closed,
            metrics: None,
            group: None,
            leases: None,
            history: false,
            more: String::new(),
            wrapper: Vec::new(),
        }
    }

    /// Writes `policy.toml` and `gateway.toml` into a folder, which will have the gateway's log and
    /// control socket too.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write(&folder.join("policy.toml"), &self.policy)?;
        write(&folder.join("gateway.toml"), &self.config(folder))
    }

    fn config(&self, folder: &Path) -> String {
        let folder = folder.display();
        let Self { outside, inside, cores, mode, poll, frames, flows, rate, log, fail, .. } = self;
        let more = self.more.replace("{folder}", &folder.to_string());
        let drops = self.drops.replace("{folder}", &folder.to_string());
        let metrics = match self.metrics {
            Some(address) => format!("metrics = \"{address}\"\n"),
            None => String::new(),
        };
        let group = self.group.iter().map(|name| format!("group = \"{name}\"\n"));
        let metrics = group.chain([metrics]).collect::<String>();
        let fail = match fail {
            Fail::Closed => "closed",
            Fail::Open => "open",
        };
        let leases = self.leases.map(|leases| format!("leases = {leases}\n")).unwrap_or_default();
        let history = if self.history { "\n[history]\npath = \"history\"\n" } else { "" };
        format!(
            "policy = \"policy.toml\"\n\n\
             [interface]\noutside = \"{outside}\"\ninside = \"{inside}\"\n\n\
             [workers]\ncores = {cores:?}\nmode = \"{mode}\"\npoll = \"{poll}\"\nframes = {frames}\nflows = {flows}\n{leases}\n\
             [drops]\npath = \"{folder}/{log}\"\nrate = {rate}\n{drops}\n\n\
             [control]\nsocket = \"{folder}/control.sock\"\n{metrics}\n\
             [fail]\nmode = \"{fail}\"\n{history}{more}"
        )
    }
}

/// A running `palisade run`; killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    scratch: Scratch,
}

impl Gateway {
    /// Starts the gateway in the lab and waits until its control socket answers.
    ///
    /// # Errors
    /// When it ends instead, with what it printed.
    pub fn start(lab: &Lab, setup: &Setup) -> Result<Self> {
        Self::start_with(lab, setup, &[])
    }

    /// The same, with files beside the policy: a database, a list.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn start_with(lab: &Lab, setup: &Setup, files: &[(&str, &str)]) -> Result<Self> {
        let mut gateway = Self::spawn(lab, setup, files)?;
        gateway.answers()?;
        Ok(gateway)
    }

    /// Starts it anew over the same folder, after its process has ended: the policy's file, the drop
    /// log and the history stay.
    ///
    /// # Errors
    /// When it ends instead, with what it printed.
    pub fn restart(&mut self, lab: &Lab, setup: &Setup) -> Result<()> {
        let log = OpenOptions::new().append(true).open(self.scratch.path().join("stderr"));
        let log = log.map_err(system("open", "the gateway's log"))?;
        self.child = launch(lab, setup, self.scratch.path(), log)?;
        self.answers()
    }

    /// Waits until it answers.
    fn answers(&mut self) -> Result<()> {
        let begin = Instant::now();
        while self.status().is_err() {
            if let Some(exit) = self.poll_exit()? {
                return Err(self.failure(&format!("ended with {exit}")));
            }
            if begin.elapsed() > PATIENCE {
                return Err(self.failure("did not answer in time"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Runs a gateway that should refuse its set-up: its exit status and what it printed as errors.
    ///
    /// # Errors
    /// When it runs instead.
    pub fn refused(lab: &Lab, setup: &Setup) -> Result<(ExitStatus, String)> {
        let mut gateway = Self::spawn(lab, setup, &[])?;
        match gateway.wait_exit()? {
            Some(exit) => Ok((exit, gateway.log())),
            None => Err(gateway.failure("runs, but should have refused")),
        }
    }

    fn spawn(lab: &Lab, setup: &Setup, files: &[(&str, &str)]) -> Result<Self> {
        let scratch = Scratch::new()?;
        for (name, text) in files {
            write(&scratch.path().join(name), text)?;
        }
        setup.write(scratch.path())?;
        let log = File::create(scratch.path().join("stderr"));
        let log = log.map_err(system("create", "the gateway's log"))?;
        let child = launch(lab, setup, scratch.path(), log)?;
        Ok(Self { child, scratch })
    }

    /// The folder of its configuration, drop log and control socket.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Its control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder().join("control.sock")
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("stderr")).unwrap_or_default()
    }

    /// Asks with `palisade status --json`.
    ///
    /// # Errors
    /// When no gateway answers, or the answer lacks a field of the contract.
    pub fn status(&self) -> Result<Status> {
        let text = self.ask(&["status", "--json"])?;
        serde_json::from_str(&text)
            .map_err(|source| Error::Json { object: format!("status {text}"), source })
    }

    /// Runs a command of `palisade` that takes `--socket`, and returns what it printed.
    ///
    /// # Errors
    /// When it does not exit with 0.
    pub fn ask(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(binary()?);
        command.args(words).arg("--socket").arg(self.socket());
        let line = format!("{command:?}");
        let output =
            command.output().map_err(|source| Error::Start { command: line.clone(), source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Command { command: line, message })
    }

    /// Asks its control socket in HTTP: the status and the body of the answer.
    ///
    /// # Errors
    /// When nothing answers there.
    pub fn post(&self, path: &str, body: &str) -> Result<(u16, String)> {
        let socket = self.socket();
        let stream = UnixStream::connect(&socket)
            .map_err(system("connect to", &socket.display().to_string()))?;
        http(stream, "POST", path, body)
    }

    /// The status once no packet moves any more: two equal readings, a while apart.
    ///
    /// # Errors
    /// When it does not answer, or traffic goes on.
    pub fn quiet_status(&self) -> Result<Status> {
        let begin = Instant::now();
        let mut before = self.status()?;
        loop {
            thread::sleep(QUIET);
            let now = self.status()?;
            if now.received == before.received {
                return Ok(now);
            }
            if begin.elapsed() > PATIENCE {
                return Err(self.failure("never falls quiet"));
            }
            before = now;
        }
    }

    /// The records of drops in the log as it stands; other events are left out.
    ///
    /// # Errors
    /// When a line is not what the contract says.
    pub fn drops(&self) -> Result<Vec<Record>> {
        let path = self.folder().join("drops.jsonl");
        let text = fs::read_to_string(&path).map_err(system("read", "the drop log"))?;
        records(&text)
    }

    /// Writes another policy over the one in force; it counts after a reload.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_policy(&self, policy: &str) -> Result<()> {
        write(&self.folder().join("policy.toml"), policy)
    }

    /// Puts another policy in force with `palisade reload`, and waits for its answer.
    ///
    /// # Errors
    /// When the policy is refused.
    pub fn reload(&self, policy: &str) -> Result<String> {
        self.write_policy(policy)?;
        self.ask(&["reload"])
    }

    /// Sends a signal to the process.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).map_err(|errno| system("signal", "palisade")(errno.into()))
    }

    /// Asks it to stop, and waits: the drop log as it was left.
    ///
    /// # Errors
    /// When it does not stop, or not with 0.
    pub fn stop(self) -> Result<Vec<Record>> {
        self.stop_by(Signal::TERM)
    }

    /// As [`Gateway::stop`], by a signal of choice.
    ///
    /// # Errors
    /// When it does not stop, or not with 0.
    pub fn stop_by(mut self, signal: Signal) -> Result<Vec<Record>> {
        self.signal(signal)?;
        match self.wait_exit()? {
            Some(exit) if exit.success() => self.drops(),
            Some(exit) => Err(self.failure(&format!("stopped with {exit}"))),
            None => Err(self.failure("does not stop")),
        }
    }

    /// Kills it without a chance to clean up, as a crash would.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.wait_exit().map(drop)
    }

    fn poll_exit(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(system("wait for", "palisade"))
    }

    fn wait_exit(&mut self) -> Result<Option<ExitStatus>> {
        let begin = Instant::now();
        loop {
            let exit = self.poll_exit()?;
            if exit.is_some() || begin.elapsed() > PATIENCE {
                return Ok(exit);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn failure(&self, what: &str) -> Error {
        Error::Gateway { what: what.to_owned(), log: self.log() }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary over a folder that has its configuration.
fn launch(lab: &Lab, setup: &Setup, folder: &Path, log: File) -> Result<Child> {
    let binary = binary()?;
    let mut command = match setup.wrapper.split_first() {
        None => lab.gateway.command(binary),
        Some((program, words)) => {
            let mut command = lab.gateway.command(program);
            command.args(words).arg(binary);
            command
        }
    };
    command.arg("run").arg("--config").arg(folder.join("gateway.toml"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let line = format!("{command:?}");
    command.spawn().map_err(|source| Error::Start { command: line, source })
}

/// The gateway's binary: `PALISADE_BIN`, or the one built beside this one.
///
/// # Errors
/// When it is not built.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("PALISADE_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().map_err(system("find", "this program"))?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("palisade"));
    beside.into_iter().find(|path| path.is_file()).ok_or(Error::NoGateway { near: own })
}

/// The records of drops in the text of a log; patterns and exceptions are events of their own.
///
/// # Errors
/// When a line is not what the contract says.
pub fn records(text: &str) -> Result<Vec<Record>> {
    let wrong = |line: &str, source| Error::Json { object: format!("drop record {line}"), source };
    let mut records = Vec::new();
    for line in text.lines() {
        let event: Event = serde_json::from_str(line).map_err(|source| wrong(line, source))?;
        if event.event_type == "drop" {
            records.push(serde_json::from_str(line).map_err(|source| wrong(line, source))?);
        }
    }
    Ok(records)
}

/// What every line of a log has.
#[derive(serde::Deserialize)]
struct Event {
    event_type: String,
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(system("write", &path.display().to_string()))
}
