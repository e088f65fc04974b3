//! TOML to sections with a span on every value.
//!
//! serde stops at the first mistake, an operator wants to see them all. So the text is parsed once
//! into a tree, and each section is given to serde by itself: unknown keys are reported and taken out
//! first, and a value of the wrong type is reported and taken out until the rest fits. Every field is
//! optional here; what must be there is asked by the checks.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::names::nearest;
use super::{Document, Source};

/// A value of the tree with its place.
pub type Node<'i> = Spanned<DeValue<'i>>;

/// A section that serde fills; made by [`section!`](crate::section).
pub trait Section: DeserializeOwned {
    /// The keys that it may have. serde refuses any other.
    const KEYS: &'static [&'static str];

    /// Notes that a key was reported and left out: what is absent may have been meant.
    fn mark(&mut self);
}

/// A section as a struct of optional fields and `broken`, which says that a key was left out; keys
/// behind `;` are known, and read by other means.
#[macro_export]
macro_rules! section {
    (
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty,)* $(; $($also:literal),*)? }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $(pub(crate) $field: Option<$type>,)*
            #[serde(skip)]
            #[allow(dead_code, reason = "only sections with required keys ask")]
            pub(crate) broken: bool,
        }

        impl $crate::document::Section for $name {
            const KEYS: &'static [&'static str] =
                &[$(stringify!($field),)* $($($also,)*)?];

            fn mark(&mut self) {
                self.broken = true;
            }
        }
    };
}

/// What the TOML parser says of a name that is taken.
const DUPLICATE: &str = "duplicate key";

/// The entries of a whole file, in its order; none when it is not TOML, which is reported.
pub fn entries<'i>(
    document: &mut Document,
    source: &'i Source,
) -> Vec<(Spanned<String>, Node<'i>)> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    let mut duplicate = false;
    for error in &errors {
        // All keys of a second section of one name are duplicates too: the first says it.
        if error.message() == DUPLICATE && std::mem::replace(&mut duplicate, true) {
            continue;
        }
        let span = error.span().unwrap_or(0..0);
        let help = syntax_help(error.message());
        document.error(span, format!("not valid TOML: {}", error.message()), help);
    }
    if errors.is_empty() { in_order(root.into_inner()) } else { Vec::new() }
}

/// One value at the top of a file; of the wrong type, it is reported and left out.
pub fn value<T: DeserializeOwned>(document: &mut Document, value: Node<'_>) -> Option<T> {
    let span = value.span();
    let value = T::deserialize(ValueDeserializer::from(value));
    value.map_err(|error| wrong_type(document, error.span().unwrap_or(span), error.message())).ok()
}

/// The entries of a table of named sections, such as `[group.*]`.
pub fn named<'i>(
    document: &mut Document,
    path: &str,
    value: Node<'i>,
) -> Vec<(Spanned<String>, Node<'i>)> {
    table(document, path, value).map_or_else(Vec::new, in_order)
}

/// The entries of an array of tables.
pub fn sections<T: Section>(
    document: &mut Document,
    path: &str,
    value: Node<'_>,
) -> Vec<(Range<usize>, T)> {
    let span = value.span();
    let DeValue::Array(array) = value.into_inner() else {
        document.error(
            span,
            format!("`{path}` is a list of sections"),
            format!("write `[[{path}]]`, with two brackets, once for each"),
        );
        return Vec::new();
    };
    let mut sections = Vec::new();
    for entry in array {
        let span = entry.span();
        sections.extend(section(document, path, entry).map(|body| (span, body)));
    }
    sections
}

/// One section: reports unknown keys and values of the wrong type, returns what fits.
pub fn section<T: Section>(document: &mut Document, path: &str, value: Node<'_>) -> Option<T> {
    let span = value.span();
    let mut entries = in_order(table(document, path, value)?);
    let written = entries.len();
    entries.retain(|(key, _)| {
        let known = T::KEYS.contains(&key.get_ref().as_str());
        if !known {
            unknown_key(document, key, path, T::KEYS);
        }
        known
    });
    loop {
        let keys = entries.iter().cloned();
        let table =
            keys.map(|(key, value)| (Spanned::new(key.span(), key.into_inner().into()), value));
        let node = Spanned::new(span.clone(), DeValue::Table(table.collect()));
        let error = match T::deserialize(ValueDeserializer::from(node)) {
            Ok(mut section) => {
                if entries.len() < written {
                    T::mark(&mut section);
                }
                return Some(section);
            }
            Err(error) => error,
        };
        let at = error.span().unwrap_or_else(|| span.clone());
        wrong_type(document, at.clone(), error.message());
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

/// The table of a section; anything else is reported.
pub fn table<'i>(document: &mut Document, path: &str, value: Node<'i>) -> Option<DeTable<'i>> {
    let span = value.span();
    let DeValue::Table(table) = value.into_inner() else {
        let help = match path {
            "group" | "domain" => format!("write a section `[{path}.NAME]`"),
            _ => format!("write a section `[{path}]` with its keys below"),
        };
        document.error(span, format!("`{path}` is a section, not a value"), help);
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

/// Reports a key that `path` does not have, with the nearest that it has.
pub fn unknown_key(document: &mut Document, key: &Spanned<String>, path: &str, known: &[&str]) {
    let name = key.get_ref();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys here are {}", known.join(", ")),
    };
    document.error(key.span(), format!("unknown key `{name}` in `{path}`"), help);
}

fn wrong_type(document: &mut Document, span: Range<usize>, message: &str) {
    let source = document.source();
    let value = source.text.get(span.clone()).unwrap_or_default();
    let help = if message.ends_with("a sequence") {
        format!("put it in brackets: [{value}]")
    } else if message.ends_with("expected a string") {
        format!("put it in quotes: \"{value}\"")
    } else if message.ends_with("expected u32") {
        format!("write a whole number from 0 to {}, without quotes", u32::MAX)
    } else if message.ends_with("expected i64") {
        "write a whole number, without quotes".to_owned()
    } else if message.ends_with("a boolean") {
        "write true or false, without quotes".to_owned()
    } else {
        "the documentation lists what each key takes".to_owned()
    };
    document.error(span, message.to_owned(), help);
}

fn syntax_help(message: &str) -> &'static str {
    if message == DUPLICATE {
        "each name stands once: rename one, or put the two together"
    } else if message.contains("quote") || message.contains("string") {
        "text stands in double quotes, on one line"
    } else {
        "a line is `key = value`, `[section]` or `# comment`; lists are `[\"a\", \"b\"]`"
    }
}
