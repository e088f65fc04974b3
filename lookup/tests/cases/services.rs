//! Mistakes in services: VLANs, protocols, ports, and what two of them claim.

use super::Case;

/// Mistakes.
pub(crate) const ERRORS: &[Case] = &[
    // VLANs.
    ("[domain.a]\nvlans = §[]", &[("list of VLANs is empty", "seen from all VLANs")]),
    ("[domain.a]\nvlans = [0, 4094, §4095]", &[("4095 is no VLAN", "1 to 4094")]),
    ("[domain.a]\nvlans = [§-1, §70000, 1]", &[("-1 is no", "0 is traffic"), ("70000 is no", "")]),
    ("[domain.a]\nvlans = §10", &[("expected a sequence", "[10]")]),
    ("[domain.a]\nvlans = [§\"10\"]", &[("expected i64", "without quotes")]),
    ("[domain.a]\nvlans = [§1.5]", &[("expected i64", "a whole number")]),
    ("[domain.a]\n§vlan = [1]", &[("unknown key `vlan`", "`vlans`")]),
    // Protocols.
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §47 }]",
        &[("expected a string", "\"47\"")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"0\" }]",
        &[("protocol 0 is an IPv6 extension header", "what stands behind")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"43\" }]",
        &[("protocol 43 is an IPv6 extension header", "what stands behind")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"44\" }]",
        &[("protocol 44 is an IPv6 extension header", "what stands behind")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"60\" }]",
        &[("protocol 60 is an IPv6 extension header", "what stands behind")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"51\" }]",
        &[("an authentication header", "what it protects")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"ah\" }]",
        &[("an authentication header", "what it protects")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"1\" }]",
        &[("protocol 1 is icmp in one family only", "both families")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"58\" }]",
        &[("protocol 58 is icmp in one family only", "both families")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"256\" }]",
        &[("`256` is no protocol number", "0\" to \"255")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"047\" }]",
        &[("`047` is no protocol number", "without zeros")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"00\" }]",
        &[("`00` is no protocol number", "without zeros")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"99999999999999999999\" }]",
        &[("is no protocol number", "")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"-1\" }]",
        &[("unknown protocol `-1`", "or a number")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"+47\" }]",
        &[("unknown protocol `+47`", "or a number")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"\" }]",
        &[("unknown protocol ``", "another name of docs/policy.md")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"GRE\" }]",
        &[("unknown protocol `GRE`", "did you mean `gre`?")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"udp-lite\" }]",
        &[("unknown protocol `udp-lite`", "`udplite`")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"6to4\" }]",
        &[("unknown protocol `6to4`", "`6in4`")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"vxlan\" }]",
        &[("unknown protocol `vxlan`", "most often 4789")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"gre\", ports = §[\"8\"] }]",
        &[("gre has no ports", "take `ports` away")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"47\", ports = §[\"8\"] }]",
        &[("gre has no ports", "take `ports` away")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"ospf\", ports = §[\"8\"] }]",
        &[("ospf has no ports", "take `ports` away")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"59\", ports = §[\"8\"] }]",
        &[("protocol 59 has no ports", "take `ports` away")],
    ),
    (
        "[domain.a]\nservice = [{ name = §\"s\", networks = [\"::1\"], proto = \"udplite\" }]",
        &[("does not say its ports", "[\"any\"]")],
    ),
    (
        "[domain.a]\nservice = [{ name = §\"s\", networks = [\"::1\"], proto = \"dccp\" }]",
        &[("does not say its ports", "[\"any\"]")],
    ),
    (
        "[domain.a]\nservice = [{ name = §\"s\", networks = [\"::1\"], proto = \"33\" }]",
        &[("does not say its ports", "[\"any\"]")],
    ),
    (
        "[domain.a]\nservice = [{ name = §\"s\", networks = [\"::1\"], proto = \"132\" }]",
        &[("does not say its ports", "[\"any\"]")],
    ),
    (
        "[domain.a]\nservice = [{ name = §\"s\", networks = [\"::1\"], proto = \"6\" }]",
        &[("does not say its ports", "[\"any\"]")],
    ),
    // Services.
    (
        "[domain.a]\n§[[domain.a.service]]\nnetworks = [\"10.0.0.1\"]\nproto = \"icmp\"",
        &[("has no name", "name = ")],
    ),
    (
        "[domain.a]\n[[domain.a.service]]\nname = §\"s\"\nproto = \"icmp\"",
        &[("does not say its networks", "networks = ")],
    ),
    (
        "[domain.a]\n[[domain.a.service]]\nname = §\"s\"\nnetworks = [\"10.0.0.1\"]\nports = [\"1\"]",
        &[("does not say its protocol", "proto = ")],
    ),
    (
        "[domain.a]\n[[domain.a.service]]\nname = §\"s\"\nnetworks = [\"10.0.0.1\"]\nproto = \"tcp\"",
        &[("does not say its ports", "[\"any\"]")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"tpc\", ports = [\"1\"] }]",
        &[("unknown protocol `tpc`", "`tcp`")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = §\"icmpv6\" }]",
        &[("unknown protocol", "both families")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"icmp\", ports = §[\"8\"] }]",
        &[("icmp has no ports", "take `ports` away")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"udp\", ports = §[] }]",
        &[("list of ports is empty", "name a port")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"udp\", ports = [\"1\", §\"any\"] }]",
        &[("`any` holds all", "alone")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"udp\", \
         ports = [§\"0\", §\"65536\", §\"7-3\", §\"http\", §\"1-\", \"65535\", §\"0-9\"] }]",
        &[
            ("port 0 is reserved", "1 to 65535"),
            ("65536 is too large", "1 to 65535"),
            ("`7-3` runs backwards", "`3-7`"),
            ("`http` is no port", "write a number"),
            ("is no port", "write a number"),
            ("port 0 is reserved", "1 to 65535"),
        ],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"udp\", ports = [§53] }]",
        &[("expected a string", "\"53\"")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"10.0.0.1\"], proto = \"icmp\" }, \
         { name = §\"s\", networks = [\"10.0.0.2\"], proto = \"icmp\" }]",
        &[("a second service `s`", "another name")],
    ),
    // Two claims.
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [§\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"1-9\"] }]\n\
         [domain.b]\nservice = [{ name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"9-10\"] }]",
        &[("`a/s` and `b/t` both claim 10.0.0.0/8, port 9", "belongs to one domain")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"any\", ports = [\"any\"] }]\n\
         [domain.b]\nservice = [{ name = \"t\", networks = [§\"10.1.0.0/16\"], proto = \"udp\", ports = [\"5-6\"] }]",
        &[("`b/t` and `a/s` both claim 10.1.0.0/16, ports 5-6", "`carve_out = true`")],
    ),
    // Only the narrower one can carve.
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"icmp\", carve_out = true }]\n\
         [domain.b]\nservice = [{ name = \"t\", networks = [§\"10.1.0.0/16\"], proto = \"icmp\" }]",
        &[("both claim 10.1.0.0/16, icmp", "`carve_out = true`")],
    ),
    // Equal networks cannot be carved.
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [§\"::/8\"], proto = \"icmp\", carve_out = true }]\n\
         [domain.b]\nservice = [{ name = \"t\", networks = [\"::/8\"], proto = \"icmp\", carve_out = true }]",
        &[("both claim ::/8, icmp", "belongs to one domain")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [§\"::/8\"], proto = \"tcp\", ports = [\"any\"] }, \
         { name = \"t\", networks = [\"::/8\"], proto = \"any\", ports = [\"7\"] }]",
        &[("both claim ::/8, port 7", "belongs to one service")],
    ),
    // Two claims by number and name, and in a VLAN.
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [§\"10.0.0.0/8\"], proto = \"gre\" }]\n[domain.b]\nservice = [{ name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"47\" }]",
        &[(
            "`a/s` and `b/t` both claim 10.0.0.0/8, gre",
            "belongs to one domain: change one of the two",
        )],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"any\", ports = [\"any\"] }]\n[domain.b]\nservice = [{ name = \"t\", networks = [§\"10.0.0.1\"], proto = \"59\" }]",
        &[("`b/t` and `a/s` both claim 10.0.0.1/32, protocol 59", "carve_out")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [§\"10.0.0.0/8\"], proto = \"dccp\", ports = [\"22\"] }]\n[domain.b]\nservice = [{ name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"any\", ports = [\"22\"] }]",
        &[("both claim 10.0.0.0/8, port 22", "")],
    ),
    (
        "[domain.a]\nvlans = [30, 20]\nservice = [{ name = \"s\", networks = [§\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]\n[domain.b]\nvlans = [20, 10]\nservice = [{ name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]",
        &[("port 22 in VLAN 20", "or the `vlans` of their domains")],
    ),
    (
        "[domain.a]\nservice = [{ name = \"s\", networks = [§\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]\n[domain.b]\nvlans = [0, 9]\nservice = [{ name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]",
        &[("port 22 without a VLAN", "`vlans`")],
    ),
    (
        "[domain.a]\nvlans = [4094]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]\n[domain.b]\nservice = [{ name = \"t\", networks = [§\"10.2.0.0/16\"], proto = \"tcp\", ports = [\"22\"] }]",
        &[("port 22 in VLAN 4094", "or let `b/t` win here with `carve_out = true`")],
    ),
];
