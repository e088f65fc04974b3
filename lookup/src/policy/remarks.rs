//! Warnings: what a policy says that is allowed, and probably not meant.

use std::collections::HashSet;

use crate::document::Document;
use ipnet::IpNet;
use toml::Spanned;

use super::Domain;
use super::groups::{Body, Group, GroupId};
use super::text::DomainParts;

/// A domain that nobody reaches, or whose exposure and sources disagree.
pub(crate) fn domain(document: &mut Document, name: &Spanned<String>, parts: &DomainParts) {
    let (at, shown, text) = (name.span(), name.get_ref(), &parts.body);
    if parts.services.is_empty() {
        let help = format!("add `[[domain.{shown}.service]]`");
        document.warn(at.clone(), format!("the domain `{shown}` has no services"), help);
    }
    let allow = text.allow.as_deref().unwrap_or_default();
    if allow.is_empty() && parts.exceptions.is_empty() && !text.broken {
        let help = "name groups in `allow`; until then all but failsafe is dropped";
        document.warn(at, format!("the domain `{shown}` allows nobody"), help);
    }
    let internal = text.exposure.as_ref().is_none_or(|exposure| exposure.get_ref() == "internal");
    if let Some(anyone) = allow.iter().find(|group| group.get_ref() == "anyone")
        && internal
    {
        let message = format!("the internal domain `{shown}` allows `anyone`");
        document.warn(anyone.span(), message, "name a group, or say `exposure = \"external\"`");
    }
}

/// A failsafe network that opens everything, or that a deny seems to close.
pub(crate) fn failsafe(
    document: &mut Document,
    failsafe: &[Spanned<IpNet>],
    groups: &[Group],
    domains: &[Domain],
) {
    for network in failsafe {
        let (at, net) = (network.span(), network.get_ref());
        if net.prefix_len() == 0 {
            let help = "name the few addresses that you manage the gateway from";
            document.warn(at, "this failsafe network is the whole internet", help);
            continue;
        }
        let denied = domains
            .iter()
            .flat_map(|domain| domain.lists.deny.iter().map(move |group| (domain, group)))
            .find(|(_, group)| holds(&groups[usize::from(group.0)], net));
        if let Some((domain, group)) = denied {
            let group = &groups[usize::from(group.0)].name;
            let message =
                format!("{net} is failsafe, although `{}` denies the group `{group}`", domain.name);
            document.warn(at, message, "failsafe wins: take it out if the deny is meant");
        }
    }
}

fn holds(group: &Group, network: &IpNet) -> bool {
    match &group.body {
        Body::Anyone => group.except.is_empty(),
        Body::Axes { networks: Some(networks), countries: None, asns: None } => {
            group.except.is_empty() && networks.iter().any(|net| net.contains(network))
        }
        _ => false,
    }
}

/// A group that no domain comes to, directly or through another group.
pub(crate) fn unused(document: &mut Document, groups: &[Group], used: &HashSet<GroupId>) {
    let mut reached = used.clone();
    let mut open: Vec<GroupId> = used.iter().copied().collect();
    while let Some(id) = open.pop() {
        let group = &groups[usize::from(id.0)];
        let parts = match &group.body {
            Body::AnyOf(parts) => parts.as_slice(),
            _ => &[],
        };
        open.extend(parts.iter().chain(&group.except).filter(|&&part| reached.insert(part)));
    }
    for (group, id) in groups.iter().zip(0..).filter(|(group, _)| !group.span.is_empty()) {
        if !reached.contains(&GroupId(id)) {
            let message = format!("the group `{}` is used nowhere", group.name);
            document.warn(group.span.clone(), message, "name it in a domain, or take it out");
        }
    }
}
