//! Rules on which the effect of other rules depends, and lines that `iptables-restore` refuses: what changes must not be called
//! equal. What is expected here was seen with iptables 1.8.9 and Linux 6.18.

use portcullis::diff::{Change, ChangeKind, compare};
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;

/// What becomes of a file, and how many gaps its two sides have.
fn outcome(name: &str, base: &str, head: &str) -> (ChangeKind, usize) {
    let (mut sources, mut store) = (SourceMap::default(), Store::default());
    let mut input = |text: &str| {
        let file = sources.add(name.as_bytes(), text.as_bytes().to_vec()).expect("small");
        [Input { name: "host".into(), format: formats::format("iptables-save"), files: vec![file] }]
    };
    let (base, head) = (input(base), input(head));
    let (base, memo, _) = formats::read(&base, &sources, &mut store, None);
    let (head, _, _) = formats::read(&head, &sources, &mut store, Some(&memo));
    let gaps = base.gaps().len() + head.gaps().len();
    let difference = compare(&Change::new(base, head, store));
    (difference.configurations[0].change, gaps)
}

/// Whether both are understood, and do the same.
fn are_one(base: &str, head: &str) -> bool {
    matches!(outcome("rules", base, head), (ChangeKind::Unchanged | ChangeKind::Equivalent, 0))
}

/// Tables of these chains and rules.
fn file(tables: &[(&str, &[&str])]) -> String {
    let mut text = String::new();
    for (table, lines) in tables {
        text.extend(["*", table, "\n"]);
        lines.iter().for_each(|line| text.extend([line, "\n"]));
        text.push_str("COMMIT\n");
    }
    text
}

#[test]
fn what_a_chain_keeps_from_a_writer_counts() {
    let read = ("filter", &[":INPUT ACCEPT [0:0]", "-A INPUT -m mark --mark 0x1 -j DROP"][..]);
    let nothing = ("filter", &[":INPUT ACCEPT [0:0]"][..]);
    for (table, writer, reader) in [
        ("mangle", "-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff", read),
        ("raw", "-A PREROUTING -j CT --notrack", nothing),
        ("nat", "-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1", nothing),
    ] {
        let with = |kept: &str| {
            let lines = [":PREROUTING ACCEPT [0:0]", ":SKIP - [0:0]", "-A PREROUTING -j SKIP", writer, kept];
            file(&[(table, &lines), reader])
        };
        let (base, head) = (with("-A SKIP -s 10.0.0.0/8 -j ACCEPT"), with("-A SKIP -j ACCEPT"));
        assert_eq!(outcome("rules", &base, &head).0, ChangeKind::Changed, "{table}");
        assert!(are_one(&base, &(base.clone() + "# nothing\n")), "{table}");
    }
}

#[test]
fn who_fills_a_list_counts() {
    let with = |leads: &str| {
        let lines = [
            ":INPUT DROP [0:0]",
            ":KNOCK - [0:0]",
            leads,
            "-A INPUT -p tcp --dport 22 -m recent --rcheck --name ok --rsource -j ACCEPT",
            "-A KNOCK -m recent --set --name ok --rsource",
        ];
        file(&[("filter", &lines)])
    };
    let base = with("-A INPUT -p tcp -m tcp --dport 9999 -j KNOCK");
    assert_eq!(outcome("rules", &base, &with("-A INPUT -j KNOCK")).0, ChangeKind::Changed);
}

#[test]
fn who_takes_from_a_bucket_counts_and_who_made_it() {
    let limit = |rate: &str, name: &str| {
        format!("-m hashlimit --hashlimit-upto {rate} --hashlimit-burst 1 --hashlimit-name {name}")
    };
    let with = |line: &str| {
        let own = format!("-A INPUT -p tcp -m tcp --syn {} -j ACCEPT", limit("1/hour", "a"));
        let filter = [":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", &own, "-A INPUT -p tcp -m tcp --syn -j DROP"];
        file(&[("mangle", &[":PREROUTING ACCEPT [0:0]", line]), ("filter", &filter)])
    };
    let before = |source: &str, name: &str, target: &str| {
        with(&format!("-A PREROUTING -s {source} {} -j {target}", limit("1/hour", name)))
    };
    for target in ["RETURN", "LOG"] {
        let (base, head) = (before("10.9.1.99/32", "a", target), before("10.9.1.2/32", "a", target));
        assert_eq!(outcome("rules", &base, &head), (ChangeKind::Changed, 0), "{target}");
    }
    // Those of another name are others, and one that is alone depends on nothing.
    assert!(are_one(&before("10.9.1.99/32", "b", "LOG"), &before("10.9.1.2/32", "b", "LOG")));
    let made = |rate: &str| with(&format!("-A PREROUTING -d 192.0.2.99/32 {} -j LOG", limit(rate, "a")));
    assert_eq!(outcome("rules", &made("1/hour"), &made("1000/second")), (ChangeKind::Changed, 0));
}

#[test]
fn what_an_estimator_counts_is_part_of_what_it_says() {
    let with = |source: &str, name: &str| {
        let count = format!(
            "-A INPUT -s {source} -j RATEEST --rateest-name {name} --rateest-interval 250ms --rateest-ewmalog 500ms"
        );
        let own = "-A INPUT -m rateest --rateest-delta --rateest1 x --rateest-gt --rateest2 y -j DROP";
        file(&[("filter", &[":INPUT ACCEPT [0:0]", &count, own])])
    };
    for name in ["x", "y"] {
        let (base, head) = (with("10.0.0.0/8", name), with("11.0.0.0/8", name));
        assert_eq!(outcome("rules", &base, &head), (ChangeKind::Changed, 0), "{name}");
    }
    assert!(are_one(&with("10.0.0.0/8", "z"), &with("11.0.0.0/8", "z")));
}

#[test]
fn a_hop_limit_that_may_run_out_is_no_small_matter() {
    for (name, family) in
        [("rules.v4", ["TTL --ttl-set", "TTL --ttl-dec"]), ("rules.v6", ["HL --hl-set", "HL --hl-dec"])]
    {
        for (chain, target) in ["PREROUTING", "FORWARD", "OUTPUT", "POSTROUTING"].into_iter().zip(family.repeat(2)) {
            let with = |lines: &[&str]| file(&[("mangle", lines), ("filter", &[":INPUT ACCEPT [0:0]"])]);
            let policy = format!(":{chain} ACCEPT [0:0]");
            let rule = |value: u8| with(&[&policy, &format!("-A {chain} -j {target} {value}")]);
            assert_eq!(outcome(name, &rule(64), &rule(1)), (ChangeKind::Changed, 0), "{chain} {target}");
            assert_eq!(outcome(name, &with(&[&policy]), &rule(1)), (ChangeKind::Changed, 0), "{chain} {target}");
            let again = outcome(name, &rule(64), &(rule(64) + "# nothing\n"));
            assert_eq!(again, (ChangeKind::Unchanged, 0), "{chain} {target}");
        }
    }
}

#[test]
fn what_one_iptables_never_matches_and_the_other_always_is_a_gap() {
    let gaps = |line: &str| {
        let text = file(&[("filter", &[":INPUT DROP [0:0]", &format!("-A INPUT {line} -j ACCEPT")])]);
        outcome("rules", &text, &text).1
    };
    for differs in [
        "-p tcp ! --dport 0:65535",
        "-p udp ! --sport :",
        "-p tcp --dport 80 ! --sport 0:65535",
        "-p tcp --tcp-flags NONE SYN",
        "-p tcp ! --tcp-flags NONE NONE",
    ] {
        assert_ne!(gaps(differs), 0, "{differs}");
    }
    for never in [
        "-p tcp --dport 0:65535",
        "-p tcp --tcp-flags NONE NONE",
        "-p tcp ! --tcp-flags NONE SYN",
        "-p tcp --tcp-flags SYN ACK",
        "-p sctp ! --dport 0:65535",
        "-p tcp -m multiport ! --dports 0:65535",
    ] {
        assert_eq!(gaps(never), 0, "{never}");
    }
}

#[test]
fn whatever_writes_what_is_read_counts() {
    for (table, writer, other, reader) in [
        (
            "mangle",
            "-A INPUT -p tcp --tcp-flags SYN SYN -j TCPMSS --set-mss 500",
            "-A INPUT -p tcp --tcp-flags SYN SYN -j TCPMSS --set-mss 1400",
            "-A INPUT -p tcp -m tcpmss --mss 500 -j DROP",
        ),
        (
            "mangle",
            "-A PREROUTING -j SET --map-set s src --map-mark",
            "-A PREROUTING -s 10.0.0.0/8 -j SET --map-set s src --map-mark",
            "-A INPUT -m mark --mark 0x1 -j DROP",
        ),
        (
            "mangle",
            "-A PREROUTING -j TTL --ttl-set 8",
            "-A PREROUTING -j TTL --ttl-set 64",
            "-A INPUT -m u32 --u32 0x5&0xff=0x8 -j DROP",
        ),
    ] {
        let with = |writer: &str| {
            let lines = [":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]", writer];
            file(&[(table, &lines), ("filter", &[":INPUT ACCEPT [0:0]", reader])])
        };
        assert_eq!(outcome("rules", &with(writer), &with(other)).0, ChangeKind::Changed, "{writer}");
    }
    // A mark that depends on a list.
    let with = |leads: &str| {
        let lines = [
            ":PREROUTING ACCEPT [0:0]",
            ":KNOCK - [0:0]",
            leads,
            "-A PREROUTING -m recent --rcheck --name ok --rsource -j MARK --set-xmark 0x1/0xffffffff",
        ];
        let knock = ["-A KNOCK -m recent --set --name ok --rsource"];
        let filter = [":INPUT DROP [0:0]", "-A INPUT -m mark --mark 0x1 -j ACCEPT"];
        file(&[("mangle", &[&lines[..], &knock].concat()), ("filter", &filter)])
    };
    let base = with("-A PREROUTING -p tcp -m tcp --dport 9999 -j KNOCK");
    assert_eq!(outcome("rules", &base, &with("-A PREROUTING -j KNOCK")).0, ChangeKind::Changed);
    // Marks that translations ask for.
    let with = |source: &str| {
        let mark = format!("-A PREROUTING -s {source} -j MARK --set-xmark 0x1/0xffffffff");
        let nat = "-A PREROUTING -p tcp -m mark --mark 0x1 -j DNAT --to-destination 10.0.0.1";
        file(&[
            ("mangle", &[":PREROUTING ACCEPT [0:0]", &mark]),
            ("nat", &[":PREROUTING ACCEPT [0:0]", nat]),
            ("filter", &[":INPUT DROP [0:0]"]),
        ])
    };
    assert_eq!(outcome("rules", &with("10.0.0.0/8"), &with("10.0.0.0/7")).0, ChangeKind::Changed);
}

#[test]
fn a_copy_and_a_proxy_are_no_small_matter() {
    for (table, line) in [
        ("mangle", "-A PREROUTING -j TEE --gateway 203.0.113.66"),
        (
            "mangle",
            "-A PREROUTING -p tcp -m tcp --dport 80 -j TPROXY --on-port 22 --on-ip 127.0.0.1 --tproxy-mark 0x1/0x1",
        ),
    ] {
        let with = |lines: &[&str]| file(&[(table, lines), ("filter", &[":INPUT ACCEPT [0:0]"])]);
        let (base, head) = (with(&[":PREROUTING ACCEPT [0:0]"]), with(&[":PREROUTING ACCEPT [0:0]", line]));
        assert_eq!(outcome("rules", &base, &head).0, ChangeKind::Changed, "{line}");
    }
}

#[test]
fn other_values_are_other_rules() {
    let with = |line: &str| file(&[("nat", &[":PREROUTING ACCEPT [0:0]", line])]);
    let dnat = |source: &str| {
        with(&format!("-A PREROUTING -d {source} -p tcp -m tcp --dport 80 -j DNAT --to-destination [fd00::1]:80"))
    };
    let (wide, narrow) = (dnat("2001:db8::/32"), dnat("2001:db8::/128"));
    assert_eq!(outcome("rules.v6", &wide, &narrow), (ChangeKind::Changed, 0));
    for (one, other) in [
        ("-p tcp -m socket -j ACCEPT", "-p tcp -j ACCEPT"),
        (
            "-m policy --dir in --pol ipsec --strict --reqid 1 --proto esp --next --reqid 2 --proto ah -j ACCEPT",
            "-m policy --dir in --pol ipsec --strict --reqid 2 --proto esp --next --reqid 1 --proto ah -j ACCEPT",
        ),
    ] {
        let with = |line: &str| {
            let (nat, filter) = (format!("-A PREROUTING {line}"), format!("-A INPUT {line}"));
            file(&[("nat", &[":PREROUTING ACCEPT [0:0]", &nat]), ("filter", &[":INPUT DROP [0:0]", &filter])])
        };
        assert_eq!(outcome("rules", &with(one), &with(other)), (ChangeKind::Changed, 0), "{one}");
    }
}

#[test]
fn two_spellings_of_a_rule_are_one() {
    for (one, other) in [
        (
            "-p tcp --dport http -j DNAT --to-destination 10.0.0.1",
            "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1",
        ),
        ("-p 6 -s 10.0.0.5/24 -j ACCEPT", "-s 10.0.0.0/24 -p tcp -j ACCEPT"),
        ("-s 10.0.0.0/255.255.255.0 -j ACCEPT", "-s 10.0.0.0/24 -j ACCEPT"),
        ("-s 0.0.0.0/0 -i + -p all -j ACCEPT", "-j ACCEPT"),
        ("-p tcp -m multiport --dports http,https -j ACCEPT", "-p tcp -m multiport --dports 80,443 -j ACCEPT"),
        ("-p tcp --syn -j ACCEPT", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT"),
        ("-p icmp --icmp-type echo-request -j ACCEPT", "-p icmp -m icmp --icmp-type 8 -j ACCEPT"),
        ("-p tcp --sport 0:65535 -j ACCEPT", "-p tcp -m tcp -j ACCEPT"),
        ("-j MARK --set-mark 1", "-j MARK --set-xmark 0x1/0xffffffff"),
        ("-j LOG --log-level info", "-j LOG --log-level 6"),
        ("-m limit --limit 60/min -j ACCEPT", "-m limit --limit 1/sec -j ACCEPT"),
        ("-m time --timestart 8:00 -j ACCEPT", "-m time --timestart 08:00:00 --datestop 2038-01-19T03:14:07 -j ACCEPT"),
        ("-m time ! --weekdays 6,7 -j ACCEPT", "-m time --weekdays Mon,Tue,Wed,Thu,Fri -j ACCEPT"),
        (
            "-m statistic --mode random --probability 0.1 -j ACCEPT",
            "-m statistic --mode random --probability 0.10000000009 -j ACCEPT",
        ),
        ("-m dscp --dscp-class EF -j ACCEPT", "-m dscp --dscp 46 -j ACCEPT"),
        (
            "-m connlimit ! --connlimit-above 3 -j ACCEPT",
            "-m connlimit --connlimit-upto 3 --connlimit-mask 32 --connlimit-saddr -j ACCEPT",
        ),
        (
            "-m hashlimit --hashlimit 300/min --hashlimit-name a -j ACCEPT",
            "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name a --hashlimit-htable-expire 60000 -j ACCEPT",
        ),
        (
            "-m recent ! --rcheck -j ACCEPT",
            "-m recent ! --rcheck --name DEFAULT --mask 255.255.255.255 --rsource -j ACCEPT",
        ),
        (
            "-m string --algo bm --hex-string |666f6f| -j ACCEPT",
            "-m string --string foo --algo bm --to 65535 -j ACCEPT",
        ),
        ("-p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.1:http", "-p tcp -j DNAT --to-destination 10.0.0.1:80"),
        ("-j NETMAP --to 10.0.0.5/255.255.255.0", "-j NETMAP --to 10.0.0.0/24"),
    ] {
        let with = |line: &str| {
            let line = format!("-A PREROUTING {line}");
            file(&[("nat", &[":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]", &line])])
        };
        assert!(are_one(&with(one), &with(other)), "{one}");
    }
    // Older versions name the chain INPUT of `nat`, and newer ones do not.
    let (older, newer) = (
        file(&[("nat", &[":PREROUTING ACCEPT [0:0]"])]),
        file(&[("nat", &[":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]"])]),
    );
    assert!(are_one(&older, &newer));
}

#[test]
fn without_a_connection_neither_a_condition_nor_its_negation_holds() {
    for condition in
        ["-m connmark --mark 0x1", "-m conntrack --ctstatus ASSURED", "-m mac --mac-source 00:00:00:00:00:01"]
    {
        let negated = condition.replace(" --", " ! --");
        let with = |lines: &[String]| {
            let rules: Vec<&str> =
                [":INPUT ACCEPT [0:0]"].into_iter().chain(lines.iter().map(String::as_str)).collect();
            file(&[("filter", &rules)])
        };
        let both = with(&[condition, &*negated].map(|condition| format!("-A INPUT -s 10.0.0.0/8 {condition} -j DROP")));
        let all = with(&["-A INPUT -s 10.0.0.0/8 -j DROP".to_owned()]);
        assert_eq!(outcome("rules", &both, &all).0, ChangeKind::Changed, "{condition}");
    }
    let both = |first: &str, last: &str| {
        file(&[("filter", &[":INPUT DROP [0:0]", &format!("-A INPUT {first} {last} -j ACCEPT")])])
    };
    let (one, two) = ("-m conntrack --ctstate UNTRACKED", "--ctproto 17");
    assert_eq!(outcome("rules", &both(one, two), &both(one, &format!("-m conntrack {two}"))).0, ChangeKind::Changed);
}

#[test]
fn a_line_that_only_logs_numbers_no_bucket() {
    let with = |lines: &[&str]| file(&[("filter", lines)]);
    let accept = "-A INPUT -p tcp -m tcp --dport 22 -m limit --limit 3/min -j ACCEPT";
    let log = "-A INPUT -m limit --limit 3/min -j LOG --log-prefix \"x \"";
    let (base, head) = (with(&[":INPUT DROP [0:0]", accept]), with(&[":INPUT DROP [0:0]", log, accept]));
    assert!(are_one(&base, &head));
}

#[test]
fn what_iptables_restore_refuses_is_a_gap() {
    let gaps = |line: &str| {
        let text = file(&[("mangle", &[":INPUT ACCEPT [0:0]", &format!("-A INPUT {line}")])]);
        outcome("rules", &text, &text).1
    };
    for refused in [
        "-j LOG --log-level wran",
        "-j LOG --log-level 9",
        "-j MARK",
        "-j CONNMARK",
        "-j NFLOG --nflog-group 70000",
        "-j TEE",
        "-p tcp -j TCPMSS",
        "-m limit --limit 10001/s -j ACCEPT",
        "-m limit ! --limit 5/s -j ACCEPT",
        "-m mark --mark foo -j ACCEPT",
        "-m mark -j ACCEPT",
        "-m conntrack --ctproto foo -j ACCEPT",
        "-m conntrack ! --ctdir ORIGINAL -j ACCEPT",
        "-m addrtype --src-type FOO -j ACCEPT",
        "-m addrtype -j ACCEPT",
        "-m ttl --ttl-eq 300 -j ACCEPT",
        "-m hashlimit --hashlimit-upto 5/s -j ACCEPT",
        "-m string --string x -j ACCEPT",
        "-m recent --name x -j ACCEPT",
        "-m owner -j ACCEPT",
        "-m physdev -j ACCEPT",
        "-m rpfilter ! --loose -j ACCEPT",
        "-m owner --uid-owner 0 -j ACCEPT",
        "-m policy --dir out --pol ipsec -j ACCEPT",
        "-m devgroup --dst-group 1 -j ACCEPT",
        "-m esp --espspi 5 -j ACCEPT",
        "-m ecn --ecn-tcp-ece -j ACCEPT",
        "-j ECN --ecn-tcp-remove",
        "-j TTL",
        "-j TTL --ttl-dec 0",
        "-j HL --hl-set 5",
        "-j CLASSIFY --set-class 1:1",
        "-m statistic --mode nth --every 2 --packet 2 -j ACCEPT",
        "-m statistic --mode random --probability 1.5 -j ACCEPT",
        "-m recent --rcheck --update -j ACCEPT",
        "-m recent --rcheck --reap -j ACCEPT",
        "-m dscp --dscp 64 -j ACCEPT",
        "-m connbytes --connbytes 20:10 --connbytes-dir both --connbytes-mode bytes -j ACCEPT",
        "-ptcp -j ACCEPT",
        "--jump=ACCEPT",
        "-w -j ACCEPT",
        "-j FORWARD",
    ] {
        assert_ne!(gaps(refused), 0, "{refused}");
    }
    for taken in [
        "-j LOG --log-level warning",
        "-j LOG --log-level 0x4",
        "-m limit -j ACCEPT",
        "-m limit --limit 600000/min -j ACCEPT",
        "-m time -j ACCEPT",
        "-m socket -j ACCEPT",
        "-m addrtype --src-type local,UNI -j ACCEPT",
        "-m conntrack --ctdir reply -j ACCEPT",
        "-m recent ! --rcheck --name x -j ACCEPT",
        "-m rateest --rateest r --rateest-gt --rateest-bps 1000Kbit -j ACCEPT",
    ] {
        assert_eq!(gaps(taken), 0, "{taken}");
    }
}
