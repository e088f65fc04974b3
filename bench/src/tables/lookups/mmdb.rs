//! The country by the crate that reads the database itself: a walk through its tree, and the text
//! at its end.

use std::path::Path;

use lookup::ClassId;
use maxminddb::{PathElement, Reader};

use super::arms::{Kind, Table};
use super::routes::World;
use crate::error::system;
use crate::{Error, Result};

/// An open database, and the class of each country by its two letters.
pub(super) struct Database {
    reader: Reader<Vec<u8>>,
    classes: Vec<ClassId>,
    path: Vec<PathElement<'static>>,
}

/// Where databases have the country: MaxMind's, and flat ones.
const FIELDS: [&[&str]; 2] = [&["country", "iso_code"], &["country_code"]];

impl Database {
    pub(super) fn open(file: &Path, world: &World) -> Result<Self> {
        let name = file.display().to_string();
        let bytes = std::fs::read(file).map_err(system("read", &name))?;
        let unfit = |error| Error::Usage(format!("{name}: {error}; name a country database"));
        let reader = Reader::from_source(bytes).map_err(unfit)?;
        let mut classes = vec![ClassId(0); 1 << 16];
        for (class, country) in (1..).zip(&world.countries) {
            classes[place(country.as_str())] = ClassId(class);
        }
        for field in FIELDS {
            let path: Vec<_> = field.iter().map(|key| PathElement::Key(key)).collect();
            let known = reader.lookup([8, 8, 8, 8].into()).map_err(unfit)?;
            if let Ok(Some(_)) = known.decode_path::<&str>(&path) {
                return Ok(Self { reader, classes, path });
            }
        }
        Err(Error::Usage(format!("{name} has no country for 8.8.8.8; name a country database")))
    }
}

fn place(country: &str) -> usize {
    match country.as_bytes() {
        [first, second] => usize::from(*first) << 8 | usize::from(*second),
        _ => 0,
    }
}

impl<A: Kind> Table<A> for &Database {
    #[inline]
    fn find(&self, key: A) -> ClassId {
        let found = self.reader.lookup(key.address());
        let country = found.and_then(|found| found.decode_path::<&str>(&self.path));
        country.ok().flatten().map_or(ClassId(0), |country| self.classes[place(country)])
    }
}
