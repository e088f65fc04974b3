//! The day, step by step: each shows something, and holds it to what must be so.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, SystemTime};

use socket2::{Domain, Protocol, Socket, Type};

use super::page::Page;
use super::policy::{
    self, CONTRACTOR, FRENCH, GERMAN, NORWEGIAN, SERVER, SWEEPER, with_exception, with_norway,
    without_france,
};
use super::stage::{Stage, ip, wait};
use crate::Result;
use crate::error::system;
use crate::lab::{Haul, Service, Transfer};

/// How long an exchange of a client may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn fetch(address: &str) -> String {
    format!("curl -s -S -m 2 --interface {address} http://{SERVER}/")
}

/// A policy is edited, applied on trial, not confirmed, and goes back.
pub(super) fn trial(page: &mut Page, stage: &Stage<'_>) -> Result<()> {
    page.title("A policy on trial");
    page.say(
        "Sales wants Norway in. The policy is edited beside the one in force, checked, and held against \
         it: whose verdicts would flip?",
    );
    stage.write("next.toml", &with_norway())?;
    let said = page.operator(stage, "palisade check next.toml")?;
    page.holds("the edited policy is valid", said.status == 0);
    let said = page.operator(stage, "palisade diff running next.toml")?;
    page.holds(
        "diff names the change and the flips, and ends with 1",
        said.status == 1 && said.has("NO"),
    );
    let said = page.client(stage, &fetch(NORWEGIAN))?;
    page.holds("Norway is not let in yet", said.status == 28);
    page.say("It is applied for five seconds, to go back by itself unless it is confirmed.");
    let said =
        page.operator(stage, "palisade apply next.toml --confirm 5s --why 'Norway, for sales'")?;
    page.holds("it is in force", said.status == 0);
    let said = page.client(stage, &fetch(NORWEGIAN))?;
    page.holds("Norway is let in", said.has("ok"));
    page.operator(stage, "palisade status --json | jq -c .policy.pending")?;
    page.say("Nobody confirms.");
    let gone = wait(PATIENCE, || {
        let said = stage
            .operator("palisade status --json | jq -e '.policy.pending == null'")
            .output()
            .map_err(system("ask", "the status"))?;
        Ok(said.status.success())
    })?;
    page.holds("it went back by itself", gone);
    let said = page.client(stage, &fetch(NORWEGIAN))?;
    page.holds("Norway is out again", said.status == 28);
    let said = page.operator(stage, "palisade history")?;
    page.holds("the history says why", said.has("not confirmed") && said.has("Norway, for sales"));
    Ok(())
}

/// A country is taken out while its transfer runs.
pub(super) fn country(page: &mut Page, stage: &Stage<'_>) -> Result<()> {
    page.title("A country is taken out while its transfer runs");
    let at = SocketAddr::new(ip(SERVER)?, 9000);
    let start = |from: &str| -> Result<Transfer> {
        let haul = Haul::new(Service::TcpEcho, ip(from)?, at, 16 << 20).paced(256 << 10);
        Transfer::start(&stage.lab.clients, haul)
    };
    let (french, german) = (start(FRENCH)?, start(GERMAN)?);
    thread::sleep(Duration::from_secs(1));
    page.say(
        "Two clients move data through the shop, one from France and one from Germany. France is taken \
         out of the policy's file, and the file is put in force.",
    );
    page.holds("both transfers run", french.bytes() > 0 && german.bytes() > 0);
    stage.write("policy.toml", &without_france())?;
    let said = page.operator(stage, "palisade reload --why 'France is closed'")?;
    page.holds("it is in force", said.status == 0);
    thread::sleep(Duration::from_millis(500));
    let (stopped, before) = (french.bytes(), german.bytes());
    thread::sleep(Duration::from_secs(2));
    let moved = german.bytes() - before;
    page.say(&format!(
        "In the next two seconds the German transfer moved {} KiB, the French one {} bytes.",
        moved >> 10,
        french.bytes() - stopped
    ));
    page.holds("the French transfer stands still", french.bytes() == stopped);
    page.holds("the German one goes on", moved > 100 << 10);
    let said = page.operator(stage, "palisade drops --country FR --domain shop --limit 3")?;
    page.holds("the drops say so", said.has("not_allowed"));
    let line = format!("palisade explain --running --from {FRENCH} --to {SERVER}:9000/tcp");
    let said = page.operator(stage, &line)?;
    page.holds("and the running gateway explains it", said.has("not_allowed"));
    page.say("It was the wrong week. The policy before comes back, and the transfer goes on.");
    let said = page.operator(stage, "palisade rollback --why 'next week, not this'")?;
    page.holds("it is in force again", said.status == 0);
    let resumed = wait(PATIENCE, || Ok(french.bytes() > stopped + (64 << 10)))?;
    page.holds("the French transfer goes on where it stood", resumed);
    Ok(())
}

/// A database update that flips too much is refused, explained, and let through.
pub(super) fn database(page: &mut Page, stage: &Stage<'_>) -> Result<()> {
    page.title("A database update that would flip too much");
    page.say(
        "The vendor's update of the night moves two large European networks to the United States. It takes \
         the old one's place, as an update does, and the gateway is told to reload.",
    );
    page.operator(stage, "cp country.csv country-old.csv")?;
    stage.write("country.csv", &policy::database(true))?;
    let said = page.operator(stage, "palisade reload")?;
    page.holds("the reload is refused", said.status == 1);
    page.holds("and says by domain what would flip", said.has("shop"));
    let said = page.client(stage, &fetch(FRENCH))?;
    page.holds("the last good ruleset serves on: France is still France", said.has("ok"));
    let said =
        page.operator(stage, "palisade diff country-old.csv country.csv --policy policy.toml")?;
    page.holds("diff shows whom it moves", said.status == 1 && said.has("shop"));
    page.say("The vendor says that it is right. So be it:");
    let said =
        page.operator(stage, "palisade reload --accept --why 'vendor confirmed the move'")?;
    page.holds("it is in force", said.status == 0);
    let said = page.client(stage, &fetch(FRENCH))?;
    page.holds("what was France is now refused", said.status == 28);
    page.say("An hour later the vendor takes it back, and so does the operator.");
    page.operator(stage, "cp country-old.csv country.csv")?;
    let said = page.operator(stage, "palisade reload --accept --why 'vendor took it back'")?;
    page.holds("the old database is in force", said.status == 0);
    let said = page.client(stage, &fetch(FRENCH))?;
    page.holds("France is let in", said.has("ok"));
    Ok(())
}

/// A port sweep surfaces as a pattern.
pub(super) fn sweep(page: &mut Page, stage: &Stage<'_>) -> Result<()> {
    page.title("A port sweep surfaces");
    page.say(&format!(
        "A client at {SWEEPER}, of no known country, tries a thousand ports of the server. No record of \
         one packet says so; the pattern of all of them does."
    ));
    knock(stage, 1..=1000, 20)?;
    let found = wait(Duration::from_secs(30), || {
        let line = "palisade drops --kind pattern --limit 50 --json | grep -q '\"sweep\"'";
        Ok(stage.operator(line).output().map_err(system("ask", "for drops"))?.status.success())
    })?;
    page.holds("the sweep is told as a pattern", found);
    let line = format!("palisade drops --kind pattern --from {SWEEPER}/32");
    let said = page.operator(stage, &line)?;
    page.holds("with its source", said.has(SWEEPER));
    Ok(())
}

/// The sweeper tries further ports, slower, for longer than a picture takes.
pub(super) fn sweep_on(stage: &Stage<'_>) -> Result<()> {
    knock(stage, 1001..=3500, 1)
}

/// Opens a connection to each port and waits for none, so many in ten milliseconds.
fn knock(stage: &Stage<'_>, ports: std::ops::RangeInclusive<u16>, most: u16) -> Result<()> {
    let (from, to) = (ip(SWEEPER)?, ip(SERVER)?);
    stage.lab.clients.enter(|| {
        for port in ports {
            let open = || {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
                socket.bind(&SocketAddr::new(from, 0).into())?;
                socket.set_nonblocking(true)?;
                // It is under way when this returns; what comes of it is the gateway's to say.
                let _ = socket.connect(&SocketAddr::new(to, port).into());
                std::io::Result::Ok(())
            };
            open().map_err(system("knock at", &port.to_string()))?;
            if port.is_multiple_of(most) {
                thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    })
}

/// An exception ends by itself.
pub(super) fn exception(page: &mut Page, stage: &Stage<'_>) -> Result<()> {
    page.title("An exception ends");
    page.say(
        "A contractor moves a database and needs the internal domain for a while. The policy says until \
         when, who answers for it, and why.",
    );
    let until = moment(Duration::from_secs(12));
    let text = with_exception(&until);
    let added = text.rsplit_once("\n\n").map_or("", |(_, added)| added);
    page.file("next.toml, at its end", "toml", added);
    stage.write("next.toml", &text)?;
    // The database's answer is no HTTP, and curl shows it all the same.
    let select =
        format!("curl -s -m 1 --http0.9 --interface {CONTRACTOR} http://{SERVER}:5432/ | head -1");
    let knock = format!("palisade explain --running --from {CONTRACTOR} --to {SERVER}:5432/tcp");
    let said = page.operator(stage, "palisade apply next.toml --why 'migration of the orders'")?;
    page.holds("it is in force", said.status == 0);
    let said = page.client(stage, &select)?;
    page.holds("the contractor reaches the database", said.has("row 1"));
    let said = page.operator(stage, &knock)?;
    page.holds("the contractor is let in, by the exception", said.has("exception:migration"));
    page.operator(stage, "palisade status --json | jq -c '.policy.exceptions[]'")?;
    page.say("The time comes. Nobody does anything.");
    let ended = wait(Duration::from_secs(30), || {
        let line = "palisade status --json | jq -e '.policy.exceptions == []'";
        Ok(stage.operator(line).output().map_err(system("ask", "the status"))?.status.success())
    })?;
    page.holds("the exception has ended", ended);
    let said = page.client(stage, &select)?;
    page.holds("the contractor's packets are dropped", !said.has("row 1"));
    let said = page.operator(stage, &knock)?;
    page.holds("by the rule that held before", said.has("not_allowed"));
    let line = "palisade drops --kind exception --limit 2";
    let said = page.operator(stage, line)?;
    page.holds("each flow that it let in has a record", said.has(CONTRACTOR));
    let said = page.operator(stage, "palisade history | head -5")?;
    page.holds("the history says so", said.has("exception"));
    Ok(())
}

/// A moment from now, as TOML has it.
fn moment(from_now: Duration) -> String {
    let at = SystemTime::now() + from_now;
    let at = jiff::Timestamp::try_from(at).unwrap_or_default();
    at.to_string().chars().take(19).collect::<String>() + "Z"
}
