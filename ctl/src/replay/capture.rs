//! Captures: pcap and pcapng, read as a stream, whoever wrote them.
//!
//! A file says how long each of its parts is; nothing here believes it further than a bound. What is
//! wrong is an error with its place, a file that ends in the middle is one too, and no byte leads to
//! a panic. Costs: one buffer of the largest packet.
//!
//! Sources: <https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcap>,
//! <https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcapng>.

use std::io::{self, BufRead, Read};

use super::ng::Ng;

/// No packet is larger (the largest snapshot length of tcpdump).
pub(super) const PACKET_BYTES: u32 = 256 << 10;

/// One packet of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// When it was captured, nanoseconds since 1970 UTC.
    pub(super) time_ns: u64,
    /// How the link is framed (LINKTYPE_…).
    pub(super) link: u16,
    /// How long it was on the wire.
    pub(super) wire_bytes: u32,
    /// What was kept of it.
    pub(super) bytes: &'a [u8],
}

/// Why a capture is not read further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    /// Something else altogether.
    #[error(
        "it is no capture: give a pcap or pcapng file, or flows as `palisade flows --json` \
         writes them"
    )]
    Strange,
    /// It ends within a packet.
    #[error("it ends in the middle, after {0} bytes: was the recording cut off?")]
    Cut(u64),
    /// It contradicts itself.
    #[error("it is damaged at byte {at}: {what}")]
    Damaged {
        /// Where.
        at: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// The system cannot read it.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// Bytes of a capture, counted.
#[derive(Debug)]
pub(super) struct Input<R> {
    inner: R,
    pub(super) at: u64,
    pub(super) big_endian: bool,
}

impl<R: Read> Input<R> {
    /// Exactly these bytes; `false` when the file ends right before them.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) -> Result<bool, CaptureError> {
        let mut done = 0;
        while done < bytes.len() {
            match self.inner.read(&mut bytes[done..]) {
                Ok(0) if done == 0 => return Ok(false),
                Ok(0) => return Err(CaptureError::Cut(self.at)),
                Ok(count) => {
                    done += count;
                    self.at += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Exactly these bytes.
    pub(super) fn need(&mut self, bytes: &mut [u8]) -> Result<(), CaptureError> {
        if bytes.is_empty() || self.fill(bytes)? { Ok(()) } else { Err(CaptureError::Cut(self.at)) }
    }

    /// Leaves out so many bytes.
    pub(super) fn skip(&mut self, count: u64) -> Result<(), CaptureError> {
        let skipped = io::copy(&mut (&mut self.inner).take(count), &mut io::sink())?;
        self.at += skipped;
        if skipped == count { Ok(()) } else { Err(CaptureError::Cut(self.at)) }
    }

    /// An error at the place that was reached.
    pub(super) fn damaged(&self, what: &'static str) -> CaptureError {
        CaptureError::Damaged { at: self.at, what }
    }

    /// A number of 32 bits in the file's order.
    pub(super) fn u32_of(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// A number of 16 bits in the file's order.
    pub(super) fn u16_of(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }
}

/// A capture that is being read.
#[derive(Debug)]
pub(super) struct Capture<R> {
    input: Input<R>,
    form: Form,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Form {
    /// pcap: how the link is framed, nanoseconds of a unit of time.
    Plain {
        link: u16,
        unit_ns: u64,
    },
    Ng(Ng),
}

impl<R: BufRead> Capture<R> {
    /// Reads the head of a file.
    pub(super) fn open(inner: R) -> Result<Self, CaptureError> {
        let mut input = Input { inner, at: 0, big_endian: false };
        let mut magic = [0; 4];
        match input.fill(&mut magic) {
            Ok(true) => {}
            Ok(false) | Err(CaptureError::Cut(_)) => return Err(CaptureError::Strange),
            Err(error) => return Err(error),
        }
        let (big_endian, unit_ns) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1000),
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1),
            [0x0a, 0x0d, 0x0d, 0x0a] => {
                let ng = Ng::open(&mut input)?;
                return Ok(Self { input, form: Form::Ng(ng), buffer: Vec::new() });
            }
            _ => return Err(CaptureError::Strange),
        };
        input.big_endian = big_endian;
        let mut rest = [0; 20];
        input.need(&mut rest)?;
        // Above the link type stand bits about frame check sequences.
        let link = input.u32_of([rest[16], rest[17], rest[18], rest[19]]) as u16;
        Ok(Self { input, form: Form::Plain { link, unit_ns }, buffer: Vec::new() })
    }

    /// The next packet; `None` at a proper end.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, CaptureError> {
        let Self { input, form, buffer } = self;
        match form {
            Form::Plain { link, unit_ns } => plain(input, buffer, *link, *unit_ns),
            Form::Ng(ng) => ng.next(input, buffer),
        }
    }
}

/// The next packet of a pcap file.
fn plain<'a, R: Read>(
    input: &mut Input<R>,
    buffer: &'a mut Vec<u8>,
    link: u16,
    unit_ns: u64,
) -> Result<Option<Record<'a>>, CaptureError> {
    let mut head = [0; 16];
    if !input.fill(&mut head)? {
        return Ok(None);
    }
    let [seconds, fraction, kept, wire_bytes] =
        [0, 4, 8, 12].map(|at| input.u32_of([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    body(input, buffer, kept)?;
    let time_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * unit_ns;
    Ok(Some(Record { time_ns, link, wire_bytes, bytes: buffer }))
}

/// Reads what was kept of a packet.
pub(super) fn body<R: Read>(
    input: &mut Input<R>,
    buffer: &mut Vec<u8>,
    kept: u32,
) -> Result<(), CaptureError> {
    if kept > PACKET_BYTES {
        return Err(input.damaged("a packet that is larger than 256 KiB"));
    }
    buffer.resize(kept as usize, 0);
    input.need(buffer)
}
