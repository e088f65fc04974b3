//! The second act: a hundred thousand flows of several countries at once, as fast as a core can send.

use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Color, Table, presets};
use lookup::{Geo, GeoFiles};

use super::rows::Door;
use crate::lab::{Gateway, Lab};
use crate::load::{Class, Generator, Kind, Order, Plan, Shares, Sink};
use crate::{Error, Result};

/// Where the load is from, and whether the policy lets it in.
const SHARES: &str = "DE:30,FR:15,NL:5,US:25,CN:15,unknown:10";
const EUROPE: usize = 3;
const FLOWS: usize = 100_000;
const LENGTH: Duration = Duration::from_secs(4);

/// Offers the load and prints the rates; how many classes were not as expected.
pub(super) fn storm(lab: &Lab, gateway: &Gateway) -> Result<usize> {
    let shares: Shares = SHARES.parse()?;
    let flows = flows(&shares)?;
    let mut sink = Sink::at_servers(lab, flows.len())?;
    let mut generator = Generator::outside(lab, &flows, 64)?;
    let before = gateway.quiet_status()?;
    println!("{FLOWS} flows of 64-byte frames for {} s, from {SHARES}", LENGTH.as_secs());
    let sent = generator.run(Order { length: LENGTH, count: None, rate_pps: None, core: 0 })?;
    let after = gateway.quiet_status()?;

    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["origin", "flows", "should arrive", "arrived", "reordered"]);
    let mut wrong = 0;
    for (place, share) in shares.0.iter().enumerate() {
        let class = Class(place as u8);
        let count = sink.class(class)?;
        let welcome = place < EUROPE;
        let right = (count.packets > 0) == welcome;
        wrong += usize::from(!right);
        let color = if right { Color::Green } else { Color::Red };
        table.add_row([
            Cell::new(share.origin),
            number(flows.iter().filter(|flow| flow.class == class).count() as u64),
            Cell::new(if welcome { "yes" } else { "no" }),
            number(count.packets).fg(color),
            number(count.reordered),
        ]);
    }
    println!("{table}");

    let arrived = sink.total()?;
    let judged = after.received - before.received;
    let seconds = sent.length.as_secs_f64();
    let rates = [
        ("offered", sent.packets),
        ("judged by the gateway", judged),
        ("forwarded", after.forwarded - before.forwarded),
        ("dropped with a reason", after.dropped_total() - before.dropped_total()),
        ("counted at the servers", arrived.packets),
    ];
    for (what, packets) in rates {
        let mpps = packets as f64 / seconds / 1e6;
        println!("{what:>24}  {packets:>12} packets  {mpps:>7.3} Mpps");
    }
    println!("{:>24}  what is offered and not judged found the receive ring full", "");
    Ok(wrong)
}

fn flows(shares: &Shares) -> Result<Vec<crate::load::Flow>> {
    let geo = Geo::load(&GeoFiles::default(), &[])
        .map_err(|error| Error::Usage(format!("the embedded geo table: {error}")))?;
    let [v4, v6] = Door::Time.addresses();
    let plan = Plan {
        flows: FLOWS,
        shares: shares.clone(),
        targets: (v4.parse().ok(), v6.parse().ok()),
        port: Door::Time.port(),
        kind: Kind::Udp,
        seed: 1,
    };
    plan.draw(&geo.keys())
}

fn number(value: u64) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}
