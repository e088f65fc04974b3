//! Ethtool's generic netlink: features of an interface by their names, queues and rings by number.
//!
//! It is here because a NIC that takes VLAN tags out of frames hides them from an XDP program, and
//! the tag does not come back when the frame leaves. No `unsafe`: messages are written and read as
//! bytes.
//!
//! ```text
//!  request:  nlmsghdr 16 | genlmsghdr 4 | header: device index, flags | wanted: bits: name, value..
//! ```
//! Source: `Documentation/networking/ethtool-netlink.rst`, `net/ethtool/features.c`.

use rustix::io::Errno;

use crate::generic::{ask, family};
use crate::netlink::{ACK, NESTED, REQUEST, each, find, put};

const FAMILY: &str = "ethtool";

const FEATURES_GET: u8 = 11;
const FEATURES_SET: u8 = 12;
const FEATURES_HEADER: u16 = 1;
const FEATURES_HW: u16 = 2;
const FEATURES_WANTED: u16 = 3;
const FEATURES_ACTIVE: u16 = 4;
const FEATURES_NOCHANGE: u16 = 5;
const HEADER_INDEX: u16 = 1;
const HEADER_FLAGS: u16 = 3;
const OMIT_REPLY: u32 = 2;
const BITSET_BITS: u16 = 3;
const BITS_BIT: u16 = 1;
const BIT_NAME: u16 = 2;
const BIT_VALUE: u16 = 3;

/// The names of all features that are on.
pub(crate) fn active(index: u32) -> Result<Vec<String>, Errno> {
    let reply = ask(family(FAMILY)?, FEATURES_GET, REQUEST, &header(index, 0))?;
    Ok(bits(&reply, FEATURES_ACTIVE))
}

/// The names of the features that can be changed, and of those that are on.
pub(crate) fn features(index: u32) -> Result<[Vec<String>; 2], Errno> {
    let reply = ask(family(FAMILY)?, FEATURES_GET, REQUEST, &header(index, 0))?;
    let fixed = bits(&reply, FEATURES_NOCHANGE);
    // This set alone lists all features, and gives those that it has a value.
    let hardware = each(set(&reply, FEATURES_HW), BITS_BIT);
    let mut free: Vec<_> =
        hardware.filter(|bit| find(bit, BIT_VALUE).is_some()).filter_map(name).collect();
    free.retain(|name| !fixed.contains(name));
    Ok([free, bits(&reply, FEATURES_ACTIVE)])
}

/// Queues or descriptors, as the driver counts them: `command` asks, `kinds` are attributes of the
/// answer. Those that the driver does not have are left out of it.
pub(crate) fn numbers<const N: usize>(
    index: u32,
    command: u8,
    kinds: [u16; N],
) -> Result<[Option<u32>; N], Errno> {
    let reply = ask(family(FAMILY)?, command, REQUEST, &header(index, 0))?;
    let number = |kind| Some(u32::from_ne_bytes(find(&reply, kind)?.try_into().ok()?));
    Ok(kinds.map(number))
}

fn bits(reply: &[u8], kind: u16) -> Vec<String> {
    each(set(reply, kind), BITS_BIT).filter_map(name).collect()
}

fn set(reply: &[u8], kind: u16) -> &[u8] {
    find(reply, kind).and_then(|set| find(set, BITSET_BITS)).unwrap_or(&[])
}

fn name(bit: &[u8]) -> Option<String> {
    find(bit, BIT_NAME).map(text)
}

/// Asks the driver to turn features on or off. What it cannot change it leaves as it is, without an
/// error: ask again with [`active`].
pub(crate) fn turn(index: u32, names: &[&str], on: bool) -> Result<(), Errno> {
    let mut bits = Vec::new();
    for name in names {
        let mut bit = Vec::new();
        put(&mut bit, BIT_NAME, &[name.as_bytes(), &[0]].concat());
        if on {
            put(&mut bit, BIT_VALUE, &[]);
        }
        put(&mut bits, BITS_BIT | NESTED, &bit);
    }
    let mut wanted = Vec::new();
    put(&mut wanted, BITSET_BITS | NESTED, &bits);
    let mut attributes = header(index, OMIT_REPLY);
    put(&mut attributes, FEATURES_WANTED | NESTED, &wanted);
    ask(family(FAMILY)?, FEATURES_SET, REQUEST | ACK, &attributes).map(drop)
}

fn header(index: u32, flags: u32) -> Vec<u8> {
    let mut inner = Vec::new();
    put(&mut inner, HEADER_INDEX, &index.to_ne_bytes());
    put(&mut inner, HEADER_FLAGS, &flags.to_ne_bytes());
    let mut header = Vec::new();
    put(&mut header, FEATURES_HEADER | NESTED, &inner);
    header
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned()
}
