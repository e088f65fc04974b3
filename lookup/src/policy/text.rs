//! The shape of `policy.toml`: sections with a span on every value, every key optional.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;
use toml::value::Datetime;

use crate::document::{
    Document, Node, entries, named, section, sections, table, unknown_key, value,
};

/// Addresses and their countries, with the place of each.
pub(crate) type Canaries = BTreeMap<Spanned<String>, Spanned<String>>;

/// A list of strings with the place of each.
pub(crate) type Strings = Vec<Spanned<String>>;

crate::section! {
    /// `[geo]`
    GeoText {
        country: Spanned<String>,
        asn: Spanned<String>,
        max_age_days: u32,
        canaries: Canaries,
        max_flips: Spanned<f64>,
    }
}
crate::section! {
    /// `[[override]]`
    OverrideText {
        network: Spanned<String>,
        country: Spanned<String>,
        asn: Spanned<u32>,
        reason: String,
    }
}
crate::section! {
    /// `[group.NAME]`
    GroupText {
        networks: Strings,
        countries: Strings,
        asns: Vec<Spanned<u32>>,
        files: Strings,
        any_of: Spanned<Strings>,
        except: Strings,
    }
}
crate::section! {
    /// `[domain.NAME]` without its services.
    DomainText {
        exposure: Spanned<String>,
        mode: Spanned<String>,
        allow: Strings,
        deny: Strings,
        vlans: Spanned<Vec<Spanned<i64>>>,
        ; "service", "exception"
    }
}
crate::section! {
    /// `[[domain.NAME.service]]`
    ServiceText {
        name: Spanned<String>,
        networks: Strings,
        proto: Spanned<String>,
        ports: Spanned<Strings>,
        carve_out: Spanned<bool>,
    }
}
crate::section! {
    /// `[[domain.NAME.exception]]`
    ExceptionText {
        name: Spanned<String>,
        networks: Strings,
        until: Spanned<Datetime>,
        owner: String,
        reason: String,
    }
}
crate::section! {
    /// `[egress]`
    EgressText { allow: Strings, deny: Strings, }
}

/// A section that the operator named, with the place of the name.
pub(crate) type Named<T> = (Spanned<String>, T);

/// A section of a list, with its own place.
pub(crate) type Placed<T> = (Range<usize>, T);

/// A domain, its services and its exceptions.
#[derive(Debug)]
pub(crate) struct DomainParts {
    pub(crate) body: DomainText,
    pub(crate) services: Vec<Placed<ServiceText>>,
    pub(crate) exceptions: Vec<Placed<ExceptionText>>,
}

/// The whole file.
#[derive(Debug, Default)]
pub(crate) struct PolicyText {
    pub(crate) failsafe: Strings,
    pub(crate) geo: Option<GeoText>,
    pub(crate) overrides: Vec<Placed<OverrideText>>,
    pub(crate) groups: Vec<Named<GroupText>>,
    pub(crate) domains: Vec<Named<DomainParts>>,
    pub(crate) egress: Option<EgressText>,
}

const KEYS: &[&str] = &["failsafe", "geo", "override", "group", "domain", "egress"];

/// Reads the text; whatever does not fit is reported to `check` and left out.
pub(crate) fn read(document: &mut Document) -> PolicyText {
    let source = document.source();
    let mut text = PolicyText::default();
    for (key, node) in entries(document, &source) {
        match key.get_ref().as_str() {
            "failsafe" => text.failsafe = value(document, node).unwrap_or_default(),
            "geo" => text.geo = section(document, "geo", node),
            "egress" => text.egress = section(document, "egress", node),
            "override" => text.overrides = sections(document, "override", node),
            "group" => {
                for (name, value) in named(document, "group", node) {
                    let path = format!("group.{}", name.get_ref());
                    text.groups.extend(section(document, &path, value).map(|body| (name, body)));
                }
            }
            "domain" => {
                for (name, value) in named(document, "domain", node) {
                    text.domains.extend(domain(document, &name, value).map(|body| (name, body)));
                }
            }
            _ => unknown_key(document, &key, "policy.toml", KEYS),
        }
    }
    text
}

fn domain(document: &mut Document, name: &Spanned<String>, value: Node<'_>) -> Option<DomainParts> {
    let path = format!("domain.{}", name.get_ref());
    let span = value.span();
    let mut table = table(document, &path, value)?;
    let (services, exceptions) = (table.remove("service"), table.remove("exception"));
    let body = section(document, &path, Spanned::new(span, DeValue::Table(table)))?;
    let services =
        services.map_or_else(Vec::new, |list| sections(document, &format!("{path}.service"), list));
    let exceptions = exceptions
        .map_or_else(Vec::new, |list| sections(document, &format!("{path}.exception"), list));
    Some(DomainParts { body, services, exceptions })
}
