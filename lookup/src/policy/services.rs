//! Services, one by one.

use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use super::ports::{self, Ports};
use super::protos::{self, Protos};
use super::text::ServiceText;
use crate::DomainId;
use crate::document::{Document, fault};

/// Where connections may go: networks, a protocol and ports, in one domain.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name, once in its domain.
    pub name: String,
    /// Its domain.
    pub domain: DomainId,
    /// Its networks, each with its place in the policy.
    pub networks: Vec<Spanned<IpNet>>,
    /// Its protocol.
    pub proto: Protos,
    /// Its ports.
    pub ports: Ports,
    /// It may take its networks out of a wider service of another domain.
    pub carve_out: Option<Range<usize>>,
    /// Where the policy names it.
    pub span: Range<usize>,
}

/// One service of a domain; what is missing is reported.
pub(crate) fn read(
    document: &mut Document,
    domain: DomainId,
    at: &Range<usize>,
    text: &ServiceText,
) -> Option<Service> {
    // What is absent because it was wrong has been reported.
    let mut missing = |span, what: &str, help: &str| {
        if !text.broken {
            document.error(span, format!("this service {what}"), help);
        }
    };
    let at = text.name.as_ref().map_or_else(|| at.clone(), Spanned::span);
    if text.name.is_none() {
        missing(at.clone(), "has no name", "add `name = \"postgres\"`");
    }
    if text.networks.as_ref().is_none_or(Vec::is_empty) {
        let help = "add `networks = [\"10.2.0.0/24\"]`: the addresses that it answers on";
        missing(at.clone(), "does not say its networks", help);
    }
    if text.proto.is_none() {
        let help = "add `proto = \"tcp\"` (tcp, udp, sctp, icmp, any, another name or a number)";
        missing(at.clone(), "does not say its protocol", help);
    }
    let proto = text.proto.as_ref().map(|text| protos::proto(document, text));
    // An unknown protocol may have no ports.
    let portless = proto.is_some_and(|proto| proto.is_none_or(Protos::portless));
    let proto = proto.flatten();
    if text.ports.is_none() && !portless && !text.broken {
        let help = "add `ports = [\"443\"]`, a range \"6000-6010\", or [\"any\"]";
        document.error(at.clone(), "this service does not say its ports", help);
    }
    let name = text.name.as_ref().map_or("", |name| name.get_ref());
    if let (Some(_), Some(fault)) = (&text.name, fault(name)) {
        let message = format!("the service's name `{name}` {fault}");
        document.error(at.clone(), message, "use letters, digits, `-`, `_` and `.`");
    }
    let networks = text.networks.as_ref().map(|list| document.networks(list));
    let ports = ports::ports(document, proto, text.ports.as_ref());
    let carve_out = text.carve_out.as_ref().filter(|carve| *carve.get_ref());
    Some(Service {
        name: name.to_owned(),
        domain,
        networks: networks?,
        proto: proto?,
        ports: ports?,
        carve_out: carve_out.map(Spanned::span),
        span: at,
    })
}
