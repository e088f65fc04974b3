//! Ports of a service.

use toml::Spanned;

use super::check::Fault;
use super::protos::Protos;
use super::text::Strings;
use crate::document::Document;

/// Ports as ascending ranges with gaps between them, first and last included.
///
/// A protocol without ports asks for port 0, which no list but `any` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports(Vec<(u16, u16)>);

impl Ports {
    /// Every port, and protocols without ports.
    #[must_use]
    pub fn any() -> Self {
        Self(vec![(0, u16::MAX)])
    }

    fn new(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(open) if u32::from(first) <= u32::from(open.1) + 1 => {
                    open.1 = open.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// The ranges, ascending.
    #[must_use]
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// The first range of ports that both hold.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<(u16, u16)> {
        self.0.iter().find_map(|&(first, last)| {
            let meets = other.0.iter().find(|&&(start, end)| start <= last && first <= end)?;
            Some((first.max(meets.0), last.min(meets.1)))
        })
    }
}

/// The `ports` of a service with this protocol.
pub(crate) fn ports(
    document: &mut Document,
    proto: Option<Protos>,
    text: Option<&Spanned<Strings>>,
) -> Option<Ports> {
    let portless = proto.filter(|proto| proto.portless());
    let Some(list) = text else { return portless.map(|_| Ports::any()) };
    if list.get_ref().is_empty() {
        let help = "name a port, a range \"6000-6010\", or \"any\"";
        document.error(list.span(), "the list of ports is empty", help);
        return None;
    }
    let any = list.get_ref().iter().find(|text| text.get_ref() == "any");
    if let Some(any) = any {
        if list.get_ref().len() > 1 {
            let help = "leave `any` alone in the list, or take it out";
            document.error(any.span(), "`any` holds all the other ports of this list", help);
            return None;
        }
        return Some(Ports::any());
    }
    if let Some(proto) = portless {
        let help = "take `ports` away, or write `ports = [\"any\"]`";
        document.error(list.span(), format!("{} has no ports", proto.name()), help);
        return None;
    }
    let mut ranges = Vec::new();
    for text in list.get_ref() {
        match range(text.get_ref()) {
            Ok(range) if ranges.contains(&range) => document.twice(text.span(), text.get_ref()),
            Ok(range) => ranges.push(range),
            Err(fault) => document.error(text.span(), fault.message, fault.help),
        }
    }
    (!ranges.is_empty()).then(|| Ports::new(ranges))
}

/// `"5432"` or `"6000-6010"`.
fn range(text: &str) -> Result<(u16, u16), Fault> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if last < first {
        return Err(Fault {
            message: format!("the range `{text}` runs backwards"),
            help: format!("did you mean `{last}-{first}`?"),
        });
    }
    Ok((first, last))
}

/// A port from 1 to 65535.
pub(crate) fn port(text: &str) -> Result<u16, Fault> {
    match text.trim().parse::<u64>() {
        Ok(0) => Err(Fault {
            message: "port 0 is reserved".to_owned(),
            help: "ports are 1 to 65535; \"any\" is all of them".to_owned(),
        }),
        Ok(number) => u16::try_from(number).map_err(|_| Fault {
            message: format!("port {number} is too large"),
            help: "ports are 1 to 65535".to_owned(),
        }),
        Err(_) => Err(Fault {
            message: format!("`{text}` is no port"),
            help: "write a number, a range \"6000-6010\", or \"any\"".to_owned(),
        }),
    }
}
