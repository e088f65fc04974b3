//! The demo: a lab, a gateway, real connections, a storm, and the books at the end.
//!
//! ```text
//!  clients of ten countries --> palisade run --> web, time, postgres
//!       and a load of 100,000 flows                    and a sink
//! ```
//! It ends with success only if every connection and every origin of the load came out as the policy
//! means it (`rows.rs`, written by hand) and both identities hold. Costs half a minute and two cores.

mod rows;
mod storm;
mod visits;

use std::fs;
use std::thread;
use std::time::Duration;

use crate::lab::{Books, Gateway, Lab, Server, Setup, check_identities, check_log};
use crate::{Error, Result};

const POLICY: &str = include_str!("policy.toml");
/// Drop records to show.
const SAMPLES: usize = 4;

/// Runs the demo; with `keep`, leaves the lab up until the process is interrupted.
///
/// # Errors
/// When the lab cannot be made, or something is not as expected.
pub fn run(keep: bool) -> Result<()> {
    title("A lab: clients, gateway, servers");
    let lab = Lab::new(1)?;
    let servers = visits::serve(&lab)?;
    let setup = Setup { cores: vec![last_core()], ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup)?;
    println!("palisade run --config {}/gateway.toml, pid {}", show(&gateway), gateway.pid());

    title("Who gets in");
    let mut wrong = visits::visit(&lab)?;
    title("What the drop log says");
    samples(&gateway)?;
    title("A load");
    wrong += storm::storm(&lab, &gateway)?;
    title("palisade status");
    print!("{}", gateway.ask(&["status"])?);

    title("The books");
    let status = gateway.quiet_status()?;
    let mut books = check_identities(&status);
    if keep {
        stay(&lab, &gateway, &servers);
    }
    drop(servers);
    books.extend(check_log(&status, &gateway.stop()?));
    settle(&books);
    if wrong == 0 && books.is_empty() {
        println!("\nAll as expected.");
        return Ok(());
    }
    Err(Error::Usage(format!("{wrong} rows and {} equations are wrong", books.len())))
}

/// The last core is the worker's; the generator has the first.
fn last_core() -> u32 {
    thread::available_parallelism().map_or(0, |cores| cores.get() as u32 - 1)
}

fn samples(gateway: &Gateway) -> Result<()> {
    // The logger writes beside the workers, so the last line may come a moment later.
    thread::sleep(Duration::from_millis(300));
    let path = gateway.folder().join("drops.jsonl");
    let text = fs::read_to_string(&path)
        .map_err(crate::error::system("read", &path.display().to_string()))?;
    text.lines().take(SAMPLES).for_each(|line| println!("{line}"));
    println!("... {} in all", text.lines().count());
    Ok(())
}

fn settle(books: &Books) {
    println!("frames:  free + fill + rx + tx + completion == total");
    println!("packets: received == forwarded + passed + dropped");
    println!("drops:   dropped == recorded + suppressed + lost, and the log agrees");
    if books.is_empty() {
        println!("All hold, for every worker and in total.");
    }
    books.iter().for_each(|line| println!("WRONG    {line}"));
}

/// Says how to play with the lab, and waits for a signal, which removes everything.
fn stay(lab: &Lab, gateway: &Gateway, servers: &[Server]) {
    let clients = lab.clients.name();
    title("The lab stays up");
    println!("{} servers listen. In another terminal, as root:\n", servers.len());
    for line in [
        format!("ip netns exec {clients} curl --interface 5.9.0.9 http://10.1.0.10/"),
        format!("ip netns exec {clients} curl -m 2 --interface 8.8.8.8 http://10.1.0.10/"),
        format!("ip netns exec {clients} curl --interface 2a01:4f8::9 'http://[fd00:1::10]/'"),
        format!("palisade status --socket {}", gateway.socket().display()),
        format!("tail -f {}/drops.jsonl", show(gateway)),
    ] {
        println!("  {line}");
    }
    println!("\nCtrl-C (or kill {}) removes it all.", std::process::id());
    loop {
        thread::park();
    }
}

fn show(gateway: &Gateway) -> String {
    gateway.folder().display().to_string()
}

fn title(text: &str) {
    println!("\n== {text}");
}
