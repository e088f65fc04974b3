//! The command line: what each command is for, in the words that `--help` and the man pages show.

mod change;
mod compare;
mod doctor;
mod policy;
mod see;
mod top;
mod tune;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use change::{Apply, Confirm, History, Reload, Rollback, Terms};
pub(crate) use compare::{Diff, Replay};
pub(crate) use doctor::Doctor;
pub(crate) use policy::{Arriving, Check, Explain, Export, ExportNft, Format, NftFamily};
pub(crate) use see::{Drops, Flows, Status};
pub(crate) use top::Top;
pub(crate) use tune::{Prefer, Tune};

/// A geo-fencing packet filter for a gateway appliance.
///
/// Palisade sits inline between an outside and an inside interface. The first packet of each flow is
/// judged by the country, autonomous system and network that it comes from and by the service that
/// it goes to; what the policy does not allow is dropped, with a record that says why.
#[derive(Debug, Parser)]
#[command(name = "palisade", version, max_term_width = 100)]
#[command(after_long_help = "\
Where to begin:
  palisade check policy.toml                      is the policy right?
  palisade explain --policy policy.toml \\
      --from 203.0.113.9 --to 10.2.0.5:5432/tcp   who gets in, and why?
  palisade diff policy.toml next.toml             whose verdicts would flip?
  palisade replay today.pcap --policy next.toml   what would be dropped?
  palisade doctor --config gateway.toml           is the machine fit for it?
  palisade run --config gateway.toml              put it inline
  palisade status                                 what it is doing
  palisade drops --follow                         what it drops, and why
  palisade top                                    the same, as rates on a screen
  palisade tune                                   which cores, and how they wait

docs/policy.md explains every key of a policy, docs/gateway.md those of gateway.toml,\ndocs/doctor.md every check of the machine.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway in the foreground.
    Run(Run),
    /// Check the machine before it carries traffic, and mend what can be mended.
    Doctor(Doctor),
    /// Validate a policy: every error with its file, line, column and what to do.
    Check(Check),
    /// Say what happens to a packet, and why, by the code that the workers run.
    Explain(Explain),
    /// Show what differs between two policies or two databases, and whose verdicts flip.
    Diff(Diff),
    /// Judge recorded traffic by a policy, and by another one beside it.
    Replay(Replay),
    /// Write a policy in the words of another filter.
    #[command(subcommand)]
    Export(Export),
    /// Show a running gateway's counters, interfaces, queues and the modes that it was granted.
    Status(Status),
    /// Show what was dropped last, and why; follow what comes.
    Drops(Drops),
    /// Show the flows that are let through now.
    Flows(Flows),
    /// Watch a running gateway: rates by domain, country, operator, reason, source and worker.
    Top(Top),
    /// Propose cores, queues, burst and poll mode; measure them; change a running gateway.
    Tune(Tune),
    /// Compile the policy again and put it in force without losing a packet.
    Reload(Reload),
    /// Put another policy in force, on trial where asked for.
    Apply(Apply),
    /// Keep the policy that is on trial.
    Confirm(Confirm),
    /// Show what was in force, since when, by whom and why.
    History(History),
    /// Put an earlier policy in force again.
    Rollback(Rollback),
    /// Print a completion script for a shell.
    Completions(Completions),
    /// Write the man pages of all commands to a folder.
    Man(Man),
}

/// Run the gateway in the foreground.
///
/// Needs root, or the capabilities CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_PERFMON and CAP_IPC_LOCK,
/// and two interfaces that carry nothing else. SIGINT and SIGTERM stop it cleanly; SIGHUP reloads the policy.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The smallest gateway.toml:

  policy = \"policy.toml\"

  [interface]
  outside = \"eth0\"
  inside  = \"eth1\"

Exit status: 0 after a clean stop, 1 when it could not start or a worker ended.")]
pub(crate) struct Run {
    /// The machine's configuration: interfaces, workers, drop log, control socket.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Control {
    /// The gateway's control socket.
    #[arg(long, value_name = "SOCKET", default_value = "/run/palisade/control.sock")]
    pub(crate) socket: PathBuf,
}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell to write it for.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Write the man pages of all commands to a folder.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder; made when missing.
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
}
