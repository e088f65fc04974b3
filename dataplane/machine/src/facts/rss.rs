//! Receive-side scaling: which queue a NIC puts a flow on, by hash, key and table.
//!
//! Read with the `ethtool` program, because kernels before 6.3 answer only its ioctl, which needs
//! `unsafe`; its words have not changed for a decade.
//!
//! ```text
//!  key, fields of the packet --Toeplitz--> hash --low bits--> table --> queue
//! ```
//! A key that repeats itself every two bytes hashes both directions of a flow alike (Woo, Park:
//! *Scalable TCP Session Monitoring with Symmetric Receive-side Scaling*, 2012).

use crate::tools;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rss {
    /// The queue of each value of the hash's low bits; empty where the driver does not show it.
    pub table: Vec<u32>,
    /// Empty where the driver has none.
    pub key: Vec<u8>,
    /// Whether the NIC makes both directions alike before it hashes (`symmetric-xor`).
    pub mirrors: bool,
    /// What of a TCP and a UDP packet over IPv4 is hashed, in the letters of `ethtool -N`; empty
    /// where the driver does not say.
    pub fields: [String; 2],
}

/// The lines of `ethtool -n IF rx-flow-hash TYPE` and the letters of `ethtool -N`.
const FIELDS: [(&str, char); 7] = [
    ("L2DA", 'm'),
    ("VLAN tag", 'v'),
    ("L3 proto", 't'),
    ("IP SA", 's'),
    ("IP DA", 'd'),
    ("L4 bytes 0 & 1", 'f'),
    ("L4 bytes 2 & 3", 'n'),
];

impl Rss {
    /// Asks for that of an interface; none where the driver has no such thing.
    pub(crate) fn read(name: &str) -> Option<Self> {
        let mut rss = Self::parse(&tools::run("ethtool", &["-x", name]).ok()?)?;
        rss.fields = ["tcp4", "udp4"].map(|traffic| {
            let text = tools::run("ethtool", &["-n", name, "rx-flow-hash", traffic]);
            text.map(|text| letters(&text)).unwrap_or_default()
        });
        Some(rss)
    }

    /// The words of `ethtool -x`.
    fn parse(text: &str) -> Option<Self> {
        let mut rss = Self::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("RSS hash key") {
                rss.key = lines.next().map(key).unwrap_or_default();
            } else if line.trim().starts_with("symmetric-") {
                rss.mirrors |= line.trim().ends_with("on");
            } else if let Some((first, queues)) = line.split_once(':')
                && first.trim().parse::<usize>() == Ok(rss.table.len())
            {
                rss.table.extend(queues.split_ascii_whitespace().flat_map(str::parse::<u32>));
            }
        }
        (!rss.table.is_empty() || !rss.key.is_empty()).then_some(rss)
    }

    /// Whether both directions of a flow have the same hash.
    #[must_use]
    pub fn symmetric(&self) -> bool {
        let repeats = self.key.len() >= 4 && self.key.chunks(2).all(|pair| *pair == self.key[..2]);
        self.mirrors || repeats
    }

    /// Over how many queues the table goes round, as `ethtool -X IF equal N` writes it.
    #[must_use]
    pub fn equal(&self) -> Option<u32> {
        let queues = self.table.iter().max()? + 1;
        let round = (0..).zip(&self.table).all(|(place, queue): (u32, _)| place % queues == *queue);
        round.then_some(queues)
    }
}

/// `6d:5a:..`; empty for words such as "Operation not supported".
fn key(text: &str) -> Vec<u8> {
    let bytes = text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16));
    bytes.collect::<Result<_, _>>().unwrap_or_default()
}

fn letters(text: &str) -> String {
    let found = text.lines().filter_map(|line| {
        FIELDS.iter().find(|(words, _)| line.starts_with(words)).map(|(_, letter)| *letter)
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IXGBE: &str = "\
RX flow hash indirection table for eth0 with 4 RX ring(s):
    0:      0     1     2     3     0     1     2     3
    8:      0     1     2     3     0     1     2     3
RSS hash key:
6d:5a:6d:5a:6d:5a:6d:5a
RSS hash function:
    toeplitz: on
    xor: off
    crc32: off
";

    #[test]
    fn the_words_of_ethtool() {
        let rss = Rss::parse(IXGBE).unwrap();
        assert_eq!(rss.table, [0, 1, 2, 3].repeat(4));
        assert_eq!(rss.key, [0x6d, 0x5a].repeat(4));
        assert_eq!((rss.symmetric(), rss.equal()), (true, Some(4)));

        let skewed = Rss::parse(&IXGBE.replace("8:      0", "8:      1")).unwrap();
        assert_eq!(skewed.equal(), None);
        let plain = Rss::parse(&IXGBE.replace("5a:6d:5a\nRSS", "5a:6d:5b\nRSS")).unwrap();
        assert!(!plain.symmetric());
        let mirrored = format!("{IXGBE}RSS input transformation:\n    symmetric-xor: on\n");
        let mirrored = mirrored.replace("6d:5a", "01:02:03:04:05");
        assert!(Rss::parse(&mirrored).unwrap().symmetric());
    }

    #[test]
    fn a_driver_without_it() {
        let virtio = "\
RX flow hash indirection table for eth0 with 1 RX ring(s):
Operation not supported
RSS hash key:
Operation not supported
RSS hash function:
    toeplitz: on
";
        assert_eq!(Rss::parse(virtio), None);
        assert_eq!(Rss::parse(""), None);
    }

    #[test]
    fn fields_as_letters() {
        let tcp = "\
TCP over IPV4 flows use these fields for computing Hash flow key:
IP SA
IP DA
L4 bytes 0 & 1 [TCP/UDP src port]
L4 bytes 2 & 3 [TCP/UDP dst port]
";
        assert_eq!(letters(tcp), "sdfn");
        assert_eq!(letters(""), "");
    }
}
