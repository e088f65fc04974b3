//! Longest-prefix tables of other crates, each filled with the same prefixes.

use std::net::IpAddr;

use ip_network_table::IpNetworkTable;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use lookup::{ClassId, Prefix};
use poptrie::Poptrie;
use prefix_trie::PrefixMap;

use super::arms::{Arms, Kind, Table};

/// Name and table of each.
pub(super) fn all<A: Kind>(
    prefixes: &[(Prefix<A>, ClassId)],
) -> Vec<(&'static str, Box<dyn Arms<A>>)> {
    let pop: Pop<A> =
        Pop(prefixes.iter().map(|(at, class)| ((at.first(), at.bits()), *class)).collect());
    vec![
        ("poptrie", Box::new(pop)),
        ("prefix-trie", Box::new(Trie::new(prefixes))),
        ("ip_network_table", Box::new(Bitmap::new(prefixes))),
    ]
}

struct Pop<A: Kind>(Poptrie<(A, u8), ClassId>);

impl<A: Kind> Table<A> for Pop<A> {
    #[inline]
    fn find(&self, key: A) -> ClassId {
        self.0.lookup(key).copied().unwrap_or_default()
    }
}

#[derive(Default)]
struct Trie {
    v4: PrefixMap<Ipv4Net, ClassId>,
    v6: PrefixMap<Ipv6Net, ClassId>,
}

impl Trie {
    fn new<A: Kind>(prefixes: &[(Prefix<A>, ClassId)]) -> Self {
        let mut trie = Self::default();
        for (prefix, class) in prefixes {
            match prefix.first().network(prefix.bits()) {
                IpNet::V4(net) => trie.v4.insert(net, *class),
                IpNet::V6(net) => trie.v6.insert(net, *class),
            };
        }
        trie
    }
}

impl<A: Kind> Table<A> for Trie {
    #[inline]
    fn find(&self, key: A) -> ClassId {
        // The family is the type's, so one arm is left of this.
        let found = match key.address() {
            IpAddr::V4(key) => self.v4.get_lpm(&key.into()).map(|(_, class)| class),
            IpAddr::V6(key) => self.v6.get_lpm(&key.into()).map(|(_, class)| class),
        };
        found.copied().unwrap_or_default()
    }
}

struct Bitmap(IpNetworkTable<ClassId>);

impl Bitmap {
    fn new<A: Kind>(prefixes: &[(Prefix<A>, ClassId)]) -> Self {
        let mut table = IpNetworkTable::new();
        for (prefix, class) in prefixes {
            // It cannot fail: no bit stands behind a prefix.
            if let Ok(network) = ip_network::IpNetwork::new(prefix.first().address(), prefix.bits())
            {
                table.insert(network, *class);
            }
        }
        Self(table)
    }
}

impl<A: Kind> Table<A> for Bitmap {
    #[inline]
    fn find(&self, key: A) -> ClassId {
        let found = match key.address() {
            IpAddr::V4(key) => self.0.longest_match_ipv4(key).map(|(_, class)| class),
            IpAddr::V6(key) => self.0.longest_match_ipv6(key).map(|(_, class)| class),
        };
        found.copied().unwrap_or_default()
    }
}
