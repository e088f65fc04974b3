//! Generic netlink: one request to a family of messages that the kernel knows by name, one answer.
//!
//! ```text
//!  request:  nlmsghdr 16 | genlmsghdr 4 | attributes
//! ```
//! Source: `Documentation/userspace-api/netlink/intro.rst`, `include/uapi/linux/genetlink.h`.

use rustix::io::Errno;
use rustix::net::netlink::GENERIC;

use crate::netlink::{REQUEST, answer, find, put, request, talk};

const CONTROL_ID: u16 = 16;
const GETFAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const GENERIC_BYTES: usize = 4;

/// The number that this kernel gave to a family; `NOENT` where it has none of this name.
pub(crate) fn family(name: &str) -> Result<u16, Errno> {
    let mut attributes = Vec::new();
    put(&mut attributes, FAMILY_NAME, &[name.as_bytes(), &[0]].concat());
    let reply = ask(CONTROL_ID, GETFAMILY, REQUEST, &attributes)?;
    let id = find(&reply, FAMILY_ID).and_then(|id| id.try_into().ok());
    id.map(u16::from_ne_bytes).ok_or(Errno::PROTO)
}

/// One request and the attributes of its answer; an acknowledgement has none.
pub(crate) fn ask(family: u16, command: u8, how: u16, attributes: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut body = vec![command, 1, 0, 0];
    body.extend(attributes);
    let reply = talk(Some(GENERIC), &request(family, how, &body))?;
    match answer(&reply)? {
        Some((_, body)) => Ok(body.get(GENERIC_BYTES..).ok_or(Errno::PROTO)?.to_vec()),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_known_by_its_name() {
        assert_eq!(family("nlctrl"), Ok(CONTROL_ID));
        assert_eq!(family("no-such-family"), Err(Errno::NOENT));
    }
}
