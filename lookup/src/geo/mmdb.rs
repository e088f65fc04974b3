//! MaxMind DB files: networks with their country or operator.
//!
//! A record is decoded once, however many networks point at it. Everything is checked before
//! anything is taken: metadata and layout by `maxminddb`, the tree by [`super::tree`], each record
//! by decoding it.
//!
//! Source: <https://maxmind.github.io/MaxMind-DB/>.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};

use maxminddb::Reader;

use super::networks::{Net, Networks};
use super::record::Record;
use super::tree::{Leaf, Tree};
use crate::{Address, Prefix, Ranges};

/// What a file holds.
pub(super) struct Database<T> {
    pub(super) networks: Networks<T>,
    pub(super) build_epoch_secs: u64,
    /// What its publisher calls it.
    pub(super) kind: String,
    /// Networks with a value, as the database cuts them.
    pub(super) count: usize,
}

/// Reads a whole file. The error is what is wrong with it.
pub(super) fn read<T: Record>(bytes: &[u8]) -> Result<Database<T>, String> {
    let reader = Reader::from_source(bytes).map_err(|error| error.to_string())?;
    let metadata = reader.metadata();
    let tree = Tree::new(bytes, metadata.node_count, metadata.record_size);
    let mut networks = Networks::none();
    let mut records =
        Records { reader: &reader, known: HashMap::with_hasher(Keyed::random()), count: 0 };
    if metadata.ip_version == 4 {
        networks.v4 = records.walk(&tree, 0, None, &mut Vec::new())?;
    } else {
        let root = tree.ipv4_root()?;
        let alias = (root < metadata.node_count as usize).then_some(root);
        networks.v4 = records.walk(&tree, root, None, &mut Vec::new())?;
        networks.v6 = records.walk(&tree, 0, alias, &mut networks.aliases)?;
    }
    Ok(Database {
        networks,
        build_epoch_secs: metadata.build_epoch,
        kind: metadata.database_type.clone(),
        count: records.count,
    })
}

/// Records by their offset.
struct Records<'a, T> {
    reader: &'a Reader<&'a [u8]>,
    known: HashMap<usize, Option<T>, Keyed>,
    count: usize,
}

impl<T: Record> Records<'_, T> {
    fn walk<A: Address + Into<Key>>(
        &mut self,
        tree: &Tree<'_>,
        root: usize,
        alias: Option<usize>,
        aliases: &mut Vec<Prefix<u128>>,
    ) -> Result<Ranges<A, Net<T>>, String> {
        let mut ranges = Ranges::new(Net::NONE);
        tree.walk::<A>(root, alias, |prefix, leaf| {
            let value = match leaf {
                Leaf::Data(offset) => self.value(offset, prefix.first().into())?,
                Leaf::Empty => None,
                Leaf::Alias => {
                    if let Key(IpAddr::V6(first)) = prefix.first().into() {
                        aliases.push(Prefix::new(first.into(), prefix.bits()));
                    }
                    None
                }
            };
            self.count += usize::from(value.is_some());
            let bits = if value.is_some() { prefix.bits() } else { 0 };
            ranges.append(prefix.first(), Net { value, bits });
            Ok(())
        })?;
        Ok(ranges)
    }

    /// The value of the record at `offset`, which is that of the network of `key`.
    fn value(&mut self, offset: usize, key: Key) -> Result<Option<T>, String> {
        if let Some(&value) = self.known.get(&offset) {
            return Ok(value);
        }
        let wrong = |error| format!("the record of {}: {error}", key.0);
        let found = self.reader.lookup(key.0).map_err(wrong)?;
        let fields = found.decode::<T::Fields>().map_err(wrong)?;
        let value = fields.as_ref().and_then(T::of);
        self.known.insert(offset, value);
        Ok(value)
    }
}

/// A hash of offsets in one multiplication. They come from a file, so it has a random key.
#[derive(Clone, Copy)]
struct Keyed(u64);

impl Keyed {
    fn random() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_usize(byte.into()));
    }

    fn write_usize(&mut self, number: usize) {
        let wide = u128::from(self.0 ^ number as u64) * 0x9e37_79b9_7f4a_7c15;
        self.0 = wide as u64 ^ (wide >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// An address as `maxminddb` is asked for it.
#[derive(Clone, Copy)]
struct Key(IpAddr);

impl From<u32> for Key {
    fn from(address: u32) -> Self {
        Self(IpAddr::V4(address.into()))
    }
}

impl From<u128> for Key {
    fn from(address: u128) -> Self {
        Self(IpAddr::V6(Ipv6Addr::from(address)))
    }
}
