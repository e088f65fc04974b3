//! pcapng: a file of blocks, of which few matter here.
//!
//! ```text
//!  type  length  body (to a multiple of 4)  length
//!  section header: byte order      interface: link type, unit of time
//!  enhanced, simple and old packets: interface, time, what was kept
//! ```

use std::io::Read;

use super::capture::{CaptureError, Input, PACKET_BYTES, Record, body};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// More interfaces than any host has.
const INTERFACES: usize = 4096;
/// The largest description of an interface that is read.
const DESCRIPTION_BYTES: u32 = 64 << 10;

/// Where packets of a section were captured.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u16,
    snap_bytes: u32,
    /// Units of time a second.
    per_s: u64,
    offset_s: i64,
}

/// The section that is being read.
#[derive(Debug, Default)]
pub(super) struct Ng {
    interfaces: Vec<Interface>,
    /// The time of the packet before: simple packets have none of their own.
    last_ns: u64,
}

impl Ng {
    /// Reads the first section's header, after the four bytes of its type.
    pub(super) fn open<R: Read>(input: &mut Input<R>) -> Result<Self, CaptureError> {
        let mut ng = Self::default();
        ng.section(input)?;
        Ok(ng)
    }

    /// A section's header, after its type: from here on the order of bytes may be another.
    fn section<R: Read>(&mut self, input: &mut Input<R>) -> Result<(), CaptureError> {
        let mut head = [0; 8];
        input.need(&mut head)?;
        let [a, b, c, d, order @ ..] = head;
        input.big_endian = match order {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return Err(input.damaged("a section without a byte order")),
        };
        let length = input.u32_of([a, b, c, d]);
        if length < 28 || !length.is_multiple_of(4) {
            return Err(input.damaged("a section header of an impossible length"));
        }
        self.interfaces.clear();
        input.skip(u64::from(length) - 12)
    }

    /// The next packet; `None` at a proper end.
    pub(super) fn next<'a, R: Read>(
        &mut self,
        input: &mut Input<R>,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Option<Record<'a>>, CaptureError> {
        loop {
            let mut kind = [0; 4];
            if !input.fill(&mut kind)? {
                return Ok(None);
            }
            let kind = input.u32_of(kind);
            // Reads the same in both orders.
            if kind == SECTION {
                self.section(input)?;
                continue;
            }
            let mut length = [0; 4];
            input.need(&mut length)?;
            let length = input.u32_of(length);
            if length < 12 || !length.is_multiple_of(4) {
                return Err(input.damaged("a block of an impossible length"));
            }
            // What stands between the two lengths.
            let inner = length - 12;
            let found = match kind {
                INTERFACE => {
                    self.interface(input, buffer, inner)?;
                    None
                }
                ENHANCED_PACKET | OLD_PACKET => Some(self.packet(input, buffer, inner, kind)?),
                SIMPLE_PACKET => Some(self.simple(input, buffer, inner)?),
                _ => {
                    input.skip(u64::from(inner))?;
                    None
                }
            };
            input.skip(4)?;
            if let Some((time_ns, link, wire_bytes)) = found {
                self.last_ns = time_ns;
                return Ok(Some(Record { time_ns, link, wire_bytes, bytes: buffer }));
            }
        }
    }

    fn interface<R: Read>(
        &mut self,
        input: &mut Input<R>,
        buffer: &mut Vec<u8>,
        inner: u32,
    ) -> Result<(), CaptureError> {
        if !(8..=DESCRIPTION_BYTES).contains(&inner) || self.interfaces.len() == INTERFACES {
            return Err(input.damaged("an interface that cannot be one"));
        }
        body(input, buffer, inner)?;
        let mut found = Interface {
            link: input.u16_of([buffer[0], buffer[1]]),
            snap_bytes: input.u32_of([buffer[4], buffer[5], buffer[6], buffer[7]]),
            per_s: 1_000_000,
            offset_s: 0,
        };
        let mut options = &buffer[8..];
        while let [a, b, c, d, rest @ ..] = options {
            let (code, length) = (input.u16_of([*a, *b]), usize::from(input.u16_of([*c, *d])));
            let Some(value) = rest.get(..length) else { break };
            match (code, value) {
                (0, _) => break,
                // if_tsresol: a power of 10, or of 2 when the highest bit is set.
                (9, [power]) if power & 0x80 != 0 => {
                    found.per_s = 1_u64.checked_shl(u32::from(power & 0x7f)).unwrap_or(0);
                }
                (9, [power]) => found.per_s = 10_u64.checked_pow(u32::from(*power)).unwrap_or(0),
                (14, [a, b, c, d, e, f, g, h]) => {
                    let bytes = [*a, *b, *c, *d, *e, *f, *g, *h];
                    found.offset_s = match input.big_endian {
                        true => i64::from_be_bytes(bytes),
                        false => i64::from_le_bytes(bytes),
                    };
                }
                _ => {}
            }
            options = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        if found.per_s == 0 {
            return Err(input.damaged("a unit of time that no clock has"));
        }
        self.interfaces.push(found);
        Ok(())
    }

    /// An enhanced packet, or one of the old kind: its time, link type and length on the wire.
    fn packet<R: Read>(
        &self,
        input: &mut Input<R>,
        buffer: &mut Vec<u8>,
        inner: u32,
        kind: u32,
    ) -> Result<(u64, u16, u32), CaptureError> {
        let mut head = [0; 20];
        if inner < 20 {
            return Err(input.damaged("a packet without a head"));
        }
        input.need(&mut head)?;
        let number = |at: usize| input.u32_of([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let interface = match kind {
            OLD_PACKET => u32::from(input.u16_of([head[0], head[1]])),
            _ => number(0),
        };
        let Some(interface) = self.interfaces.get(interface as usize) else {
            return Err(input.damaged("a packet of no interface"));
        };
        let (units, kept, wire_bytes) =
            (u64::from(number(4)) << 32 | u64::from(number(8)), number(12), number(16));
        if u64::from(kept) > u64::from(inner - 20) {
            return Err(input.damaged("a packet that is larger than its block"));
        }
        body(input, buffer, kept)?;
        input.skip(u64::from(inner - 20 - kept))?;
        Ok((interface.time_ns(units), interface.link, wire_bytes))
    }

    /// A packet without a time, of the first interface.
    fn simple<R: Read>(
        &self,
        input: &mut Input<R>,
        buffer: &mut Vec<u8>,
        inner: u32,
    ) -> Result<(u64, u16, u32), CaptureError> {
        let Some(interface) = self.interfaces.first() else {
            return Err(input.damaged("a packet of no interface"));
        };
        let mut wire = [0; 4];
        if inner < 4 {
            return Err(input.damaged("a packet without a head"));
        }
        input.need(&mut wire)?;
        let wire_bytes = input.u32_of(wire);
        let snap = if interface.snap_bytes == 0 { PACKET_BYTES } else { interface.snap_bytes };
        let kept = wire_bytes.min(snap).min(inner - 4);
        body(input, buffer, kept)?;
        input.skip(u64::from(inner - 4 - kept))?;
        Ok((self.last_ns, interface.link, wire_bytes))
    }
}

impl Interface {
    /// Nanoseconds since 1970 of a number of units.
    fn time_ns(&self, units: u64) -> u64 {
        let ns = u128::from(units) * 1_000_000_000 / u128::from(self.per_s);
        let ns = i128::try_from(ns).unwrap_or(i128::MAX);
        let ns = ns.saturating_add(i128::from(self.offset_s) * 1_000_000_000);
        u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
    }
}
