//! The origin of every address: database network, country and operator.
//!
//! Workers do not come here: they ask the class tables. `explain` and the logger search these
//! covers, which remember the database's own networks, and [`Origins::keys`] drops what no policy
//! asks for (networks, the field a country is from) and interns the rest for the compiler.
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
    /// Databases, with overrides over them.
    pub(crate) fn new(
        places: Networks<Place>,
        operators: Networks<Operator>,
        overrides: &[Override],
    ) -> Self {
        Self::over(Arc::new(places), Arc::new(operators), overrides)
    }

    /// The same databases under other overrides.
    pub(crate) fn under(&self, overrides: &[Override]) -> Self {
        Self::over(Arc::clone(&self.places), Arc::clone(&self.operators), overrides)
    }

    fn over(
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
        let v4 = {
            let places = over(&self.places.v4.map(|net| net.value), &self.moved.v4);
            let operators = over(&self.operators.v4.map(|net| net.value), &self.renumbered.v4);
            pairs.join(&places, &operators)
        };
        let places = over(&self.places.values_v6(), &self.moved.v6);
        let operators = over(&self.operators.values_v6(), &self.renumbered.v6);
        let v6 = pairs.join(&places, &operators);
        OriginKeys { keys: pairs.keys, v4, v6 }
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

/// An override where there is one, else the database.
fn over<A: Address, T: Copy + PartialEq>(
    base: &Ranges<A, Option<T>>,
    overlay: &Ranges<A, Net<T>>,
) -> Ranges<A, Option<T>> {
    base.zip(overlay, |&base, over| over.value.or(base))
}

/// Interns pairs of country and ASN.
#[derive(Default)]
struct Pairs {
    keys: Vec<OriginKey>,
    ids: HashMap<(Option<Country>, Option<Operator>), OriginId>,
}

impl Pairs {
    fn join<A: Address>(
        &mut self,
        places: &Ranges<A, Option<Place>>,
        operators: &Ranges<A, Option<Operator>>,
    ) -> Ranges<A, OriginId> {
        places.zip(operators, |place, &operator| {
            let country = place.map(|place| place.country);
            *self.ids.entry((country, operator)).or_insert_with(|| {
                self.keys.push(OriginKey { country, asn: operator.map(|it| Asn(it.0.get())) });
                OriginId(self.keys.len() as u32 - 1)
            })
        })
    }
}
