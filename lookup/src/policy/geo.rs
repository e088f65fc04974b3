//! `[geo]`: the databases, and what must hold for them to be used.

use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;

use super::text::GeoText;
use crate::Country;
use crate::document::Document;

/// The databases of `[geo]`.
#[derive(Clone, Debug)]
pub struct GeoChoice {
    /// A country database, relative to the policy's folder; the embedded table when absent.
    pub country: Option<Spanned<String>>,
    /// An ASN database.
    pub asn: Option<Spanned<String>>,
    /// Age in days from which a database is called old.
    pub max_age_days: u32,
    /// Addresses whose country is known: a database that says otherwise is refused.
    pub canaries: Vec<Canary>,
    /// The share of the addresses with a country of which a new database may change a verdict.
    pub max_flips: f64,
}

/// An address whose country the operator knows.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The address.
    pub address: IpAddr,
    /// The country that the database must give it.
    pub country: Country,
    /// Where the policy says so.
    pub span: Range<usize>,
}

/// Age in days from which a database is old, when the policy does not say.
const MAX_AGE_DAYS: u32 = 45;
/// The share of addresses that may flip, when the policy does not say.
const MAX_FLIPS: f64 = 0.02;

/// Checks `[geo]`; what is absent has its default.
pub(super) fn read(document: &mut Document, text: Option<&GeoText>) -> GeoChoice {
    let none = GeoText::default();
    let text = text.unwrap_or(&none);
    let entries = text.canaries.iter().flatten();
    let canaries = entries.filter_map(|(address, country)| canary(document, address, country));
    GeoChoice {
        canaries: canaries.collect(),
        country: text.country.clone(),
        asn: text.asn.clone(),
        max_age_days: text.max_age_days.unwrap_or(MAX_AGE_DAYS),
        max_flips: text.max_flips.as_ref().map_or(MAX_FLIPS, |share| max_flips(document, share)),
    }
}

fn canary(
    document: &mut Document,
    address: &Spanned<String>,
    country: &Spanned<String>,
) -> Option<Canary> {
    let code = document.country(country);
    let parsed = address.get_ref().parse();
    if parsed.is_err() {
        let message = format!("the canary `{}` is no address", address.get_ref());
        document.error(address.span(), message, "write one address: `\"9.9.9.9\" = \"US\"`");
    }
    let span = address.span().start..country.span().end;
    Some(Canary { address: parsed.ok()?, country: code?, span })
}

fn max_flips(document: &mut Document, share: &Spanned<f64>) -> f64 {
    let value = *share.get_ref();
    if !(0.0..=1.0).contains(&value) {
        let help = "0.02 is 2 % of the addresses with a country; 1.0 takes any database";
        document.error(share.span(), format!("`max_flips` is a share: not {value}"), help);
    }
    value
}
