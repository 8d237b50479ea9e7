//! What nft refuses, and where: every gap of a text, with its line and column.

use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;

/// The gaps of a text, one a line.
fn gaps(text: &[u8]) -> Vec<String> {
    let mut sources = SourceMap::default();
    let file = sources.add(b"f.nft", text.to_vec()).expect("small");
    let input = Input { name: "host".into(), format: formats::format("nftables"), files: vec![file] };
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut Store::default(), None);
    let line = |gap: &portcullis::model::Gap| {
        let place = sources.locate(gap.origin);
        format!("{}:{} {}", place.line, place.column, gap.reason)
    };
    snapshot.gaps().iter().map(line).collect()
}

#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    assert_eq!(gaps(text.as_bytes()), expected, "{text:?}");
}

fn accepted(text: &str) {
    refused(text, &[]);
}

/// A chain with these lines.
fn chain(lines: &str) -> String {
    format!("table ip t {{\n chain c {{\n{lines}\n }}\n}}\n")
}

#[test]
fn lines_and_files_have_to_end() {
    refused(
        "table ip t { } table ip u { }\n",
        &["1:16 syntax error: unexpected `table`, expecting the end of the line or `;`"],
    );
    refused(
        "add table t # why",
        &[
            "1:13 syntax error: unexpected `#`: a comment needs a line end behind it, expecting the end of the line or `;`",
        ],
    );
    refused(
        "include \"./x*\"",
        &["1:15 syntax error: unexpected the end of the file, expecting the end of the line or `;`"],
    );
    refused("table ip t {\n chain c {\n", &["3:1 syntax error: unexpected the end of the file, expecting `}`"]);
    accepted("add table t");
    accepted("table ip t {\n chain c {\n  accept\n }\n}");
    accepted("table ip t { }; table ip u { }");
}

#[test]
fn a_length_of_time_is_a_number_of_seconds_or_has_units() {
    for time in ["> 5s", "5", "1h30m", "5s-1m", "{ 500ms, 10s }", "\"5s\"", "& 5s == 5s", "49d"] {
        accepted(&chain(&format!("ct expiration {time} accept")));
    }
    accepted("table ip t {\n set s { type time; elements = { 5s }\n }\n chain c {\n  ct expiration @s accept\n }\n}\n");
    for (time, column, reason) in [
        ("x", 15, "wrong time format"),
        ("50d", 15, "value too large"),
        ("4294968", 15, "value too large"),
        ("1m-5s", 15, "Range has zero or negative size"),
    ] {
        let reason = format!("3:{column} {reason}: nft refuses the file");
        refused(&chain(&format!("ct expiration {time} drop")), &[&reason]);
    }
}

#[test]
fn arp_is_not_asked_for_where_packets_are_of_ip() {
    let of = |family: &str| format!("table {family} t {{\n chain c {{\narp operation request accept\n }}\n}}\n");
    for family in ["ip", "ip6", "inet"] {
        let reason = format!("3:1 conflicting protocols specified: {family} vs. arp: nft refuses the file");
        refused(&of(family), &[&reason]);
    }
    ["arp", "bridge", "netdev"].iter().for_each(|family| accepted(&of(family)));
}

#[test]
fn what_editors_leave_behind_is_refused() {
    assert_eq!(
        gaps(b"\xef\xbb\xbftable ip t { }\n"),
        ["1:1 syntax error: unexpected byte order mark, expecting a name"]
    );
    assert_eq!(
        gaps(b"add table t\r\n"),
        [
            "1:12 syntax error: unexpected carriage return (nft takes lines that end with LF only), expecting the end of the line or `;`"
        ]
    );
    assert_eq!(gaps(b"add table t\n\0"), ["2:1 syntax error: unexpected NUL, expecting a name"]);
    refused("", &["1:1 the file is empty"]);
}

#[test]
fn sets_take_one_line_end_beside_a_comma() {
    let set = |elements: &str| format!("table ip t {{\n set s {{ type inet_service; elements = {elements} }}\n}}\n");
    accepted(&set("{ 1,\n 2,, 3\n, }"));
    accepted(&set("{ 1, # one\n # two\n 2 # three\n}"));
    refused(
        &set("{ 1,\n\n 2 }"),
        &[
            "3:1 syntax error: unexpected the end of the line, expecting an expression",
            "4:2 syntax error: unexpected `2`, expecting `type`, `flags`, `elements` or what else a set holds",
            "6:1 syntax error: unexpected the end of the file, expecting `}`",
        ],
    );
    let empty = gaps(set("{ }").as_bytes());
    assert_eq!(empty.first().map(String::as_str), Some("2:42 syntax error: unexpected `}`, expecting an expression"));
}

#[test]
fn errors_are_told_one_by_one_up_to_ten() {
    let text = chain("  tcp dport 22 acept\n  tcp dprt 22 accept\n  accept");
    refused(
        &text,
        &[
            "3:16 syntax error: `acept` is no statement or expression that nft knows",
            "4:7 syntax error: unexpected `dprt`, expecting a field of tcp: sport, dport, sequence, ackseq, doff, reserved, \
         flags, window, checksum, urgptr",
        ],
    );
    let many = gaps(chain(&"  nothing\n".repeat(20)).as_bytes());
    assert_eq!(many.len(), 11);
    assert_eq!(many.last().map(String::as_str), Some("12:10 not read: nft gives up after 10 errors"));
}

#[test]
fn a_template_and_a_fragment_are_named_as_such() {
    refused(
        "table ip t {\n chain c {\n  ip saddr {{ office }} accept\n }\n}\n",
        &["3:12 a template (Jinja), not checked: render it and check what it gives"],
    );
    refused(
        "tcp dport 22 accept\nudp dport 53 accept\n",
        &[
            "1:1 a fragment (rules without a chain), which nft refuses as a file of its own: name the file that includes it",
        ],
    );
    refused(
        "set s {\n type ipv4_addr\n}\n",
        &[
            "1:1 a fragment (what a table holds, without the table), which nft refuses as a file of its own: name the file that \
         includes it",
        ],
    );
}

#[test]
fn nothing_is_nested_without_end() {
    let deep = format!("define x = {}1{}\n", "{ ".repeat(5000), " }".repeat(5000));
    assert_eq!(gaps(deep.as_bytes()).first().map(String::as_str), Some("1:142 nested deeper than 64 levels"));
    let deep = chain(&format!("  meta mark set {}1{}", "(".repeat(5000), ")".repeat(5000)));
    assert_eq!(gaps(deep.as_bytes()).first().map(String::as_str), Some("3:79 nested deeper than 64 levels"));
    let long = chain(&format!("  meta mark set 1{}", " | 1".repeat(5000)));
    assert_eq!(gaps(long.as_bytes()).first().map(String::as_str), Some("3:275 more than 64 operators in a row"));
}

#[test]
fn names_are_defined_once_and_where_they_are_used() {
    accepted(&format!("define p = {{ 22, 80 }}\n{}", chain("  tcp dport $p accept")));
    refused("define p = 1\ndefine p = 2\n", &["2:8 redefinition of symbol 'p'"]);
    accepted("define p = 1\nredefine p = 2\nundefine p\n");
    refused("undefine p\n", &["1:10 undefined symbol 'p'"]);
    refused(
        &format!("define port = 1\n{}", chain("  tcp dport $prt accept")),
        &["1:8 syntax error: unexpected `port`, expecting a name", "4:14 unknown identifier 'prt'"],
    );
}

#[test]
fn commands_find_what_they_are_about() {
    refused("add chain ip t c\n", &["1:14 there is no table `ip t` here: nft refuses the file"]);
    refused(
        "add table t\nadd rule t c accept\n",
        &["2:12 there is no chain `c` in the table `ip t` here: nft refuses the file"],
    );
    refused("add table t\ncreate table t\n", &["2:14 the table `t` exists already: nft refuses the file"]);
    refused(
        "add table t\ndelete table t\ndelete table t\n",
        &["3:14 there is no table `ip t` here: nft refuses the file"],
    );
    accepted("add table t\ndelete table t\ndestroy table t\n");
    refused(&chain("  jump d"), &["3:8 there is no chain `d` in the table here: nft refuses the file"]);
    refused(&chain("  tcp dport @s accept"), &["3:13 there is no set `s` in the table here: nft refuses the file"]);
    refused(
        &chain("  accept\n  drop tcp dport 22"),
        &["4:8 statement after terminal statement has no effect: nft refuses the file"],
    );
    accepted("table ip t {\n chain c { jump d; }\n chain d { }\n}\nflush chain ip t c\ndelete chain ip t d\n");
    refused(
        "table ip t {\n chain c { jump d; }\n chain d { }\n}\ndelete chain ip t d\n",
        &["5:19 the chain `d` is still used: nft refuses to delete it"],
    );
}

#[test]
fn base_chains_are_of_one_kind() {
    let base = |line: &str| chain(&format!("  {line}"));
    refused(
        &base("policy drop"),
        &["3:3 only a base chain, with type, hook and priority, has a policy: nft refuses the file"],
    );
    refused(&base("type foo hook input priority 0"), &["3:8 unknown chain type"]);
    refused(&base("type filter hook foo priority 0"), &["3:20 unknown chain hook"]);
    refused(
        &base("type nat hook forward priority 0"),
        &["3:3 no chain of type `nat` can be on the hook `forward` of ip: nft refuses the file"],
    );
    refused(
        &base("type filter hook input priority 0; policy drop; policy drop"),
        &["3:51 you cannot set chain policy twice"],
    );
    refused(
        &base("type filter hook input priority 0; jump d")
            .replace(" }\n}", " }\n chain d { jump e; }\n chain e { jump d; }\n}"),
        &["3:43 jumps from here lead in circles: the kernel refuses the file"],
    );
}

/// What is refused of one rule in a chain of `inet` that has some sets: from its column on.
#[track_caller]
fn refused_rule(rule: &str, expected: &str) {
    let text = format!(
        "table inet t {{\n set s {{ type ipv4_addr; }}\n set d {{ type ipv4_addr; flags dynamic; }}\n \
         set p {{ type inet_proto; elements = {{ tcp }} }}\n map m {{ type ipv4_addr : mark; flags dynamic; }}\n \
         map both {{ type ipv4_addr : ipv4_addr . inet_service; }}\n chain c {{\n{rule}\n }}\n}}\n"
    );
    refused(&text, if expected.is_empty() { &[] } else { std::slice::from_ref(&expected) });
}

#[test]
fn a_rule_reads_the_headers_of_one_protocol() {
    refused_rule(
        "meta l4proto { tcp, udp } tcp dport 22 accept",
        "8:27 conflicting protocols specified: udp vs. tcp: nft refuses the file",
    );
    refused_rule(
        "meta l4proto 99 meta l4proto tcp tcp dport 22",
        "8:34 conflicting protocols specified: unknown vs. tcp: nft refuses the file",
    );
    refused_rule(
        "ether type { ip, ip6 } ip saddr 1.1.1.1",
        "8:24 conflicting protocols specified: ip6 vs. ip: nft refuses the file",
    );
    refused_rule("ip protocol { 99, tcp } tcp dport 22", "");
    refused_rule("meta protocol ip ip6 saddr ::1", "");
}

#[test]
fn icmp_fields_are_those_of_the_type_that_was_asked_for() {
    refused_rule("icmp type 2 icmp mtu 5", "8:13 incompatible icmp match: rule has 2, need 3: nft refuses the file");
    refused_rule("icmp id 1 icmp mtu 5", "8:11 incompatible icmp match: rule has 8, need 3: nft refuses the file");
    refused_rule(
        "icmp type { 5, 3 } icmp gateway 4",
        "8:20 incompatible icmp match: rule has 3, need 5: nft refuses the file",
    );
    refused_rule(
        "icmp id . icmp mtu { 3 . 2 }",
        "8:1 incompatible icmp match: rule has 8, need 3: nft refuses the file",
    );
    refused_rule("icmp type != 2 icmp mtu 5", "");
    refused_rule("icmp type { 3, 5 } icmp gateway 4", "");
    refused_rule("icmpv6 type 129 icmpv6 id 3", "");
}

#[test]
fn ports_are_translated_behind_a_protocol() {
    let needed = "transport protocol mapping is only valid after transport protocol match: nft refuses the file";
    refused_rule("dnat ip to 1.1.1.1:80", &format!("8:20 {needed}"));
    refused_rule("meta l4proto @p dnat ip to 1.1.1.1:80", &format!("8:36 {needed}"));
    refused_rule("meta l4proto != tcp dnat ip to 1.1.1.1:80", &format!("8:40 {needed}"));
    refused_rule("dnat ip to ip saddr map { 1.1.1.1 : 2.2.2.2 . 80 }", &format!("8:12 {needed}"));
    refused_rule("dnat ip to ip saddr map @both", &format!("8:12 {needed}"));
    refused_rule("meta l4proto { tcp, udp } dnat ip to ip saddr map @both", "");
    refused_rule("meta l4proto 99 dnat ip to 1.1.1.1:80", "");
    refused_rule(
        "meta l4proto @p tproxy to :80",
        "8:17 Transparent proxy support requires transport protocol match: nft refuses the file",
    );
    refused_rule(
        "meta l4proto { tcp, udp } reject with tcp reset",
        "8:27 you cannot use tcp reset with this protocol: nft refuses the file",
    );
}

#[test]
fn what_is_written_is_of_the_type_that_it_is_written_to() {
    refused_rule("meta mark set foo", "8:15 Could not parse packet mark: nft refuses the file");
    refused_rule(
        "meta mark set 0x100000000",
        "8:15 Value 4294967296 exceeds valid range 0-4294967295: nft refuses the file",
    );
    refused_rule(
        "meta mark set iifname",
        "8:15 datatype mismatch: expected packet mark, expression has type network interface name: nft refuses the file",
    );
    refused_rule(
        "ip daddr set tcp dport",
        "8:14 datatype mismatch: expected IPv4 address, expression has type internet network service: nft refuses the file",
    );
    refused_rule("tcp dport set 70000", "8:15 Service out of range: nft refuses the file");
    refused_rule("meta mark set ip dscp", "");
    refused_rule("meta mark set ip saddr map @m", "");
    refused_rule(
        "meta mark set numgen inc mod 0",
        "8:15 Could not process rule: Numerical result out of range: nft refuses the file",
    );
    refused_rule(
        "meta mark set mark << 32",
        "8:23 Left shift of 32 bits is undefined for type of 32 bits width: nft refuses the file",
    );
    refused_rule(
        "tcp dport >> 16 == 3",
        "8:1 Right shift of 16 bits is undefined for type of 16 bits width: nft refuses the file",
    );
    refused_rule(
        "ct helper . ip saddr { \"ftp\" . 1.1.1.1 }",
        "8:1 can not use variable sized data types (string) in concat expressions: nft refuses the file",
    );
    refused_rule("iifname \"\"", "8:9 Empty string is not allowed: nft refuses the file");
    refused_rule("dup to 192.0.2.1", "8:1 unsupported family: nft refuses the file");
    refused_rule("fwd to lo", "8:1 unsupported family: nft refuses the file");
    refused_rule("log level info group 3", "8:1 level and group are mutually exclusive: nft refuses the file");
    refused_rule(
        "limit rate 0/second",
        "8:1 Could not process rule: Invalid argument: a rate of nothing: nft refuses the file",
    );
}

#[test]
fn rules_add_to_sets_what_the_sets_can_hold() {
    refused_rule("add @d { ip saddr }", "");
    refused_rule(
        "add @d { tcp dport }",
        "8:10 datatype mismatch: expected IPv4 address, expression has type internet network service: nft refuses the file",
    );
    refused_rule(
        "add @d { ip saddr . ip daddr }",
        "8:10 datatype mismatch: expected IPv4 address, and this has 2 parts: nft refuses the file",
    );
    refused_rule(
        "add @d { ip saddr comment \"x\" }",
        "8:10 Key expression comments are not supported: nft refuses the file",
    );
    refused_rule(
        "add @s { ip saddr timeout 3m }",
        "8:1 Could not process rule: Operation not supported: the set has no `flags timeout`: nft refuses the file",
    );
    refused_rule(
        "add @m { ip saddr }",
        "8:1 Could not process rule: Invalid argument: a map needs a value: nft refuses the file",
    );
    refused(
        "table ip t {\n set i { type ipv4_addr; flags interval; }\n chain c {\n  update @i { ip saddr }\n }\n}\n",
        &[
            "2:6 Could not process rule: Operation not supported: rules cannot add to sets of intervals: nft refuses the file",
        ],
    );
}

#[test]
fn sets_and_maps_are_declared_as_they_can_be() {
    let set =
        |text: &str, expected: &[&str]| refused(&format!("table ip t {{\n counter c {{ }}\n{text}\n}}\n"), expected);
    set("map x { type ipv4_addr : foo; }", &["3:26 unknown datatype foo: nft refuses the file"]);
    set(
        "set x { type string; }",
        &[
            "3:5 unqualified type string specified in set definition. Try \"typeof expression\" instead of \"type datatype\".: \
         nft refuses the file",
        ],
    );
    set(
        "set x { type ipv4_addr . verdict; }",
        &["3:26 can not use variable sized data types (verdict) in concat expressions: nft refuses the file"],
    );
    set(
        "map x { typeof ip saddr : 22; }",
        &["3:27 map data type 'symbol' lacks typeof serialization: nft refuses the file"],
    );
    set(
        "set x { type ipv4_addr; auto-merge; }",
        &["3:5 auto-merge only works with interval sets: nft refuses the file"],
    );
    set(
        "set x { type ipv4_addr; elements = { 1.1.1.1 counter } }",
        &["3:46 missing statement in set declaration: nft refuses the file"],
    );
    set(
        "set x { type ipv4_addr; counter; elements = { 1.1.1.1 limit rate 1/second } }",
        &["3:55 statement mismatch, element expects limit, but set has type counter: nft refuses the file"],
    );
    set(
        "map x { type inet_service : mark; elements = { 22, 23 } }",
        &["3:48 Could not process rule: Invalid argument: an element of a map without a value: nft refuses the file"],
    );
    set(
        "map x { type ipv4_addr : mark; elements = { 1.1.1.1 : foo } }",
        &["3:55 Could not parse packet mark: nft refuses the file"],
    );
    set(
        "map x { type ipv4_addr : ipv4_addr; elements = { 1.1.1.1 : 2.2.2.2-2.2.2.3 } }",
        &["3:60 Value must be a singleton: nft refuses the file"],
    );
    set("map x { type ipv4_addr : interval ipv4_addr; elements = { 1.1.1.1 : 2.2.2.2-2.2.2.3 } }", &[]);
    set(
        "map x { type ipv4_addr : verdict; elements = { 1.1.1.1 : foo } }",
        &["3:58 Can't parse symbolic netfilter verdict expressions: nft refuses the file"],
    );
    set(
        "map x { type ipv4_addr : ipv4_addr . inet_service; elements = { 1.1.1.1 : 2.2.2.2 } }",
        &[
            "3:75 invalid data type, expected concatenation of (IPv4 address, internet network service): nft refuses the file",
        ],
    );
    set(
        "map x { type ipv4_addr : counter; elements = { 1.1.1.1 : \"c\", 1.1.1.2 : \"d\" } }",
        &["3:73 there is no counter `d` in the table here: nft refuses the file"],
    );
}

#[test]
fn objects_say_what_they_need() {
    let object = |text: &str, expected: &[&str]| refused(&format!("table ip t {{\n{text}\n}}\n"), expected);
    object(
        "ct expectation x { protocol tcp; timeout 1m; size 3; }",
        &["2:16 missing options (a protocol, and a port, a timeout and a size above 0): nft refuses the file"],
    );
    object("ct expectation x { protocol tcp; dport 3; timeout 1m; size 3; }", &[]);
    object(
        "ct timeout x { protocol udp; policy = { established : 3 }; }",
        &["2:41 invalid state for this protocol: nft refuses the file"],
    );
    object("synproxy x { mss 1460; wscale 7; timestamp sack-perm; }", &[]);
    object(
        "synproxy x { mss 1460; }",
        &[
            "2:24 syntax error: unexpected `}`, expecting `wscale`",
            "4:1 syntax error: unexpected the end of the file, expecting `}`",
        ],
    );
    object(
        "flowtable x { hook input priority 0; devices = { lo }; }",
        &["2:11 invalid hook input: nft refuses the file"],
    );
}

#[test]
fn chains_without_a_name_hold_no_other() {
    refused_rule("jump {\n  jump {\n   accept\n  }\n }", "9:8 too many levels of nesting");
    refused_rule(
        "jump {\n  ip6 saddr ::1 accept accept\n }",
        "9:24 statement after terminal statement has no effect: nft refuses the file",
    );
}
