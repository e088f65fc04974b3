//! A network namespace, and how a thread gets into it.
//!
//! A thread moves itself with `setns(2)`; sockets that it opens and children that it spawns belong to
//! the namespace from then on. Programs that read `/sys/class/net`, as a gateway does, start under
//! `ip netns exec` instead, which mounts the namespace's own `/sys` for them.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::duty::Duty;
use super::{command::run, sweep};
use crate::error::system;
use crate::{Error, Result};

/// A namespace of this process's lab; deleted when dropped, with the processes in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    _duty: Duty,
}

impl Namespace {
    /// Makes a namespace, its loopback up.
    pub(super) fn create(name: &str) -> Result<Self> {
        run(&format!("ip netns add {name}"))?;
        let theirs = name.to_owned();
        let duty = Duty::new(move || sweep::remove(&theirs))?;
        let namespace = Self { name: name.to_owned(), _duty: duty };
        namespace.run("ip link set lo up")?;
        Ok(namespace)
    }

    /// Makes a namespace that is no part of a lab, for one thing of this process.
    pub(crate) fn alone(role: &str) -> Result<Self> {
        if !super::is_root() {
            return Err(Error::NotRoot);
        }
        sweep::sweep()?;
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self::create(&sweep::name(NEXT.fetch_add(1, Ordering::Relaxed), role))
    }

    /// Its name, for `ip netns exec`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` on a thread inside, and waits for it.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or with what `work` returns.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                join(&self.name)?;
                work()
            });
            inside.join().unwrap_or_else(|_| Err(panicked(&self.name)))
        })
    }

    /// Starts a thread inside that goes on by itself.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn spawn_thread<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let namespace = self.name.clone();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                join(&namespace)?;
                work()
            })
            .map_err(system("start thread", name))
    }

    /// Runs a command line inside, split at white space.
    ///
    /// # Errors
    /// When it does not start or does not exit with 0.
    pub fn run(&self, line: &str) -> Result<String> {
        self.enter(|| run(line))
    }

    /// A command that will run inside, with the namespace's own `/sys`; its process is the program's.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Writes a setting under `/sys`, as the namespace sees it.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn write_sys(&self, path: &str, value: &str) -> Result<()> {
        let line = format!("echo {value} > {path}");
        let output = self
            .command("sh")
            .args(["-c", &line])
            .output()
            .map_err(|source| Error::Start { command: line.clone(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Command { command: line, message })
    }
}

/// Moves the calling thread into a namespace.
fn join(name: &str) -> Result<()> {
    let path = format!("/run/netns/{name}");
    let file = File::open(&path).map_err(system("open namespace", &path))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|errno| system("enter namespace", name)(errno.into()))
}

fn panicked(name: &str) -> Error {
    system("work in namespace", name)(io::Error::other("the thread panicked"))
}
