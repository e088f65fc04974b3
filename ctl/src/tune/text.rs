//! The proposal in words and tables.

use std::path::Path;

use comfy_table::Table;
use engine::Roster;
use lookup::number;

use super::measure::Trial;
use super::{Ground, propose::Proposal};
use crate::cli::Tune;
use crate::table::{right, table};

/// Everything that is told.
pub(super) fn all(
    args: &Tune,
    ground: &Ground,
    proposal: &Proposal,
    tried: &[Trial],
    applied: bool,
    written: Option<&Path>,
) -> String {
    let mut text = format!("{}\n\n", settings(ground, proposal));
    for reason in &proposal.reasons {
        text += &format!("- {reason}\n");
    }
    if !tried.is_empty() {
        text += &format!("\n{}\n", trials(tried));
    }
    if !proposal.commands.is_empty() {
        text += "\nso that every queue has a worker, and every worker a queue:\n";
        for command in &proposal.commands {
            text += &format!("  {command}\n");
        }
    }
    text.push('\n');
    text + &last(args, ground, proposal, applied, written)
}

/// What is, and what is proposed.
fn settings(ground: &Ground, proposal: &Proposal) -> Table {
    let (now, next) = (&ground.now, &proposal.roster);
    let was = if ground.running { "in force" } else { "gateway.toml" };
    let mut table = table(&["workers", was, "proposed"]);
    let cores = |roster: &Roster| {
        let cores: Vec<_> = roster.cores.iter().map(ToString::to_string).collect();
        cores.join(", ")
    };
    table.add_row(["cores".to_owned(), cores(now), cores(next)]);
    let queues = |roster: &Roster| format!("{} of {}", roster.cores.len(), proposal.queues);
    table.add_row(["queues served".to_owned(), queues(now), queues(next)]);
    table.add_row(["poll".to_owned(), now.poll.to_string(), next.poll.to_string()]);
    table.add_row(["burst".to_owned(), now.burst.to_string(), next.burst.to_string()]);
    table
}

fn trials(tried: &[Trial]) -> Table {
    let mut table = table(&[
        "cores",
        "poll",
        "burst",
        "received/s",
        "lost/s",
        "ns a packet",
        "cores busy",
        "cores used",
        "",
    ]);
    for Trial { roster, figures, chosen } in tried {
        table.add_row([
            format!("{:?}", roster.cores),
            roster.poll.to_string(),
            roster.burst.to_string(),
            number(figures.received_pps as u64),
            number(figures.lost_pps as u64),
            format!("{:.0}", figures.packet_ns),
            format!("{:.2}", figures.busy_cores),
            format!("{:.2}", figures.used_cores),
            if *chosen { "chosen".to_owned() } else { String::new() },
        ]);
    }
    right(table, &[2, 3, 4, 5, 6, 7])
}

/// What was done, and what is to do.
fn last(
    args: &Tune,
    ground: &Ground,
    proposal: &Proposal,
    applied: bool,
    written: Option<&Path>,
) -> String {
    let roster = &proposal.roster;
    let mut text = String::new();
    if applied {
        text += &format!("in force: {roster}\n");
    } else if args.apply {
        text += "nothing to change: it is in force already\n";
    } else if ground.running && *roster != ground.now {
        text += "palisade tune --apply puts it in force, without stopping a worker that stays\n";
    }
    match written {
        Some(path) => text += &format!("written to {}\n", path.display()),
        None if *roster != ground.now || applied => {
            text += "to keep it over a restart: palisade tune --write, or by hand\n\n  [workers]\n";
            for (key, value) in super::write::lines(roster) {
                text += &format!("  {key:<6} = {value}\n");
            }
        }
        None => {}
    }
    text
}
