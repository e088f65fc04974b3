//! The origin of every address: database network, country and operator.
//!
//! Workers do not come here: they ask the class tables. `explain` and the logger search these
//! covers, which remember the database's own networks. The compiler of classes takes countries, and
//! the operators that the policy names, as covers without all that.
//!
//! Costs: four binary searches an address, about a microsecond; 8 bytes (IPv4) or 20 (IPv6) a
//! range for countries, 12 or 24 for operators.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use ipnet::IpNet;

use crate::geo::networks::{Net, Networks};
use crate::geo::record::{Operator, Place};
use crate::{Address, Asn, Country, Override, Ranges};

/// Where the country of an address is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountryFrom {
    /// `country.iso_code` of a MaxMind DB.
    Country,
    /// `country_code` of a flat database.
    CountryCode,
    /// `registered_country.iso_code`: where the network is registered, for want of better.
    Registered,
    /// An override of the policy.
    Override,
    /// The embedded table.
    Embedded,
}

impl CountryFrom {
    /// The name in `explain` and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::CountryCode => "country_code",
            Self::Registered => "registered_country",
            Self::Override => "override",
            Self::Embedded => "embedded",
        }
    }
}

/// All that is known of where one address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    /// The network that says so: an override's, else the country database's, else the ASN
    /// database's.
    pub prefix: Option<IpNet>,
    /// Its country.
    pub country: Option<Country>,
    /// Where the country is from.
    pub country_from: Option<CountryFrom>,
    /// Its operator.
    pub asn: Option<Asn>,
}

/// A pair of country and ASN that occurs, as an index into [`OriginKeys::keys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OriginId(pub u32);

/// What policies ask of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OriginKey {
    /// The country, if known.
    pub country: Option<Country>,
    /// The autonomous system, if known.
    pub asn: Option<Asn>,
}

/// Country and ASN of all addresses of both families, interned: the input of class compilation.
#[derive(Debug)]
pub struct OriginKeys {
    /// The pairs that occur; an [`OriginId`] is a place in here.
    pub keys: Vec<OriginKey>,
    /// The whole IPv4 space.
    pub v4: Ranges<u32, OriginId>,
    /// The whole IPv6 space.
    pub v6: Ranges<u128, OriginId>,
}

/// The origins of all addresses.
#[derive(Debug, PartialEq)]
pub struct Origins {
    /// The databases; shared with the same under other overrides.
    places: Arc<Networks<Place>>,
    operators: Arc<Networks<Operator>>,
    /// Overrides, one set of networks for each axis.
    moved: Networks<Place>,
    renumbered: Networks<Operator>,
}

impl Origins {
    /// The same databases under other overrides.
    pub(crate) fn under(&self, overrides: &[Override]) -> Self {
        Self::over(Arc::clone(&self.places), Arc::clone(&self.operators), overrides)
    }

    /// Databases, with overrides over them.
    pub(crate) fn over(
        places: Arc<Networks<Place>>,
        operators: Arc<Networks<Operator>>,
        overrides: &[Override],
    ) -> Self {
        let moved = overlay(overrides, |item| {
            Some(Place { country: item.country?, from: CountryFrom::Override })
        });
        let renumbered = overlay(overrides, |item| NonZeroU32::new(item.asn?.0).map(Operator));
        Self { places, operators, moved, renumbered }
    }

    /// The countries of the database.
    pub(crate) fn places(&self) -> &Arc<Networks<Place>> {
        &self.places
    }

    /// The operators of the database.
    pub(crate) fn operators(&self) -> &Arc<Networks<Operator>> {
        &self.operators
    }

    /// The origin of an address, by binary search.
    #[must_use]
    pub fn origin(&self, address: IpAddr) -> Origin {
        let (moved, renumbered) = (self.moved.find(address), self.renumbered.find(address));
        let place = moved.or_else(|| self.places.find(address));
        let operator = renumbered.or_else(|| self.operators.find(address));
        let decisive = moved.map(network).or(renumbered.map(network));
        Origin {
            prefix: decisive.or(place.map(network)).or(operator.map(network)),
            country: place.map(|(place, _)| place.country),
            country_from: place.map(|(place, _)| place.from),
            asn: operator.map(|(operator, _)| Asn(operator.0.get())),
        }
    }

    /// The country that the database gives an address, whatever the overrides say.
    pub(crate) fn database_country(&self, address: IpAddr) -> Option<Country> {
        self.places.find(address).map(|(place, _)| place.country)
    }

    /// Whether the databases of both say the same of every address.
    pub(crate) fn same_data(&self, other: &Self) -> bool {
        self.places == other.places && self.operators == other.operators
    }

    /// Country and ASN of all addresses as interned covers.
    #[must_use]
    pub fn keys(&self) -> OriginKeys {
        let mut pairs = Pairs::default();
        let (v4, v6) = (self.countries_v4(), self.countries_v6());
        let operators = self.named_operators(&Some);
        let v4 = v4.zip(&operators.0, |&country, &asn| pairs.id(OriginKey { country, asn }));
        let v6 = v6.zip(&operators.1, |&country, &asn| pairs.id(OriginKey { country, asn }));
        OriginKeys { keys: pairs.keys, v4, v6 }
    }

    /// The country of every IPv4 address.
    pub(crate) fn countries_v4(&self) -> Ranges<u32, Option<Country>> {
        over(self.places.map_v4(country), &self.moved.v4, country)
    }

    /// The country of every IPv6 address.
    pub(crate) fn countries_v6(&self) -> Ranges<u128, Option<Country>> {
        over(self.places.map_v6(country), &self.moved.v6, country)
    }

    /// The operator of every address, as far as `asked` lets it through.
    pub(crate) fn named_operators(
        &self,
        asked: &impl Fn(Asn) -> Option<Asn>,
    ) -> (Ranges<u32, Option<Asn>>, Ranges<u128, Option<Asn>>) {
        // Overrides first: one to an operator that nobody asks for hides one that somebody does.
        let asn = |operator: Option<Operator>| operator.map(|it| Asn(it.0.get()));
        let asked = |operator| asn(operator).and_then(asked);
        let v4 = over(self.operators.map_v4(asked), &self.renumbered.v4, asked);
        (v4, over(self.operators.map_v6(asked), &self.renumbered.v6, asked))
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.places.memory_bytes()
            + self.operators.memory_bytes()
            + self.moved.memory_bytes()
            + self.renumbered.memory_bytes()
    }
}

fn network<T>((_, network): (T, IpNet)) -> IpNet {
    network
}

/// The overrides of one axis as networks.
fn overlay<T: Copy + PartialEq>(
    overrides: &[Override],
    axis: impl Fn(&Override) -> Option<T>,
) -> Networks<T> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for item in overrides {
        match (axis(item), item.network) {
            (Some(value), IpNet::V4(network)) => v4.push((network.into(), value)),
            (Some(value), IpNet::V6(network)) => v6.push((network.into(), value)),
            (None, _) => {}
        }
    }
    Networks::build(v4, v6)
}

fn country(place: Option<Place>) -> Option<Country> {
    place.map(|place| place.country)
}

/// `f` of the override where there is one, else what is known from the database.
fn over<A: Address, T: Copy, X: Copy + PartialEq>(
    base: Ranges<A, X>,
    overlay: &Ranges<A, Net<T>>,
    f: impl Fn(Option<T>) -> X,
) -> Ranges<A, X> {
    if overlay.len() == 1 && overlay.find(A::MIN).value.is_none() {
        return base;
    }
    base.zip(overlay, |&base, over| if over.value.is_some() { f(over.value) } else { base })
}

/// Interns pairs of country and ASN.
#[derive(Default)]
struct Pairs {
    keys: Vec<OriginKey>,
    ids: HashMap<OriginKey, OriginId>,
}

impl Pairs {
    fn id(&mut self, key: OriginKey) -> OriginId {
        *self.ids.entry(key).or_insert_with(|| {
            self.keys.push(key);
            OriginId(self.keys.len() as u32 - 1)
        })
    }
}
