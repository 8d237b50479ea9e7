//! What a main file of nftables includes, through the commands: from git, from folders and from a single path.

use crate::cli::portcullis;
use crate::folder::{folder, write};
use crate::repo::Repo;
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::text::{Linked, SourceMap};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const MAIN: &str = "table inet t {\n chain input {\n  type filter hook input priority filter; policy drop;\n \
    include \"./rules.d/*.nft\"\n }\n}\n";
const POLICY: &str = "version: 1\nconfigurations: {fw: {files: [\"fw/main.nft\"]}}\nchecks:\n  - {check: exposed-ports, services: ssh}\n";

/// Exit code and the rules of the chain, or the gaps, that `parse` finds.
fn parsed(folder: &Path, file: &str) -> (u8, Vec<String>) {
    let ran = portcullis(folder, &[], &["parse", file]);
    let text = format!("{}{}", ran.out, ran.talk);
    let chain = text.split("chain inet t/input").nth(1).unwrap_or_default();
    let mut lines: Vec<String> =
        chain.lines().skip(1).take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect();
    let gaps = text.split("\ngaps\n").nth(1).unwrap_or_default();
    lines.extend(gaps.lines().map(|line| line.trim().to_owned()));
    (ran.code, lines)
}

#[test]
fn a_pattern_is_read_in_the_order_of_names_without_hidden_files() {
    let folder = folder(&[
        ("main.nft", MAIN),
        ("rules.d/20-b.nft", "ip saddr 192.0.2.20 accept\n"),
        ("rules.d/100-a.nft", "ip saddr 192.0.2.100 accept\n"),
        ("rules.d/.hidden.nft", "accept\n"),
        ("rules.d/notes.txt", "accept\n"),
        ("rules.d/below/30.nft", "accept\n"),
    ]);
    let expected =
        ["rules.d/100-a.nft:1  accept  any 192.0.2.100 -> any", "rules.d/20-b.nft:1  accept  any 192.0.2.20 -> any"];
    assert_eq!(parsed(folder.path(), "main.nft"), (0, expected.map(str::to_owned).to_vec()));
}

#[test]
fn a21_a_pattern_may_match_nothing_and_a_name_may_not() {
    let nothing = folder(&[("main.nft", MAIN)]);
    assert_eq!(parsed(nothing.path(), "main.nft"), (0, Vec::new()));
    let missing = folder(&[("main.nft", &MAIN.replace("*.nft", "one.nft"))]);
    let gap = "main.nft:4  file not found: ./rules.d/one.nft  `include \"./rules.d/one.nft\"`";
    assert_eq!(parsed(missing.path(), "main.nft"), (3, vec![gap.to_owned()]));
}

#[test]
fn a21_names_lead_from_where_the_main_file_is_and_not_out_of_the_side() {
    let nested = folder(&[
        ("main.nft", &MAIN.replace("./rules.d/*.nft", "./a/one.nft")),
        // From the folder of the main file, not from that of the file that includes.
        ("a/one.nft", "include \"./a/two.nft\"\n"),
        ("a/two.nft", "ip saddr 192.0.2.2 accept\n"),
        ("a/a/two.nft", "ip saddr 192.0.2.3 accept\n"),
    ]);
    let expected = vec!["a/two.nft:1  accept  any 192.0.2.2 -> any".to_owned()];
    assert_eq!(parsed(nested.path(), "main.nft"), (0, expected));
    for outside in ["/etc/nftables.d/*.nft", "../x.nft", "/etc/x.nft"] {
        let folder = folder(&[("main.nft", &MAIN.replace("./rules.d/*.nft", outside))]);
        let gap = format!(
            "main.nft:4  `{outside}` is outside of what is compared: what it includes is not known  `include \
             \"{outside}\"`"
        );
        assert_eq!(parsed(folder.path(), "main.nft"), (3, vec![gap]), "{outside}");
    }
}

#[test]
fn h08_includes_go_sixteen_files_deep() {
    let chain = |depth: usize| {
        let mut files = vec![("main.nft".to_owned(), "include \"./1.nft\"\n".to_owned())];
        for n in 1..depth {
            files.push((format!("{n}.nft"), format!("include \"./{}.nft\"\n", n + 1)));
        }
        files.push((format!("{depth}.nft"), "table inet t {\n chain input {\n  accept\n }\n}\n".to_owned()));
        let folder = TempDir::new().expect("a folder");
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        write(folder.path(), &files);
        parsed(folder.path(), "main.nft")
    };
    assert_eq!(chain(15).0, 0);
    let (code, gaps) = chain(16);
    assert_eq!(code, 3);
    assert_eq!(gaps, ["15.nft:1  include nested too deeply, max 16 levels  `include \"./16.nft\"`"]);
    let itself = folder(&[("main.nft", "include \"./main.nft\"\n")]);
    assert_eq!(parsed(itself.path(), "main.nft").0, 3);
}

#[test]
fn a_revision_and_a_path_are_compared_with_what_each_includes() {
    let old = ("fw/rules.d/ssh.nft", "ip saddr 198.51.100.0/24 tcp dport 22 accept\n");
    let repo = Repo::of(&[("portcullis.yaml", POLICY), ("fw/main.nft", MAIN), old]);
    let place = repo.folder.path();
    assert_eq!(portcullis(place, &[], &["diff", "HEAD:fw/main.nft", "fw/main.nft"]).code, 0);
    assert_eq!(parsed(place, "HEAD:fw/main.nft").0, 0);
    write(place, &[("fw/rules.d/ssh.nft", "tcp dport 22 accept\n")]);
    let ran = portcullis(place, &[], &["diff", "HEAD:fw/main.nft", "fw/main.nft"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.talk);
    assert!(ran.out.contains("newly allowed"), "{}", ran.out);
    let traced = |file: &str| {
        let packet = "tcp 192.0.2.1:1024 -> 192.0.2.2:22 new";
        let ran = portcullis(place, &[], &["trace", &format!("{file}/input"), packet]);
        (ran.code, ran.out.contains("head: allowed"))
    };
    assert_eq!(traced("HEAD:fw/main.nft"), (0, false));
    assert_eq!(traced("fw/main.nft"), (0, true));
    // The gate notices, though the main file is the same.
    let ran = portcullis(place, &[], &["check"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.talk);
    assert!(ran.out.contains("exposed-ports"), "{}", ran.out);
}

#[test]
fn folders_are_compared_with_what_their_files_include() {
    let side = |rule: &str| folder(&[("fw/main.nft", MAIN), ("fw/rules.d/a.nft", rule), ("portcullis.yaml", POLICY)]);
    let (old, new) = (side("tcp dport 443 accept\n"), side("tcp dport 22 accept\n"));
    let (old, new) = (old.path().display().to_string(), new.path().display().to_string());
    let ran = portcullis(Path::new("."), &[], &["check", "--old", &old, "--new", &new]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.talk);
    assert!(ran.out.contains("exposed-ports"), "{}", ran.out);
    let ran = portcullis(Path::new("."), &[], &["diff", &old, &new]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.talk);
    assert_eq!(portcullis(Path::new("."), &[], &["diff", &old, &old]).code, 0);
}

/// The exit code of a comparison of two sides in which the root and a host each have files, `own` those of the host; and
/// what it says.
fn of_hosts(main: &str, name: &str, own: [Option<&str>; 2]) -> (u8, String) {
    let text = MAIN.replace("./rules.d/*.nft", name);
    let policy = POLICY.replace("fw/main.nft", main);
    let sides = own.map(|own| {
        let mut files = vec![(main, text.as_str()), ("portcullis.yaml", policy.as_str())];
        files.push(("etc/nftables.d/ssh.nft", "tcp dport 22 accept\n"));
        files.push(("etc/nftables.d/other.nft", "tcp dport 25 accept\n"));
        files.extend(own.map(|own| ("hosts/web1/etc/nftables.d/ssh.nft", own)));
        folder(&files)
    });
    let [old, new] = [0, 1].map(|side: usize| sides[side].path().display().to_string());
    let ran = portcullis(Path::new("."), &[], &["check", "--old", &old, "--new", &new]);
    (ran.code, ran.out)
}

const OWN: Option<&str> = Some("ip saddr 192.0.2.1 tcp dport 22 accept\n");
const OPEN: Option<&str> = Some("tcp dport 22 accept\n");

#[test]
fn a_host_includes_no_file_of_another() {
    let main = "hosts/web1/etc/nftables.conf";
    for name in ["/etc/nftables.d/*.nft", "/etc/nftables.d/ssh.nft", "nftables.d/*.nft", "nftables.d/ssh.nft"] {
        let code = |own| of_hosts(main, name, own).0;
        assert_eq!((code([OWN, OWN]), code([OWN, OPEN]), code([OWN, Some("")])), (0, 1, 0), "{name}");
        // Nothing of the same name that is elsewhere stands in for it.
        let (code, out) = of_hosts(main, name, [OWN, None]);
        assert_eq!(code, if name == "nftables.d/*.nft" { 0 } else { 3 }, "{name}: {out}");
    }
}

#[test]
fn where_nothing_tells_the_root_of_the_host_several_are_not_understood() {
    let main = "hosts/web1/fw.nft";
    for (name, places) in [
        ("/etc/nftables.d/*.nft", "., hosts/web1"),
        ("/etc/nftables.d/ssh.nft", "., hosts/web1"),
        ("nftables.d/ssh.nft", "etc, hosts/web1/etc"),
    ] {
        let (code, out) = of_hosts(main, name, [OWN, OPEN]);
        let gap = format!("`{name}` may be of several places, and which is not known: {places}");
        let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 3 && out.contains(&gap), "{name}: {out}");
        let (code, out) = of_hosts(main, name, [OWN, None]);
        assert!(code == 1 && out.contains("what is not understood on base"), "{name}: {out}");
        assert_eq!(of_hosts(main, name, [None, None]).0, 0, "{name}");
    }
}

/// Both sides of a main file and what it includes, read one after the other.
fn both(included: [&str; 2], names: [&str; 2]) -> [portcullis::model::Snapshot; 2] {
    let (mut sources, mut store) = (SourceMap::default(), Store::default());
    let mut memo = None;
    [0, 1].map(|side| {
        let main = sources.add(names[side].as_bytes(), MAIN.as_bytes().to_vec()).expect("small");
        let rules = sources.add(b"rules.d/a.nft", included[side].as_bytes().to_vec()).expect("small");
        sources.link(main, b"./rules.d/*.nft", Linked { texts: vec![rules], within: true });
        let input = Input { name: "fw".to_owned(), format: formats::format("nftables"), files: vec![main] };
        let (snapshot, left, _) = formats::read(&[input], &sources, &mut store, memo.as_ref());
        memo = Some(left);
        snapshot
    })
}

#[test]
fn a_configuration_is_read_once_where_all_its_texts_are_the_same() {
    let is_one = |[base, head]: [portcullis::model::Snapshot; 2]| {
        Arc::ptr_eq(&base.configurations()[0], &head.configurations()[0])
    };
    let rule = "ip saddr 192.0.2.20 accept\n";
    assert!(is_one(both([rule, rule], ["fw.nft"; 2])));
    assert!(!is_one(both([rule, "ip saddr 192.0.2.21 accept\n"], ["fw.nft"; 2])), "what is included differs");
    assert!(!is_one(both([rule, rule], ["old.nft", "new.nft"])), "places are told by the names of both");
}
