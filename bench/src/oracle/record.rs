//! What was compared, for people and for docs/reliability.md.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::compare::Tally;
use crate::error::system;
use crate::{Error, Result};

/// One row of docs/reliability.md.
#[derive(Serialize)]
struct Row {
    area: &'static str,
    tried: String,
    times: String,
    result: String,
    held: bool,
    command: &'static str,
}

/// The counts, in lines.
pub(super) fn report(tally: &Tally, seed: u64, took: Duration) -> String {
    let mut text = String::new();
    let policies: Vec<String> =
        tally.policies.iter().map(|(family, count)| format!("{count} {family}")).collect();
    let _ = writeln!(text, "rulesets: {}, policies from seed {seed}", policies.join(", "));
    let (all, crossed) = (tally.packets(), tally.crossed);
    let _ = writeln!(text, "packets:  {all} agree, {crossed} of them forwarded");
    for (reason, count) in &tally.dropped {
        let _ = writeln!(text, "          {count:>8} dropped, {reason}");
    }
    let _ = writeln!(text, "took:     {:.1} s", took.as_secs_f64());
    text
}

/// Writes the row to a file.
pub(super) fn write(path: &Path, tally: &Tally) -> Result<()> {
    let bridged =
        ["bridge", "netdev"].iter().filter_map(|family| tally.policies.get(family)).sum::<u64>();
    let routed = tally.policies.get("inet").copied().unwrap_or(0);
    let row = Row {
        area: "Oracle",
        tried: "random policies exported to kernel nftables, random packets biased to the \
                boundaries: Palisade's filter and the kernel give the same verdict"
            .to_owned(),
        times: format!(
            "{bridged} policies, {routed} of them also as a router's ruleset with connection \
             tracking; {} packets",
            tally.packets()
        ),
        result: "all agree".to_owned(),
        held: true,
        command: "scripts/oracle",
    };
    let json = serde_json::to_string_pretty(&[row])
        .map_err(|source| Error::Json { object: "the row".to_owned(), source })?;
    fs::write(path, json + "\n").map_err(system("write", &path.display().to_string()))
}
