//! Netlink, as little as asking for interfaces and changing one takes.
//!
//! It is here because the program is attached by `RTM_SETLINK`: what is attached so outlives the
//! process, and with it the fail mode that the operator declared. No `unsafe`: messages are written
//! and read as bytes.
//!
//! ```text
//!  request:  nlmsghdr 16 | ifinfomsg 16 | attribute: len u16, kind u16, payload, padding to 4 | ..
//! ```
//! Source: `include/uapi/linux/{netlink,rtnetlink,if_link}.h`.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto,
    socket_with,
};

const NEWLINK: u16 = 16;
const GETLINK: u16 = 18;
const SETLINK: u16 = 19;
const ERROR: u16 = 2;
const DONE: u16 = 3;
pub(crate) const REQUEST: u16 = 1;
pub(crate) const ACK: u16 = 4;
const DUMP: u16 = 0x300;
/// Marks an attribute whose payload is attributes.
pub(crate) const NESTED: u16 = 0x8000;

/// Attributes of a link (`IFLA_*`).
pub(crate) mod link {
    pub(crate) const NAME: u16 = 3;
    pub(crate) const MTU: u16 = 4;
    pub(crate) const LOWER: u16 = 5;
    pub(crate) const MASTER: u16 = 10;
    pub(crate) const INFO: u16 = 18;
    pub(crate) const TX_QUEUES: u16 = 31;
    pub(crate) const RX_QUEUES: u16 = 32;
    pub(crate) const CARRIER: u16 = 33;
    pub(crate) const NETNS_ID: u16 = 37;
    pub(crate) const PERM_ADDRESS: u16 = 54;
    pub(crate) const INFO_KIND: u16 = 1;
    pub(crate) const XDP: u16 = 43;
    pub(crate) const XDP_FD: u16 = 1;
    pub(crate) const XDP_FLAGS: u16 = 3;
    pub(crate) const XDP_DRV_ID: u16 = 5;
    pub(crate) const XDP_SKB_ID: u16 = 6;
    pub(crate) const XDP_HW_ID: u16 = 7;
    pub(crate) const XDP_EXPECTED_FD: u16 = 8;
}

const HEADER_BYTES: usize = 16;
/// The largest error number (`include/linux/err.h`).
const MAX_ERRNO: i32 = 4095;
const INFO_BYTES: usize = 16;

/// What the kernel says about a link.
#[derive(Debug)]
pub(crate) struct Link {
    /// The type of its device (`ARPHRD_*`).
    pub(crate) device: u16,
    pub(crate) index: u32,
    pub(crate) flags: u32,
    attributes: Vec<u8>,
}

impl Link {
    /// The payload of an attribute; each kind of `path` nests in the one before.
    pub(crate) fn attribute(&self, path: &[u16]) -> Option<&[u8]> {
        path.iter().try_fold(self.attributes.as_slice(), |within, kind| find(within, *kind))
    }

    pub(crate) fn number(&self, path: &[u16]) -> Option<u32> {
        Some(u32::from_ne_bytes(self.attribute(path)?.try_into().ok()?))
    }

    pub(crate) fn text(&self, path: &[u16]) -> Option<String> {
        let text = self.attribute(path)?;
        let text = text.strip_suffix(&[0]).unwrap_or(text);
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

/// Asks for the link with this name.
pub(crate) fn by_name(name: &str) -> Result<Link, Errno> {
    // The kernel's limit, with the closing 0.
    if name.is_empty() || name.len() > 15 {
        return Err(Errno::NODEV);
    }
    let mut attributes = Vec::new();
    put(&mut attributes, link::NAME, &[name.as_bytes(), &[0]].concat());
    ask(0, &attributes)
}

/// Asks for the link with this index.
pub(crate) fn by_index(index: u32) -> Result<Link, Errno> {
    ask(index, &[])
}

/// Sets those of a link's `IFF_*` flags that `mask` has to `flags`, and its attributes.
pub(crate) fn change(index: u32, flags: u32, mask: u32, attributes: &[u8]) -> Result<(), Errno> {
    let reply = talk(None, &message(SETLINK, REQUEST | ACK, index, flags, mask, attributes))?;
    parse(&reply).map(|_| ())
}

/// Appends an attribute.
pub(crate) fn put(to: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    let len = (4 + payload.len()) as u16;
    to.extend(len.to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(payload);
    to.resize(to.len().next_multiple_of(4), 0);
}

fn ask(index: u32, attributes: &[u8]) -> Result<Link, Errno> {
    let reply = talk(None, &message(GETLINK, REQUEST, index, 0, 0, attributes))?;
    parse(&reply)?.ok_or(Errno::PROTO)
}

fn message(kind: u16, how: u16, index: u32, flags: u32, mask: u32, attributes: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 4]; // family, padding, device type
    body.extend([index, flags, mask].map(u32::to_ne_bytes).concat());
    body.extend(attributes);
    request(kind, how, &body)
}

/// A message of this kind.
pub(crate) fn request(kind: u16, how: u16, body: &[u8]) -> Vec<u8> {
    let len = HEADER_BYTES + body.len();
    let mut bytes = Vec::with_capacity(len);
    bytes.extend((len as u32).to_ne_bytes());
    bytes.extend([kind, how].map(u16::to_ne_bytes).concat());
    bytes.extend([1, 0].map(u32::to_ne_bytes).concat()); // sequence, port: the kernel's
    bytes.extend(body);
    bytes
}

/// Sends one request and receives the one answer that each of ours has. No protocol is protocol 0,
/// which for netlink is `NETLINK_ROUTE`.
pub(crate) fn talk(protocol: Option<Protocol>, request: &[u8]) -> Result<Vec<u8>, Errno> {
    let socket = open(protocol)?;
    sendto(&socket, request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    receive(&socket)
}

fn open(protocol: Option<Protocol>) -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
}

fn receive(socket: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let mut reply = vec![0; 64 << 10];
    let (len, _) = recv(socket, reply.as_mut_slice(), RecvFlags::empty())?;
    reply.truncate(len);
    Ok(reply)
}

/// Asks for all objects of a kind, and returns those answers of this kind without their headers.
pub(crate) fn dump(asked: u16, answer: u16, body: &[u8]) -> Result<Vec<Vec<u8>>, Errno> {
    let socket = open(None)?;
    let bytes = request(asked, REQUEST | DUMP, body);
    sendto(&socket, &bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut found = Vec::new();
    loop {
        let reply = receive(&socket)?;
        let mut rest = reply.as_slice();
        while let Some(header) = rest.first_chunk::<HEADER_BYTES>() {
            let len = word(header, 0).ok_or(Errno::PROTO)? as usize;
            let body = rest.get(HEADER_BYTES..len).ok_or(Errno::PROTO)?;
            match u16::from_ne_bytes([header[4], header[5]]) {
                DONE => return Ok(found),
                ERROR => return acknowledged(body).map(|()| found),
                kind if kind == answer => found.push(body.to_vec()),
                _ => {}
            }
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
}

/// The kind and the body of an answer; nothing in an acknowledgement.
pub(crate) fn answer(reply: &[u8]) -> Result<Option<(u16, &[u8])>, Errno> {
    let header = reply.first_chunk::<HEADER_BYTES>().ok_or(Errno::PROTO)?;
    let body = &reply[HEADER_BYTES..];
    match u16::from_ne_bytes([header[4], header[5]]) {
        ERROR => acknowledged(body).map(|()| None),
        kind => Ok(Some((kind, body))),
    }
}

/// What an error message says: 0 acknowledges, else it is an error number below 0.
fn acknowledged(body: &[u8]) -> Result<(), Errno> {
    match word(body, 0).ok_or(Errno::PROTO)?.cast_signed() {
        0 => Ok(()),
        code if (-MAX_ERRNO..0).contains(&code) => Err(Errno::from_raw_os_error(-code)),
        _ => Err(Errno::PROTO),
    }
}

/// Reads an answer: a link, or an acknowledgement (`None`).
fn parse(reply: &[u8]) -> Result<Option<Link>, Errno> {
    let Some((kind, body)) = answer(reply)? else { return Ok(None) };
    match kind {
        NEWLINK => {
            let device = body.get(2..4).and_then(|bytes| bytes.try_into().ok());
            let device = device.map(u16::from_ne_bytes).ok_or(Errno::PROTO)?;
            let index = word(body, 4).ok_or(Errno::PROTO)?;
            let flags = word(body, 8).ok_or(Errno::PROTO)?;
            let attributes = body.get(INFO_BYTES..).ok_or(Errno::PROTO)?.to_vec();
            Ok(Some(Link { device, index, flags, attributes }))
        }
        _ => Err(Errno::PROTO),
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The payload of the first attribute of this kind.
pub(crate) fn find(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    each(attributes, kind).next()
}

/// The payloads of all attributes of this kind, up to the first that is cut short.
pub(crate) fn each(mut attributes: &[u8], kind: u16) -> impl Iterator<Item = &[u8]> {
    let all = std::iter::from_fn(move || {
        let header = attributes.first_chunk::<4>()?;
        let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let found = u16::from_ne_bytes([header[2], header[3]]) & !NESTED;
        let payload = attributes.get(4..len)?;
        // The last one may go without its padding.
        attributes = attributes.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some((found, payload))
    });
    all.filter(move |(found, _)| *found == kind).map(|(_, payload)| payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_again_whatever_their_length() {
        for len in 0..9 {
            let payload = vec![7; len];
            let mut inner = Vec::new();
            put(&mut inner, 5, &[1; 3]);
            put(&mut inner, 6, &payload);
            let mut outer = Vec::new();
            put(&mut outer, 3, b"x\0");
            put(&mut outer, 43 | NESTED, &inner);
            let link = Link { device: 1, index: 1, flags: 0, attributes: outer };
            assert_eq!(link.attribute(&[43, 6]), Some(payload.as_slice()));
            assert_eq!(link.attribute(&[43, 7]), None);
            assert_eq!(link.text(&[3]).as_deref(), Some("x"));
        }
    }

    #[test]
    fn cut_or_false_answers_are_errors() {
        let mut attributes = Vec::new();
        put(&mut attributes, 3, b"eth0\0");
        let whole = message(NEWLINK, 0, 9, 1, 0, &attributes);
        assert!(matches!(parse(&whole), Ok(Some(Link { index: 9, flags: 1, .. }))));
        for len in 0..HEADER_BYTES + INFO_BYTES {
            assert_eq!(parse(&whole[..len]).err(), Some(Errno::PROTO), "{len} bytes");
        }
        for len in HEADER_BYTES + INFO_BYTES..whole.len() - 3 {
            let link = parse(&whole[..len]).unwrap().unwrap();
            assert_eq!(link.attribute(&[3]), None, "{len} bytes");
        }
        // A length of 0 must not run for ever.
        assert_eq!(find(&[0; 8], 3), None);
    }

    #[test]
    fn an_error_is_a_number_below_0_and_0_acknowledges() {
        let said = |code: i32| request(ERROR, 0, &code.to_ne_bytes());
        assert_eq!(answer(&said(0)), Ok(None));
        assert_eq!(answer(&said(-19)), Err(Errno::NODEV));
        for code in [1, i32::MAX, -4096, i32::MIN] {
            assert_eq!(answer(&said(code)), Err(Errno::PROTO), "{code}");
        }
        assert_eq!(answer(&said(0)[..18]), Err(Errno::PROTO), "cut");
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        assert_eq!(by_name("no-such-link").err(), Some(Errno::NODEV));
        assert_eq!(by_name("").err(), Some(Errno::NODEV));
        assert_eq!(by_name("a-name-of-more-than-15").err(), Some(Errno::NODEV));
        assert_eq!(by_index(u32::MAX >> 1).err(), Some(Errno::NODEV));
    }

    #[test]
    fn the_loopback_interface_is_there() {
        let link = by_name("lo").unwrap();
        assert_eq!(by_index(link.index).unwrap().text(&[link::NAME]).as_deref(), Some("lo"));
        assert!(link.number(&[link::MTU]).unwrap() >= 1500);
    }
}
