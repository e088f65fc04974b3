//! Groups of sources: their axes, the groups they are made of, and the order to evaluate them in.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use ipnet::IpNet;
use toml::Spanned;

use super::netset;
use super::text::{GroupText, Named, Strings};
use crate::document::{Document, fault, suggest};
use crate::{Asn, Country};

/// A group, as its place in [`super::Policy::groups`]: the built-in ones first, then the file's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u16);

/// What a group holds, before its exceptions.
#[derive(Clone, Debug)]
pub enum Body {
    /// Every address.
    Anyone,
    /// Addresses that the internet does not route, see [`PRIVATE`].
    Private,
    /// Not private, and without a country.
    Unknown,
    /// Addresses for which every axis that is present holds.
    Axes {
        /// The address is in one of these.
        networks: Option<Vec<IpNet>>,
        /// Its country is one of these.
        countries: Option<Vec<Country>>,
        /// Its operator is one of these.
        asns: Option<Vec<Asn>>,
    },
    /// Addresses that one of these groups holds.
    AnyOf(Vec<GroupId>),
}

/// A named set of addresses.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub body: Body,
    /// What it does not hold after all.
    pub except: Vec<GroupId>,
    /// Where the policy names it; empty for a built-in group.
    pub span: Range<usize>,
}

/// RFC 1918, loopback, link-local and shared address space (RFC 6598); for IPv6 unique local,
/// link-local and loopback.
pub const PRIVATE: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
];

/// The groups of a policy: ids by name, bodies by id, and an order in which every group comes after
/// the groups that it is made of.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    names: Vec<String>,
    ids: HashMap<String, GroupId>,
    pub(crate) list: Vec<Group>,
    pub(crate) order: Vec<GroupId>,
}

impl Groups {
    /// Checks all groups of the file.
    pub(crate) fn read(document: &mut Document, folder: &Path, texts: &[Named<GroupText>]) -> Self {
        let mut groups = Self::default();
        for (name, body) in
            [("anyone", Body::Anyone), ("private", Body::Private), ("unknown", Body::Unknown)]
        {
            groups.name(name);
            groups.list.push(Group { name: name.to_owned(), body, except: Vec::new(), span: 0..0 });
        }
        let texts: Vec<_> = texts.iter().filter(|(name, _)| groups.admit(document, name)).collect();
        // Names first: a group may be used above the line that defines it.
        texts.iter().for_each(|(name, _)| groups.name(name.get_ref()));
        let mut edges: Vec<Vec<(GroupId, Range<usize>)>> = vec![Vec::new(); BUILT_IN];
        for (name, text) in texts {
            let mut parts = Vec::new();
            let body = groups.body(document, folder, name, text, &mut parts);
            let except = groups.resolve(document, text.except.as_ref());
            parts.extend(except.iter().cloned());
            edges.push(parts);
            groups.list.push(Group {
                name: name.get_ref().clone(),
                body,
                except: except.into_iter().map(|(id, _)| id).collect(),
                span: name.span(),
            });
        }
        groups.order = groups.sort(document, &edges);
        groups
    }

    /// The groups of a list, with the place of each name.
    pub(crate) fn resolve(
        &self,
        document: &mut Document,
        list: Option<&Strings>,
    ) -> Vec<(GroupId, Range<usize>)> {
        let mut found: Vec<(GroupId, Range<usize>)> = Vec::new();
        for text in list.into_iter().flatten() {
            let name = text.get_ref();
            match self.ids.get(name) {
                Some(&id) if found.iter().any(|(other, _)| *other == id) => {
                    document.twice(text.span(), name);
                }
                Some(&id) => found.push((id, text.span())),
                None => {
                    let known: Vec<&str> = self.names.iter().map(String::as_str).collect();
                    let help = suggest(name, &known);
                    document.error(text.span(), format!("there is no group `{name}`"), help);
                }
            }
        }
        found
    }

    fn name(&mut self, name: &str) {
        let id = GroupId(u16::try_from(self.names.len()).unwrap_or(u16::MAX));
        self.ids.insert(name.to_owned(), id);
        self.names.push(name.to_owned());
    }

    /// Whether the file may define a group of this name.
    fn admit(&self, document: &mut Document, name: &Spanned<String>) -> bool {
        let text = name.get_ref();
        if self.ids.contains_key(text) {
            let message = format!("the group `{text}` is built in");
            document.error(name.span(), message, "give this group another name");
            return false;
        }
        if let Some(fault) = fault(text) {
            let help = "use letters, digits, `-`, `_` and `.`";
            document.error(name.span(), format!("the group's name `{text}` {fault}"), help);
        }
        true
    }

    fn body(
        &self,
        document: &mut Document,
        folder: &Path,
        name: &Spanned<String>,
        text: &GroupText,
        parts: &mut Vec<(GroupId, Range<usize>)>,
    ) -> Body {
        if let Some(any_of) = &text.any_of {
            *parts = self.resolve(document, Some(any_of.get_ref()));
            any_of_alone(document, any_of, text);
            return Body::AnyOf(parts.iter().map(|(id, _)| *id).collect());
        }
        let mut networks = text.networks.as_ref().map(|list| {
            full(document, name, "networks", list.len());
            document.networks(list).into_iter().map(Spanned::into_inner).collect::<Vec<_>>()
        });
        if let Some(files) = &text.files {
            full(document, name, "files", files.len());
            let networks = networks.get_or_insert_default();
            files.iter().for_each(|file| networks.extend(netset::read(document, folder, file)));
        }
        let countries = text.countries.as_ref().map(|list| {
            full(document, name, "countries", list.len());
            document.countries(list)
        });
        let asns = text.asns.as_ref().map(|list| {
            full(document, name, "asns", list.len());
            document.asns(list)
        });
        if networks.is_none() && countries.is_none() && asns.is_none() && !text.broken {
            let message = format!("the group `{}` says nothing of what it holds", name.get_ref());
            let help = if text.except.is_some() {
                "to hold all but the exceptions, add `any_of = [\"anyone\"]`"
            } else {
                "add `networks`, `countries`, `asns`, `files` or `any_of`"
            };
            document.error(name.span(), message, help);
        }
        Body::Axes { networks, countries, asns }
    }

    /// Depth first: parts before wholes. A part that is still being visited closes a cycle.
    fn sort(
        &self,
        document: &mut Document,
        edges: &[Vec<(GroupId, Range<usize>)>],
    ) -> Vec<GroupId> {
        let mut state = vec![State::New; edges.len()];
        let mut order = Vec::with_capacity(edges.len());
        for index in 0..edges.len() {
            self.visit(document, edges, index, &mut state, &mut Vec::new(), &mut order);
        }
        order
    }

    fn visit(
        &self,
        document: &mut Document,
        edges: &[Vec<(GroupId, Range<usize>)>],
        index: usize,
        state: &mut [State],
        path: &mut Vec<usize>,
        order: &mut Vec<GroupId>,
    ) {
        if state[index] == State::Done {
            return;
        }
        state[index] = State::Open;
        path.push(index);
        for (part, span) in &edges[index] {
            let part = usize::from(part.0);
            if state[part] != State::Open {
                self.visit(document, edges, part, state, path, order);
                continue;
            }
            let cycle = path.iter().skip_while(|&&step| step != part).chain([&part]);
            let cycle: Vec<&str> = cycle.map(|&step| self.names[step].as_str()).collect();
            let message = format!("groups go in a circle: {}", cycle.join(" -> "));
            document.error(span.clone(), message, "take this name out of the list");
        }
        path.pop();
        state[index] = State::Done;
        order.push(GroupId(u16::try_from(index).unwrap_or(u16::MAX)));
    }
}

/// How many groups are built in; they have the first ids.
const BUILT_IN: usize = 3;

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

fn any_of_alone(document: &mut Document, any_of: &Spanned<Strings>, text: &GroupText) {
    let axes = [
        ("networks", text.networks.is_some()),
        ("countries", text.countries.is_some()),
        ("asns", text.asns.is_some()),
        ("files", text.files.is_some()),
    ];
    if let Some((axis, _)) = axes.iter().find(|(_, present)| *present) {
        let message = format!("`any_of` and `{axis}` in one group: is it \"or\" or \"and\"?");
        let help = format!("put `{axis}` into a group of its own, and name that in `any_of`");
        document.error(any_of.span(), message, help);
    }
    if any_of.get_ref().is_empty() {
        let help = "name at least one group";
        document.error(any_of.span(), "`any_of` is empty, so the group would hold nothing", help);
    }
}

/// An axis that is present and empty never holds: surely not what was meant.
fn full(document: &mut Document, name: &Spanned<String>, axis: &str, len: usize) {
    if len == 0 {
        let name_text = name.get_ref();
        let message =
            format!("`{axis}` of `{name_text}` is empty, so the group would hold nothing");
        document.error(name.span(), message, "name at least one, or take the key away");
    }
}
