//! Protocols to columns of the port-domain map: one for each that a policy names, and two for the
//! rest. A rest is what only a service of every protocol serves; with ports and without differ.

use crate::Proto;
use crate::policy::{Protos, Service};

/// One column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// `None` for a rest.
    proto: Option<Proto>,
    /// Its packets have ports.
    pub(super) ported: bool,
}

impl Slot {
    /// Whether a service of these protocols serves it.
    pub(super) fn takes(self, protos: Protos) -> bool {
        match protos {
            Protos::Any => true,
            Protos::One(proto) => self.proto == Some(proto),
        }
    }
}

/// The columns, those with ports first.
#[derive(Debug)]
pub(super) struct Slots {
    of: [u16; 256],
    ported: usize,
    pub(super) list: Vec<Slot>,
}

impl Slots {
    pub(super) fn of(services: &[Service]) -> Self {
        let mut named: Vec<Proto> = services
            .iter()
            .filter_map(|service| match service.proto {
                Protos::One(proto) => Some(proto),
                Protos::Any => None,
            })
            .collect();
        named.sort_unstable();
        named.dedup();
        let column = |ported: bool| {
            let named = named.iter().filter(move |proto| proto.has_ports() == ported);
            let named = named.map(move |&proto| Slot { proto: Some(proto), ported });
            std::iter::once(Slot { proto: None, ported }).chain(named)
        };
        let ported = column(true).count();
        let list: Vec<Slot> = column(true).chain(column(false)).collect();
        let mut of = [0; 256];
        for (number, slot) in (0..=u8::MAX).zip(&mut of) {
            let proto = Proto(number);
            let own = list.iter().position(|slot| slot.proto == Some(proto));
            let rest = if proto.has_ports() { 0 } else { ported };
            *slot = own.unwrap_or(rest) as u16;
        }
        Self { of, ported, list }
    }

    /// A protocol's column, and the port to look for in it.
    #[inline]
    pub(super) fn find(&self, proto: Proto, port: u16) -> (usize, usize) {
        let slot = usize::from(self.of[usize::from(proto.0)]);
        (slot, if slot < self.ported { usize::from(port) } else { 0 })
    }
}
