//! Recorded flows: one JSON object a line, as `palisade flows --json` writes them.
//!
//! A flow has two ends. They may be named as a packet's (`src_ip`, `dest_ip` and their ports) with the
//! side that it arrived on, or as the flow table does (`remote_ip`, `local_ip`) with who opened it. Lines
//! are read with a bound, so that a file without end or without lines takes no memory.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::Path;

use lookup::{Ask, Proto, Side};
use serde::Serialize;
use serde_json::Value;

/// The longest line that can be a flow.
const LINE_BYTES: u64 = 64 << 10;

/// A flow, as its first packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Flow {
    pub(crate) src_ip: IpAddr,
    pub(crate) src_port: u16,
    pub(crate) dest_ip: IpAddr,
    pub(crate) dest_port: u16,
    pub(crate) proto: u8,
    /// `outside` or `inside`.
    pub(crate) side: &'static str,
    pub(crate) vlan: u16,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |address: IpAddr, port: u16| match (address, port) {
            (_, 0) => address.to_string(),
            (IpAddr::V4(_), _) => format!("{address}:{port}"),
            (IpAddr::V6(_), _) => format!("[{address}]:{port}"),
        };
        let (src, dest) = (end(self.src_ip, self.src_port), end(self.dest_ip, self.dest_port));
        let proto = match Proto(self.proto) {
            Proto::TCP => "tcp".to_owned(),
            Proto::UDP => "udp".to_owned(),
            Proto::ICMP => "icmp".to_owned(),
            Proto::SCTP => "sctp".to_owned(),
            Proto(number) => number.to_string(),
        };
        write!(f, "{src} -> {dest} {proto}")?;
        if self.vlan == 0 { Ok(()) } else { write!(f, " vlan {}", self.vlan) }
    }
}

impl Flow {
    /// The question that its first packet puts.
    pub(crate) fn ask(&self) -> Ask {
        let side = if self.side == "inside" { Side::Inside } else { Side::Outside };
        let has_port = side == Side::Inside && Proto(self.proto).has_ports();
        Ask {
            from: self.src_ip,
            from_port: has_port.then_some(self.src_port),
            to: self.dest_ip,
            to_port: self.dest_port,
            proto: Proto(self.proto).folded(),
            side,
            vlan: self.vlan,
        }
    }

    /// A line; `None` when it is no flow.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = |names: &[&str]| names.iter().find_map(|name| line.get(*name)?.as_str());
        let address = |names: &[&str]| text(names)?.parse::<IpAddr>().ok();
        let port = |names: &[&str]| {
            let found = names.iter().find_map(|name| line.get(*name)?.as_u64());
            u16::try_from(found.unwrap_or(0)).ok()
        };
        let proto = proto(line.get("proto")?)?;
        // EVE writes VLANs as a list.
        let vlan = line.get("vlan").map(|vlan| vlan.get(0).unwrap_or(vlan));
        let vlan = vlan.and_then(Value::as_u64).and_then(|id| u16::try_from(id).ok()).unwrap_or(0);
        let side = text(&["side", "arriving", "opened", "opened_from"]);
        let egress = line.get("egress").and_then(Value::as_bool) == Some(true);
        let inside = side.map_or(egress, |side| side == "inside");
        let side = if inside { "inside" } else { "outside" };
        if let (Some(src_ip), Some(dest_ip)) =
            (address(&["src_ip", "src"]), address(&["dest_ip", "dst"]))
        {
            let (src_port, dest_port) =
                (port(&["src_port", "sport"])?, port(&["dest_port", "dport", "port"])?);
            return Some(Self { src_ip, src_port, dest_ip, dest_port, proto, side, vlan })
                .filter(Self::sound);
        }
        let (remote, local) = (
            (address(&["remote", "remote_ip"])?, port(&["remote_port"])?),
            (address(&["local", "local_ip"])?, port(&["local_port"])?),
        );
        let (from, to) = if inside { (local, remote) } else { (remote, local) };
        let flow = Self {
            src_ip: from.0,
            src_port: from.1,
            dest_ip: to.0,
            dest_port: to.1,
            proto,
            side,
            vlan,
        };
        Some(flow).filter(Self::sound)
    }

    /// Both ends are of one family.
    fn sound(&self) -> bool {
        self.src_ip.is_ipv4() == self.dest_ip.is_ipv4()
    }
}

fn proto(value: &Value) -> Option<u8> {
    if let Some(number) = value.as_u64() {
        return u8::try_from(number).ok();
    }
    let name = value.as_str()?.to_ascii_lowercase();
    let any: IpAddr = [192, 0, 2, 1].into();
    // By the names that `explain` knows.
    let ask = Ask::parse_line(&format!("{any} {any} {name} 0")).ok()?;
    Some(ask.proto.0)
}

/// The flows of a file, or of standard input for `-`; `None` for a line that is no flow.
pub(crate) fn read(file: &Path) -> io::Result<Vec<Option<Flow>>> {
    if file == Path::new("-") {
        return lines(io::stdin().lock());
    }
    let open = File::open(file);
    let open = open.map_err(|error| {
        let words = format!("cannot read {}: {error}; check the path", file.display());
        io::Error::new(error.kind(), words)
    })?;
    lines(BufReader::new(open))
}

/// All lines but empty ones.
pub(crate) fn lines(mut input: impl BufRead) -> io::Result<Vec<Option<Flow>>> {
    let mut flows = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut input).take(LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(flows);
        }
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            flows.push(Flow::parse(text.trim()));
        }
    }
}
