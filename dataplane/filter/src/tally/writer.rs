//! The worker's end of its [`Tally`]: which row is whose in the ruleset in force, and the keyed hashes.

use std::sync::Arc;

use lookup::{DomainId, Region, Revision, Ruleset, ServiceId};
use siphasher::sip::SipHasher13;

use super::rows::print;
use super::sources::{Blow, key_v4, key_v6};
use super::{MAX_DOMAINS, MAX_SERVICES, NOWHERE, Tally, add, count};
use crate::Family;
use crate::flow::fold;
use crate::parse::Head;

/// Counts into a [`Tally`] that others read.
#[derive(Debug)]
pub(crate) struct Writer {
    tally: Arc<Tally>,
    /// The ruleset whose ids the rows below are for.
    revision: Option<Revision>,
    turn: u64,
    rows: Box<[u16; MAX_DOMAINS + 1]>,
    service_rows: Box<[u16]>,
    secret: [u64; 4],
}

impl Writer {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        let hasher = SipHasher13::new_with_key(key);
        let word = |i: usize| hasher.hash(&[b't', i as u8]);
        Self {
            tally: Arc::new(Tally::new()),
            revision: None,
            turn: 0,
            rows: Box::new([NOWHERE as u16; MAX_DOMAINS + 1]),
            service_rows: vec![0; MAX_SERVICES].into(),
            secret: std::array::from_fn(word),
        }
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Whether its ids are those of this ruleset.
    #[inline]
    pub(crate) fn knows(&self, rules: &Ruleset) -> bool {
        self.revision == Some(rules.revision())
    }

    /// Before the first packet that this ruleset judges.
    #[cold]
    pub(crate) fn adopt(&mut self, rules: &Ruleset) {
        let (legend, tally) = (rules.legend(), &*self.tally);
        self.turn += 1;
        let domains = legend.domains().iter().map(|domain| print(&domain.name, ""));
        let clear = |row: usize| tally.domains[row].clear();
        tally.names.adopt(self.turn, domains, &mut self.rows[..MAX_DOMAINS], clear);
        let services = legend.services().iter();
        let services = services.map(|(name, domain)| print(legend.domain_name(*domain), name));
        let clear = |row: usize| tally.services[row].clear();
        tally.service_names.adopt(self.turn, services, &mut self.service_rows, clear);
        self.revision = Some(rules.revision());
    }

    /// The number of a domain's row, until another ruleset is adopted.
    #[inline]
    pub(crate) fn index(&self, domain: Option<DomainId>) -> usize {
        // The last row is that of no domain, the one before it that of all beyond. The bounds are those of the
        // arrays, so that nothing is checked twice.
        let place = domain.map_or(MAX_DOMAINS, |domain| usize::from(domain.0).min(MAX_DOMAINS - 1));
        usize::from(self.rows[place]).min(NOWHERE)
    }

    #[inline]
    fn row(&self, domain: Option<DomainId>) -> &super::Row {
        &self.tally.domains[self.index(domain)]
    }

    /// So many packets that the rules of a row's domain allowed.
    pub(crate) fn let_through(&self, row: usize, packets: u64) {
        add(&self.tally.domains[row.min(NOWHERE)].allowed, packets);
    }

    /// A packet that the domain's rules allowed.
    #[inline]
    pub(crate) fn allowed(&self, domain: Option<DomainId>) {
        count(&self.row(domain).allowed);
    }

    /// A packet that was forwarded although the rules say drop.
    pub(crate) fn shadowed(&self, domain: Option<DomainId>) {
        count(&self.row(domain).shadowed);
    }

    /// A flow that was allowed and kept.
    #[inline]
    pub(crate) fn flow(&self, domain: Option<DomainId>, region: Region) {
        count(&self.row(domain).regions[region.index()].flows_allowed);
    }

    /// A dropped packet; `region` where the policy decided it.
    pub(crate) fn dropped(&self, domain: Option<DomainId>, region: Option<Region>) {
        let row = self.row(domain);
        count(&row.dropped);
        if let Some(region) = region {
            count(&row.regions[region.index()].dropped);
        }
    }

    /// Twice folded: estimates need more than one product gives where keys are steps of one stride.
    #[inline]
    fn hash(&self, [low, high]: [u64; 2]) -> u64 {
        let [a, b, c, d] = self.secret;
        fold(fold(low ^ a, high ^ b) ^ c, d)
    }

    /// Who sent a dropped packet, and where to.
    pub(crate) fn source(
        &self,
        (domain, service): (Option<DomainId>, Option<ServiceId>),
        head: &Head,
        now_s: u32,
    ) {
        let (key, network) = match head.family {
            Family::None => return,
            Family::V4 => (key_v4(head.src as u32), head.src as u64 >> 8),
            Family::V6 => (key_v6(head.src), (head.src >> 80) as u64),
        };
        let port = u64::from(head.dst_port) << 8 | u64::from(head.proto);
        let row = self.row(domain);
        row.sources.count(&Blow {
            key,
            hash: self.hash([key, 0]),
            port_hash: self.hash([port, 1]),
            destination_hash: self.hash([head.dst as u64, (head.dst >> 64) as u64]),
            port: head.dst_port,
            proto: head.proto,
            now_s,
        });
        let hash = self.hash([network, 2]);
        row.networks.see(hash, now_s);
        if let Some(service) = service {
            let row = self.service_rows[usize::from(service.0).min(MAX_SERVICES - 1)];
            self.tally.services[usize::from(row)].see(hash, now_s);
        }
    }
}
