//! Where addresses are: country and operator of every address, from databases and overrides.

mod error;

pub use error::GeoError;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

use crate::origins::{Origin, OriginKeys, Origins};
use crate::{Asn, Country};

/// The databases to read; without a country file the embedded table serves.
#[derive(Clone, Debug, Default)]
pub struct GeoFiles {
    /// MaxMind DB or CSV with countries.
    pub country: Option<PathBuf>,
    /// MaxMind DB or CSV with autonomous system numbers.
    pub asn: Option<PathBuf>,
}

/// A correction by the operator: beats the database in its network; the longest one wins, for
/// country and ASN each by itself.
#[derive(Clone, Debug)]
pub struct Override {
    /// Where it holds.
    pub network: IpNet,
    /// The country, if it is corrected.
    pub country: Option<Country>,
    /// The autonomous system, if it is corrected.
    pub asn: Option<Asn>,
    /// Why, for people.
    pub reason: Option<String>,
}

/// Which database answers, and how old it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeoInfo {
    /// For people: the file's path, or what the embedded table was made from.
    pub source: String,
    /// It is the table that came with the program.
    pub embedded: bool,
    /// When the database was built, in seconds since 1970; `None` when it does not say (CSV).
    pub build_epoch_secs: Option<u64>,
    /// Networks of each family that the database holds.
    pub networks: usize,
}

/// Countries and operators of all addresses, loaded.
#[derive(Debug)]
pub struct Geo {
    origins: Arc<Origins>,
    country: GeoInfo,
    asn: Option<GeoInfo>,
}

impl Geo {
    /// Reads the databases and lays the overrides over them.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or holds nothing of the kind asked for; nothing is
    /// taken from such a file.
    pub fn load(_files: &GeoFiles, _overrides: &[Override]) -> Result<Self, GeoError> {
        todo!()
    }

    /// Origins by address, for records and `explain`; shared by the rulesets made from this.
    #[must_use]
    pub fn origins(&self) -> &Arc<Origins> {
        &self.origins
    }

    /// The origin of one address.
    #[must_use]
    pub fn origin(&self, address: IpAddr) -> Origin {
        self.origins.origin(address)
    }

    /// Country and ASN of all addresses as covers, for compiling classes.
    #[must_use]
    pub fn keys(&self) -> OriginKeys {
        self.origins.keys()
    }

    /// The country database.
    #[must_use]
    pub fn country_info(&self) -> &GeoInfo {
        &self.country
    }

    /// The ASN database, if there is one.
    #[must_use]
    pub fn asn_info(&self) -> Option<&GeoInfo> {
        self.asn.as_ref()
    }
}
