//! A slow judge, written from the contract alone: linear scans over plain lists.

use std::fmt::Write as _;
use std::net::IpAddr;

/// A network as its first address and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) first: IpAddr,
    pub(crate) len: u8,
}

pub(crate) fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

pub(crate) fn address(bits: u128, width: u8) -> IpAddr {
    match width {
        32 => IpAddr::V4((bits as u32).into()),
        _ => IpAddr::V6(bits.into()),
    }
}

impl Net {
    /// The network of `len` bits around an address.
    pub(crate) fn around(inside: IpAddr, len: u8) -> Self {
        let (value, width) = bits(inside);
        let host = u32::from(width - len);
        let first = if host == 128 { 0 } else { (value >> host) << host };
        Self { first: address(first, width), len }
    }

    pub(crate) fn holds(&self, other: IpAddr) -> bool {
        let ((mine, width), (theirs, others)) = (bits(self.first), bits(other));
        let host = u32::from(width.saturating_sub(self.len));
        width == others && (host >= 128 || mine >> host == theirs >> host)
    }

    /// The addresses at both sides of both ends.
    pub(crate) fn edges(&self) -> Vec<IpAddr> {
        let (first, width) = bits(self.first);
        let host = u32::from(width - self.len);
        let size = if host == 128 { u128::MAX } else { (1 << host) - 1 };
        let max = if width == 32 { u128::from(u32::MAX) } else { u128::MAX };
        let last = first + size;
        let mut edges = vec![first, last];
        edges.extend(first.checked_sub(1));
        edges.extend(last.checked_add(1).filter(|&next| next <= max));
        edges.into_iter().map(|bits| address(bits, width)).collect()
    }
}

impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.first, self.len)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) networks: Option<Vec<Net>>,
    pub(crate) countries: Option<Vec<&'static str>>,
    pub(crate) asns: Option<Vec<u32>>,
    pub(crate) any_of: Option<Vec<String>>,
    pub(crate) except: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) networks: Vec<Net>,
    pub(crate) proto: &'static str,
    /// `None` is any.
    pub(crate) ports: Option<Vec<(u16, u16)>>,
    pub(crate) carve_out: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) shadow: bool,
    pub(crate) allow: Vec<String>,
    pub(crate) deny: Vec<String>,
    /// `None` is every VLAN.
    pub(crate) vlans: Option<Vec<u16>>,
    pub(crate) services: Vec<Service>,
}

#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) network: Net,
    pub(crate) country: Option<&'static str>,
    pub(crate) asn: Option<u32>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) countries: Vec<(Net, &'static str)>,
    pub(crate) operators: Vec<(Net, u32)>,
    pub(crate) failsafe: Vec<Net>,
    pub(crate) overrides: Vec<Override>,
    pub(crate) groups: Vec<Group>,
    pub(crate) domains: Vec<Domain>,
    pub(crate) egress: Option<(Vec<String>, Vec<String>)>,
}

/// Verdict, reason, domain, service, rule, and whether egress judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) verdict: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) domain: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) egress: bool,
    pub(crate) shadow: bool,
}

const PRIVATE: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
];

fn narrowest<'a, T>(list: impl Iterator<Item = (&'a Net, T)>, address: IpAddr) -> Option<T> {
    list.filter(|(net, _)| net.holds(address))
        .max_by_key(|(net, _)| net.len)
        .map(|(_, value)| value)
}

impl Model {
    pub(crate) fn country(&self, address: IpAddr) -> Option<&'static str> {
        let over = self.overrides.iter().filter_map(|o| Some((&o.network, o.country?)));
        narrowest(over, address)
            .or_else(|| narrowest(self.countries.iter().map(|(net, c)| (net, *c)), address))
    }

    pub(crate) fn asn(&self, address: IpAddr) -> Option<u32> {
        let over = self.overrides.iter().filter_map(|o| Some((&o.network, o.asn?)));
        narrowest(over, address)
            .or_else(|| narrowest(self.operators.iter().map(|(net, asn)| (net, *asn)), address))
    }

    pub(crate) fn holds(&self, group: &str, address: IpAddr) -> bool {
        let private = || {
            PRIVATE.iter().any(|text| {
                let (first, len) = text.split_once('/').unwrap();
                Net { first: first.parse().unwrap(), len: len.parse().unwrap() }.holds(address)
            })
        };
        match group {
            "anyone" => return true,
            "private" => return private(),
            "unknown" => return !private() && self.country(address).is_none(),
            _ => {}
        }
        let group = self.groups.iter().find(|one| one.name == group).unwrap();
        let inside = match &group.any_of {
            Some(parts) => parts.iter().any(|part| self.holds(part, address)),
            None => {
                let nets = group.networks.as_ref();
                let country = self.country(address);
                let asn = self.asn(address);
                nets.is_none_or(|nets| nets.iter().any(|net| net.holds(address)))
                    && group
                        .countries
                        .as_ref()
                        .is_none_or(|list| country.is_some_and(|one| list.contains(&one)))
                    && group
                        .asns
                        .as_ref()
                        .is_none_or(|list| asn.is_some_and(|one| list.contains(&one)))
            }
        };
        inside && !group.except.iter().any(|part| self.holds(part, address))
    }

    pub(crate) fn groups_of(&self, address: IpAddr) -> Vec<String> {
        let names = ["anyone", "private", "unknown"].into_iter();
        let names = names.chain(self.groups.iter().map(|group| group.name.as_str()));
        names.filter(|name| self.holds(name, address)).map(str::to_owned).collect()
    }

    fn service(
        &self,
        local: IpAddr,
        vlan: u16,
        proto: u8,
        port: u16,
    ) -> Option<(&Domain, &Service)> {
        let seen = self.domains.iter().filter(|domain| domain.sees(vlan));
        let all = seen.flat_map(|domain| {
            domain.services.iter().flat_map(move |service| {
                service.networks.iter().map(move |net| (net, (domain, service)))
            })
        });
        let serves = all.filter(|(_, (_, service))| {
            number(service.proto).is_none_or(|number| number == proto)
                && service.ports.as_ref().is_none_or(|ranges| {
                    has_ports(proto)
                        && ranges.iter().any(|&(first, last)| first <= port && port <= last)
                })
        });
        narrowest(serves, local)
    }

    fn list(&self, allow: &[String], deny: &[String], prefix: &str, remote: IpAddr) -> Said {
        let (verdict, reason, rule) = if self.failsafe.iter().any(|net| net.holds(remote)) {
            ("allow", None, "failsafe".to_owned())
        } else if let Some(group) = deny.iter().find(|group| self.holds(group, remote)) {
            ("drop", Some("denied"), format!("{prefix}deny:{group}"))
        } else if let Some(group) = allow.iter().find(|group| self.holds(group, remote)) {
            ("allow", None, format!("{prefix}allow:{group}"))
        } else {
            ("drop", Some("not_allowed"), format!("{prefix}default"))
        };
        let rule = Some(rule);
        let (domain, service, egress, shadow) = (None, None, false, false);
        Said { verdict, reason, domain, service, rule, egress, shadow }
    }

    pub(crate) fn reply(&self, remote: IpAddr) -> Said {
        let (allow, deny) = self.egress.clone().unwrap_or_default();
        Said { egress: true, ..self.list(&allow, &deny, "egress.", remote) }
    }

    pub(crate) fn judge(
        &self,
        inside: bool,
        remote: IpAddr,
        local: IpAddr,
        vlan: u16,
        proto: u8,
        port: u16,
    ) -> Said {
        match self.service(local, vlan, proto, port) {
            Some((domain, service)) => Said {
                domain: Some(domain.name.clone()),
                service: Some(service.name.clone()),
                shadow: domain.shadow,
                ..self.list(&domain.allow, &domain.deny, "", remote)
            },
            None if inside => self.reply(remote),
            None => {
                let said = self.list(&[], &[], "", remote);
                if said.verdict == "allow" {
                    return said;
                }
                Said { reason: Some("no_service"), rule: None, ..said }
            }
        }
    }

    /// Whether some address, protocol and port has two services and nothing that says which.
    pub(crate) fn conflict(&self) -> bool {
        let all: Vec<_> = self
            .domains
            .iter()
            .flat_map(|domain| domain.services.iter().map(move |service| (domain, service)))
            .collect();
        all.iter().enumerate().any(|(i, (one_domain, one))| {
            all[i + 1..].iter().any(|(other_domain, other)| {
                let same = one_domain.name == other_domain.name;
                one_domain.shares(other_domain)
                    && meet(one, other)
                    && one.networks.iter().any(|a| {
                        other.networks.iter().any(|b| match (a.holds(b.first), b.holds(a.first)) {
                            (false, false) => false,
                            _ if a == b => true,
                            _ if same => false,
                            _ if a.len < b.len => !other.carve_out,
                            _ => !one.carve_out,
                        })
                    })
            })
        })
    }

    pub(crate) fn nets(&self) -> Vec<Net> {
        let services = self.domains.iter().flat_map(|domain| &domain.services);
        let groups = self.groups.iter().flat_map(|group| group.networks.iter().flatten());
        let mut nets: Vec<Net> = services.flat_map(|service| &service.networks).copied().collect();
        nets.extend(groups);
        nets.extend(&self.failsafe);
        nets.extend(self.overrides.iter().map(|o| o.network));
        nets.extend(self.countries.iter().map(|(net, _)| *net));
        nets.extend(self.operators.iter().map(|(net, _)| *net));
        nets
    }
}

/// The protocols that random policies name, as IANA numbers them.
pub(crate) const PROTOS: [(&str, u8); 14] = [
    ("tcp", 6),
    ("udp", 17),
    ("sctp", 132),
    ("icmp", 1),
    ("udplite", 136),
    ("dccp", 33),
    ("gre", 47),
    ("ipip", 4),
    ("6in4", 41),
    ("6", 6),
    ("136", 136),
    ("47", 47),
    ("59", 59),
    ("255", 255),
];

/// `None` is any.
pub(crate) fn number(proto: &str) -> Option<u8> {
    PROTOS.iter().find(|(name, _)| *name == proto).map(|(_, number)| *number)
}

/// TCP, UDP, DCCP, SCTP, UDP-Lite.
pub(crate) fn has_ports(proto: u8) -> bool {
    [6, 17, 33, 132, 136].contains(&proto)
}

/// Some protocol and port is both services': tried one by one.
fn meet(one: &Service, other: &Service) -> bool {
    let serves = |service: &Service, proto: u8| number(service.proto).is_none_or(|n| n == proto);
    let both = (0..=255).filter(|&proto| serves(one, proto) && serves(other, proto));
    both.into_iter().any(|proto| match (&one.ports, &other.ports) {
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => has_ports(proto),
        (Some(a), Some(b)) => {
            has_ports(proto) && a.iter().any(|a| b.iter().any(|b| a.0 <= b.1 && b.0 <= a.1))
        }
    })
}

impl Domain {
    fn sees(&self, vlan: u16) -> bool {
        self.vlans.as_ref().is_none_or(|list| list.contains(&vlan))
    }

    /// Tried one by one: all ids that a tag can carry.
    fn shares(&self, other: &Self) -> bool {
        (0..4096).any(|vlan| self.sees(vlan) && other.sees(vlan))
    }
}

fn quoted<T: ToString>(list: &[T]) -> String {
    let quoted: Vec<_> = list.iter().map(|one| format!("\"{}\"", one.to_string())).collect();
    format!("[{}]", quoted.join(", "))
}

impl Model {
    /// The policy as an operator writes it.
    pub(crate) fn toml(&self) -> String {
        let mut text = format!("failsafe = {}\n", quoted(&self.failsafe));
        text += "[geo]\ncountry = \"country.csv\"\nasn = \"asn.csv\"\n";
        for one in &self.overrides {
            let _ = writeln!(text, "[[override]]\nnetwork = \"{}\"", one.network);
            one.country.iter().for_each(|c| text += &format!("country = \"{c}\"\n"));
            one.asn.iter().for_each(|asn| text += &format!("asn = {asn}\n"));
        }
        for group in &self.groups {
            let _ = writeln!(text, "[group.{}]", group.name);
            let lists = [
                ("networks", group.networks.as_ref().map(|list| quoted(list))),
                ("countries", group.countries.as_ref().map(|list| quoted(list))),
                ("asns", group.asns.as_ref().map(|list| format!("{list:?}"))),
                ("any_of", group.any_of.as_ref().map(|list| quoted(list))),
                ("except", Some(quoted(&group.except))),
            ];
            for (key, list) in lists {
                list.iter().for_each(|list| text += &format!("{key} = {list}\n"));
            }
        }
        for domain in &self.domains {
            let mode = if domain.shadow { "shadow" } else { "enforce" };
            let (allow, deny) = (quoted(&domain.allow), quoted(&domain.deny));
            let name = &domain.name;
            let _ = writeln!(
                text,
                "[domain.{name}]\nmode = \"{mode}\"\nallow = {allow}\ndeny = {deny}"
            );
            domain.vlans.iter().for_each(|list| text += &format!("vlans = {list:?}\n"));
            domain.services.iter().for_each(|service| text += &service.toml(name));
        }
        if let Some((allow, deny)) = &self.egress {
            let _ = writeln!(text, "[egress]\nallow = {}\ndeny = {}", quoted(allow), quoted(deny));
        }
        text
    }
}

impl Service {
    fn toml(&self, domain: &str) -> String {
        let mut text = format!(
            "[[domain.{domain}.service]]\nname = \"{}\"\nnetworks = {}\nproto = \"{}\"\n",
            self.name,
            quoted(&self.networks),
            self.proto
        );
        let ports = match &self.ports {
            None => vec!["any".to_owned()],
            Some(ranges) => ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect(),
        };
        text += &format!("ports = {}\ncarve_out = {}\n", quoted(&ports), self.carve_out);
        text
    }
}
