//! Features of an interface by ethtool's generic netlink: asked for and set by their names.
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
use rustix::net::netlink::GENERIC;

use crate::netlink::{NESTED, each, find, put, talk};

const CONTROL_ID: u16 = 16;
const GETFAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const FEATURES_GET: u8 = 11;
const FEATURES_SET: u8 = 12;
const FEATURES_HEADER: u16 = 1;
const FEATURES_WANTED: u16 = 3;
const FEATURES_ACTIVE: u16 = 4;
const HEADER_INDEX: u16 = 1;
const HEADER_FLAGS: u16 = 3;
const OMIT_REPLY: u32 = 2;
const BITSET_BITS: u16 = 3;
const BITS_BIT: u16 = 1;
const BIT_NAME: u16 = 2;
const BIT_VALUE: u16 = 3;

const HEADER_BYTES: usize = 16;
const GENERIC_BYTES: usize = 4;
const ERROR: u16 = 2;
const REQUEST: u16 = 1;
const ACK: u16 = 4;

/// The names of all features that are on.
pub(crate) fn active(index: u32) -> Result<Vec<String>, Errno> {
    let reply = ask(family()?, FEATURES_GET, REQUEST, &header(index, 0))?;
    let bits = find(&reply, FEATURES_ACTIVE).and_then(|set| find(set, BITSET_BITS));
    let name = |bit| find(bit, BIT_NAME).map(text);
    Ok(each(bits.unwrap_or(&[]), BITS_BIT).filter_map(name).collect())
}

/// Asks the driver to turn features on or off. What it cannot change it leaves as it is, without an
/// error: ask again with [`active`].
pub(crate) fn set(index: u32, names: &[&str], on: bool) -> Result<(), Errno> {
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
    ask(family()?, FEATURES_SET, REQUEST | ACK, &attributes).map(drop)
}

/// The number that this kernel gave to the family of messages.
fn family() -> Result<u16, Errno> {
    let mut attributes = Vec::new();
    put(&mut attributes, FAMILY_NAME, b"ethtool\0");
    let reply = ask(CONTROL_ID, GETFAMILY, REQUEST, &attributes)?;
    let id = find(&reply, FAMILY_ID).and_then(|id| id.try_into().ok());
    id.map(u16::from_ne_bytes).ok_or(Errno::PROTO)
}

fn header(index: u32, flags: u32) -> Vec<u8> {
    let mut inner = Vec::new();
    put(&mut inner, HEADER_INDEX, &index.to_ne_bytes());
    put(&mut inner, HEADER_FLAGS, &flags.to_ne_bytes());
    let mut header = Vec::new();
    put(&mut header, FEATURES_HEADER | NESTED, &inner);
    header
}

/// One request and the attributes of its answer; an acknowledgement has none.
fn ask(family: u16, command: u8, how: u16, attributes: &[u8]) -> Result<Vec<u8>, Errno> {
    let len = HEADER_BYTES + GENERIC_BYTES + attributes.len();
    let mut request = Vec::with_capacity(len);
    request.extend((len as u32).to_ne_bytes());
    request.extend([family, how].map(u16::to_ne_bytes).concat());
    request.extend([1, 0].map(u32::to_ne_bytes).concat()); // sequence, port: the kernel's
    request.extend([command, 1, 0, 0]);
    request.extend(attributes);
    let reply = talk(Some(GENERIC), &request)?;
    let kind = reply.get(4..6).and_then(|kind| kind.try_into().ok()).map(u16::from_ne_bytes);
    let body = reply.get(HEADER_BYTES..).ok_or(Errno::PROTO)?;
    if kind == Some(ERROR) {
        let code = body.first_chunk().map(|code| i32::from_ne_bytes(*code)).ok_or(Errno::PROTO)?;
        return if code == 0 { Ok(Vec::new()) } else { Err(Errno::from_raw_os_error(-code)) };
    }
    Ok(body.get(GENERIC_BYTES..).ok_or(Errno::PROTO)?.to_vec())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned()
}
