//! The flows of all workers, asked through their [mail](crate::mail).

use std::{net::IpAddr, sync::PoisonError};

use filter::{Flow, Pair};
use lookup::{Legend, Proto, Side};
use serde::{Deserialize, Serialize};

use crate::{line, logger::Legends, mail::Posts, wanted::Network};

/// A flow as `palisade flows --json` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowStatus {
    /// The worker whose table it is in; the two directions of a flow may be at different ones.
    pub worker: usize,
    /// The address on the outside.
    pub remote_ip: IpAddr,
    /// Its port there; of ICMP the query's id.
    pub remote_port: u16,
    /// The address on the inside.
    pub local_ip: IpAddr,
    /// Its port there.
    pub local_port: u16,
    /// The protocol, in letters.
    pub proto: String,
    /// The id of its VLAN as the policy tells VLANs apart: 0 for frames without one, and for those of
    /// ids that no domain names; 4095 for the latter where a domain names 0.
    #[serde(default)]
    pub vlan: u16,
    /// The country of the address on the outside.
    pub country: Option<String>,
    /// Its operator.
    pub asn: Option<u32>,
    /// The service's domain; `null` for a connection of the inside.
    pub domain: Option<String>,
    /// `opening`, `open`, `closing`, or `former`: no longer allowed.
    pub state: String,
    /// Who opened it: `outside` or `inside`.
    pub opened: String,
    /// The ruleset that allowed it last.
    pub revision: u32,
    /// When that was, RFC 3339.
    pub judged: String,
    /// Milliseconds since its last packet.
    pub silent_ms: u32,
    /// Its packets, as far as this worker saw them.
    pub packets: u32,
}

/// The answer to `GET /flows`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Flows {
    /// As they stand in the tables: in no order.
    pub flows: Vec<FlowStatus>,
    /// There are more than were asked for.
    pub more: bool,
    /// Workers that do not answer, because an interface is missing.
    pub silent: Vec<usize>,
}

/// Which flows somebody wants to see.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedFlows {
    /// A network or address that the outside end is in.
    pub from: Option<String>,
    /// A network or address that the inside end is in.
    pub to: Option<String>,
    /// A domain's name, or `none` for connections of the inside.
    pub domain: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// Flows shown when nobody says how many.
const LIMIT: usize = 1000;

/// Asks all workers; a few seconds for tables of millions of flows.
///
/// # Errors
/// A network that is none.
pub(crate) fn all(mail: &Posts, legends: &Legends, wanted: &WantedFlows) -> Result<Flows, String> {
    let network = |text: &Option<String>| text.as_deref().map(Network::parse).transpose();
    let (from, to) = (network(&wanted.from)?, network(&wanted.to)?);
    let limit = wanted.limit.unwrap_or(LIMIT);
    let domain = wanted.domain.as_deref();
    let mut found = Flows::default();
    walk(mail, legends, &mut found, |found, worker, flow, legend| {
        let Pair { remote, local, .. } = flow.pair;
        let name = flow.domain.zip(legend).map(|(id, legend)| legend.domain_name(id));
        let wanted = from.is_none_or(|network| network.holds(remote))
            && to.is_none_or(|network| network.holds(local))
            && domain.is_none_or(|domain| name.unwrap_or("none") == domain);
        if wanted && found.flows.len() == limit {
            found.more = true;
        } else if wanted {
            found.flows.push(show(worker, &flow, legend));
        }
        !found.more
    });
    Ok(found)
}

/// The flows of one conversation, or of all between its ends where its outer port is not known.
pub(crate) fn of_pair(
    mail: &Posts,
    legends: &Legends,
    pair: Pair,
    exact: bool,
    most: usize,
) -> Flows {
    let mut found = Flows::default();
    if exact {
        for (worker, post) in mail.all().iter().enumerate() {
            let answer = post.lock().unwrap_or_else(PoisonError::into_inner).one(pair);
            match answer {
                Err(()) => found.silent.push(worker),
                Ok(flow) => found.flows.extend(flow.map(|flow| {
                    let legend = legends.find(flow.revision);
                    show(worker, &flow, legend.as_deref())
                })),
            }
        }
        return found;
    }
    walk(mail, legends, &mut found, |found, worker, flow, legend| {
        let Pair { remote, local, local_port, proto, vlan, .. } = flow.pair;
        let ports = !proto.has_ports() || [0, local_port].contains(&pair.local_port);
        let asked = (pair.remote, pair.local, pair.proto, pair.vlan);
        let same = (remote, local, proto, vlan) == asked && ports;
        let same = same && [0, flow.pair.remote_port].contains(&pair.remote_port);
        if same && found.flows.len() == most {
            found.more = true;
        } else if same {
            found.flows.push(show(worker, &flow, legend));
        }
        !found.more
    });
    found
}

/// Shows `take` the flows of all workers until it has enough.
fn walk(
    mail: &Posts,
    legends: &Legends,
    found: &mut Flows,
    mut take: impl FnMut(&mut Flows, usize, Flow, Option<&Legend>) -> bool,
) {
    let mut known = None;
    for (worker, post) in mail.all().iter().enumerate() {
        if found.more {
            return;
        }
        let mut post = post.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = post.all(|flow| {
            if known.as_ref().is_none_or(|(revision, _)| *revision != flow.revision) {
                known = Some((flow.revision, legends.find(flow.revision)));
            }
            let legend = known.as_ref().and_then(|(_, legend)| legend.as_deref());
            take(found, worker, flow, legend)
        });
        if !answered {
            found.silent.push(worker);
        }
    }
}

fn show(worker: usize, flow: &Flow, legend: Option<&Legend>) -> FlowStatus {
    let Pair { remote, local, remote_port, local_port, proto, vlan } = flow.pair;
    let origin = legend.map(|legend| legend.origin(remote)).unwrap_or_default();
    // ICMP and ICMPv6 are one to the policy.
    let proto = if proto == Proto::ICMP { "ICMP".into() } else { line::Proto(proto.0).name() };
    FlowStatus {
        worker,
        remote_ip: remote,
        remote_port,
        local_ip: local,
        local_port,
        proto: proto.into_owned(),
        vlan: vlan.0,
        country: origin.country.map(|country| country.to_string()),
        asn: origin.asn.map(|asn| asn.0),
        domain: flow.domain.zip(legend).map(|(id, legend)| legend.domain_name(id).to_owned()),
        state: flow.state.as_str().to_owned(),
        opened: match flow.opened {
            Side::Outside => "outside".to_owned(),
            Side::Inside => "inside".to_owned(),
        },
        revision: flow.revision.0,
        judged: line::timestamp(u64::from(flow.judged_s) * 1_000_000_000),
        silent_ms: flow.silent_ms,
        packets: flow.packets,
    }
}
