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
