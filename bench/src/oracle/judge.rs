//! Palisade's side: the filter that the workers run, on the very frames that the kernel gets.

use std::sync::Arc;

use filter::{Action, Actions, DropRecord, Filter, FilterConfig, Now, Shared, Timeouts};
use lookup::{Ask, Proto, Ruleset};

use super::packet::Packet;

/// A gateway's filter over one ruleset, its clock standing still.
pub struct Judge {
    ruleset: Ruleset,
    filter: Filter,
    records: Vec<DropRecord>,
}

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// It goes to the other interface.
    pub crosses: bool,
    /// The reason and the rule, when there is a record.
    pub why: Option<String>,
}

impl Judge {
    /// A filter that has seen nothing.
    #[must_use]
    pub fn new(ruleset: Ruleset) -> Self {
        Self { ruleset, filter: fresh(), records: Vec::new() }
    }

    /// Judges one packet, as the frame that carries it.
    pub fn say(&mut self, packet: &Packet) -> Said {
        let (side, frame) = (packet.side, packet.frame());
        let mut actions = Actions::new();
        self.records.clear();
        let now = Now { unix_ns: 1, mono_ms: 1_000_000 };
        let Self { ruleset, filter, records } = self;
        filter.process(ruleset, now, side, &[&frame], &mut actions, records);
        let why = records.first().map(|record| {
            let rule = record.rule.map_or("no rule", |rule| ruleset.legend().rule_text(rule));
            format!("{}, {rule}", record.reason().map_or("allowed", filter::DropReason::as_str))
        });
        Said { crosses: matches!(actions.first(), Some(Action::Forward | Action::Pass)), why }
    }

    /// Forgets all that was seen.
    pub fn forget(&mut self) {
        self.filter = fresh();
    }

    /// What `explain` says of a packet.
    #[must_use]
    pub fn explain(&self, packet: &Packet) -> String {
        let proto = Proto(packet.proto).folded();
        let (from_port, to_port) = if proto.has_ports() { packet.ports } else { (0, 0) };
        let ask = Ask {
            from: packet.src,
            from_port: proto.has_ports().then_some(from_port),
            to: packet.dst,
            to_port,
            proto,
            side: packet.side,
            vlan: packet.vlan(),
        };
        serde_json::to_string_pretty(&self.ruleset.explain(&ask)).unwrap_or_default()
    }
}

fn fresh() -> Filter {
    let flows = 1 << 14;
    let (key, timeouts) = ([7; 16], Timeouts::default());
    let config = FilterConfig { flows, records_per_s: u32::MAX, key, timeouts };
    Filter::new(config, Arc::new(Shared::new(flows, [9; 16])))
}
