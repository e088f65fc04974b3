//! Queues against workers, how flows are spread over them, and whether both directions meet.

use std::collections::BTreeSet;

use super::Case;
use crate::{
    facts::{Link, Rss},
    finding::{Finding, Grade, Way, hand},
    setting::{Change, Setting, hex},
};

pub(super) fn check(case: &Case<'_>, link: &Link) -> Vec<Finding> {
    let mut findings = vec![count(case, link)];
    findings.extend(spread(case, link));
    findings
}

/// One worker for each queue, and a queue for each worker.
fn count(case: &Case<'_>, link: &Link) -> Finding {
    let workers = case.workers();
    let (rx, tx) = (link.rx_queues, link.tx_queues);
    let is = match rx == tx {
        true => format!("{rx} for {workers} worker(s)"),
        false => format!("{rx} in, {tx} out, for {workers} worker(s)"),
    };
    let fate = if case.plan.fail_open { "bridged, unjudged" } else { "dropped" };
    let why = format!(
        "worker i serves queue i of both interfaces: a worker needs its queue, and what comes on a \
         queue beyond the last worker is {fate}, as [fail] says"
    );
    // Flows may be spread over fewer queues than there are.
    let beyond = rx > workers && reached(link).is_none_or(|last| last >= workers);
    let enough = rx.min(tx) >= workers;
    Finding::new("queues", &link.name, is, format!("{workers}"), why).unless(
        enough && !beyond,
        Grade::Fatal,
        ways(link, workers, rx),
    )
}

/// The last queue that the NIC puts anything on, where it says.
fn reached(link: &Link) -> Option<u32> {
    link.rss.as_ref()?.table.iter().max().copied()
}

fn ways(link: &Link, workers: u32, rx: u32) -> Vec<Way> {
    let channels = link.channels.unwrap_or_default();
    let queues = |kind: &str| {
        let setting = Setting::Queues { link: link.name.clone(), kind: kind.to_owned() };
        Way::Change(Change { setting, to: workers.to_string() })
    };
    if channels.combined.most >= workers {
        return vec![queues("combined")];
    }
    if channels.rx.most.min(channels.tx.most) >= workers {
        let one = |kind, now| (now != workers).then(|| queues(kind));
        let both = [one("rx", link.rx_queues), one("tx", link.tx_queues)];
        return both.into_iter().flatten().collect();
    }
    let most = channels.combined.most.max(channels.rx.most.min(channels.tx.most)).max(1);
    if rx > workers {
        vec![hand(format!("[workers] cores in gateway.toml: list {rx}, one for each queue"))]
    } else {
        vec![hand(format!("[workers] cores in gateway.toml: list {most}; it has no more queues"))]
    }
}

/// Every worker gets its share.
fn spread(case: &Case<'_>, link: &Link) -> Option<Finding> {
    let rss = link.rss.as_ref().filter(|rss| !rss.table.is_empty())?;
    let workers = case.workers();
    let used: BTreeSet<_> = rss.table.iter().copied().collect();
    let all = rss.equal() == Some(workers);
    let is = match all {
        true => format!("evenly over {workers}"),
        false => format!("over {} of them", used.len()),
    };
    let why = "a queue that no flow is put on leaves its worker idle, while another one has the work \
               of two";
    let to = workers.to_string();
    let way = match rss.equal() {
        Some(_) => Way::Change(Change { setting: Setting::Spread { link: link.name.clone() }, to }),
        // Somebody wrote this table by hand, and ethtool could not write it back.
        None => even(link, workers),
    };
    let fine = all || (0..workers).all(|queue| used.contains(&queue)) && rss.equal().is_none();
    let finding = Finding::new("spread", &link.name, is, format!("evenly over {workers}"), why);
    Some(finding.unless(fine, Grade::Warning, [way]))
}

fn even(link: &Link, workers: u32) -> Way {
    hand(format!("ethtool -X {} equal {workers}", link.name))
}

/// Both directions of a connection meet at one worker.
pub(super) fn symmetry(case: &Case<'_>) -> Option<Finding> {
    let [Some(outside), Some(inside)] = &case.facts.links else { return None };
    let [out, into] = [outside.rss.as_ref()?, inside.rss.as_ref()?];
    if case.workers() < 2 {
        return None;
    }
    let whole = out.symmetric() && into.symmetric();
    // The one may have a longer key: what counts is the part that both have.
    let same_key = out.key.iter().zip(&into.key).all(|(out, into)| out == into);
    let same = same_key && out.table == into.table && out.fields == into.fields;
    let is = match (whole, same) {
        (true, true) => "symmetric and alike",
        (true, false) => "symmetric, but not alike",
        (false, _) => "not symmetric",
    };
    let why = "then both directions of a connection reach one worker, and its flow stays in one cache. \
               Verdicts are the same without it: it is only speed";
    let of = format!("{}, {}", outside.name, inside.name);
    let ways = || {
        let mut ways: Vec<_> = [outside, inside].into_iter().filter_map(key).collect();
        if out.fields != into.fields {
            let all = ["tcp4", "tcp6", "udp4", "udp6"];
            for link in [outside, inside] {
                let line =
                    |kind| hand(format!("ethtool -N {} rx-flow-hash {kind} sdfn", link.name));
                ways.extend(all.map(line));
            }
        }
        if ways.is_empty() {
            let odd = |link: &&Link| link.rss.as_ref().and_then(Rss::equal) != Some(case.workers());
            let odd = [outside, inside].into_iter().filter(odd);
            ways.extend(odd.map(|link| even(link, case.workers())));
        }
        ways
    };
    let finding = Finding::new("symmetry", of, is, "symmetric and alike", why);
    Some(finding.unless(whole && same, Grade::Advice, ways()))
}

/// The key that repeats every two bytes, where it is another one.
fn key(link: &Link) -> Option<Way> {
    let rss = link.rss.as_ref().filter(|rss| !rss.key.is_empty())?;
    let wanted: Vec<u8> = [0x6d, 0x5a].into_iter().cycle().take(rss.key.len()).collect();
    let setting = Setting::Key { link: link.name.clone() };
    (rss.key != wanted).then(|| Way::Change(Change { setting, to: hex(&wanted) }))
}
