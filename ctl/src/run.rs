//! `palisade run`: the gateway in the foreground.

use std::process::ExitCode;

use engine::{Config, Error, Gateway, say};

use crate::words::warn;
use crate::{check, cli::Run};

const NEEDS: &str = "\
palisade run needs a configuration: palisade run --config gateway.toml

The smallest one names the policy and the two interfaces:

  policy = \"policy.toml\"      # who may reach what: docs/policy.md

  [interface]
  outside = \"eth0\"            # towards the internet
  inside  = \"eth1\"            # towards the protected network

Every other key has a default: docs/gateway.md. Try the policy first with palisade check.";

/// Runs until SIGINT or SIGTERM.
pub(crate) fn run(args: &Run) -> ExitCode {
    let Some(path) = &args.config else {
        warn(NEEDS);
        return ExitCode::FAILURE;
    };
    match Config::load(path).and_then(|config| serve(&config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Config(error) | Error::Policy(error)) => {
            check::show(error.problems());
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&error);
            ExitCode::FAILURE
        }
    }
}

fn serve(config: &Config) -> Result<(), Error> {
    let gateway = Gateway::start(config)?;
    for warning in gateway.warnings() {
        say(format_args!("warning: {warning}; {}", warning.help_text()));
    }
    let status = gateway.status();
    for warning in &status.warnings {
        say(format_args!("warning: {warning}"));
    }
    if let Some(address) = config.metrics.filter(|address| !address.ip().is_loopback()) {
        say(format_args!(
            "warning: whoever reaches {address} may read the metrics: there is no password; [control] metrics \
             = \"127.0.0.1:{}\" keeps them on this machine",
            address.port()
        ));
    }
    let mode = status.workers.first().map_or("", |worker| worker.mode.as_str());
    say(format_args!(
        "{} <-> {}, {} worker(s), {mode} mode, revision {}",
        config.outside,
        config.inside,
        status.workers.len(),
        status.revision
    ));
    let status = gateway.run()?;
    let packets = &status.packets;
    say(format_args!(
        "stopped after {} received, {} forwarded, {} passed, {} dropped",
        packets.received,
        packets.forwarded,
        packets.passed,
        packets.dropped_total()
    ));
    Ok(())
}
