//! A table of flows: sources by country, both families, in an order that mixes all.

use std::net::{Ipv4Addr, Ipv6Addr};

use lookup::{Country, OriginKeys};

use super::flow::{Class, Flow, Kind, MAX_FLOWS};
use super::random::Random;
use super::sources::{Shares, Sources};
use crate::{Error, Result};

/// What a load asks for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many flows, one address each.
    pub flows: usize,
    /// Where they are from; the class of a flow is the place of its share.
    pub shares: Shares,
    /// The service's addresses; a family without one gets no flows.
    pub targets: (Option<Ipv4Addr>, Option<Ipv6Addr>),
    /// The service's port.
    pub port: u16,
    /// What the frames are.
    pub kind: Kind,
    /// The same seed gives the same flows.
    pub seed: u64,
}

impl Plan {
    /// Draws the flows from a geo database.
    ///
    /// # Errors
    /// When there are too many flows or shares, or the database has no address of a share.
    pub fn draw(&self, keys: &OriginKeys) -> Result<Vec<Flow>> {
        self.draw_at(keys, &[])
    }

    /// As [`Plan::draw`], before a fence that lets some countries in.
    ///
    /// # Errors
    /// As [`Plan::draw`].
    pub fn draw_at(&self, keys: &OriginKeys, welcome: &[Country]) -> Result<Vec<Flow>> {
        if self.flows > MAX_FLOWS || self.shares.0.len() > 64 {
            let text = format!("at most {MAX_FLOWS} flows and 64 shares");
            return Err(Error::Usage(text));
        }
        let mut random = Random::new(self.seed);
        let mut flows = Vec::with_capacity(self.flows);
        let parts = self.shares.deal(self.flows);
        for ((class, share), part) in (0..).zip(&self.shares.0).zip(parts) {
            let none =
                || Error::Usage(format!("the geo database knows no address of {}", share.origin));
            let sources = Sources::of(keys, share.origin, welcome).ok_or_else(none)?;
            for turn in 0..part {
                let flow = self.flow(&sources, Class(class), turn % 2 == 1, &mut random);
                flows.push(flow.ok_or_else(none)?);
            }
        }
        shuffle(&mut flows, &mut random);
        Ok(flows)
    }

    /// One flow, of the other family when the wanted one has no source or no target.
    fn flow(&self, from: &Sources, class: Class, v6: bool, random: &mut Random) -> Option<Flow> {
        let (v4_target, v6_target) = self.targets;
        let mut pair = None;
        for v6 in [v6, !v6] {
            let found = if v6 {
                v6_target.and_then(|target| Some((from.v6(random)?, target.into())))
            } else {
                v4_target.and_then(|target| Some((from.v4(random)?, target.into())))
            };
            pair = pair.or(found);
        }
        let (source, target) = pair?;
        let source_port = 1024 + random.below(60_000) as u16;
        let kind = self.kind;
        Some(Flow { source, target, source_port, target_port: self.port, class, kind })
    }
}

/// Fisher-Yates.
fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last as u128 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use lookup::{Geo, GeoFiles};

    use super::*;

    fn plan(shares: &str, flows: usize) -> Plan {
        Plan {
            flows,
            shares: shares.parse().unwrap(),
            targets: (Some([10, 1, 0, 10].into()), Some("fd00::1".parse().unwrap())),
            port: 53,
            kind: Kind::Udp,
            seed: 1,
        }
    }

    #[test]
    fn sources_are_where_they_should_be() {
        let geo = Geo::load(&GeoFiles::default(), &[]).unwrap();
        let plan = plan("DE:5,US:3,unknown:2", 1000);
        let flows = plan.draw(&geo.keys()).unwrap();
        assert_eq!(flows.len(), 1000);
        for flow in &flows {
            let share = plan.shares.0[usize::from(flow.class.0)];
            let country = geo.origin(flow.source).country;
            let name = country.map_or("unknown".to_owned(), |country| country.to_string());
            assert_eq!(name, share.origin.to_string(), "{flow:?}");
        }
        assert_eq!(flows.iter().filter(|flow| flow.class == Class(0)).count(), 500);
        assert_eq!(flows.iter().filter(|flow| flow.source.is_ipv6()).count(), 500);
    }

    #[test]
    fn one_family_alone_works() {
        let geo = Geo::load(&GeoFiles::default(), &[]).unwrap();
        let plan = Plan { targets: (Some([10, 1, 0, 10].into()), None), ..plan("FR:1", 10) };
        assert!(plan.draw(&geo.keys()).unwrap().iter().all(|flow| flow.source.is_ipv4()));
        let nowhere = Plan { targets: (None, None), ..plan };
        assert!(nowhere.draw(&geo.keys()).is_err());
    }

    #[test]
    fn a_country_without_addresses_is_an_error() {
        let geo = Geo::load(&GeoFiles::default(), &[]).unwrap();
        assert!(plan("QQ:1", 10).draw(&geo.keys()).is_err());
    }
}
