//! DPDK's testpmd over `net_af_xdp`, in mac mode: forwards everything, filters nothing.
//!
//! It is what a DPDK user would get from the same veths. It polls on one core as Palisade's worker
//! does. `busy_budget=0` keeps its sockets from preferred busy polling, which is for NICs: on veth it
//! falls to some thousand packets a second.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::system;
use crate::lab::{INSIDE, Lab, OUTSIDE, Scratch};
use crate::{Error, Result};

/// Memory in megabytes: two pools of packets, most of it unused.
const MEMORY: u32 = 512;
/// How long its start may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running testpmd; stopped when dropped.
#[derive(Debug)]
pub struct Testpmd {
    child: Child,
    _scratch: Scratch,
}

impl Testpmd {
    /// Starts it between the two interfaces, its forwarding core as given.
    ///
    /// # Errors
    /// When it is not installed, or ends instead of forwarding.
    pub fn start(lab: &Lab, core: u32) -> Result<Self> {
        let scratch = Scratch::new()?;
        let path = scratch.path().join("log");
        let log = File::create(&path).map_err(system("create", "testpmd's log"))?;
        let error_log = log.try_clone().map_err(system("share", "testpmd's log"))?;
        let mut command = lab.gateway.command("dpdk-testpmd");
        command.args(arguments(core).split_ascii_whitespace());
        // It ends at once when its standard input does, unless it prints statistics now and then.
        command.stdin(Stdio::null()).stdout(log).stderr(error_log);
        let line = format!("{command:?}");
        let child = command.spawn().map_err(|source| Error::Start { command: line, source })?;
        let mut testpmd = Self { child, _scratch: scratch };
        let begin = Instant::now();
        loop {
            let said = fs::read_to_string(&path).unwrap_or_default();
            let ended = testpmd.child.try_wait().map_err(system("wait for", "testpmd"))?;
            if ended.is_some() || begin.elapsed() > PATIENCE {
                let command = format!("dpdk-testpmd {}", arguments(core));
                return Err(Error::Command { command, message: said });
            }
            if said.contains("Port 1: link state change") || said.contains("NIC statistics") {
                return Ok(testpmd);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Testpmd {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
        let _ = self.child.wait();
    }
}

fn arguments(core: u32) -> String {
    let port = |number: u32, interface: &str| {
        format!(
            "--vdev net_af_xdp{number},iface={interface},start_queue=0,queue_count=1,busy_budget=0"
        )
    };
    // The main core only prints; it shares the first core with the generator.
    let main = if core == 0 { 1 } else { 0 };
    format!(
        "--no-pci --in-memory --no-telemetry -m {MEMORY} --main-lcore {main} -l {main},{core} {} {} -- \
         --forward-mode mac --nb-cores 1 --rxq 1 --txq 1 --stats-period 1",
        port(0, OUTSIDE),
        port(1, INSIDE),
    )
}
