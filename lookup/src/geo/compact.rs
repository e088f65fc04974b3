//! The compact form of a country table, which the embedded default is stored in.
//!
//! Networks follow each other from address 0, so a network is written as its prefix length less one
//! and its country, two bytes; it begins where the one before ended. After a gap the length has its top bit
//! set, and a number follows: how many networks of that length fit into the gap. All integers are
//! little-endian, numbers of gaps LEB128.
//!
//! ```text
//!  magic     8   "PALIGEO1"
//!  checksum  8   FNV-1a over all that follows
//!  build     8   seconds since 1970, when the database was built
//!  source    2+n what it was made from     licence  2+n
//!  codes     1+n two letters each
//!  aliases   1+n 16 bytes and a length each
//!  IPv4      4+n (length, place of the country in codes, number after a gap)
//!  IPv6      4+n
//! ```
//!
//! Costs: 2 to 3 bytes a network; unpacking 400,000 networks takes a few milliseconds.

use super::networks::{Net, Networks};
use super::record::Place;
use crate::{Address, Country, CountryFrom, Prefix, Ranges};

const MAGIC: &[u8; 8] = b"PALIGEO1";
/// In a length: a gap comes before.
const GAP: u8 = 0x80;

/// A table with what is known of it.
pub(super) struct Compact {
    pub(super) networks: Networks<Place>,
    pub(super) build_epoch_secs: u64,
    pub(super) source: String,
    pub(super) licence: String,
    pub(super) count: usize,
}

impl Compact {
    /// Writes the table. Codes beyond 255, more than there are, would be dropped.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut codes: Vec<Country> = Vec::new();
        let places = self.networks.v4.iter().map(|(.., net)| net.value);
        for place in places.chain(self.networks.v6.iter().map(|(.., net)| net.value)).flatten() {
            if let Err(at) = codes.binary_search(&place.country) {
                codes.insert(at, place.country);
            }
        }
        codes.truncate(255);
        let mut body = self.build_epoch_secs.to_le_bytes().to_vec();
        for text in [&self.source, &self.licence] {
            body.extend((text.len() as u16).to_le_bytes());
            body.extend(text.as_bytes());
        }
        body.push(codes.len() as u8);
        codes.iter().for_each(|code| body.extend(code.as_str().as_bytes()));
        body.push(self.networks.aliases.len() as u8);
        for alias in &self.networks.aliases {
            body.extend(alias.first().to_le_bytes());
            body.push(alias.bits());
        }
        pack_family(&self.networks.v4, &codes, &mut body);
        pack_family(&self.networks.v6, &codes, &mut body);
        [MAGIC.as_slice(), &checksum(&body).to_le_bytes(), &body].concat()
    }

    /// Reads a table back; every byte is checked.
    pub(super) fn unpack(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut input = Input(bytes);
        if input.array()? != *MAGIC {
            return Err("it does not begin with its magic");
        }
        if u64::from_le_bytes(input.array()?) != checksum(input.0) {
            return Err("its checksum is wrong");
        }
        let build_epoch_secs = u64::from_le_bytes(input.array()?);
        let (source, licence) = (input.text()?, input.text()?);
        let codes = (0..input.byte()?).map(|_| input.code()).collect::<Result<Vec<_>, _>>()?;
        let aliases = (0..input.byte()?).map(|_| input.alias()).collect::<Result<Vec<_>, _>>()?;
        let (v4, count4) = input.family(&codes)?;
        let (v6, count6) = input.family(&codes)?;
        if !input.0.is_empty() {
            return Err("something follows its end");
        }
        let networks = Networks { v4, v6, aliases };
        Ok(Self { networks, build_epoch_secs, source, licence, count: count4 + count6 })
    }
}

fn pack_family<A: Address + Into<u128>>(
    ranges: &Ranges<A, Net<Place>>,
    codes: &[Country],
    body: &mut Vec<u8>,
) {
    let start = body.len();
    body.extend([0; 4]);
    let (mut count, mut after_gap) = (0u32, None);
    for (first, last, net) in ranges.iter() {
        let Some(code) = net.value.and_then(|it| codes.binary_search(&it.country).ok()) else {
            after_gap = Some(first);
            continue;
        };
        let bits = net.bits.max(1);
        let mut next = Some(first);
        while let Some(network) = next.filter(|&next| next <= last) {
            let gap = after_gap.take();
            body.extend([(bits - 1) | if gap.is_some() { GAP } else { 0 }, code as u8]);
            if let Some(gap) = gap.and_then(|gap: A| aligned(gap, bits)) {
                write_number((network.into() - gap.into()) >> (A::BITS - bits), body);
            }
            count += 1;
            next = network.last_of(bits).successor();
        }
    }
    body[start..start + 4].copy_from_slice(&count.to_le_bytes());
}

/// The first address from `address` on where a network of `bits` may begin.
fn aligned<A: Address>(address: A, bits: u8) -> Option<A> {
    if address.first_of(bits) == address {
        return Some(address);
    }
    address.last_of(bits).successor()
}

/// LEB128: seven bits a byte, the lowest first.
fn write_number(mut number: u128, body: &mut Vec<u8>) {
    while number > 0x7f {
        body.push(number as u8 | 0x80);
        number >>= 7;
    }
    body.push(number as u8);
}

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (head, tail) = self.0.split_first_chunk().ok_or("it is cut off")?;
        self.0 = tail;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        self.array().map(|[byte]| byte)
    }

    fn text(&mut self) -> Result<String, &'static str> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let (text, tail) = self.0.split_at_checked(length).ok_or("it is cut off")?;
        self.0 = tail;
        String::from_utf8(text.to_vec()).map_err(|_| "its source or licence is no text")
    }

    fn code(&mut self) -> Result<Country, &'static str> {
        let letters = self.array::<2>()?;
        let code = std::str::from_utf8(&letters).ok().and_then(Country::new);
        code.ok_or("a country code is not two letters")
    }

    fn alias(&mut self) -> Result<Prefix<u128>, &'static str> {
        let alias = Prefix::new(u128::from_le_bytes(self.array()?), self.byte()?);
        if alias.bits() > 96 { Err("an alias is longer than /96") } else { Ok(alias) }
    }

    fn family<A: Address + Into<u128> + TryFrom<u128>>(
        &mut self,
        codes: &[Country],
    ) -> Result<(Ranges<A, Net<Place>>, usize), &'static str> {
        let (mut ranges, mut next) = (Ranges::new(Net::NONE), Some(A::MIN));
        let count = u32::from_le_bytes(self.array()?);
        for _ in 0..count {
            let [head, code] = self.array()?;
            let bits = (head & !GAP) + 1;
            let after = next.ok_or("its networks go beyond the last address")?;
            let first = if head & GAP == 0 { Some(after) } else { self.skip(after, bits)? };
            let first = first.ok_or("its networks go beyond the last address")?;
            if bits > A::BITS || first.first_of(bits) != first {
                return Err("a network begins where none of its length can");
            }
            if first != after {
                ranges.append(after, Net::NONE);
            }
            let country = *codes.get(usize::from(code)).ok_or("a network has an unknown code")?;
            let place = Place { country, from: CountryFrom::Embedded };
            ranges.append(first, Net { value: Some(place), bits });
            next = first.last_of(bits).successor();
        }
        if let Some(after) = next {
            ranges.append(after, Net::NONE);
        }
        Ok((ranges, count as usize))
    }

    /// Where the next network begins, after a gap from `after` on.
    fn skip<A: Address + Into<u128> + TryFrom<u128>>(
        &mut self,
        after: A,
        bits: u8,
    ) -> Result<Option<A>, &'static str> {
        let networks = self.number()?;
        let shift = u32::from(A::BITS.saturating_sub(bits));
        let gap = networks.checked_shl(shift).filter(|gap| gap >> shift == networks);
        let first = aligned(after, bits).map(Into::into).zip(gap);
        let first = first.and_then(|(from, gap): (u128, u128)| from.checked_add(gap));
        Ok(first.and_then(|first| A::try_from(first).ok()))
    }

    fn number(&mut self) -> Result<u128, &'static str> {
        let mut number = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number is too long")
    }
}
