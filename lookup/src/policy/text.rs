//! The shape of `policy.toml`: TOML to sections with a span on every value.
//!
//! serde stops at the first mistake, an operator wants to see them all. So the text is parsed once
//! into a tree, and each section (a group, a domain, a service, …) is given to serde by itself:
//! unknown keys are reported and taken out first, and a value of the wrong type is reported and taken
//! out until the rest fits. Every field is optional here; what must be there is asked by the checks.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::check::Check;
use super::names::nearest;
use super::report::Source;

/// A list of strings with the place of each.
pub(crate) type Strings = Vec<Spanned<String>>;

/// A value of the tree with its place.
pub type Node<'i> = Spanned<DeValue<'i>>;

/// A section that serde fills. `KEYS` are its fields; serde refuses any other.
pub trait Section: DeserializeOwned {
    /// The names of its fields.
    const KEYS: &'static [&'static str];
}

#[macro_export]
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name { $(pub(crate) $field: Option<$type>,)* }

        impl $crate::document::Section for $name {
            const KEYS: &'static [&'static str] = &[$(stringify!($field),)*];
        }
    };
}

section! {
    /// `[geo]`
    GeoText { country: Spanned<String>, asn: Spanned<String>, max_age_days: u32, }
}
section! {
    /// `[[override]]`
    OverrideText {
        network: Spanned<String>,
        country: Spanned<String>,
        asn: Spanned<u32>,
        reason: String,
    }
}
section! {
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
section! {
    /// `[domain.NAME]` without its services.
    DomainText {
        exposure: Spanned<String>,
        mode: Spanned<String>,
        allow: Strings,
        deny: Strings,
    }
}
section! {
    /// `[[domain.NAME.service]]`
    ServiceText {
        name: Spanned<String>,
        networks: Strings,
        proto: Spanned<String>,
        ports: Spanned<Strings>,
        carve_out: Spanned<bool>,
    }
}
section! {
    /// `[egress]`
    EgressText { allow: Strings, deny: Strings, }
}

/// A section that the operator named, with the place of the name.
pub(crate) type Named<T> = (Spanned<String>, T);

/// The whole file.
#[derive(Debug, Default)]
pub(crate) struct PolicyText {
    pub(crate) failsafe: Strings,
    pub(crate) geo: Option<GeoText>,
    pub(crate) overrides: Vec<(Range<usize>, OverrideText)>,
    pub(crate) groups: Vec<Named<GroupText>>,
    pub(crate) domains: Vec<Named<(DomainText, Vec<(Range<usize>, ServiceText)>)>>,
    pub(crate) egress: Option<EgressText>,
}

const KEYS: &[&str] = &["failsafe", "geo", "override", "group", "domain", "egress"];

/// Reads the text; whatever does not fit is reported to `check` and left out.
pub(crate) fn read(check: &mut Check) -> PolicyText {
    let source = check.source();
    let mut text = PolicyText::default();
    for (key, value) in entries(check, &source) {
        match key.get_ref().as_str() {
            "failsafe" => text.failsafe = self::value(check, value).unwrap_or_default(),
            "geo" => text.geo = section(check, "geo", value),
            "egress" => text.egress = section(check, "egress", value),
            "override" => text.overrides = sections(check, "override", value),
            "group" => {
                for (name, value) in named(check, "group", value) {
                    let path = format!("group.{}", name.get_ref());
                    text.groups.extend(section(check, &path, value).map(|body| (name, body)));
                }
            }
            "domain" => {
                for (name, value) in named(check, "domain", value) {
                    text.domains.extend(domain(check, &name, value).map(|body| (name, body)));
                }
            }
            _ => unknown_key(check, &key, "policy", KEYS),
        }
    }
    text
}

/// The entries of a whole file, in its order; none when it is not TOML, which is reported.
pub fn entries<'i>(check: &mut Check, source: &'i Source) -> Vec<(Spanned<String>, Node<'i>)> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let help = syntax_help(error.message());
        check.error(span, format!("not valid TOML: {}", error.message()), help);
    }
    if errors.is_empty() { in_order(root.into_inner()) } else { Vec::new() }
}

/// One value at the top of a file; of the wrong type, it is reported and left out.
pub fn value<T: DeserializeOwned>(check: &mut Check, value: Node<'_>) -> Option<T> {
    let span = value.span();
    let value = T::deserialize(ValueDeserializer::from(value));
    value.map_err(|error| wrong_type(check, error.span().unwrap_or(span), error.message())).ok()
}

fn domain(
    check: &mut Check,
    name: &Spanned<String>,
    value: Node<'_>,
) -> Option<(DomainText, Vec<(Range<usize>, ServiceText)>)> {
    let path = format!("domain.{}", name.get_ref());
    let span = value.span();
    let mut table = table(check, &path, value)?;
    let services = table.remove("service");
    let body = section(check, &path, Spanned::new(span, DeValue::Table(table)))?;
    let services =
        services.map_or_else(Vec::new, |list| sections(check, &format!("{path}.service"), list));
    Some((body, services))
}

/// The entries of a table of named sections, such as `[group.*]`.
fn named<'i>(check: &mut Check, path: &str, value: Node<'i>) -> Vec<(Spanned<String>, Node<'i>)> {
    table(check, path, value).map_or_else(Vec::new, in_order)
}

/// The entries of an array of tables.
fn sections<T: Section>(check: &mut Check, path: &str, value: Node<'_>) -> Vec<(Range<usize>, T)> {
    let span = value.span();
    let DeValue::Array(array) = value.into_inner() else {
        check.error(
            span,
            format!("`{path}` is a list of sections"),
            format!("write `[[{path}]]`, with two brackets, once for each"),
        );
        return Vec::new();
    };
    let mut sections = Vec::new();
    for entry in array {
        let span = entry.span();
        sections.extend(section(check, path, entry).map(|body| (span, body)));
    }
    sections
}

/// One section: reports unknown keys and values of the wrong type, returns what fits.
pub fn section<T: Section>(check: &mut Check, path: &str, value: Node<'_>) -> Option<T> {
    let span = value.span();
    let mut entries = in_order(table(check, path, value)?);
    entries.retain(|(key, _)| {
        let known = T::KEYS.contains(&key.get_ref().as_str());
        if !known {
            unknown_key(check, key, path, T::KEYS);
        }
        known
    });
    loop {
        let keys = entries.iter().cloned();
        let table =
            keys.map(|(key, value)| (Spanned::new(key.span(), key.into_inner().into()), value));

        let node = Spanned::new(span.clone(), DeValue::Table(table.collect()));
        let error = match T::deserialize(ValueDeserializer::from(node)) {
            Ok(section) => return Some(section),
            Err(error) => error,
        };
        let at = error.span().unwrap_or_else(|| span.clone());
        wrong_type(check, at.clone(), error.message());
        let before = entries.len();
        entries.retain(|(_, value)| {
            let place = value.span();
            !(place.start <= at.start && at.end <= place.end)
        });
        if entries.len() == before {
            return None;
        }
    }
}

fn table<'i>(check: &mut Check, path: &str, value: Node<'i>) -> Option<DeTable<'i>> {
    let span = value.span();
    let DeValue::Table(table) = value.into_inner() else {
        let help = match path {
            "group" | "domain" => format!("write a section `[{path}.NAME]`"),
            _ => format!("write a section `[{path}]` with its keys below"),
        };
        check.error(span, format!("`{path}` is a section, not a value"), help);
        return None;
    };
    Some(table)
}

/// The entries of a table in the order of the file; TOML's own order is the alphabet's.
fn in_order<'i>(table: DeTable<'i>) -> Vec<(Spanned<String>, Node<'i>)> {
    let mut entries: Vec<_> = table
        .into_iter()
        .map(|(key, value)| (Spanned::new(key.span(), key.into_inner().into_owned()), value))
        .collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

pub fn unknown_key(check: &mut Check, key: &Spanned<String>, path: &str, known: &[&str]) {
    let name = key.get_ref();
    let mut known = known.to_vec();
    if path.starts_with("domain.") && !path.ends_with(".service") {
        known.push("service");
    }
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys here are {}", known.join(", ")),
    };
    let place = if path == "policy" { "a policy".to_owned() } else { format!("`{path}`") };
    check.error(key.span(), format!("unknown key `{name}` in {place}"), help);
}

fn wrong_type(check: &mut Check, span: Range<usize>, message: &str) {
    let source = check.source();
    let value = source.text.get(span.clone()).unwrap_or_default();
    let help = if message.ends_with("a sequence") {
        format!("put it in brackets: [{value}]")
    } else if message.ends_with("expected a string") {
        format!("put it in quotes: \"{value}\"")
    } else if message.ends_with("expected u32") {
        format!("write a whole number from 0 to {}, without quotes", u32::MAX)
    } else if message.ends_with("a boolean") {
        "write true or false, without quotes".to_owned()
    } else {
        "docs/policy.md lists what each key takes".to_owned()
    };
    check.error(span, message.to_owned(), help);
}

fn syntax_help(message: &str) -> &'static str {
    if message.contains("duplicate key") {
        "each name stands once: rename one, or put the two together"
    } else if message.contains("quote") || message.contains("string") {
        "text stands in double quotes, on one line"
    } else {
        "a line is `key = value`, `[section]` or `# comment`; lists are `[\"a\", \"b\"]`"
    }
}
