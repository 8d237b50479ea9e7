//! What fixtures cannot say of `iptables-save`: two ways of reading are one, sides share their rules, hostile texts end soon.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use crate::tools::{often, worked};
use portcullis::formats::{self, Input, Memo, describe};
use portcullis::model::{RuleId, Snapshot, Store};
use portcullis::text::SourceMap;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads one file of that text.
fn read(sources: &mut SourceMap, store: &mut Store, text: &[u8], earlier: Option<&Memo>) -> (Snapshot, Memo, String) {
    let file = sources.add(b"rules", text.to_vec()).expect("small");
    let input = Input { name: "host".into(), format: formats::format("iptables-save"), files: vec![file] };
    let (snapshot, memo, notes) = formats::read(&[input], sources, store, earlier);
    let page = describe(&snapshot, &notes, sources, store);
    (snapshot, memo, page)
}

fn page(text: &[u8]) -> String {
    read(&mut SourceMap::default(), &mut Store::default(), text, None).2
}

fn gaps(text: &[u8]) -> Vec<String> {
    let (snapshot, _, _) = read(&mut SourceMap::default(), &mut Store::default(), text, None);
    snapshot.gaps().iter().map(|gap| gap.reason.clone()).collect()
}

/// Fails with the first lines that differ.
fn assert_same(left: &str, right: &str, what: &str) {
    let differ = left.lines().zip(right.lines()).find(|(a, b)| a != b);
    assert!(left == right, "{what}: {differ:?}");
}

/// The numbers of all rules, chain by chain.
fn numbers(snapshot: &Snapshot) -> Vec<Vec<RuleId>> {
    let tables = snapshot.configurations().iter().flat_map(|configuration| &configuration.tables);
    tables.flat_map(|table| &table.chains).map(|chain| chain.rules.clone()).collect()
}

/// The same text with a blank before each rule: what is plain is then read the general way.
fn indented(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b"-A ") {
            out.push(b' ');
        }
        out.extend_from_slice(line);
    }
    out
}

/// The files of the corpus, sorted; none where there is no corpus.
fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/iptables-save");
    let Ok(sources) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: there is no corpus in {}", folder.display());
        return Vec::new();
    };
    let folders = sources.map(|entry| entry.expect("a folder").path());
    let mut files: Vec<_> = folders
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder"))
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

#[test]
fn the_fast_way_and_the_general_way_read_the_same() {
    for path in corpus() {
        let text = std::fs::read(&path).expect("a file");
        assert_same(&page(&text), &page(&indented(&text)), &path.display().to_string());
    }
}

/// Their addresses stand among their conditions, in an order of its own.
#[test]
fn lines_that_are_objects_too_are_read_the_same() {
    let addresses = [
        "",
        "-s 192.0.2.1/32 ",
        "-d 192.0.2.1/32 ",
        "-s 192.0.2.1 -d 198.51.100.9/24 ",
        "-s 0.0.0.0/0 -d 10.0.0.0/8 ",
        "-s 192.0.2.1/32 ",
    ];
    let ends = [
        "-p udp -m udp --dport 53 -j NOTRACK",
        "! -i eth0 -m comment --comment \"-s 192.0.2.5 -> x\" -j CT --notrack",
        "-p tcp -m string --string \"-s 192.0.2.5 -> x\" --algo bm -j NOTRACK",
        "-m mac --mac-source 00:00:00:00:00:01 -j NOTRACK",
        "-m mac --mac-source 00:00:00:00:00:0G -j NOTRACK",
    ];
    let mut text = String::new();
    for (table, ends) in [("raw", &ends[..]), ("mangle", &["-p udp -j TEE --gateway 192.0.2.7"])] {
        writeln!(text, "*{table}\n:PREROUTING ACCEPT [0:0]\n:mine - [0:0]").expect("writing to a String");
        for end in ends {
            for chain in ["PREROUTING", "mine", "PREROUTING"] {
                for addresses in addresses {
                    writeln!(text, "-A {chain} {addresses}{end}").expect("writing to a String");
                }
            }
        }
        text.push_str("COMMIT\n");
    }
    assert_same(&page(text.as_bytes()), &page(&indented(text.as_bytes())), "IPv4");
    let text = text.replace("192.0.2.", "2001:db8::").replace("198.51.100.9/24", "2001:db8:1::9/48");
    let text = text.replace("0.0.0.0/0", "::/0").replace("10.0.0.0/8", "fe80::/10").replace("/32", "/128");
    assert_same(&page(text.as_bytes()), &page(&indented(text.as_bytes())), "IPv6");
    assert!(page(text.as_bytes()).contains("2001:db8::"), "read as IPv6");
}

/// More ends of lines than are kept; the last that was met again is forgotten with the others.
#[test]
fn a_great_many_ends_of_lines_are_read_the_same() {
    let mut text = "*filter\n:INPUT DROP [0:0]\n".to_owned();
    let numbers = (0..65_000).chain([64_999, 64_999]).chain(65_000..66_000).chain([64_999]);
    for n in numbers {
        let mac = format!("00:00:00:00:{:02X}:{:02X}", n / 256, n % 256);
        writeln!(text, "-A INPUT -s 10.0.0.1/32 -m mac --mac-source {mac} -j DROP").expect("writing to a String");
    }
    text.push_str("COMMIT\n");
    assert_same(&page(text.as_bytes()), &page(&indented(text.as_bytes())), "many MAC addresses");
}

#[test]
fn a_side_reads_the_same_whether_or_not_the_other_was_read_before() {
    let files = corpus();
    for pair in files.windows(2).filter(|pair| pair[0].parent() == pair[1].parent()) {
        let (old, new) = (std::fs::read(&pair[0]).expect("a file"), std::fs::read(&pair[1]).expect("a file"));
        let (mut sources, mut store) = (SourceMap::default(), Store::default());
        let (_, memo, _) = read(&mut sources, &mut store, &old, None);
        let (_, _, with) = read(&mut sources, &mut store, &new, Some(&memo));
        assert_same(&with, &page(&new), &format!("{} after {}", pair[1].display(), pair[0].display()));
    }
}

#[test]
fn equal_lines_on_both_sides_are_the_same_rules() {
    let old = b"*filter\n:INPUT DROP [0:0]\n:web - [0:0]\n-A INPUT -s 192.0.2.1 -j ACCEPT\n-A INPUT -p tcp -j web\n-A web -m mac --mac-source 00:00:00:00:00:01 -j DROP\nCOMMIT\n";
    let new = b"*filter\n:INPUT DROP [0:0]\n:web - [0:0]\n-A INPUT -p udp -j DROP\n-A INPUT -s 192.0.2.1 -j ACCEPT\n-A INPUT -p tcp -j web\n-A web -m mac --mac-source 00:00:00:00:00:01 -j DROP\nCOMMIT\n";
    let (mut sources, mut store) = (SourceMap::default(), Store::default());
    let (base, memo, _) = read(&mut sources, &mut store, old, None);
    let (head, _, _) = read(&mut sources, &mut store, new, Some(&memo));
    let (base, head) = (numbers(&base), numbers(&head));
    assert_eq!((&base[0][..], &base[1]), (&head[0][1..], &head[1]));
}

#[test]
fn lines_in_another_order_are_the_same_rules() {
    let rules = |numbers: &mut dyn Iterator<Item = u32>| {
        let mut text = "*filter\n:INPUT DROP [0:0]\n".to_owned();
        for n in numbers {
            writeln!(text, "-A INPUT -s 10.0.{}.{}/32 -j ACCEPT", n / 256, n % 256).expect("writing to a String");
        }
        text + "COMMIT\n"
    };
    let (mut sources, mut store) = (SourceMap::default(), Store::default());
    let (base, memo, _) = read(&mut sources, &mut store, rules(&mut (0..1000)).as_bytes(), None);
    let (head, _, _) = read(&mut sources, &mut store, rules(&mut (0..1000).rev()).as_bytes(), Some(&memo));
    let (mut base, head) = (numbers(&base), numbers(&head));
    base[0].reverse();
    let shared = base[0].iter().zip(&head[0]).filter(|(a, b)| a == b).count();
    assert!(shared > 900, "{shared} of 1000");
}

#[test]
fn a_line_is_another_rule_where_its_chain_is_a_target() {
    let old = b"*filter\n:INPUT DROP [0:0]\n:web - [0:0]\n-A INPUT -j web\nCOMMIT\n";
    let new = b"*filter\n:INPUT DROP [0:0]\n-A INPUT -j web\nCOMMIT\n";
    let (mut sources, mut store) = (SourceMap::default(), Store::default());
    let (_, memo, _) = read(&mut sources, &mut store, old, None);
    let (head, _, _) = read(&mut sources, &mut store, new, Some(&memo));
    assert_eq!(head.gaps().len(), 1);
}

#[test]
fn a_changed_writer_makes_another_condition() {
    let rules = |mark: &str| {
        format!(
            "*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -s 192.0.2.0/24 -j MARK --set-mark {mark}\nCOMMIT\n\
             *filter\n:INPUT DROP [0:0]\n-A INPUT -m mark --mark 1 -j ACCEPT\nCOMMIT\n"
        )
    };
    let (mut sources, mut store) = (SourceMap::default(), Store::default());
    let mut conditions = |text: String| {
        let (snapshot, _, _) = read(&mut sources, &mut store, text.as_bytes(), None);
        snapshot.configurations()[0].opaques.iter().map(|(id, _)| *id).collect::<Vec<_>>()
    };
    let (one, same, other) = (conditions(rules("1")), conditions(rules("1")), conditions(rules("2")));
    assert_eq!(one, same);
    assert_ne!(one, other);
}

#[test]
fn a_table_that_is_opened_again_loses_its_rules() {
    let text =
        b"*filter\n:INPUT DROP [0:0]\n-A INPUT -s 192.0.2.1 -j ACCEPT\nCOMMIT\n*filter\n-A INPUT -j DROP\nCOMMIT\n";
    assert_eq!(gaps(text), ["the table `filter` is opened again, which empties it: 1 rules are lost"]);
}

#[test]
fn ranges_the_wrong_way_round_match_nothing() {
    let text = b"*filter\n:INPUT DROP [0:0]\n-A INPUT -m iprange --src-range 10.0.0.9-10.0.0.1 -j ACCEPT\nCOMMIT\n";
    assert!(page(text).contains("rules:3  accept  never\n"), "{}", page(text));
}

#[test]
fn ten_thousand_chains_deep_is_no_problem_and_a_loop_is_told() {
    let mut text = "*filter\n:INPUT DROP [0:0]\n".to_owned();
    for n in 0..10_000 {
        writeln!(text, ":c{n} - [0:0]").expect("writing to a String");
    }
    text.push_str("-A INPUT -j c0\n");
    for n in 0..9_999 {
        writeln!(text, "-A c{n} -j c{}", n + 1).expect("writing to a String");
    }
    assert_eq!(gaps(format!("{text}COMMIT\n").as_bytes()), [""; 0]);
    let looped = gaps(format!("{text}-A c9999 -j c17\nCOMMIT\n").as_bytes());
    assert_eq!(looped, ["the chain `c17` leads back to itself: the kernel refuses the table"]);
}

#[test]
fn a_hundred_megabytes_of_garbage_end_within_seconds() {
    let lines: [&[u8]; 6] = [b"-\n", b"\n", b" \n", b"-A A -j B\n", b"\xff\x00{\"a\n", b"-A INPUT -s\n"];
    for line in lines {
        for head in ["", "*filter\n:INPUT DROP [0:0]\n"] {
            let text = [head.as_bytes(), &line.repeat(100_000_000 / 12 / line.len())].concat();
            let start = worked();
            let found = gaps(&text);
            assert!(!found.is_empty() && found.len() < 30_000, "{} gaps", found.len());
            let took = worked() - start;
            assert!(took < Duration::from_secs(20), "{line:?} takes {took:?} of work");
        }
    }
}

#[test]
fn an_unknown_table_ends_the_one_before_it() {
    let text = b"*filter\n:INPUT DROP [0:0]\n*unknown\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
    assert_eq!(page(text), page(&indented(text)));
}

/// Lines as they occur in real files.
const LINES: &str = "*filter\n:INPUT DROP [0:0]\n:web - [0:0]\n-A INPUT -i eth0 -p tcp -m tcp --dport 22 -m state --state NEW -j ACCEPT\n\
-A INPUT ! -s 10.0.0.0/8 -p udp -m multiport --dports 53,123:124 -j DROP\n-A INPUT -m comment --comment \"a b\" -j web\n\
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A web -m limit --limit 3/min -j LOG --log-prefix \"x \"\n\
-A web -p icmp -m icmp --icmp-type 8 -j RETURN\n-A web -m recent --update --name ssh -g web\n\
-A INPUT -s 10.0.0.0/8 -d 192.0.2.1/32 -p tcp -m tcp --sport 1024:65535 --dport 80 -j DROP\n-A INPUT -s 10.1.0.0/16 -p udp -j REJECT\n\
-A web -s 10.2.0.0/16 -m iprange --src-range 10.2.0.1-10.2.3.4 -j DROP\n-A web -s 10.3.0.1/32 -m mac --mac-source 00:aa:00:00:00:01 -j RETURN\n\
-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 --tcp-flags FIN,SYN,RST,ACK SYN -j web\n-A web -d 192.0.2.0/24 ! -p tcp -j LOG\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n\
-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.1:80\nCOMMIT\n";

/// The same text for the other family, as far as its addresses are as they were.
fn ipv6(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text).replace("10.0.0.0/8", "2001:db8::/32").replace("192.0.2.1/32", "::1/128");
    text.replace("10.1.0.0/16", "::ffff:0:0/96").replace("10.3.0.1/32", "2001:DB8::7").into_bytes()
}

/// The same text with each rule once more, its source another one: where only the addresses of two lines differ, the second
/// is read by what the first was.
fn repeated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * text.len());
    for (n, line) in text.split_inclusive(|b| *b == b'\n').enumerate() {
        out.extend_from_slice(line);
        let words: Vec<&[u8]> = line.splitn(5, |b| *b == b' ').collect();
        if let [append @ b"-A", chain, source @ b"-s", _, rest] = words.as_slice() {
            let other =
                if words[3].contains(&b':') { format!("2001:db8:{n}::/48") } else { format!("172.16.{n}.0/24") };
            out.extend_from_slice(&[*append, *chain, *source, other.as_bytes(), *rest].join(&b' '));
        } else if line.starts_with(b"-A") && line.ends_with(b"\n") {
            out.extend_from_slice(line);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: often(2000), ..ProptestConfig::default() })]

    #[test]
    fn mutilated_files_are_read_the_same_both_ways(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>(), 0usize..12), 0..6),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut text = LINES.as_bytes().to_vec();
        for (at, insert, remove) in edits {
            let at = at.index(text.len().max(1));
            let end = (at + remove).min(text.len());
            text.splice(at.min(end)..end, insert);
        }
        if let Some(cut) = cut {
            text.truncate(cut.index(text.len().max(1)));
        }
        for text in [repeated(&text), repeated(&ipv6(&text))] {
            prop_assert_eq!(page(&text), page(&indented(&text)));
        }
    }

    #[test]
    fn a_mutilated_side_reads_the_same_whether_or_not_the_other_was_read_before(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>(), 0usize..90), 0..6),
    ) {
        let old = repeated(LINES.as_bytes());
        let mut new = old.clone();
        for (at, insert, remove) in edits {
            let at = at.index(new.len().max(1));
            let end = (at + remove).min(new.len());
            new.splice(at.min(end)..end, insert);
        }
        let (mut sources, mut store) = (SourceMap::default(), Store::default());
        let (_, memo, _) = read(&mut sources, &mut store, &old, None);
        prop_assert_eq!(read(&mut sources, &mut store, &new, Some(&memo)).2, page(&new));
    }
}
