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

/// The columns, and which protocol has which.
#[derive(Debug)]
pub(super) struct Slots {
    of: [u16; 256],
    pub(super) list: Vec<Slot>,
}

impl Slots {
    pub(super) fn of(services: &[Service]) -> Self {
        let mut list = [true, false].map(|ported| Slot { proto: None, ported }).to_vec();
        for service in services {
            if let Protos::One(proto) = service.proto
                && !list.iter().any(|slot| slot.takes(service.proto))
            {
                list.push(Slot { proto: Some(proto), ported: proto.has_ports() });
            }
        }
        let mut of = [0; 256];
        for (number, slot) in (0..=u8::MAX).zip(&mut of) {
            let proto = Proto(number);
            let own = list.iter().position(|slot| slot.proto == Some(proto));
            *slot = own.unwrap_or(usize::from(!proto.has_ports())) as u16;
        }
        Self { of, list }
    }

    /// A protocol's column.
    #[inline]
    pub(super) fn find(&self, proto: Proto) -> usize {
        usize::from(self.of[usize::from(proto.0)])
    }
}
