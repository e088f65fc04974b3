//! A day of an operator, played in a lab: every command is the real one, every output what it printed,
//! every claim held to what must be so. The page is written by the run that it tells of.

mod dashboard;
mod metrics;
mod page;
mod plot;
mod policy;
mod prometheus;
mod quote;
mod stage;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lookup::number;

pub use self::metrics::unserved;
use self::page::Page;
use self::prometheus::Prometheus;
use self::stage::{METRICS, Stage};
use crate::error::system;
use crate::lab::{Lab, check_identities, check_log};
use crate::{Error, Result};

/// Pages beside the day's that show some of its outputs.
const QUOTING: [&str; 1] = ["change.md"];

/// What stands above everything.
const HEAD: &str = "# A day with a gateway\n\n\
    `scripts/a-day` plays this day in a lab of network namespaces: a real gateway between real clients \
    and servers, and a load in bursts from six countries and from none. The page is written by that run: \
    commands, outputs and pictures are what they were, and where a line marked ✓ had not held, the script \
    would have failed. The wires are veth pairs, so no rate here is one of a \
    NIC. The database is one of a dozen large networks, made for the day.";

/// Play a day of an operator, hold every step to what it shows, and write docs/a-day.md.
#[derive(Debug, clap::Args)]
pub struct Day {
    /// The page; its pictures go to a folder of the same name.
    #[arg(long, value_name = "FILE", default_value = "docs/a-day.md")]
    page: PathBuf,
    /// The folder of the dashboard and the alert rules.
    #[arg(long, value_name = "FOLDER", default_value = metrics::FOLDER)]
    grafana: PathBuf,
}

impl Day {
    /// Plays it.
    ///
    /// # Errors
    /// When the lab cannot be made, or something did not hold.
    pub fn run(&self) -> Result<()> {
        let lab = Lab::new(1)?;
        let stage = Stage::new(&lab)?;
        let prometheus = Prometheus::start(&lab, METRICS)?;
        let stop = AtomicBool::new(false);
        let mut page = Page::new(stage.gateway.folder());
        let offered = thread::scope(|scope| {
            let load = scope.spawn(|| stage.load(&stop));
            let played = self.play(&mut page, &stage, &prometheus);
            stop.store(true, Ordering::Relaxed);
            let broken = || Err(Error::Usage("the load's thread panicked".to_owned()));
            let offered = load.join().unwrap_or_else(|_| broken());
            played.and(offered)
        })?;
        self.evening(&mut page, stage, offered)?;
        let (text, wrong) = page.end();
        let text = format!("{HEAD}\n{text}");
        write(&self.page, &text)?;
        if wrong.is_empty() {
            for name in QUOTING {
                let page = self.page.with_file_name(name);
                let object = page.display().to_string();
                let before = std::fs::read_to_string(&page).map_err(system("read", &object))?;
                write(&page, &quote::quote(&text, &before)?)?;
            }
            println!("\nAll of it held; {} tells of it.", self.page.display());
            return Ok(());
        }
        Err(Error::Usage(format!("did not hold:\n  {}", wrong.join("\n  "))))
    }

    fn play(&self, page: &mut Page, stage: &Stage<'_>, prometheus: &Prometheus<'_>) -> Result<()> {
        page.title("Morning");
        page.say("The policy of the day, and what the gateway does.");
        page.file("policy.toml", "toml", policy::FIRST);
        let said = page.operator(stage, "palisade check policy.toml")?;
        page.holds("the policy is valid", said.status == 0);
        // Some answers for the curves.
        thread::sleep(Duration::from_secs(2));
        self.top(page, stage, "overview", "top.svg")?;
        steps::trial(page, stage)?;
        steps::country(page, stage)?;
        steps::database(page, stage)?;
        steps::sweep(page, stage)?;
        // It goes on while the picture is drawn.
        thread::scope(|scope| {
            let goes_on = scope.spawn(|| steps::sweep_on(stage));
            self.top(page, stage, "sources", "sources.svg")?;
            let broken = || Err(Error::Usage("the sweep's thread panicked".to_owned()));
            goes_on.join().unwrap_or_else(|_| broken())
        })?;
        steps::exception(page, stage)?;
        page.title("The dashboard");
        let mut missing = unserved(stage.lab, METRICS, &self.grafana)?;
        // The day has no database of operators.
        missing.remove("palisade_geo_asn_age_days");
        let words = format!(
            "the gateway serves every metric that the dashboard and the alert rules name, but for the \
             age of a database that the day does without {missing:?}"
        );
        page.holds(words.trim_end_matches(" {}"), missing.is_empty());
        let picture = dashboard::draw(prometheus, &self.grafana.join("palisade.json"))?;
        self.picture(page, "dashboard.svg", &picture, "The dashboard over the day")?;
        page.say(
            "Prometheus scraped the gateway once a second all day. The picture shows the panels of \
             [grafana/palisade.json](grafana/palisade.json), each by its own queries, answered by that \
             Prometheus. It was drawn by the lab, because no Grafana was at hand: Grafana shows the same \
             numbers in its own hand. The alert rules are in [grafana/alerts.yml](grafana/alerts.yml).",
        );
        Ok(())
    }

    /// The screen of `palisade top` as a picture.
    fn top(&self, page: &mut Page, stage: &Stage<'_>, view: &str, name: &str) -> Result<()> {
        let line = format!("palisade top --svg --view {view} --size 110x34 --every 1 --answers 20");
        let output = stage.operator(&line).output().map_err(system("run", &line))?;
        let picture = String::from_utf8_lossy(&output.stdout).into_owned();
        page.holds(
            &format!("`palisade top --view {view}` shows the screen"),
            output.status.success() && picture.starts_with("<svg "),
        );
        self.picture(page, name, &picture, &format!("palisade top, {view}"))
    }

    fn picture(&self, page: &mut Page, name: &str, picture: &str, words: &str) -> Result<()> {
        let folder = self.page.with_extension("");
        std::fs::create_dir_all(&folder).map_err(system("make", &folder.display().to_string()))?;
        write(&folder.join(name), &page.plain(picture))?;
        let beside = folder.file_name().unwrap_or_default().to_string_lossy();
        page.picture(&format!("{beside}/{name}"), words);
        Ok(())
    }

    /// The books of the day.
    fn evening(&self, page: &mut Page, stage: Stage<'_>, offered: u64) -> Result<()> {
        page.title("Evening");
        page.operator(&stage, "palisade history")?;
        let status = stage.gateway.quiet_status()?;
        let wrong = check_identities(&status);
        page.holds("every packet and every frame of the day is accounted for", wrong.is_empty());
        let log = stage.gateway.stop()?;
        let drops: Vec<_> = log.into_iter().filter(|line| line.event_type == "drop").collect();
        let wrong = check_log(&status, &drops);
        page.holds("every drop is in the log, or counted by a line of it", wrong.is_empty());
        page.say(&format!(
            "The load offered {} packets. {} packets of all kinds were received, {} forwarded, {} dropped, \
             {} of them with a record of their own.",
            number(offered),
            number(status.received),
            number(status.forwarded),
            number(status.dropped_total()),
            number(status.records.recorded)
        ));
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(system("write", &path.display().to_string()))
}
