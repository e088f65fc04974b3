//! The first act: clients of several countries knock, and servers call out.

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use comfy_table::{Cell, Color, Table, presets};

use super::rows::{Door, OUTGOING, OUTSIDE_PORT, Outgoing, ROWS, Row};
use crate::lab::{Answer, Client, Lab, Server, Service};
use crate::{Error, Result};

/// How long a client waits; what is dropped is known by its silence.
const PATIENCE: Duration = Duration::from_millis(1500);

/// One line of the table.
struct Line {
    source: &'static str,
    country: &'static str,
    domain: &'static str,
    service: String,
    reached: bool,
    answer: Answer,
    why: &'static str,
}

impl Line {
    fn right(&self) -> bool {
        let expected = if self.reached { Answer::Reached } else { Answer::Silence };
        self.answer == expected
    }

    fn cells(&self) -> Vec<Cell> {
        let expected = if self.reached { "reached" } else { "silence" };
        let got = match self.answer {
            Answer::Reached => "reached",
            Answer::Silence => "silence",
            Answer::Other => "an error",
        };
        let color = if self.right() { Color::Green } else { Color::Red };
        let plain = [self.source, self.country, self.domain, &self.service, expected];
        let mut cells: Vec<Cell> = plain.into_iter().map(Cell::new).collect();
        cells.push(Cell::new(got).fg(color));
        cells.push(Cell::new(self.why));
        cells
    }
}

/// Starts the servers that the rows ask for, inside and outside.
pub(super) fn serve(lab: &Lab) -> Result<Vec<Server>> {
    let mut servers = Vec::new();
    for door in Door::ALL {
        for address in door.addresses() {
            let address = parse(address)?;
            lab.add_server(address)?;
            let at = SocketAddr::new(address, door.port());
            servers.push(Server::start(&lab.servers, door.service(), at)?);
        }
    }
    for row in ROWS {
        lab.add_client(parse(row.source)?)?;
    }
    for call in OUTGOING {
        let at = SocketAddr::new(parse(call.target)?, OUTSIDE_PORT);
        servers.push(Server::start(&lab.clients, Service::Http, at)?);
    }
    Ok(servers)
}

/// Makes all the connections at once and prints the table; how many were not as expected.
pub(super) fn visit(lab: &Lab) -> Result<usize> {
    let lines = thread::scope(|scope| {
        let knocks = ROWS.map(|row| scope.spawn(move || knock(lab, row)));
        let calls = OUTGOING.map(|call| scope.spawn(move || call_out(lab, call)));
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Line>>| {
            thread.join().unwrap_or_else(|_| Err(Error::Usage("a client panicked".to_owned())))
        };
        knocks.into_iter().chain(calls).map(join).collect::<Result<Vec<_>>>()
    })?;
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["source", "country", "domain", "service", "expected", "got", "because"]);
    lines.iter().for_each(|line| {
        table.add_row(line.cells());
    });
    println!("{table}");
    Ok(lines.iter().filter(|line| !line.right()).count())
}

/// From the outside to a door.
fn knock(lab: &Lab, row: Row) -> Result<Line> {
    let Row { source, country, door, reached, why } = row;
    let from = parse(source)?;
    let [v4, v6] = door.addresses();
    let to = parse(if from.is_ipv4() { v4 } else { v6 })?;
    let client = Client::new(&lab.clients, from).patience(PATIENCE);
    let answer = client.ask(door.service(), SocketAddr::new(to, door.port()))?;
    let domain = door.domain();
    Ok(Line { source, country, domain, service: door.to_string(), reached, answer, why })
}

/// From a server to a host on the outside.
fn call_out(lab: &Lab, call: Outgoing) -> Result<Line> {
    let Outgoing { target, country, reached, why } = call;
    let to = SocketAddr::new(parse(target)?, OUTSIDE_PORT);
    let [v4, v6] = Door::Web.addresses();
    let source = if to.is_ipv4() { v4 } else { v6 };
    let client = Client::new(&lab.servers, parse(source)?).patience(PATIENCE);
    let answer = client.ask(Service::Http, to)?;
    let service = format!("to {to}");
    Ok(Line { source, country, domain: "egress", service, reached, answer, why })
}

fn parse(address: &str) -> Result<IpAddr> {
    address.parse().map_err(|_| Error::Usage(format!("{address} is not an address")))
}
