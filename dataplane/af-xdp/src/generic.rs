//! Generic netlink: one request to a family of messages that the kernel knows by name, one answer.
//!
//! ```text
//!  request:  nlmsghdr 16 | genlmsghdr 4 | attributes
//! ```
//! Source: `Documentation/userspace-api/netlink/intro.rst`, `include/uapi/linux/genetlink.h`.

use rustix::io::Errno;
use rustix::net::netlink::GENERIC;

use crate::netlink::{find, put, talk};

const CONTROL_ID: u16 = 16;
const GETFAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const HEADER_BYTES: usize = 16;
const GENERIC_BYTES: usize = 4;
const ERROR: u16 = 2;
pub(crate) const REQUEST: u16 = 1;
pub(crate) const ACK: u16 = 4;

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
        // 0 acknowledges, and is no error that rustix would take.
        return match code {
            0 => Ok(Vec::new()),
            _ => Err(Errno::from_raw_os_error(code.wrapping_neg())),
        };
    }
    Ok(body.get(GENERIC_BYTES..).ok_or(Errno::PROTO)?.to_vec())
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
