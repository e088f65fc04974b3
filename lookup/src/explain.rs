//! The verdict on one packet and why, by the tables that the workers ask.

use std::net::IpAddr;

use serde::Serialize;

use crate::{Ask, ClassId, ExceptionFacts, Judgement, Moment, Query, Ruleset, Side, Verdict};

/// The answer to an [`Ask`]; its JSON is the output of `explain`. What has no value is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `allow` or `drop`.
    pub verdict: &'static str,
    /// The service's domain.
    pub domain: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Why it is dropped.
    pub reason: Option<&'static str>,
    /// The exception, when it is the rule that decided.
    pub exception: Option<ExceptionNote>,
    /// The ruleset's revision.
    pub revision: u32,
    /// The domain is in shadow mode: what is dropped here is forwarded all the same.
    pub shadow: bool,
    /// The packet opens a connection from the inside, so that the egress policy judged it.
    pub egress: bool,
    /// The id in the packet's VLAN tag; 0 without one.
    pub vlan: u16,
    /// Which end of the packet was judged: `source`, or `destination` when it arrives inside.
    pub judged: &'static str,
    /// What is known of the address that was judged.
    pub source: SourceFacts,
}

/// An exception beside a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExceptionNote {
    /// Its name.
    pub name: String,
    /// The first second at which it no longer holds.
    pub until: Moment,
    /// Who answers for it.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
}

impl From<&ExceptionFacts> for ExceptionNote {
    fn from(facts: &ExceptionFacts) -> Self {
        let ExceptionFacts { name, until, owner, reason, .. } = facts.clone();
        Self { name, until, owner, reason }
    }
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceFacts {
    /// The address.
    pub ip: String,
    /// The network of the database, or of the override.
    pub prefix: Option<String>,
    /// Its country.
    pub country: Option<String>,
    /// Which field of which source said so.
    pub country_from: Option<&'static str>,
    /// Its operator.
    pub asn: Option<u32>,
    /// The groups that hold it.
    pub groups: Vec<String>,
}

impl Ruleset {
    /// The class of an address of either family.
    #[must_use]
    pub fn class(&self, address: IpAddr) -> ClassId {
        match address {
            IpAddr::V4(address) => self.class_v4(address.into()),
            IpAddr::V6(address) => self.class_v6(address.into()),
        }
    }

    /// What [`Ruleset::judge`] says of a packet, with names.
    #[must_use]
    pub fn explain(&self, ask: &Ask) -> Explanation {
        let (remote, local, local_port) = match ask.side {
            Side::Outside => (ask.from, ask.to, ask.to_port),
            Side::Inside => (ask.to, ask.from, ask.from_port.unwrap_or(0)),
        };
        let class = self.class(remote);
        let judgement = self.judge(Query {
            side: ask.side,
            remote: class,
            local: self.class(local),
            proto: ask.proto.folded(),
            local_port,
            vlan: self.vlan(ask.vlan),
        });
        self.describe(ask, judgement, remote, class)
    }

    fn describe(
        &self,
        ask: &Ask,
        judgement: Judgement,
        remote: IpAddr,
        class: ClassId,
    ) -> Explanation {
        let legend = self.legend();
        let origin = legend.origin(remote);
        let (verdict, reason) = match judgement.verdict {
            Verdict::Allow => ("allow", None),
            Verdict::Drop(reason) => ("drop", Some(reason.as_str())),
        };
        let groups = self.class_groups(class);
        Explanation {
            verdict,
            domain: judgement.domain.map(|id| legend.domain_name(id).to_owned()),
            service: judgement.service.map(|id| legend.service_name(id).to_owned()),
            rule: judgement.rule.map(|id| legend.rule_text(id).to_owned()),
            reason,
            exception: judgement.rule.and_then(|id| legend.exception(id)).map(Into::into),
            revision: self.revision().0,
            shadow: judgement.shadow,
            egress: judgement.egress,
            vlan: ask.vlan,
            judged: match ask.side {
                Side::Outside => "source",
                Side::Inside => "destination",
            },
            source: SourceFacts {
                ip: remote.to_string(),
                prefix: origin.prefix.map(|prefix| prefix.to_string()),
                country: origin.country.map(|country| country.to_string()),
                country_from: origin.country_from.map(|from| from.as_str()),
                asn: origin.asn.map(|asn| asn.0),
                groups: groups
                    .filter_map(|id| legend.groups().get(usize::from(id.0)).cloned())
                    .collect(),
            },
        }
    }
}
