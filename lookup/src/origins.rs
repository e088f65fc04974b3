//! The origin of every address: database network, country and operator.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{Asn, Country, Ranges};

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
#[derive(Debug)]
pub struct Origins {}

impl Origins {
    /// The origin of an address, by binary search.
    #[must_use]
    pub fn origin(&self, _address: IpAddr) -> Origin {
        todo!()
    }

    /// Country and ASN of all addresses as interned covers.
    #[must_use]
    pub fn keys(&self) -> OriginKeys {
        todo!()
    }

    /// The memory behind it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}
