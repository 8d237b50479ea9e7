//! What fixtures cannot say of nftables: rules that are read by their shapes say what each of them says, sides share their
//! rules, large texts end soon.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use crate::tools::{every, often};
use portcullis::formats::{self, Input, Memo, describe};
use portcullis::model::{RuleId, Snapshot, Store};
use portcullis::text::SourceMap;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Reads one file of that text.
fn read(sources: &mut SourceMap, store: &mut Store, text: &[u8], earlier: Option<&Memo>) -> (Snapshot, Memo, String) {
    let file = sources.add(b"rules", text.to_vec()).expect("small");
    let input = Input { name: "host".into(), format: formats::format("nftables"), files: vec![file] };
    let (snapshot, memo, notes) = formats::read(&[input], sources, store, earlier);
    let page = describe(&snapshot, &notes, sources, store);
    (snapshot, memo, page)
}

fn page(text: &[u8]) -> String {
    read(&mut SourceMap::default(), &mut Store::default(), text, None).2
}

/// The page of the second text after the first was read.
fn page_after(old: &[u8], new: &[u8]) -> String {
    let (mut sources, mut store) = (SourceMap::default(), Store::default());
    let (_, memo, _) = read(&mut sources, &mut store, old, None);
    read(&mut sources, &mut store, new, Some(&memo)).2
}

/// Fails with the first lines that differ.
fn assert_same(left: &str, right: &str, what: &str) {
    let differ = left.lines().zip(right.lines()).find(|(a, b)| a != b);
    assert!(left == right, "{what}: {differ:#?}");
}

/// The numbers of all rules.
fn numbers(snapshot: &Snapshot) -> Vec<RuleId> {
    let tables = snapshot.configurations().iter().flat_map(|configuration| &configuration.tables);
    tables.flat_map(|table| &table.chains).flat_map(|chain| chain.rules.clone()).collect()
}

/// The same text with a blank behind each line: no rule has a shape then.
fn blunt(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) if !line.contains(&b'#') && !line.ends_with(b"\\") && !line.is_empty() => {
                out.extend_from_slice(line);
                out.extend_from_slice(b" \n");
            }
            Some(_) | None => out.extend_from_slice(line),
        }
    }
    out
}

/// Fails unless rules say the same by their shapes and one by one.
fn assert_same_blunt(text: &[u8], what: &str) {
    let found = trimmed(text);
    // What is quoted of a text that is not read to its end depends on the blanks.
    if !found.contains("not read: nft gives up") {
        assert_same(&found, &trimmed(&blunt(text)), what);
    }
}

/// The page of a text without the blanks that may stand behind its lines where it is quoted.
fn trimmed(text: &[u8]) -> String {
    let page = page(text);
    let trimmed = page.split("\\n").map(|line| line.trim_end_matches(' ')).collect::<Vec<_>>().join("\\n");
    // Where a long quotation ends depends on the blanks.
    let line = |line: &str| line.strip_suffix("`…").map_or(line.to_owned(), |cut| cut.chars().take(200).collect());
    trimmed.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The text files of the corpora, sorted; none where there is no corpus.
fn corpus() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for corpus in ["nftables", "nftables-t"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(corpus);
        if !folder.is_dir() {
            eprintln!("SKIPPED: there is no corpus in {}", folder.display());
            continue;
        }
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
    }
    files.sort();
    files
}

#[test]
fn rules_that_are_read_by_their_shape_and_one_by_one_are_the_same() {
    let files: Vec<_> = corpus().into_iter().step_by(every(2)).collect();
    for path in &files {
        let text = std::fs::read(path).expect("a file");
        assert_same_blunt(&text, &path.display().to_string());
    }
    eprintln!("{} files", files.len());
}

#[test]
fn a_side_reads_the_same_whether_or_not_the_other_was_read_before() {
    for pair in corpus().windows(2).filter(|pair| pair[0].parent() == pair[1].parent()).step_by(every(4)) {
        let (old, new) = (std::fs::read(&pair[0]).expect("a file"), std::fs::read(&pair[1]).expect("a file"));
        assert_same(
            &page_after(&old, &new),
            &page(&new),
            &format!("{} after {}", pair[1].display(), pair[0].display()),
        );
        assert_same(&page_after(&new, &new), &page(&new), &format!("{} after itself", pair[1].display()));
    }
}

/// Many rules of few shapes.
fn many(rules: impl Iterator<Item = u32>) -> String {
    let mut text =
        "table inet filter {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n"
            .to_owned();
    for n in rules {
        let (a, b) = (n / 256, n % 256);
        let rule = match n % 3 {
            0 => format!("ip saddr 10.0.{a}.{b} tcp dport {n} accept"),
            1 => format!("ip daddr 10.{a}.{b}.0/24 counter packets {n} bytes 0 drop comment \"number {n}\""),
            _ => format!("ip6 saddr 2001:db8:{n:x}::/48 udp sport 53-{} return", n + 53),
        };
        writeln!(text, "\t\t{rule}").expect("writing to a String");
    }
    text + "\t}\n}\n"
}

#[test]
fn rules_in_blocks_and_in_commands_are_the_same() {
    let (blocks, commands) = (many(0..500), flat(&many(0..500)));
    let rules = |text: &str| {
        let (mut sources, mut store) = (SourceMap::default(), Store::default());
        let (snapshot, ..) = read(&mut sources, &mut store, text.as_bytes(), None);
        assert_eq!(snapshot.gaps(), []);
        numbers(&snapshot).len()
    };
    assert_eq!((rules(&blocks), rules(&commands)), (500, 500));
    for (old, new) in [(&blocks, &commands), (&commands, &blocks)] {
        assert_same(&page_after(old.as_bytes(), new.as_bytes()), &page(new.as_bytes()), "the other way of writing");
    }
}

#[test]
fn a_text_without_end_of_rules_ends_with_a_reason() {
    for (line, count) in [("accept\n", 4_010_000), ("accept;", 510_000)] {
        let text = format!("table ip x {{\nchain y {{\n{}}}\n}}\n", line.repeat(count));
        let (mut sources, mut store) = (SourceMap::default(), Store::default());
        let file = sources.add(b"rules", text.into_bytes()).expect("small");
        let input = Input { name: "host".into(), format: formats::format("nftables"), files: vec![file] };
        let (snapshot, ..) = formats::read(&[input], &sources, &mut store, None);
        let gaps: Vec<&str> = snapshot.gaps().iter().map(|gap| gap.reason.as_str()).collect();
        assert_eq!(gaps.len(), 1, "{} gaps", gaps.len());
        let gap = gaps[0];
        assert!(gap.ends_with("the file is not read"), "{gap}");
    }
}

#[test]
fn equal_lines_on_both_sides_are_the_same_rules() {
    let (mut sources, mut store) = (SourceMap::default(), Store::default());
    let (base, memo, _) = read(&mut sources, &mut store, many(0..2000).as_bytes(), None);
    let (head, _, page) = read(&mut sources, &mut store, many((0..700).chain(703..2000)).as_bytes(), Some(&memo));
    let (base, head) = (numbers(&base), numbers(&head));
    assert_eq!((base.len(), head.len()), (2000, 1997));
    let shared = head.iter().filter(|rule| base.contains(rule)).count();
    assert!(shared > 1800, "{shared}");
    assert_same(&page, &self::page(many((0..700).chain(703..2000)).as_bytes()), "head");
}

#[test]
fn lines_are_not_taken_over_where_they_mean_something_else() {
    let rules = many(0..300);
    for (from, to) in [
        // A family in which some are refused, …
        ("table inet", "table ip"),
        // … a chain that packets come to before they are tracked, …
        ("priority filter", "priority raw"),
        // … and fragments.
        ("policy drop;\n", "policy drop;\n\t\tip frag-off & 0x1fff != 0 drop\n"),
    ] {
        let other = rules.replace(from, to);
        assert_ne!(rules, other);
        for (old, new) in [(&rules, &other), (&other, &rules)] {
            assert_same(&page_after(old.as_bytes(), new.as_bytes()), &page(new.as_bytes()), to);
        }
    }
}

/// A ruleset in which most statements stand beside rules that have shapes.
const RULES: &str = "define lan = 10.0.0.0/8\nflush ruleset\ntable inet filter {\n\tset blocked {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 10.9.0.0/16, 10.8.0.1 }\n\t}\n\tcounter seen {\n\t}\n\tchain web {\n\t\tip saddr 10.1.0.0/16 tcp dport 80 accept\n\t\tip saddr 10.2.0.0/16 tcp dport 81-90 accept\n\t\ttcp dport { 22, 23 } return\n\t\ticmp type echo-request accept\n\t\tip saddr @blocked counter packets 1 bytes 2 drop\n\t\tip daddr 10.3.0.4-10.3.0.9 reject\n\t\tip saddr $lan tcp sport 5 accept\n\t\tiifname \"eth0\" ip saddr 10.4.0.0/16 accept comment \"a $b\"\n\t}\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t\tct state established,related accept\n\t\tip saddr 10.5.0.0/16 jump web\n\t\tip saddr != 10.5.0.0/16 tcp dport 8080 jump web\n\t\tip6 saddr 2001:db8::/32 udp dport 53 accept\n\t\tip6 saddr ::1 udp dport 53 goto web\n\t\tlimit rate 3/second ip saddr 10.6.0.1 accept\n\t\tmeta mark 0x1 ip saddr 10.6.0.2 accept\n\t\tip saddr 10.6.0.3 meta mark set 0x2\n\t\tip saddr 10.6.0.3 log prefix \"x\" drop\n\t\ttcp flags syn / syn,ack tcp dport 1-65535 accept\n\t\tip saddr 0.0.0.0/0 ip daddr 255.255.255.255 th dport 67 counter accept\n\t}\n}\ntable ip other {\n\tchain early {\n\t\ttype filter hook prerouting priority raw; policy accept;\n\t\tip saddr 10.1.0.0/16 tcp dport 80 accept\n\t\tct state new drop\n\t}\n}\ntable bridge frames {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n\t\tip saddr 10.1.0.0/16 tcp dport 80 accept comment \"x\"\n\t}\n}\n";

/// The same rules, each a command of its own behind the blocks.
fn flat(text: &str) -> String {
    let (mut blocks, mut rules) = (String::new(), String::new());
    let (mut table, mut chain) = ("", None);
    for line in text.lines() {
        let words = |line: &str| line.trim_end_matches(" {").to_owned();
        if line.starts_with("table ") {
            table = line.strip_prefix("table ").unwrap_or_default().trim_end_matches(" {");
        } else if line.starts_with('\t') && !line.starts_with("\t\t") {
            chain = line.strip_prefix("\tchain ").map(words);
        } else if let (Some(chain), Some(rule)) =
            (&chain, line.strip_prefix("\t\t").filter(|l| !l.starts_with("type ")))
        {
            writeln!(rules, "add rule {table} {chain} {rule}").expect("writing to a String");
            continue;
        }
        writeln!(blocks, "{line}").expect("writing to a String");
    }
    blocks + &rules
}

/// The same text with each rule some times more, with other values.
fn repeated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (n, line) in text.split_inclusive(|b| *b == b'\n').enumerate() {
        out.extend_from_slice(line);
        let Ok(shown) = std::str::from_utf8(line) else { continue };
        let ends = ["accept", "drop", "return", "reject", "web", "\"", "0x2"];
        if !(shown.starts_with("\t\t") || shown.starts_with("add rule"))
            || !ends.iter().any(|end| shown.trim_end().ends_with(end))
        {
            continue;
        }
        for (from, to) in
            [("10.", "172."), ("dport ", "dport 1"), ("0/16", "0/17"), ("packets 1", "packets 77"), ("::", "::1:")]
        {
            out.extend_from_slice(shown.replace(from, to).as_bytes());
        }
        if n % 7 == 0 {
            let start = if shown.starts_with('\t') { "\t\t" } else { "rule inet filter web " };
            writeln!(out, "{start}ip saddr 10.1.0.0/16 tcp dport 80 accept # a comment").expect("writing to a Vec");
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: often(500), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn mutilated_files_are_read_the_same_by_shape_and_one_by_one(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>(), 0usize..12), 0..6),
        extra in prop::sample::select(vec!["", "delete rule inet filter web index 2\n", "insert rule inet filter web index 1 accept\n",
            "flush chain inet filter web\n", "delete table ip other\n", "add rule inet filter web ip saddr 10.1.0.0/16 tcp dport 80 accept\n"]),
        commands in any::<bool>(),
    ) {
        let mut text = if commands { flat(RULES).into_bytes() } else { RULES.as_bytes().to_vec() };
        for (at, insert, remove) in edits {
            let at = at.index(text.len().max(1));
            let end = (at + remove).min(text.len());
            text.splice(at.min(end)..end, insert);
        }
        text.extend_from_slice(extra.as_bytes());
        // A text in quotes that goes on in the next line holds the blanks.
        prop_assume!(text.split(|b| *b == b'\n').all(|line| line.iter().filter(|b| **b == b'"').count() % 2 == 0));
        let text = repeated(&text);
        assert_same_blunt(&text, "");
    }

    #[test]
    fn a_mutilated_side_reads_the_same_after_the_other(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>(), 0usize..90), 0..6),
        commands in any::<(bool, bool)>(),
    ) {
        let [old, other] = [commands.0, commands.1].map(|flat| if flat { self::flat(RULES) } else { RULES.to_owned() });
        let (old, other) = (repeated(old.as_bytes()), repeated(other.as_bytes()));
        let mut new = other;
        for (at, insert, remove) in edits {
            let at = at.index(new.len().max(1));
            let end = (at + remove).min(new.len());
            new.splice(at.min(end)..end, insert);
        }
        assert_same(&page_after(&old, &new), &page(&new), "");
    }
}
