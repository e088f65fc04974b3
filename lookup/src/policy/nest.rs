//! Prefixes within prefixes.
//!
//! Two prefixes either nest or are apart, so an address is inside exactly the chain of prefixes above
//! the longest one that holds it. One sort and one pass give every distinct prefix its chain; lists,
//! service networks and their conflicts are all read off it. Costs a sort, and the sum of the chains.

use ipnet::IpNet;

/// Each distinct network with the values of it and of all networks around it, innermost first.
pub(crate) fn chains<T: Copy>(
    entries: impl IntoIterator<Item = (IpNet, T)>,
) -> Vec<(IpNet, Vec<T>)> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    // Stable, so that equal networks keep the order of the file. `IpNet` sorts a network directly
    // before those inside it.
    entries.sort_by_key(|(network, _)| *network);
    let mut chains: Vec<(IpNet, Vec<T>)> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut next = entries.into_iter().peekable();
    while let Some((network, value)) = next.next() {
        let mut chain = vec![value];
        while let Some((_, value)) = next.next_if(|(other, _)| *other == network) {
            chain.push(value);
        }
        while open.last().is_some_and(|&around| !chains[around].0.contains(&network)) {
            open.pop();
        }
        if let Some(&around) = open.last() {
            chain.extend_from_slice(&chains[around].1);
        }
        open.push(chains.len());
        chains.push((network, chain));
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_all_networks_around() {
        let networks =
            ["10.1.0.0/16", "::/0", "10.0.0.0/8", "0.0.0.0/0", "10.1.0.0/16", "11.0.0.0/8", "::/1"];
        let entries = networks.iter().enumerate().map(|(i, net)| (net.parse().unwrap(), i));
        let found: Vec<(String, Vec<usize>)> =
            chains(entries).into_iter().map(|(net, chain)| (net.to_string(), chain)).collect();
        let expected = [
            ("0.0.0.0/0", vec![3]),
            ("10.0.0.0/8", vec![2, 3]),
            ("10.1.0.0/16", vec![0, 4, 2, 3]),
            ("11.0.0.0/8", vec![5, 3]),
            ("::/0", vec![1]),
            ("::/1", vec![6, 1]),
        ];
        let expected: Vec<_> =
            expected.into_iter().map(|(net, chain)| (net.to_owned(), chain)).collect();
        assert_eq!(found, expected);
    }
}
