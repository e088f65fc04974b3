//! Cases as data: a policy whose places of interest are marked with `§`, and what is said of each.

/// Text, and message and help of each problem in order.
pub(crate) type Case = (&'static str, &'static [(&'static str, &'static str)]);

/// Mistakes.
pub(crate) const ERRORS: &[Case] = &[
    // Shape.
    ("failsafe = §", &[("not valid TOML", "double quotes")]),
    ("[group.a]\nasns = [1]\n[group.§a]\nasns = [2]", &[("duplicate key", "rename one")]),
    ("[§grup.a]\nasns = [1]", &[("unknown key `grup` in `policy.toml`", "did you mean `group`?")]),
    ("[group.a]\n§country = [\"DE\"]\nasns = [1]", &[("unknown key `country`", "`countries`")]),
    ("[domain.a]\n§servise = []", &[("unknown key `servise`", "`service`")]),
    (
        "[domain.a]\n§zzz = 1",
        &[("unknown key `zzz`", "exposure, mode, allow, deny, vlans, service")],
    ),
    ("failsafe = §\"10.0.0.1\"", &[("expected a sequence", "[\"10.0.0.1\"]")]),
    ("[group.a]\nasns = [§\"3320\"]", &[("expected u32", "without quotes")]),
    ("[group.a]\nasns = [§-1]", &[("expected u32", "0 to 4294967295")]),
    ("[group.a]\nasns = [§0]", &[("0 is no autonomous system", "RFC 7607")]),
    ("[[override]]\nnetwork = \"::1\"\nasn = §0", &[("0 is no autonomous system", "RFC 7607")]),
    ("[group.a]\nasns = [§4294967296]", &[("4294967296", "0 to 4294967295")]),
    ("group = §1", &[("`group` is a section", "[group.NAME]")]),
    ("[group]\na = §1", &[("`group.a` is a section", "[group.a]")]),
    ("§[override]\ncountry = \"DE\"", &[("`override` is a list of sections", "[[override]]")]),
    ("[geo]\nmax_age_days = §\"45\"", &[("expected u32", "without quotes")]),
    // Networks.
    ("failsafe = [§\"10.0.0.1/8\"]", &[("bits set behind", "`10.0.0.0/8`")]),
    ("failsafe = [§\"10.0.0.1/8\"]", &[("bits set behind", "alone is `10.0.0.1`")]),
    ("failsafe = [§\"2001:db8::1/32\"]", &[("bits set behind", "`2001:db8::/32`")]),
    ("failsafe = [§\"10.0.0.0/33\"]", &[("is no network", "0 to 32 bits")]),
    ("failsafe = [§\"2001:db8::/129\"]", &[("is no network", "0 to 128 bits")]),
    ("failsafe = [§\"10.0.0/24\"]", &[("is no network", "`10.0.0` is no IPv4")]),
    ("failsafe = [§\"example.org\"]", &[("is no network", "192.0.2.0/24")]),
    ("failsafe = [§\"\", §\"1.2.3.4/\"]", &[("is no network", ""), ("is no network", "no length")]),
    // Countries.
    ("[group.a]\ncountries = [§\"de\"]", &[("unknown country code `de`", "`DE` (Germany)")]),
    ("[group.a]\ncountries = [§\"UK\"]", &[("unknown country code `UK`", "`GB`")]),
    ("[group.a]\ncountries = [§\"ED\"]", &[("unknown country code `ED`", "`DE`")]),
    ("[group.a]\ncountries = [§\"Germny\"]", &[("unknown country code", "`DE` (Germany)")]),
    ("[group.a]\ncountries = [§\"DEU\"]", &[("unknown country code", "`DE`")]),
    ("[group.a]\ncountries = [§\"\"]", &[("unknown country code", "ISO 3166-1")]),
    // Groups.
    ("[group.§a]", &[("says nothing", "`networks`, `countries`")]),
    ("[group.§a]\nexcept = [\"unknown\"]", &[("says nothing", "any_of = [\"anyone\"]")]),
    ("[group.§a]\ncountries = []", &[("`countries` of `a` is empty", "take the key away")]),
    ("[group.a]\nany_of = §[]", &[("`any_of` is empty", "at least one")]),
    (
        "[group.a]\nany_of = §[\"anyone\"]\ncountries = [\"DE\"]",
        &[("`any_of` and `countries`", "a group of its own")],
    ),
    ("[group.§anyone]\nasns = [1]", &[("`anyone` is built in", "another name")]),
    ("[group.§private]\nasns = [1]", &[("`private` is built in", "another name")]),
    ("[group.§\"a b\"]\nasns = [1]", &[("holds a space", "letters, digits")]),
    (
        "[group.a]\nany_of = [§\"ofice\"]\n[group.office]\nasns = [1]",
        &[("no group `ofice`", "did you mean `office`?")],
    ),
    ("[group.a]\nany_of = [§\"a\"]", &[("circle: a -> a", "take this name out")]),
    (
        "[group.a]\nany_of = [\"b\"]\n[group.b]\nany_of = [\"c\"]\n[group.c]\nany_of = [\"anyone\"]\n\
         except = [§\"a\"]",
        &[("circle: a -> b -> c -> a", "take this name out")],
    ),
    ("[domain.a]\nallow = [§\"anyon\"]", &[("no group `anyon`", "`anyone`")]),
    ("[egress]\ndeny = [§\"x\"]", &[("no group `x`", "anyone, private, unknown")]),
    // Domains.
    ("[domain.a]\nexposure = §\"extern\"", &[("unknown exposure", "did you mean `external`?")]),
    ("[domain.a]\nmode = §\"shadwo\"", &[("unknown mode", "did you mean `shadow`?")]),
    // Overrides.
    ("§[[override]]\nnetwork = \"10.0.0.0/8\"", &[("overrides nothing", "country = \"DE\"")]),
    ("§[[override]]\nasn = 1", &[("does not say its network", "network = ")]),
    (
        "[[override]]\nnetwork = \"10.0.0.0/8\"\nasn = 1\n[[override]]\nnetwork = §\"10.0.0.0/8\"\n\
         country = \"DE\"",
        &[("a second override of 10.0.0.0/8", "put the two together")],
    ),
    ("[[override]]\nnetwork = \"::/0\"\ncountry = §\"XX\"", &[("unknown country code", "")]),
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
];

/// Remarks.
pub(crate) const WARNINGS: &[Case] = &[
    ("failsafe = [\"10.0.0.1\", §\"10.0.0.1/32\"]", &[("stands twice", "remove one")]),
    ("failsafe = [§\"0.0.0.0/0\"]", &[("the whole internet", "few addresses")]),
    (
        "[group.a]\ncountries = [\"DE\", §\"DE\"]\n[egress]\nallow = [\"a\", §\"a\"]",
        &[("`DE` stands twice", "remove"), ("`a` stands twice", "remove")],
    ),
    ("[group.§a]\ncountries = [\"DE\"]", &[("`a` is used nowhere", "take it out")]),
    (
        "[group.b]\nany_of = [\"c\"]\n[group.c]\nasns = [1]\n[egress]\nallow = [\"b\"]\n[group.§d]\nasns = [1]",
        &[("`d` is used nowhere", "")],
    ),
    ("[domain.§d]\nallow = [\"private\"]", &[("`d` has no services", "[[domain.d.service]]")]),
    (
        "[domain.d]\nallow = [§\"anyone\"]\n\
         service = [{ name = \"s\", networks = [\"::1\"], proto = \"icmp\" }]",
        &[("internal domain `d` allows `anyone`", "external")],
    ),
    (
        "[domain.§d]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"icmp\" }]",
        &[("`d` allows nobody", "name groups")],
    ),
    (
        "[domain.d]\nallow = [\"private\"]\n\
         service = [{ name = \"s\", networks = [\"::1\"], proto = \"icmp\", carve_out = §true }]",
        &[("takes nothing out", "take `carve_out` away")],
    ),
    (
        "failsafe = [§\"10.1.2.3\"]\n[group.bad]\nnetworks = [\"10.0.0.0/8\"]\n\
         [domain.d]\nallow = [\"private\"]\ndeny = [\"bad\"]\n\
         service = [{ name = \"s\", networks = [\"::1\"], proto = \"icmp\" }]",
        &[("10.1.2.3/32 is failsafe, although `d` denies the group `bad`", "failsafe wins")],
    ),
    (
        "[domain.d]\nallow = [\"private\"]\nservice = [{ name = \"s\", networks = [\"::1\"], \
         proto = \"tcp\", ports = [\"1\", §\"1\"] }]",
        &[("`1` stands twice", "remove")],
    ),
];

/// Policies without a mistake.
pub(crate) const RIGHT: &[&str] = &[
    "",
    "failsafe = [\"10.0.0.1\", \"2001:db8::1\", \"10.0.0.0/8\", \"0.0.0.0/0\", \"::/0\"]",
    "[group.a]\ncountries = [\"XK\", \"GB\"]\nasns = [1, 4294967295]",
    "[group.b]\nany_of = [\"c\"]\nexcept = [\"unknown\"]\n[group.c]\nasns = [1]\nexcept = [\"private\"]",
    "[[override]]\nnetwork = \"10.0.0.0/8\"\nasn = 1\n[[override]]\nnetwork = \"10.0.0.0/9\"\nasn = 1",
    "[domain.a]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"any\", ports = [\"1-65535\"] }]",
    // Ports side by side, protocols side by side.
    "[domain.a]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"1-9\"] }]\n\
     [domain.b]\nservice = [{ name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"10\"] }, \
     { name = \"u\", networks = [\"10.0.0.0/8\"], proto = \"udp\", ports = [\"any\"] }]",
    // Ports of any protocol, and the one without ports.
    "[domain.a]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"any\", ports = [\"1-65535\"] }]\n\
     [domain.b]\nservice = [{ name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"icmp\" }]",
    // The more specific of one domain, and a carve-out of another.
    "[domain.a]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"any\"] }, \
     { name = \"t\", networks = [\"10.1.0.0/16\"], proto = \"tcp\", ports = [\"any\"] }]\n\
     [domain.b]\nservice = [{ name = \"u\", networks = [\"10.1.2.0/24\"], proto = \"any\", ports = [\"any\"], \
     carve_out = true }]",
];
