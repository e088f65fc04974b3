//! What one record of a database says: a country, or an operator.
//!
//! Publishers name the same thing differently. Countries: `country.iso_code`, then
//! `registered_country.iso_code` (MaxMind, DB-IP); `country_code` (ip-location-db, IPinfo Lite); a
//! two-letter `country` (IPinfo). Operators: `autonomous_system_number` (MaxMind, DB-IP); `asn` as a
//! number or as `AS123` (IPinfo).

use std::fmt;
use std::num::NonZeroU32;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{Country, CountryFrom};

/// A country, and which field it is from. Two letters and a niche: 3 bytes as an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) country: Country,
    pub(crate) from: CountryFrom,
}

/// An autonomous system; never 0, which databases use for "not routed" (RFC 7607).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Operator(pub(crate) NonZeroU32);

/// What a kind of database holds for a network.
pub(crate) trait Record: Copy + PartialEq {
    /// What it is, for errors.
    const WHAT: &'static str;
    /// A record of a MaxMind DB.
    type Fields: for<'de> Deserialize<'de>;

    /// The value of a record, if it has one.
    fn of(fields: &Self::Fields) -> Option<Self>;

    /// The value of a CSV field; the outer `None` if it is none.
    fn parse(text: &str) -> Option<Option<Self>>;
}

/// The fields that countries stand in.
#[derive(serde::Deserialize)]
pub(crate) struct CountryFields {
    country: Option<Value>,
    country_code: Option<Value>,
    registered_country: Option<Value>,
}

impl Record for Place {
    const WHAT: &'static str = "country";
    type Fields = CountryFields;

    fn of(fields: &CountryFields) -> Option<Self> {
        let place = |field: &Option<Value>, from| {
            let code = field.as_ref()?.text.as_deref()?;
            known(code).map(|country| Self { country, from })
        };
        place(&fields.country, CountryFrom::Country)
            .or_else(|| place(&fields.country_code, CountryFrom::CountryCode))
            .or_else(|| place(&fields.registered_country, CountryFrom::Registered))
    }

    fn parse(text: &str) -> Option<Option<Self>> {
        if matches!(text, "" | "-") {
            return Some(None);
        }
        Country::new(text)?;
        Some(known(text).map(|country| Self { country, from: CountryFrom::Country }))
    }
}

/// `ZZ` is how DB-IP writes that it does not know.
fn known(code: &str) -> Option<Country> {
    Country::new(code).filter(|country| country.as_str() != "ZZ")
}

/// The fields that operators stand in.
#[derive(serde::Deserialize)]
pub(crate) struct OperatorFields {
    autonomous_system_number: Option<Value>,
    asn: Option<Value>,
}

impl Record for Operator {
    const WHAT: &'static str = "autonomous system";
    type Fields = OperatorFields;

    fn of(fields: &OperatorFields) -> Option<Self> {
        let number = |field: &Option<Value>| {
            let value = field.as_ref()?;
            let text = || Self::parse(value.text.as_deref()?).flatten();
            value.number.and_then(NonZeroU32::new).map(Self).or_else(text)
        };
        number(&fields.autonomous_system_number).or_else(|| number(&fields.asn))
    }

    fn parse(text: &str) -> Option<Option<Self>> {
        if matches!(text, "" | "-") {
            return Some(None);
        }
        let digits = text.strip_prefix("AS").or(text.strip_prefix("as")).unwrap_or(text);
        let number = digits.parse::<u32>().ok()?;
        Some(NonZeroU32::new(number).map(Self))
    }
}

/// A field of any type, reduced to what may be a code or a number. A map stands for its `iso_code`.
#[derive(Default)]
struct Value {
    text: Option<String>,
    number: Option<u32>,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value { text: Some(text.to_owned()), number: None })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value { text: None, number: u32::try_from(number).ok() })
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value { text: None, number: u32::try_from(number).ok() })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Value, S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::default())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value, M::Error> {
        let mut value = Value::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "iso_code" {
                value.text = map.next_value::<Value>()?.text;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(value)
    }
}
