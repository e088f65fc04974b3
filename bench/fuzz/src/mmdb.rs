//! A small writer of MaxMind DB files: seeds of every record size and both IP versions.
//!
//! Source: <https://maxmind.github.io/MaxMind-DB/>.

/// A value of the data section.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(u32),
    Map(&'a [(&'a str, Value<'a>)]),
}

impl Value<'_> {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Value::Text(text) => {
                assert!(text.len() < 29, "short strings only");
                out.push(2 << 5 | text.len() as u8);
                out.extend(text.as_bytes());
            }
            Value::Number(number) => {
                let bytes = number.to_be_bytes();
                let bytes = &bytes[number.leading_zeros() as usize / 8..];
                out.push(6 << 5 | bytes.len() as u8);
                out.extend(bytes);
            }
            Value::Map(entries) => {
                out.push(7 << 5 | entries.len() as u8);
                for (key, value) in entries {
                    Value::Text(key).write(out);
                    value.write(out);
                }
            }
        }
    }
}

/// One network: its first bits (left-aligned), how many they are, and what is known of it.
pub(crate) type Network<'a> = (u128, u8, Value<'a>);

/// A database of IP version 4 or 6 with records of 24, 28 or 32 bits.
pub(crate) fn write(
    version: u32,
    record_bits: u32,
    kind: &str,
    networks: &[Network<'_>],
) -> Vec<u8> {
    let mut data = Vec::new();
    let offsets: Vec<usize> = networks
        .iter()
        .map(|(.., value)| {
            let offset = data.len();
            value.write(&mut data);
            offset
        })
        .collect();
    let nodes = nodes(networks);
    let record = |record: Record| match record {
        Record::Empty => nodes.len(),
        Record::Node(node) => node,
        Record::Data(number) => nodes.len() + 16 + offsets[number],
    };
    let mut out = Vec::new();
    for node in &nodes {
        let [left, right] = node.map(|side| (record(side) as u32).to_be_bytes());
        match record_bits {
            24 => out.extend([&left[1..], &right[1..]].concat()),
            28 => {
                let middle = left[0] << 4 | right[0];
                out.extend([&left[1..], &[middle], &right[1..]].concat());
            }
            _ => out.extend([left, right].concat()),
        }
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    Value::Map(&[
        ("binary_format_major_version", Value::Number(2)),
        ("binary_format_minor_version", Value::Number(0)),
        ("build_epoch", Value::Number(1_700_000_000)),
        ("database_type", Value::Text(kind)),
        ("description", Value::Map(&[("en", Value::Text("seed"))])),
        ("ip_version", Value::Number(version)),
        ("node_count", Value::Number(nodes.len() as u32)),
        ("record_size", Value::Number(record_bits)),
    ])
    .write(&mut out);
    out
}

#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(usize),
    Data(usize),
}

/// The search tree. Networks do not overlap.
fn nodes(networks: &[Network<'_>]) -> Vec<[Record; 2]> {
    let mut nodes = vec![[Record::Empty; 2]];
    for (number, &(first, bits, _)) in networks.iter().enumerate() {
        let mut node = 0;
        for depth in 0..bits {
            let side = (first >> (127 - depth) & 1) as usize;
            if depth + 1 == bits {
                nodes[node][side] = Record::Data(number);
            } else if let Record::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Record::Empty; 2]);
                let next = nodes.len() - 1;
                nodes[node][side] = Record::Node(next);
                node = next;
            }
        }
    }
    nodes
}
