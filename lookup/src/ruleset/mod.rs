//! The compiled policy.
//!
//! ```text
//!  packet: remote, local --> ClassTable --> two ClassIds
//!  local's place, VLAN, proto, port --> ServiceMap --> service --> domain
//!  remote's class, domain     --> Matrix --> rule, verdict
//! ```
//!
//! Immutable, shared by all workers. A judgement costs five loads behind the two classes, and no
//! branch on the size of the policy.

mod classes;
mod legend;
mod matrix;
mod members;
mod reading;
mod standing;

use std::sync::Arc;

pub use legend::{DomainFacts, ExceptionFacts, Legend};
pub(crate) use reading::Reading;
pub(crate) use standing::Standing;

use crate::geo::{Geo, GeoInfo};
use crate::policy::{GroupId, Policy};
use crate::services::{Place, ServiceMap};
use crate::table::{ClassTable, TableError};
use crate::{
    ClassId, Country, DomainId, Judgement, Moment, Query, Reason, Region, Revision, RuleId,
    ServiceId, Side, Verdict, Vlan,
};
use classes::{Class, Classes};
use matrix::{FAILSAFE, Matrix};
use members::Members;

/// A policy that is too large to be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// More of something than its id counts.
    #[error(
        "cannot compile the policy: it has {count} {what}, and the limit is {limit}; {way_out}"
    )]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
        /// What to do.
        way_out: &'static str,
    },
    /// More classes or ranges than the tables hold.
    #[error("cannot compile the policy: {0}")]
    Table(#[from] TableError),
}

/// A policy and its geo data, compiled: immutable, shared by all workers, answers in constant time.
/// All but the matrix is shared with the rulesets that [`Ruleset::at`] makes of it.
#[derive(Debug)]
pub struct Ruleset {
    revision: Revision,
    now: Moment,
    table: Arc<ClassTable>,
    base: Arc<Base>,
    matrix: Matrix,
    legend: Arc<Legend>,
}

/// What stays as it is while the verdicts change: rulesets of one policy share it.
#[derive(Debug)]
struct Base {
    /// By class: the services that are there.
    places: Vec<Place>,
    /// By class: where it is.
    regions: Vec<Region>,
    services: ServiceMap,
    /// By service.
    domains: Vec<DomainId>,
    /// By domain.
    shadow: Vec<bool>,
    classes: Vec<Class>,
    members: Vec<Members>,
    failsafe: Vec<ipnet::IpNet>,
    geo: GeoFacts,
}

/// The databases behind a ruleset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeoFacts {
    /// Where countries are from.
    pub country: GeoInfo,
    /// Where operators are from, if there is such a database.
    pub asn: Option<GeoInfo>,
    /// Age in days from which the policy calls a database old.
    pub max_age_days: u32,
}

impl Ruleset {
    /// Compiles a policy over a geo database that was loaded with the policy's overrides, with the
    /// exceptions that hold at a moment.
    ///
    /// # Errors
    /// More services, domains or rules than an id counts.
    pub fn compile(
        policy: &Policy,
        geo: &Geo,
        now: Moment,
        revision: Revision,
    ) -> Result<Self, CompileError> {
        limits(policy)?;
        let found = Classes::compile(policy, geo.origins());
        let (matrix, rules) = Matrix::compile(policy, now, &found.list, &found.members)?;
        let table = Arc::new(ClassTable::compile(&found.v4, &found.v6)?);
        let base = Base {
            places: found.list.iter().map(|class| class.place).collect(),
            regions: found.regions(policy),
            services: ServiceMap::compile(&found.places, policy),
            domains: policy.services.iter().map(|service| service.domain).collect(),
            shadow: policy.domains.iter().map(|domain| domain.shadow).collect(),
            classes: found.list,
            members: found.members,
            failsafe: policy.failsafe.clone(),
            geo: GeoFacts {
                country: geo.country_info().clone(),
                asn: geo.asn_info().cloned(),
                max_age_days: policy.geo.max_age_days,
            },
        };
        let legend = Arc::new(Legend::new(policy, rules, Arc::clone(geo.origins())));
        Ok(Self { revision, now, table, base: Arc::new(base), matrix, legend })
    }

    /// The same policy at another moment, with the exceptions that hold then. It shares everything
    /// but the matrix, which is decided anew: ids and legend keep their meaning.
    #[must_use]
    pub fn at(&self, now: Moment, revision: Revision) -> Self {
        Self {
            revision,
            now,
            table: Arc::clone(&self.table),
            base: Arc::clone(&self.base),
            matrix: self.matrix.at(now, &self.base.classes, &self.base.members),
            legend: Arc::clone(&self.legend),
        }
    }

    /// The moment that it was decided for.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// The exceptions that hold in this ruleset.
    pub fn exceptions(&self) -> impl Iterator<Item = &ExceptionFacts> {
        self.legend.exceptions().iter().filter(|exception| self.now < exception.until)
    }

    /// When the next of its exceptions ends: from that second on, [`Ruleset::at`] is another ruleset.
    #[must_use]
    pub fn next_end(&self) -> Option<Moment> {
        self.exceptions().map(|exception| exception.until).min()
    }

    /// Whether a rule is an exception's; [`Legend::exception`] says which.
    #[must_use]
    #[inline]
    pub fn is_exception(&self, rule: RuleId) -> bool {
        rule != FAILSAFE && usize::from(rule.0) <= self.legend.exceptions().len()
    }

    /// The revision that this ruleset was compiled as.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The networks that are never cut off.
    #[must_use]
    pub fn failsafe(&self) -> &[ipnet::IpNet] {
        &self.base.failsafe
    }

    /// Names and origins; outlives the tables in the logger.
    #[must_use]
    pub fn legend(&self) -> &Arc<Legend> {
        &self.legend
    }

    /// The ids of the VLANs that some domain names, ascending; 0 is traffic without one.
    pub fn vlans(&self) -> impl Iterator<Item = u16> {
        self.base.services.vlans()
    }

    /// The VLAN to judge a frame in, from the id in its outermost tag that has one; 0 without a tag.
    /// An id that no domain names is judged as no tag is; where a domain names 0, it is judged apart.
    #[must_use]
    #[inline]
    pub fn vlan(&self, id: u16) -> Vlan {
        self.base.services.vlan(id)
    }

    /// The class of one IPv4 address (host byte order).
    #[must_use]
    #[inline]
    pub fn class_v4(&self, address: u32) -> ClassId {
        self.table.class_v4(address)
    }

    /// The class of one IPv6 address (host byte order).
    #[must_use]
    #[inline]
    pub fn class_v6(&self, address: u128) -> ClassId {
        self.table.class_v6(address)
    }

    /// The classes of a batch of IPv4 addresses: `class_v4` of each, with the memory latency of one.
    /// Writes the first `min(addresses.len(), classes.len())` places.
    #[inline]
    pub fn classes_v4(&self, addresses: &[u32], classes: &mut [ClassId]) {
        self.table.classes_v4(addresses, classes);
    }

    /// The classes of a batch of IPv6 addresses.
    #[inline]
    pub fn classes_v6(&self, addresses: &[u128], classes: &mut [ClassId]) {
        self.table.classes_v6(addresses, classes);
    }

    /// The verdict on a pair that has a service, or that comes from the inside. From the outside to
    /// no service this is `Drop(NoService)`, unless the remote address is failsafe.
    #[must_use]
    #[inline]
    pub fn judge(&self, query: Query) -> Judgement {
        let place = self.base.places.get(query.local.0 as usize).copied().unwrap_or(Place(0));
        let Query { vlan, proto, local_port, .. } = query;
        let Some(service) = self.base.services.find(place, vlan, proto, local_port) else {
            return match query.side {
                Side::Inside => self.judge_reply(query.remote),
                Side::Outside => self.judge_stranger(query.remote),
            };
        };
        let domain = self.base.domains.get(usize::from(service.0)).copied().unwrap_or(DomainId(0));
        let (rule, verdict) = self.matrix.domain(query.remote, domain);
        Judgement {
            verdict,
            shadow: self.base.shadow.get(usize::from(domain.0)).copied().unwrap_or(false),
            egress: false,
            service: Some(service),
            domain: Some(domain),
            rule: Some(rule),
        }
    }

    /// The verdict on a packet from the outside to no service that answers a connection opened from
    /// the inside (the caller knows, by a flow or a pinhole): the egress policy's of `remote`.
    #[must_use]
    #[inline]
    pub fn judge_reply(&self, remote: ClassId) -> Judgement {
        let (rule, verdict) = self.matrix.egress(remote);
        Judgement {
            verdict,
            shadow: false,
            egress: true,
            service: None,
            domain: None,
            rule: Some(rule),
        }
    }

    /// From the outside to no service: nothing for anybody, everything for the failsafe.
    fn judge_stranger(&self, remote: ClassId) -> Judgement {
        let failsafe = self.matrix.egress(remote).0 == FAILSAFE;
        Judgement {
            verdict: if failsafe { Verdict::Allow } else { Verdict::Drop(Reason::NoService) },
            shadow: false,
            egress: false,
            service: None,
            domain: None,
            rule: failsafe.then_some(FAILSAFE),
        }
    }

    /// How many classes there are; a [`ClassId`] of this ruleset is below.
    #[must_use]
    pub fn class_count(&self) -> usize {
        self.base.classes.len()
    }

    /// The country of a class, if it has one; for counting.
    #[must_use]
    pub fn class_country(&self, class: ClassId) -> Option<Country> {
        self.base.classes.get(class.0 as usize)?.country
    }

    /// Where the addresses of a class are; for counting.
    #[must_use]
    #[inline]
    pub fn class_region(&self, class: ClassId) -> Region {
        self.base.regions.get(class.0 as usize).copied().unwrap_or(Region::UNKNOWN)
    }

    /// The groups that hold the addresses of a class, in the order of the legend.
    pub fn class_groups(&self, class: ClassId) -> impl Iterator<Item = GroupId> {
        let class = self.base.classes.get(class.0 as usize);
        let members = class.and_then(|class| self.base.members.get(class.members as usize));
        (0..self.legend.groups().len() as u16)
            .map(GroupId)
            .filter(move |&group| members.is_some_and(|members| members.holds(group)))
    }

    /// The services that no packet can reach, because more specific ones take all of theirs.
    #[must_use]
    pub fn unreached(&self) -> Vec<ServiceId> {
        let reached = self.base.services.reached(self.base.places.iter().copied());
        let all = (0..self.base.domains.len() as u16).map(ServiceId);
        all.filter(|service| !reached.contains(service)).collect()
    }

    /// The databases behind it with their data, under the overrides of its policy.
    #[must_use]
    pub fn databases(&self) -> Geo {
        let GeoFacts { country, asn, .. } = self.geo().clone();
        Geo::of(&self.legend.origins, country, asn)
    }

    /// The databases behind it.
    #[must_use]
    pub fn geo(&self) -> &GeoFacts {
        &self.base.geo
    }

    /// The memory behind it, with the origins that it shares with other revisions.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let members: usize = self.base.members.iter().map(Members::memory_bytes).sum();
        self.table.memory_bytes()
            + self.base.services.memory_bytes()
            + self.matrix.memory_bytes()
            + size_of_val(&*self.base.places)
            + size_of_val(&*self.base.regions)
            + size_of_val(&*self.base.classes)
            + members
            + self.legend.origins.memory_bytes()
    }
}

/// Ids have 16 bits.
fn limits(policy: &Policy) -> Result<(), CompileError> {
    let limit = usize::from(u16::MAX) - 2;
    let counts = [
        ("services", policy.services.len(), "join services that differ in their networks alone"),
        ("domains", policy.domains.len(), "let services with the same sources share a domain"),
        ("groups", policy.groups.len(), "join groups that are always named together"),
    ];
    match counts.into_iter().find(|(_, count, _)| *count > limit) {
        Some((what, count, way_out)) => Err(CompileError::Limit { what, count, limit, way_out }),
        None => Ok(()),
    }
}
