//! Ranges as CSV: `start,end,value` or `network,value`, more fields ignored.
//!
//! ```text
//!  1.0.0.0,1.0.0.255,AU              2001:200::/32,JP
//!  "1.0.0.0","1.0.0.255","13335","CLOUDFLARENET"
//! ```
//!
//! Both families may stand in one file, in any order; where networks overlap the longest wins. A
//! range that is no prefix becomes the fewest prefixes that cover it. Empty lines, comments (`#`)
//! and a first line of titles are skipped.

use std::net::IpAddr;

use ipnet::IpNet;

use super::networks::Networks;
use super::record::Record;
use crate::{Address, Prefix};

/// Reads a whole file; also counts its networks. The error is a line number and what is wrong.
pub(super) fn read<T: Record>(bytes: &[u8]) -> Result<(Networks<T>, usize), (usize, String)> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let at = |error| (index + 1, error);
        let line = std::str::from_utf8(line).map_err(|_| at("not UTF-8 text".into()))?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields = fields(line);
        match parse::<T>(&fields) {
            Ok((_, None)) => {}
            Ok((Span::V4(first, last), Some(value))) => push(&mut v4, first, last, value),
            Ok((Span::V6(first, last), Some(value))) => push(&mut v6, first, last, value),
            Err(_) if index == 0 && titles(&fields) => {}
            Err(error) => return Err(at(error)),
        }
    }
    let count = v4.len() + v6.len();
    Ok((Networks::build(v4, v6), count))
}

fn push<A: Address, T: Copy>(networks: &mut Vec<(Prefix<A>, T)>, first: A, last: A, value: T) {
    networks.extend(Prefix::cover(first, last).map(|prefix| (prefix, value)));
}

enum Span {
    V4(u32, u32),
    V6(u128, u128),
}

fn parse<T: Record>(fields: &[&str]) -> Result<(Span, Option<T>), String> {
    let (span, rest) = match fields {
        [network, rest @ ..] if network.contains('/') => {
            let network: IpNet =
                network.parse().map_err(|_| format!("`{network}` is no network"))?;
            (span(network.network(), network.broadcast())?, rest)
        }
        [start, end, rest @ ..] => (span(address(start)?, address(end)?)?, rest),
        _ => return Err("expected `start,end,value` or `network,value`".into()),
    };
    let text = rest.first().ok_or_else(|| format!("no {} after the network", T::WHAT))?;
    let value = T::parse(text).ok_or_else(|| format!("`{text}` is no {}", T::WHAT))?;
    Ok((span, value))
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no address"))
}

fn span(start: IpAddr, end: IpAddr) -> Result<Span, String> {
    match (start, end) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Ok(Span::V4(first.into(), last.into()))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Ok(Span::V6(first.into(), last.into()))
        }
        _ => Err(format!("{start} to {end} is no range")),
    }
}

/// A line of titles has no digit, colon or dot where a network would begin.
fn titles(fields: &[&str]) -> bool {
    fields.first().is_some_and(|first| first.starts_with(|c: char| c.is_ascii_alphabetic()))
        && fields.first().is_some_and(|first| !first.contains(':'))
}

/// Fields between commas, without quotes and blanks around them. Only organisations, which nobody
/// reads here, have commas within quotes, and they come last.
fn fields(line: &str) -> Vec<&str> {
    line.splitn(5, ',').map(|field| field.trim().trim_matches('"').trim()).collect()
}
