//! Names and origins behind the ids: what a logger needs to write a drop record.

use std::net::IpAddr;
use std::sync::Arc;

use crate::policy::{Exposure, Policy};
use crate::{DomainId, Moment, Origin, Origins, RuleId, ServiceId};

/// A domain as records and `status` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainFacts {
    /// Its name.
    pub name: String,
    /// How far it is meant to be seen.
    pub exposure: Exposure,
    /// Judged, counted and recorded, but forwarded.
    pub shadow: bool,
}

/// An exception as records, `explain` and `status` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionFacts {
    /// Its name, once in its domain.
    pub name: String,
    /// The domain that it opens.
    pub domain: DomainId,
    /// The first second at which it no longer holds.
    pub until: Moment,
    /// Who answers for it.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
}

/// Names and origins behind the ids, for records and `explain`; off the path of a packet.
#[derive(Debug)]
pub struct Legend {
    pub(super) domains: Vec<DomainFacts>,
    pub(super) services: Vec<(String, DomainId)>,
    pub(super) rules: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) exceptions: Vec<ExceptionFacts>,
    pub(super) origins: Arc<Origins>,
}

/// The name of an id that is not of this legend's ruleset.
const STRANGE: &str = "?";

impl Legend {
    pub(super) fn new(policy: &Policy, rules: Vec<String>, origins: Arc<Origins>) -> Self {
        let domains = policy.domains.iter().map(|domain| DomainFacts {
            name: domain.name.clone(),
            exposure: domain.exposure,
            shadow: domain.shadow,
        });
        let services = policy.services.iter().map(|service| (service.name.clone(), service.domain));
        let exceptions = policy.exceptions.iter().map(|exception| ExceptionFacts {
            name: exception.name.clone(),
            domain: exception.domain,
            until: exception.until,
            owner: exception.owner.clone(),
            reason: exception.reason.clone(),
        });
        Self {
            exceptions: exceptions.collect(),
            domains: domains.collect(),
            services: services.collect(),
            rules,
            groups: policy.groups.iter().map(|group| group.name.clone()).collect(),
            origins,
        }
    }

    /// All domains; a [`DomainId`] is a place in here.
    #[must_use]
    pub fn domains(&self) -> &[DomainFacts] {
        &self.domains
    }

    /// Name and domain of all services; a [`ServiceId`] is a place in here.
    #[must_use]
    pub fn services(&self) -> &[(String, DomainId)] {
        &self.services
    }

    /// The names of all groups, the built-in ones first.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The texts of all rules; a [`RuleId`] is a place in here.
    #[must_use]
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    /// The name of a domain.
    #[must_use]
    pub fn domain_name(&self, id: DomainId) -> &str {
        self.domains.get(usize::from(id.0)).map_or(STRANGE, |domain| &domain.name)
    }

    /// The name of a service, unique in its domain.
    #[must_use]
    pub fn service_name(&self, id: ServiceId) -> &str {
        self.services.get(usize::from(id.0)).map_or(STRANGE, |(name, _)| name)
    }

    /// All exceptions, ended ones too.
    #[must_use]
    pub fn exceptions(&self) -> &[ExceptionFacts] {
        &self.exceptions
    }

    /// The exception that a rule stands for, if it stands for one.
    #[must_use]
    pub fn exception(&self, rule: RuleId) -> Option<&ExceptionFacts> {
        // Their rules follow the failsafe's.
        self.exceptions.get(usize::from(rule.0).checked_sub(1)?)
    }

    /// A rule as records write it: `failsafe`, `deny:tor`, `allow:office`, `exception:audit`,
    /// `default`, `egress.…`.
    #[must_use]
    pub fn rule_text(&self, id: RuleId) -> &str {
        self.rules.get(usize::from(id.0)).map_or(STRANGE, String::as_str)
    }

    /// Country, operator and database network of an address.
    #[must_use]
    pub fn origin(&self, address: IpAddr) -> Origin {
        self.origins.origin(address)
    }
}
