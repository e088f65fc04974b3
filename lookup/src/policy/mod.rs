//! The written policy: text in, a checked [`Policy`] out, or all that is wrong with it.
//!
//! ```text
//!  policy.toml --> text (shape, spans) --> groups, services, ... (meaning) --> Policy
//!  *.netset   ------------------------------^        |
//!                                                    `--> Problems: line, column, what to do
//! ```
//!
//! A [`Policy`] that exists is right: every name in it is resolved to an id, no two domains claim one
//! port, no group holds itself. It says nothing of where addresses are; [`crate::Ruleset::compile`]
//! joins it with a geo database.

mod check;
mod conflicts;
mod countries;
mod exceptions;
mod geo;
mod groups;
mod nest;
mod netset;
mod ports;
mod protos;
mod remarks;
mod services;
mod text;
mod vlans;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use toml::Spanned;

use crate::DomainId;
use crate::document::{Document, LoadError, Problem, Source, fault, suggest};
use crate::geo::Override;

pub use exceptions::Exception;
pub use geo::{Canary, GeoChoice};
pub use groups::{Body, Group, GroupId, PRIVATE};
pub use ports::Ports;
pub use protos::Protos;
pub use services::Service;

pub(crate) use check::Fault;
pub(crate) use nest::chains;
pub(crate) use ports::port;
pub(crate) use protos::proto_named;

use groups::Groups;
use text::{DomainText, OverrideText, PolicyText, Strings};

/// Who may and who may not: groups in the order of the file, deny first.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// Sources that may.
    pub allow: Vec<GroupId>,
    /// Sources that may not, whatever `allow` says.
    pub deny: Vec<GroupId>,
}

/// How far a domain is meant to be seen; a name for people and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Meant for the operator's own people.
    Internal,
    /// Meant for the public.
    External,
}

impl Exposure {
    /// The name in the policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }
}

/// A port domain: services that share their sources.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// How far it is meant to be seen.
    pub exposure: Exposure,
    /// Judged, counted and recorded, but forwarded.
    pub shadow: bool,
    /// The VLANs that its services are seen from, ascending; all of them when it names none. 0 is no
    /// VLAN at all.
    pub vlans: Option<Vec<u16>>,
    /// Its sources.
    pub lists: Lists,
}

/// A policy without mistakes.
#[derive(Debug)]
pub struct Policy {
    /// Never cut off.
    pub failsafe: Vec<IpNet>,
    /// The databases.
    pub geo: GeoChoice,
    /// Corrections of the databases.
    pub overrides: Vec<Override>,
    /// All groups, the built-in ones first.
    pub groups: Vec<Group>,
    /// An order of the groups in which parts come before wholes.
    pub order: Vec<GroupId>,
    /// The domains.
    pub domains: Vec<Domain>,
    /// The services of all domains.
    pub services: Vec<Service>,
    /// The exceptions of all domains, ended ones too.
    pub exceptions: Vec<Exception>,
    /// Connections opened from the inside; nobody's, unless the policy says so.
    pub egress: Lists,
    /// Lists of networks in files of their own, as the groups name them.
    lists: Vec<String>,
    source: Arc<Source>,
}

impl Policy {
    /// Reads the text of the policy file at `path`; the files that it names are read from its folder.
    ///
    /// # Errors
    /// Every mistake of the text and of its lists, none of which is taken.
    pub fn parse(path: &Path, text: String) -> Result<(Self, Vec<Problem>), LoadError> {
        let mut document = Document::new(Source { name: path.display().to_string(), text });
        let shape = text::read(&mut document);
        let folder = path.parent().unwrap_or(Path::new(""));
        let policy = Self::read(&mut document, folder, &shape);
        document.finish(policy).map_err(LoadError::from)
    }

    /// The text that it was read from, for remarks that are made later.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The files that it names, relative to its folder: databases, and lists of networks.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let databases = self.geo.country.iter().chain(&self.geo.asn).map(Spanned::get_ref);
        databases.chain(&self.lists).map(String::as_str)
    }

    fn read(document: &mut Document, folder: &Path, text: &PolicyText) -> Self {
        let failsafe = document.networks(&text.failsafe);
        let geo = geo::read(document, text.geo.as_ref());
        let overrides = overrides(document, &text.overrides);
        let groups = Groups::read(document, folder, &text.groups);
        let mut used = HashSet::new();
        let mut domains = Vec::new();
        let (mut services, mut exceptions) = (Vec::new(), Vec::new());
        for (name, parts) in &text.domains {
            let (body, list) = (&parts.body, &parts.services);
            let id = DomainId(u16::try_from(domains.len()).unwrap_or(u16::MAX));
            domains.push(domain(document, &groups, &mut used, name, body));
            let start = services.len();
            services.extend(
                list.iter().filter_map(|(at, text)| services::read(document, id, at, text)),
            );
            exceptions.extend(exceptions::read(document, id, &parts.exceptions));
            remarks::domain(document, name, parts);
            unique(document, &services[start..]);
        }
        let egress = text.egress.as_ref().map_or_else(Lists::default, |egress| {
            lists(document, &groups, &mut used, egress.allow.as_ref(), egress.deny.as_ref())
        });
        conflicts::check(document, &domains, &services);
        remarks::failsafe(document, &failsafe, &groups.list, &domains);
        remarks::unused(document, &groups.list, &used);
        let lists = text.groups.iter().flat_map(|(_, group)| group.files.iter().flatten());
        Self {
            failsafe: failsafe.into_iter().map(Spanned::into_inner).collect(),
            geo,
            overrides,
            groups: groups.list,
            order: groups.order,
            domains,
            services,
            exceptions,
            egress,
            lists: lists.map(|name| name.get_ref().clone()).collect(),
            source: document.source(),
        }
    }
}

fn overrides(document: &mut Document, list: &[(Range<usize>, OverrideText)]) -> Vec<Override> {
    let mut overrides = Vec::new();
    let mut places: HashMap<IpNet, Range<usize>> = HashMap::new();
    for (at, text) in list {
        let country = text.country.as_ref().map(|code| document.country(code));
        if text.country.is_none() && text.asn.is_none() && !text.broken {
            let help = "add `country = \"DE\"`, `asn = 64500`, or both";
            document.error(at.clone(), "this override overrides nothing", help);
        }
        let Some(network) = &text.network else {
            if text.broken {
                continue;
            }
            let help = "add `network = \"203.0.113.0/24\"`";
            document.error(at.clone(), "this override does not say its network", help);
            continue;
        };
        let Some(value) = document.network(network) else {
            continue;
        };
        if let Some(first) = places.get(&value) {
            let message = format!("a second override of {value}");
            let help = "put the two together, or make one of them narrower";
            let problem = Problem::error(&document.source(), network.span(), message, help)
                .also(first.clone(), "the first is here");
            document.push(problem);
            continue;
        }
        places.insert(value, network.span());
        overrides.push(Override {
            network: value,
            country: country.flatten(),
            asn: text.asn.as_ref().and_then(|asn| document.asn(asn)),
            reason: text.reason.clone(),
        });
    }
    overrides
}

fn domain(
    document: &mut Document,
    groups: &Groups,
    used: &mut HashSet<GroupId>,
    name: &Spanned<String>,
    text: &DomainText,
) -> Domain {
    if let Some(fault) = fault(name.get_ref()) {
        let message = format!("the domain's name `{}` {fault}", name.get_ref());
        document.error(name.span(), message, "use letters, digits, `-`, `_` and `.`");
    }
    let exposure = choice(document, "exposure", text.exposure.as_ref(), &["internal", "external"]);
    let mode = choice(document, "mode", text.mode.as_ref(), &["enforce", "shadow"]);
    Domain {
        name: name.get_ref().clone(),
        exposure: if exposure == 1 { Exposure::External } else { Exposure::Internal },
        shadow: mode == 1,
        vlans: text.vlans.as_ref().map(|list| vlans::read(document, list)),
        lists: lists(document, groups, used, text.allow.as_ref(), text.deny.as_ref()),
    }
}

/// The place of a word among those that a key takes; the first when the key is absent.
fn choice(
    document: &mut Document,
    key: &str,
    text: Option<&Spanned<String>>,
    known: &[&str],
) -> usize {
    let Some(text) = text else { return 0 };
    let word = text.get_ref();
    known.iter().position(|known| known == word).unwrap_or_else(|| {
        let help = format!("{key} is {}: {}", known.join(" or "), suggest(word, known));
        document.error(text.span(), format!("unknown {key} `{word}`"), help);
        0
    })
}

fn lists(
    document: &mut Document,
    groups: &Groups,
    used: &mut HashSet<GroupId>,
    allow: Option<&Strings>,
    deny: Option<&Strings>,
) -> Lists {
    let mut list = |names| -> Vec<GroupId> {
        groups.resolve(document, names).into_iter().map(|(id, _)| id).collect()
    };
    let lists = Lists { allow: list(allow), deny: list(deny) };
    used.extend(lists.allow.iter().chain(&lists.deny));
    lists
}

/// Records name a service by domain and name: one name once in a domain.
fn unique(document: &mut Document, services: &[Service]) {
    let mut places: HashMap<&str, Range<usize>> = HashMap::new();
    for service in services {
        if let Some(first) = places.get(service.name.as_str()) {
            let message = format!("a second service `{}` in this domain", service.name);
            let help = "give it another name; records could not tell the two apart";
            let problem = Problem::error(&document.source(), service.span.clone(), message, help)
                .also(first.clone(), "the first is here");
            document.push(problem);
        } else {
            places.insert(&service.name, service.span.clone());
        }
    }
}
