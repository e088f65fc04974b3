//! Cases as data: a policy whose places of interest are marked with `§`, and what is said of each.

pub(crate) mod services;

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
    (
        "[domain.a]\nallow = [\"private\"]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"esp\" }]\n\
         [domain.b]\nallow = [\"private\"]\nmode = \"shadow\"\nservice = [{ name = \"t\", networks = [\"10.0.0.1\"], \
         proto = \"50\", carve_out = §true }]",
        &[("`b/t` opens what `a/s` closes", "let the domain enforce")],
    ),
    // VLANs.
    (
        "[domain.a]\nallow = [\"private\"]\nvlans = [7, 0, §7]\nservice = [{ name = \"s\", networks = [\"::1\"], proto = \"ospf\" }]",
        &[("`7` stands twice", "remove")],
    ),
    (
        "[domain.a]\nallow = [\"private\"]\nvlans = [1]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]\n[domain.b]\nallow = [\"private\"]\nvlans = [2]\nservice = [{ name = \"t\", networks = [\"10.2.0.0/16\"], proto = \"tcp\", ports = [\"22\"], carve_out = §true }]",
        &[("takes nothing out of another domain: no VLAN sees", "take `carve_out` away")],
    ),
    (
        "[domain.a]\nallow = [\"private\"]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]\n[domain.b]\nallow = [\"private\"]\nvlans = [2]\nservice = [{ name = \"t\", networks = [\"10.2.0.0/16\"], proto = \"tcp\", ports = [\"22\"], carve_out = §true }]",
        &[(
            "`b/t` is carved out of `a/s` in its own VLANs only",
            "in the other VLANs `a/s` decides",
        )],
    ),
    (
        "[domain.a]\nallow = [\"private\"]\nvlans = [2, 3]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]\n[domain.b]\nallow = [\"private\"]\nvlans = [1, 2]\nservice = [{ name = \"t\", networks = [\"10.2.0.0/16\"], proto = \"tcp\", ports = [\"22\"], carve_out = §true }]",
        &[("`b/t` is carved out of `a/s` in its own VLANs only", "the same `vlans`")],
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
    // Protocols by name and number, side by side.
    "[domain.a]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"gre\" }, { name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"50\", ports = [\"any\"] }, { name = \"u\", networks = [\"10.0.0.0/8\"], proto = \"255\" }, { name = \"v\", networks = [\"10.0.0.0/8\"], proto = \"udplite\", ports = [\"5004\"] }]\n[domain.b]\nservice = [{ name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"any\", ports = [\"5005\"] }]",
    // One claim in two VLANs.
    "[domain.a]\nvlans = [0, 1]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]\n[domain.b]\nvlans = [2, 4094]\nservice = [{ name = \"t\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]",
    "[domain.a]\nservice = [{ name = \"s\", networks = [\"10.0.0.0/8\"], proto = \"tcp\", ports = [\"22\"] }]\n[domain.b]\nvlans = [2]\nservice = [{ name = \"t\", networks = [\"10.2.0.0/16\"], proto = \"tcp\", ports = [\"22\"], carve_out = true }]",
];
