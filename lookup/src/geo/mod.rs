//! Where addresses are: country and operator of every address, from databases and overrides.
//!
//! ```text
//!  *.mmdb ---> mmdb ----.
//!  *.csv ----> csv -----+--> Networks<country> --.
//!  embedded -> compact -'    Networks<operator> -+--> Origins --> origin(address)   explain, records
//!  [[override]] -----------> the same two -------'        `-----> keys()            classes
//! ```
//!
//! A database is taken whole or not at all: whatever is wrong with a file, [`Geo::load`] returns an
//! error and what was loaded before stays as it is. This module does not know the time; it says
//! when a database was built, and the caller says how old that is.

mod compact;
mod csv;
mod error;
mod mmdb;
pub(crate) mod networks;
pub(crate) mod record;
mod stamp;
mod tree;

pub use error::GeoError;

use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;

use self::compact::Compact;
use self::networks::Networks;
use self::record::{Place, Record};
use self::stamp::Stamp;
use crate::origins::{Origin, OriginKeys, Origins};
use crate::{Asn, Country};

/// The country table that serves where no database is given; data/README.md tells its origin.
static EMBEDDED: &[u8] = include_bytes!("../../data/default.geo");

/// No database is larger; a path that leads to something endless must not fill the memory.
const FILE_BYTES: u64 = 1 << 30;

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
    /// Networks with a value, both families.
    pub networks: usize,
    /// The file as it was when it was read; `None` for the embedded table.
    stamp: Option<Stamp>,
}

impl GeoInfo {
    /// When the file was last written, in seconds since 1970: a database that does not say when it was
    /// built is at least so old. `None` for the embedded table.
    #[must_use]
    pub fn written_secs(&self) -> Option<i64> {
        self.stamp.as_ref().map(Stamp::written_secs)
    }
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
    pub fn load(files: &GeoFiles, overrides: &[Override]) -> Result<Self, GeoError> {
        Self::load_after(files, overrides, None)
    }

    /// The same, but databases that `before` has read and that did not change since are shared with
    /// it, not read again.
    ///
    /// # Errors
    /// As [`Geo::load`].
    pub fn load_after(
        files: &GeoFiles,
        overrides: &[Override],
        before: Option<&Self>,
    ) -> Result<Self, GeoError> {
        let old = before.map(|geo| (geo.origins.places(), &geo.country));
        let (places, country) = match (&files.country, old) {
            (Some(path), old) => keep_or_read(path, old)?,
            (None, Some((places, info))) if info.embedded => (Arc::clone(places), info.clone()),
            (None, _) => embedded()?,
        };
        let old = before.and_then(|geo| Some((geo.origins.operators(), geo.asn.as_ref()?)));
        let (operators, asn) = match &files.asn {
            Some(path) => {
                let (operators, info) = keep_or_read(path, old)?;
                (operators, Some(info))
            }
            None => (Networks::none().share(), None),
        };
        let origins = Arc::new(Origins::over(places, operators, overrides));
        Ok(Self { origins, country, asn })
    }

    /// The databases behind a ruleset.
    pub(crate) fn of(origins: &Arc<Origins>, country: GeoInfo, asn: Option<GeoInfo>) -> Self {
        Self { origins: Arc::clone(origins), country, asn }
    }

    /// The same databases under other overrides.
    #[must_use]
    pub fn under(&self, overrides: &[Override]) -> Self {
        let origins = Arc::new(self.origins.under(overrides));
        Self { origins, country: self.country.clone(), asn: self.asn.clone() }
    }

    /// The country that the database gives an address, whatever the overrides say.
    #[must_use]
    pub fn database_country(&self, address: IpAddr) -> Option<Country> {
        self.origins.database_country(address)
    }

    /// Whether the databases of both say the same of every address.
    pub(crate) fn same_data(&self, other: &Self) -> bool {
        self.origins.same_data(&other.origins)
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

/// Turns a country database into the compact form that the embedded default is stored in.
///
/// # Errors
/// As [`Geo::load`].
pub fn pack(path: &Path, source: &str, licence: &str) -> Result<Vec<u8>, GeoError> {
    let (networks, info) = read::<Place>(path)?;
    let compact = Compact {
        networks,
        build_epoch_secs: info.build_epoch_secs.unwrap_or(0),
        source: source.to_owned(),
        licence: licence.to_owned(),
        count: info.networks,
    };
    Ok(compact.pack())
}

/// Reads what [`pack`] wrote, as the embedded table is read at start; answers how many networks it has.
///
/// # Errors
/// What is wrong with it.
pub fn unpack(bytes: &[u8]) -> Result<usize, GeoError> {
    let compact = Compact::unpack(bytes).map_err(|reason| GeoError::Embedded { reason })?;
    Ok(compact.count)
}

/// A database that was read before, if its file is still the same.
type Old<'a, T> = Option<(&'a Arc<Networks<T>>, &'a GeoInfo)>;

fn keep_or_read<T: Record>(
    path: &Path,
    old: Old<'_, T>,
) -> Result<(Arc<Networks<T>>, GeoInfo), GeoError> {
    if let Some((networks, info)) = old
        && let Some(stamp) = &info.stamp
        && stamp.holds(path)
    {
        return Ok((Arc::clone(networks), info.clone()));
    }
    read(path).map(|(networks, info)| (networks.share(), info))
}

fn embedded() -> Result<(Arc<Networks<Place>>, GeoInfo), GeoError> {
    let compact = Compact::unpack(EMBEDDED).map_err(|reason| GeoError::Embedded { reason })?;
    let info = GeoInfo {
        source: format!("embedded, {} ({})", compact.source, compact.licence),
        embedded: true,
        build_epoch_secs: Some(compact.build_epoch_secs),
        networks: compact.count,
        stamp: None,
    };
    Ok((compact.networks.share(), info))
}

fn read<T: Record>(path: &Path) -> Result<(Networks<T>, GeoInfo), GeoError> {
    let (bytes, stamp) = bytes(path)?;
    let named =
        |extension: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
    let (networks, count, build_epoch_secs, kind) = if named("csv") {
        let (networks, count) = csv::read(&bytes).map_err(|(line, reason)| GeoError::Line {
            path: path.into(),
            line,
            reason,
        })?;
        (networks, count, None, "a CSV file".to_owned())
    } else {
        let database =
            mmdb::read(&bytes).map_err(|reason| GeoError::Damaged { path: path.into(), reason })?;
        let kind = format!("of the type {:?}", database.kind);
        (database.networks, database.count, Some(database.build_epoch_secs), kind)
    };
    if count == 0 {
        return Err(GeoError::Nothing { path: path.into(), what: T::WHAT, kind });
    }
    let source = path.display().to_string();
    let (embedded, stamp) = (false, Some(stamp));
    Ok((networks, GeoInfo { source, embedded, build_epoch_secs, networks: count, stamp }))
}

/// What a file holds, and what it was like before it was read.
fn bytes(path: &Path) -> Result<(Vec<u8>, Stamp), GeoError> {
    let fail = |source| GeoError::Read { path: path.into(), source };
    let unfit = |reason: &str| GeoError::Unfit { path: path.into(), reason: reason.into() };
    // Asked before opening: to open a pipe is to wait for its writer.
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(unfit("is not a file; give the path of an .mmdb or .csv file"));
    }
    let file = std::fs::File::open(path).map_err(fail)?;
    let facts = file.metadata().map_err(fail)?;
    let stamp = Stamp::new(path, &facts);
    let mut bytes = Vec::with_capacity(facts.len().min(FILE_BYTES) as usize + 1);
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    match bytes.len() as u64 {
        0 => Err(unfit("is empty; download it again")),
        1..=FILE_BYTES => Ok((bytes, stamp)),
        _ => Err(unfit("is larger than 1 GiB; give a country or ASN database")),
    }
}
