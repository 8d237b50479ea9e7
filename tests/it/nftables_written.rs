//! What rules write, translate and name beside deciding: a change of it is never taken for none.

use portcullis::diff::{self, Change};
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;

/// What becomes of a change from one text to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    /// Proved to do the same.
    Same,
    /// Packets may be decided otherwise.
    Otherwise,
    /// Something changes that has no part in filters and is told.
    Told,
    /// Something changes whose effect is not computed.
    Uncomputed,
}

use Becomes::{Otherwise, Same, Told, Uncomputed};

fn compared(old: &str, new: &str) -> Becomes {
    let (mut sources, mut store) = (SourceMap::default(), Store::default());
    let mut memo = None;
    let [base, head] = [old, new].map(|text| {
        let file = sources.add(b"f.nft", text.as_bytes().to_vec()).expect("small");
        let input = Input { name: "host".into(), format: formats::format("nftables"), files: vec![file] };
        let (snapshot, left, _) = formats::read(&[input], &sources, &mut store, memo.as_ref());
        memo = Some(left);
        assert_eq!(snapshot.gaps().iter().map(|gap| &gap.reason).collect::<Vec<_>>(), [""; 0], "{text}");
        snapshot
    });
    let difference = diff::compare(&Change::new(base, head, store));
    let configurations = || difference.configurations.iter();
    let objects =
        || configurations().flat_map(|c| c.objects.added.iter().chain(&c.objects.removed).chain(&c.objects.modified));
    if objects().any(|object| object.uncomputed.is_some()) {
        Uncomputed
    } else if configurations().any(|c| !c.filters.is_empty()) {
        Otherwise
    } else if objects().next().is_some() {
        Told
    } else {
        Same
    }
}

/// A table in which the first text of each pair gives way to the second.
#[track_caller]
fn becomes(table: &str, cases: &[(&str, &str, Becomes)]) {
    for (old, new, expected) in cases {
        assert!(table.contains(old), "{old:?} is in {table}");
        assert_eq!(compared(table, &table.replacen(old, new, 1)), *expected, "{old:?} becomes {new:?} in {table}");
        assert_eq!(compared(table, &format!("# {old}\n{table}")), Same, "{table}");
    }
}

const MARKS: &str = "table inet f {
 set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }
 map m { type ipv4_addr : mark; elements = { 10.0.0.1 : 1 } }
 chain skip { ip saddr 192.0.2.1 accept; }
 chain deep { jump skip; }
 chain later { ip saddr 192.0.2.2 accept; }
 chain write { udp dport 5 return; meta mark set 1; meta mark set ip saddr map @m; }
 chain pre {
  type filter hook prerouting priority mangle; policy accept;
  jump deep
  ip saddr @s accept
  jump write
  jump later
 }
 chain other { type filter hook prerouting priority 0; policy accept; ip saddr 192.0.2.3 accept; }
 chain input { type filter hook input priority 0; policy drop; meta mark 1 accept; }
}
";

#[test]
fn marks_change_with_all_that_keeps_a_packet_from_their_writers() {
    becomes(
        MARKS,
        &[
            ("192.0.2.1", "192.0.2.9", Otherwise),
            ("10.0.0.0/8", "10.0.0.0/16", Otherwise),
            ("10.0.0.1 : 1", "10.0.0.1 : 2", Otherwise),
            ("udp dport 5", "udp dport 6", Otherwise),
            ("priority mangle", "priority mangle + 1", Otherwise),
            ("table inet f {", "table inet f {\n flags dormant;", Otherwise),
            // What comes behind all writers, or writes and reads nothing, does not matter.
            ("192.0.2.2", "192.0.2.9", Same),
            ("192.0.2.3", "192.0.2.9", Same),
            ("jump later", "ip daddr 192.0.2.9 accept", Same),
        ],
    );
}

#[test]
fn marks_change_with_the_order_of_the_base_chains_that_write_and_read_them() {
    let table = "table inet f {
 chain write { type filter hook input priority -5; policy accept; tcp dport 80 meta mark set 1; }
 chain read { type filter hook input priority 0; policy accept; meta mark 1 drop; }
 chain neither { type filter hook input priority 0; policy accept; tcp dport 80 accept; }
}
";
    becomes(
        table,
        &[
            ("priority 0; policy accept; meta", "priority -10; policy accept; meta", Otherwise),
            ("priority 0; policy accept; tcp", "priority -10; policy accept; tcp", Told),
        ],
    );
}

#[test]
fn what_else_is_written_is_read_in_every_way_of_asking() {
    let table = "table inet f {
 chain pre {
  type filter hook prerouting priority mangle; policy accept;
  tcp option maxseg size set 1400
  ip6 flowlabel set 3
  meta pkttype set host
  meta priority set 1:1
  meta mark set 1
 }
 chain forward { type filter hook forward priority 0; policy accept; tcp dport 9 drop; }
}
";
    for (read, old, new) in [
        ("tcp option maxseg size 1400", "size set 1400", "size set 1300"),
        ("@nh,64,8 64", "flowlabel set 3", "flowlabel set 4"),
        ("ip6 flowlabel 3", "flowlabel set 3", "flowlabel set 4"),
        ("meta pkttype broadcast", "pkttype set host", "pkttype set broadcast"),
        ("fib saddr . mark oif missing", "mark set 1", "mark set 2"),
        ("meta priority 1:1", "priority set 1:1", "priority set 1:2"),
    ] {
        becomes(&table.replace("tcp dport 9", read), &[(old, new, Otherwise)]);
        becomes(table, &[(old, new, Same)]);
    }
}

const BESIDE: &str = "table inet f {
 set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }
 map m { type inet_service : ipv4_addr; elements = { 80 : 10.9.9.8 } }
 chain skip { ip saddr 192.0.2.1 accept; }
 chain later { ip saddr 192.0.2.2 accept; }
 chain raw { type filter hook prerouting priority raw; policy accept; jump skip; ip saddr @s notrack; jump later; }
 chain marking { type filter hook prerouting priority mangle; policy accept; ip saddr 192.0.2.3 meta mark set 1; }
 chain translate {
  type nat hook prerouting priority dstnat; policy accept;
  jump skip
  ip daddr @s tcp dport 80 dnat ip to 10.9.9.9
  meta mark 1 dnat ip to tcp dport map @m
 }
}
";

#[test]
fn what_keeps_packets_from_a_translation_or_from_tracking_is_part_of_it() {
    becomes(
        BESIDE,
        &[
            ("192.0.2.1", "192.0.2.9", Uncomputed),
            ("10.0.0.0/8", "10.0.0.0/16", Uncomputed),
            ("80 : 10.9.9.8", "80 : 10.9.9.7", Uncomputed),
            ("192.0.2.3", "192.0.2.9", Uncomputed),
            ("table inet f {", "table inet f {\n flags dormant;", Uncomputed),
            ("192.0.2.2", "192.0.2.9", Same),
        ],
    );
}

#[test]
fn frames_are_decided_on_by_what_sets_hold() {
    let table = "table netdev f {
 set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }
 chain in { type filter hook ingress device lo priority 0; policy accept; ip saddr @s drop; }
}
";
    becomes(table, &[("10.0.0.0/8", "10.0.0.0/16", Uncomputed)]);
}

#[test]
fn a_filter_that_comes_to_stand_behind_a_translation_is_not_computed() {
    let table = |hook: &str, nat: &str| {
        format!(
            "table inet f {{
 chain a {{ type filter hook {hook} priority -110; policy accept; ip daddr 192.0.2.1 drop; }}
 chain b {{ type filter hook {hook} priority -105; policy accept; ip daddr 192.0.2.2 accept; }}
 chain nat {{ type nat hook {hook} priority 50; policy accept; {nat}; }}
}}
"
        )
    };
    let destination = table("prerouting", "tcp dport 80 dnat ip to 10.9.9.9");
    becomes(
        &destination,
        &[
            ("priority -110", "priority -109", Told),
            ("192.0.2.1", "192.0.2.9", Otherwise),
            // Where the translation is done is the kernel's choice.
            ("priority 50", "priority 60", Uncomputed),
            ("priority -110", "priority -90", Uncomputed),
            // What decides nothing may stand anywhere.
            ("priority -105", "priority -95", Told),
        ],
    );
    let source = table("postrouting", "oifname \"wan\" masquerade").replace("-110", "10");
    becomes(&source, &[("priority 10", "priority 110", Uncomputed), ("oifname \"wan\"", "oifname \"lan\"", Told)]);
    let followed = source.replace("priority 10;", "priority 110;");
    becomes(&followed, &[("oifname \"wan\"", "oifname \"lan\"", Uncomputed), ("192.0.2.1", "192.0.2.9", Otherwise)]);
    // Of one packet, each of the two sees another address.
    let both = destination.replace("ip daddr 192.0.2.2 accept", "ip daddr != 10.9.9.9 drop").replace("-105", "0");
    becomes(&both, &[("10.9.9.9 drop", "10.9.9.8 drop", Uncomputed), ("192.0.2.1", "192.0.2.9", Uncomputed)]);
}

#[test]
fn a_rule_changes_with_the_object_that_it_names() {
    let table = "table ip f {
 limit l { rate 10/second }
 limit n { rate 11/second }
 quota q { 25 mbytes }
 synproxy p { mss 1460; wscale 7; }
 ct helper h { type \"ftp\" protocol tcp; }
 ct timeout t { protocol tcp; policy = { established : 7200 }; }
 ct expectation e { protocol tcp; dport 99; timeout 1h; size 12; }
 set s { type ipv4_addr; limit rate 1/second; elements = { 10.0.0.1 } }
 set each { type ipv4_addr; limit rate 3/second; elements = { 10.0.0.2 limit rate 2/second } }
 map names { type ipv4_addr : limit; elements = { 10.0.0.3 : \"n\" } }
 chain c {
  type filter hook forward priority 0; policy accept;
  tcp dport 1 limit name \"l\" drop
  tcp dport 2 quota name \"q\" drop
  tcp dport 3 synproxy name \"p\"
  tcp dport 7 ip saddr @s drop
  tcp dport 8 ip saddr @each drop
  tcp dport 9 limit name ip saddr map @names drop
 }
 chain tracked {
  type filter hook prerouting priority -150; policy accept;
  tcp dport 4 ct helper set \"h\"
  tcp dport 5 ct timeout set \"t\"
  tcp dport 6 ct expectation set \"e\"
 }
}
";
    becomes(
        table,
        &[
            ("rate 10/second", "rate over 10/second", Otherwise),
            ("rate 10/second", "rate 20/second", Otherwise),
            ("rate 11/second", "rate 12/second", Otherwise),
            ("10.0.0.3 : \"n\"", "10.0.0.3 : \"l\"", Otherwise),
            ("25 mbytes", "over 25 mbytes", Otherwise),
            ("wscale 7", "wscale 8", Otherwise),
            ("\"ftp\"", "\"sip\"", Uncomputed),
            ("7200", "7201", Uncomputed),
            ("dport 99", "dport 98", Uncomputed),
            ("rate 1/second", "rate over 1/second", Otherwise),
            ("rate 2/second", "rate over 2/second", Otherwise),
            // So it is listed.
            ("{ 10.0.0.1 }", "{ 10.0.0.1 limit rate 1/second }", Same),
            ("protocol tcp; }", "protocol tcp; l3proto ip; }", Same),
            ("dport 99;", "dport 99; l3proto ip;", Same),
        ],
    );
}

#[test]
fn who_is_added_to_a_set_changes_with_the_ways_to_the_rule_that_adds() {
    let table = "table ip f {
 set ok { type ipv4_addr; flags dynamic,timeout; timeout 1m; }
 set from { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }
 chain knock { ip saddr 192.0.2.1 return; add @ok { ip saddr }; ip saddr 192.0.2.2 return; }
 chain in {
  type filter hook input priority 0; policy drop;
  tcp dport 9999 ip saddr @from jump knock
  ip saddr @ok tcp dport 22 accept
 }
}
";
    becomes(
        table,
        &[
            ("tcp dport 9999 ip saddr @from jump", "jump", Otherwise),
            ("tcp dport 9999", "tcp dport 9998", Otherwise),
            ("10.0.0.0/8", "10.0.0.0/16", Otherwise),
            ("timeout 1m;", "timeout 2m;", Otherwise),
            ("192.0.2.1", "192.0.2.9", Otherwise),
            ("192.0.2.2", "192.0.2.9", Same),
        ],
    );
}

#[test]
fn a_copy_that_leaves_is_told() {
    let table = "table ip f {
 chain c { type filter hook forward priority 0; policy accept; tcp dport 22 dup to 192.0.2.1; }
}
";
    becomes(table, &[("192.0.2.1", "192.0.2.2", Uncomputed), ("dup to 192.0.2.1", "counter", Uncomputed)]);
}

const BUCKETS: &str = "table inet f {
 limit l { rate 1/hour burst 1 packets; }
 limit alone { rate 2/hour; }
 quota q { over 100 bytes }
 map names { type ipv4_addr : limit; elements = { 10.9.1.1 : \"l\" } }
 set each { type ipv4_addr; limit rate 1/hour burst 1 packets; elements = { 10.9.1.2 } }
 set met { type ipv4_addr; flags dynamic; size 65535; }
 set few { type ipv4_addr; flags dynamic; size 2; }
 chain pre {
  type filter hook prerouting priority mangle; policy accept;
  ip saddr 10.0.0.1 accept
  ip saddr 10.0.0.2 LIMIT accept
 }
 chain in {
  type filter hook input priority 0; policy accept;
  tcp flags syn limit name \"alone\" accept
  tcp flags syn INPUT accept
  tcp flags syn drop
 }
}
";

#[test]
fn what_a_bucket_of_a_name_has_left_changes_with_who_else_takes_from_it() {
    for (other, input) in [
        ("limit name \"l\"", "limit name \"l\""),
        ("limit name ip saddr map @names", "limit name \"l\""),
        ("limit name \"l\"", "limit name ip saddr map @names"),
        ("quota name \"q\"", "quota name \"q\""),
        (
            "update @met { ip saddr limit rate 1/hour burst 1 packets }",
            "update @met { ip saddr limit rate 1/hour burst 1 packets }",
        ),
        ("update @met { ip saddr ct count 3 }", "ip saddr @met"),
        ("ip saddr @met", "update @met { ip saddr quota 100 bytes }"),
        ("ip saddr @each", "ip saddr @each"),
        ("ip saddr @each", "meta mark set 1 ip saddr != @each"),
        ("ip saddr . tcp dport vmap { 10.9.9.9 . 1 : drop } ip saddr @each", "ip saddr @each"),
    ] {
        let table = BUCKETS.replace("LIMIT", other).replace("INPUT", input);
        let expected =
            [("10.0.0.1 accept", "10.0.0.9 accept"), ("10.0.0.2", "10.0.0.9"), ("priority mangle", "priority 10")];
        becomes(&table, &expected.map(|(old, new)| (old, new, Otherwise)));
        becomes(&table, &[("tcp flags syn drop", "tcp flags & syn == syn drop", Same)]);
    }
    // Who fills a small set leaves no room in it.
    let table = BUCKETS.replace("LIMIT", "add @few { ip saddr }").replace("INPUT", "add @few { ip saddr }");
    becomes(&table, &[("10.0.0.2", "10.0.0.9", Otherwise)]);
}

#[test]
fn a_bucket_that_one_rule_takes_from_is_its_own() {
    for (alone, other) in
        [("limit name \"l\"", "counter"), ("ip saddr @each", "counter"), ("counter", "limit rate 1/hour")]
    {
        let table = BUCKETS.replace("LIMIT", alone).replace("INPUT", other);
        becomes(
            &table,
            &[("hook input priority 0; policy accept", "hook input priority 0; policy accept; counter", Same)],
        );
    }
}

#[test]
fn before_tracking_a_packet_from_outside_has_no_connection() {
    let table = |at: &str, rule: &str| {
        format!(
            "table inet f {{\n chain c {{\n  type filter hook prerouting priority {at}; policy accept;\n  {rule}\n }}\n}}\n"
        )
    };
    for condition in [
        "ct direction original",
        "ct mark 0",
        "ct mark != 5",
        "ct status != dnat",
        "ct status dnat",
        "ct original protocol tcp",
        "ct original protocol != udp",
        "ct helper \"ftp\"",
        "ct label 5",
        "ct state new",
        "ct state != invalid",
    ] {
        let early = table("raw", &format!("{condition} drop"));
        becomes(&early, &[("priority raw", "priority filter", Otherwise), (condition, "counter", Otherwise)]);
        // What a host sends to itself may have one.
        let outside = table("raw", &format!("iifname != \"lo\" {condition} drop"));
        becomes(&outside, &[("drop", "accept", Same)]);
    }
    becomes(&table("raw", "iifname eth0 ct state invalid drop"), &[("ct state invalid", "counter", Same)]);
    // Where rules say how packets are tracked, some have a connection before.
    let told = table("raw", "tcp dport 1 ct zone set 1\n  iifname eth0 ct mark 0 drop");
    becomes(&told, &[("drop", "accept", Otherwise)]);
    let exempt = table("raw", "tcp dport 1 notrack\n  iifname eth0 ct state invalid drop");
    becomes(&exempt, &[("ct state invalid", "counter", Otherwise)]);
    // One state at a time, in whatever order.
    let map = table(
        "raw",
        "ct state vmap { established : accept, invalid : drop, related : accept, new : drop, untracked : drop }",
    );
    becomes(&map, &[("established : accept, invalid : drop", "invalid : drop, established : accept", Same)]);
}

/// A table whose only rule accepts by a condition.
fn accepting(condition: &str) -> String {
    format!(
        "table inet f {{\n chain c {{\n  type filter hook input priority 0; policy drop;\n  {condition} accept\n }}\n}}\n"
    )
}

#[test]
fn to_have_a_flag_and_to_be_it_are_two_questions() {
    // By `nft --debug=netlink`: the condition, and what the kernel asks.
    let kinds = [
        ("ct status dnat", "status & 0x20 != 0"),
        ("ct status & dnat != 0", "status & 0x20 != 0"),
        ("ct status & dnat == dnat", "status & 0x20 != 0"),
        ("ct status ! dnat", "status & 0x20 == 0"),
        ("ct status == dnat", "status == 0x20"),
        ("ct status != dnat", "status != 0x20"),
        ("ct status dnat,snat", "status & 0x30 != 0"),
        ("ct status & (dnat|snat) != 0", "status & 0x30 != 0"),
        ("ct status == dnat,snat", "status == 0x30"),
        ("ct status { dnat, snat }", "status in 0x20, 0x10"),
        ("ct label 5", "label & 0x20 != 0"),
        ("ct label ! 5", "label & 0x20 == 0"),
        ("ct label == 5", "label == 0x20"),
        ("ct label != 5", "label != 0x20"),
        ("ct label 1,5", "label & 0x22 != 0"),
        ("ct label == 1,5", "label == 0x22"),
        ("ct label { 1, 5 }", "label in 0x2, 0x20"),
    ];
    for (one, asks) in kinds {
        for (other, asked) in kinds {
            let expected = if asks == asked { Same } else { Otherwise };
            assert_eq!(compared(&accepting(one), &accepting(other)), expected, "{one} becomes {other}");
        }
    }
    // And so where it decides on what is written.
    let marks = |condition: &str| {
        let reads = "chain d { type filter hook input priority 1; policy drop; meta mark 1 accept; }";
        accepting(condition).replace("accept", "meta mark set 1").replace("policy drop", "policy accept").replacen(
            " chain",
            &format!(" {reads}\n chain"),
            1,
        )
    };
    assert_eq!(compared(&marks("tcp flags syn"), &marks("tcp flags == syn")), Otherwise);
}

#[test]
fn a_set_of_one_value_is_a_question_about_flags() {
    assert_eq!(compared(&accepting("ct state { new|established }"), &accepting("ct state new,established")), Same);
    assert_eq!(compared(&accepting("ct state { new|established }"), &accepting("ct state == new")), Otherwise);
    assert_eq!(compared(&accepting("ct state { new }"), &accepting("ct state == new")), Same);
    assert_eq!(compared(&accepting("tcp flags == { syn }"), &accepting("tcp flags == syn")), Same);
    assert_eq!(compared(&accepting("tcp flags != { syn }"), &accepting("tcp flags != syn")), Same);
    // Of other flags versions of nft make different things.
    for condition in
        ["tcp flags { syn }", "tcp flags { 2 }", "tcp flags { syn|ack }", "ct status { dnat }", "ct label { 5 }"]
    {
        let mut sources = SourceMap::default();
        let file = sources.add(b"f.nft", accepting(condition).into_bytes()).expect("small");
        let input = Input { name: "host".into(), format: formats::format("nftables"), files: vec![file] };
        let (snapshot, _, _) = formats::read(&[input], &sources, &mut Store::default(), None);
        let reasons: Vec<&str> = snapshot.gaps().iter().map(|gap| gap.reason.as_str()).collect();
        let expected = "versions of nft differ in whether a set of one is compared with, or asked for as a flag: write \
            `== flag`, or the flag alone";
        assert_eq!(reasons, [expected], "{condition}");
    }
}

#[test]
fn a_hop_limit_that_is_set_may_run_out() {
    let table = "table inet f {
 chain c {
  type filter hook prerouting priority mangle; policy accept;
  ip saddr 192.0.2.1 ip ttl set 64
  ip6 saddr 2001:db8::1 ip6 hoplimit set 64
  ip saddr 192.0.2.2 counter
 }
}
";
    becomes(
        table,
        &[
            ("ttl set 64", "ttl set 1", Uncomputed),
            ("hoplimit set 64", "hoplimit set 1", Uncomputed),
            ("192.0.2.1", "192.0.2.9", Uncomputed),
            ("ip saddr 192.0.2.1 ip ttl set 64", "counter", Uncomputed),
            ("192.0.2.2", "192.0.2.9", Same),
        ],
    );
}

#[test]
fn elements_of_a_map_exclude_one_another_in_whatever_order() {
    let with = |map: &str| {
        format!(
            "table inet f {{
 set s {{ type ipv4_addr; flags dynamic; }}
 chain a {{ tcp dport 1 accept; }}
 chain c {{
  type filter hook input priority 0; policy drop;
  {map}
 }}
}}
"
        )
    };
    for (old, new) in [
        ("meta mark vmap { 2 : accept, 1 : drop }", "meta mark vmap { 1 : drop, 2 : accept }"),
        ("meta mark vmap { 2 : jump a, 1 : accept }", "meta mark vmap { 1 : accept, 2 : jump a }"),
        (
            "meta mark vmap { 3 : drop, 2 : continue, 1 : accept }",
            "meta mark vmap { 1 : accept, 2 : continue, 3 : drop }",
        ),
        (
            "meta priority vmap { 2:1 : drop, 1:1 : accept, * : drop }",
            "meta priority vmap { 1:1 : accept, 2:1 : drop, * : drop }",
        ),
        (
            "ip saddr . meta mark vmap { 10.0.0.1 . 2 : accept, 10.0.0.1 . 1 : drop }",
            "ip saddr . meta mark vmap { 10.0.0.1 . 1 : drop, 10.0.0.1 . 2 : accept }",
        ),
    ] {
        assert_eq!(compared(&with(old), &with(new)), Same, "{old} becomes {new}");
    }
    // Who comes back from a chain has one mark still.
    let back = with("meta mark vmap { 1 : jump a, 2 : accept }");
    assert_eq!(compared(&back, &with("meta mark 1 jump a\n  meta mark != 1 meta mark 2 accept")), Same);
}
