//! VLANs of a domain.

use toml::Spanned;

use crate::document::Document;

/// The last id that a VLAN may have (IEEE 802.1Q).
const LAST: u16 = 4094;

/// The `vlans` of a domain, ascending.
pub(super) fn read(document: &mut Document, list: &Spanned<Vec<Spanned<i64>>>) -> Vec<u16> {
    if list.get_ref().is_empty() {
        let help =
            "name at least one, or take the key away: the domain is then seen from all VLANs";
        document.error(list.span(), "the list of VLANs is empty", help);
    }
    let mut vlans = Vec::new();
    for number in list.get_ref() {
        let id = *number.get_ref();
        match u16::try_from(id).ok().filter(|&id| id <= LAST) {
            Some(id) if vlans.contains(&id) => document.twice(number.span(), id),
            Some(id) => vlans.push(id),
            None => {
                let help = "VLANs are 1 to 4094; 0 is traffic without a VLAN";
                document.error(number.span(), format!("{id} is no VLAN"), help);
            }
        }
    }
    vlans.sort_unstable();
    vlans
}

/// The first VLAN that two domains are both seen from; the outer `None` when there is none, the inner
/// one when both are seen from all.
pub(super) fn common(one: Option<&[u16]>, other: Option<&[u16]>) -> Option<Option<u16>> {
    match (one, other) {
        (None, None) => Some(None),
        (Some(list), None) | (None, Some(list)) => list.first().map(|&id| Some(id)),
        (Some(one), Some(other)) => {
            let both = one.iter().find(|id| other.binary_search(id).is_ok());
            both.map(|&id| Some(id))
        }
    }
}
