//! HAProxy configurations: real ones, damaged ones, and what the program itself takes and refuses.

#![expect(clippy::print_stderr, reason = "a skipped or summarised corpus is told")]

use crate::tools::{every, offline, often};
use portcullis::formats::{self, Disposition, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What became of files.
#[derive(Default)]
struct Table {
    files: usize,
    whole: usize,
    listeners: usize,
    routes: usize,
    backends: usize,
    servers: usize,
    inert: BTreeMap<String, usize>,
    opaque: BTreeMap<String, usize>,
    gaps: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

/// The gaps of a text, one a line.
fn gaps(text: &[u8]) -> Vec<String> {
    let mut table = Table::default();
    table.add("haproxy.cfg", text)
}

impl Table {
    fn add(&mut self, path: &str, text: &[u8]) -> Vec<String> {
        let mut sources = SourceMap::default();
        let file = sources.add(path.as_bytes(), text.to_vec()).expect("small");
        let input = Input { name: "lb".into(), format: formats::format("haproxy"), files: vec![file] };
        let (snapshot, _, notes) = formats::read(&[input], &sources, &mut Store::default(), None);
        self.files += 1;
        self.whole += usize::from(snapshot.gaps().is_empty());
        for configuration in snapshot.configurations() {
            self.listeners += configuration.listeners.len();
            self.routes += configuration.listeners.iter().map(|listener| listener.routes.len()).sum::<usize>();
            self.backends += configuration.backends.len();
            self.servers += configuration.backends.iter().map(|backend| backend.servers.len()).sum::<usize>();
        }
        for note in notes {
            match note.disposition {
                Disposition::Modelled => {}
                Disposition::Inert(why) => *self.inert.entry(why.to_owned()).or_default() += 1,
                Disposition::Opaque(why) => *self.opaque.entry(why.to_owned()).or_default() += 1,
            }
        }
        let mut out = Vec::new();
        for gap in snapshot.gaps() {
            let at = sources.locate(gap.origin);
            let line = format!("{}:{} {}", at.line, at.column, gap.reason);
            if gap.reason == "not understood" || gap.reason.contains("a bug") {
                self.wrong.push(format!("{path}:{line}"));
            }
            let parts = gap.reason.split('`').enumerate();
            let reason: String = parts.map(|(n, part)| if n % 2 == 0 { part } else { "…" }).collect();
            *self.gaps.entry(reason).or_default() += 1;
            out.push(line);
        }
        out
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { files, whole, listeners, routes, backends, servers, inert, opaque, gaps, wrong: _ } = self;
        writeln!(f, "{files} files, {whole} without a gap")?;
        writeln!(f, "modelled: {listeners} listeners, {routes} routes, {backends} backends, {servers} servers")?;
        for (what, counts) in [("inert", inert), ("opaque", opaque), ("gaps", gaps)] {
            let mut all: Vec<(&String, &usize)> = counts.iter().collect();
            all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let mut out = String::new();
            for (reason, count) in all.iter().take(60) {
                write!(out, "\n  {count:>6} {reason}").expect("writing to a String");
            }
            writeln!(f, "{what}: {}{out}", counts.values().sum::<usize>())?;
        }
        Ok(())
    }
}

/// The files of the corpus.
fn corpus() -> Option<Vec<(String, PathBuf, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(manifest) = std::fs::read_to_string(folder.join("MANIFEST.tsv")) else {
        eprintln!("SKIPPED: there is no corpus in {}", folder.display());
        return None;
    };
    let mut out = Vec::new();
    for row in manifest.lines() {
        let fields: Vec<&str> = row.split('\t').collect();
        let [path, "haproxy", ..] = fields.as_slice() else { continue };
        let bytes = std::fs::read(folder.join(path)).expect("a file that the manifest names");
        out.push(((*path).to_owned(), folder.join(path), bytes));
    }
    Some(out)
}

/// Every byte of them is accounted for.
#[test]
fn real_configurations_are_read() {
    let Some(files) = corpus() else { return };
    let mut table = Table::default();
    for (path, _, text) in &files {
        table.add(path, text);
    }
    eprintln!("{table}");
    assert!(table.wrong.is_empty(), "{}", table.wrong.join("\n"));
    assert!(table.files >= 383 && table.whole * 100 >= table.files * 80, "{table}");
}

/// What HAProxy says of a file: nothing if it takes it, otherwise its alerts.
fn alerts(path: &Path) -> Option<Vec<String>> {
    let out = offline("haproxy").arg("-c").arg("-f").arg(path).output().ok()?;
    if out.status.success() {
        return Some(Vec::new());
    }
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    let said = text.lines().filter(|line| line.contains("[ALERT]"));
    let said = said.filter(|line| !line.contains("rror(s) found") && !line.contains("Fatal errors found"));
    Some(said.map(|line| line.split(" : ").skip(1).collect::<Vec<_>>().join(" : ")).collect())
}

fn haproxy_is_here() -> bool {
    let here = Command::new("haproxy").arg("-v").output().is_ok_and(|out| out.status.success());
    if !here {
        eprintln!("SKIPPED: HAPROXY IS NOT ASKED: there is no haproxy here");
    }
    here
}

/// What HAProxy lacks on a machine that is not the balancer: the text says nothing of it.
const AROUND: &[&str] = &[
    "unable to stat SSL certificate",
    "could not resolve address",
    "Failed to initialize server(s) addr",
    "error opening file",
    "failed to open pattern file",
    "cannot open file",
    "unable to load",
    "Couldn't open",
    "No such file",
    "error in Lua file",
    "Lua",
    "cannot find user id",
    "cannot find group id",
    "no such ACL : 'secure_redirect'",
    "no such ACL : 'sni_passthrough'",
];

/// Words of versions after 2.6, and of 2.4 that 2.6 has dropped, which the corpus uses.
const OTHER_VERSIONS: &[&str] = &[
    "'log-profile'",
    "'on' in 'defaults'",
    "facility 'profile'",
    "'hash-preserve-affinity'",
    "'early-hints'",
    "'pool-conn-name'",
    "'attach-srv'",
    "tcp-request session' expects",
    "tcp-request connection' expects",
    "rhttp@",
    "'tcp-md5sig'",
    "'aes_cbc_enc'",
    "bytes(txn.var_start)",
    "'param'",
    "backend@",
    "mode 'log'",
    "balance only supports",
    "hash-type' only supports",
    "udp@127.0.0.1",
    "'tune.ssl.ocsp-update.mindelay'",
    "'tune.stick-counters'",
    "'tune.h2.be.",
    "'tune.h2.fe.",
    "track-sc5",
    "'http-use-htx'",
    "mptcp@",
    "'www.haproxy.org'",
    "got 'version'",
    "acl(ACL1)",
    "fc_glitches",
    "fc_pp_tlv",
    "'tune.bufsize is used",
    "unknown keyword",
    "unknown converter",
    "unknown fetch method",
    "unknown option",
    "unknown proxy mode",
    "expects 'add-acl",
    "expects 'allow'",
    "unexpected argument",
];

#[test]
fn what_haproxy_refuses_is_refused() {
    let Some(files) = corpus() else { return };
    if !haproxy_is_here() {
        return;
    }
    let (mut both, mut around, mut versions) = (0, 0, 0);
    let (mut strict, mut lax) = (Vec::new(), Vec::new());
    for (name, path, text) in &files {
        let here = gaps(text);
        let said = alerts(path).expect("haproxy");
        match (said.is_empty(), here.is_empty()) {
            (true, true) | (false, false) => both += 1,
            (true, false) => strict.push(format!("{name}: {}", here.join("; "))),
            (false, true) => {
                let fits = |line: &String, list: &[&str]| list.iter().any(|text| line.contains(text));
                if said.iter().all(|line| fits(line, AROUND)) {
                    around += 1;
                } else if said.iter().all(|line| fits(line, AROUND) || fits(line, OTHER_VERSIONS)) {
                    versions += 1;
                } else {
                    lax.push(format!("{name}: {}", said.join("; ")));
                }
            }
        }
    }
    let percent = |n: usize| 100.0 * n as f64 / files.len() as f64;
    eprintln!("{} files: the same answer for {both} ({:.1} %)", files.len(), percent(both));
    eprintln!("  refused by HAProxy for what is not there (certificates, names, files): {around}");
    eprintln!("  refused by HAProxy 2.6 for words of other versions: {versions}");
    eprintln!("  together {:.1} %", percent(both + around + versions));
    eprintln!("  only here: {}\n    {}", strict.len(), strict.join("\n    "));
    eprintln!("  only by HAProxy: {}\n    {}", lax.len(), lax.join("\n    "));
    assert!(strict.len() <= STRICTER && lax.len() <= LAXER, "only here {strict:#?}, only by HAProxy {lax:#?}");
}

/// Connections that become HTTP, and an expression that HAProxy reads in a way of its own, are gaps here.
const STRICTER: usize = 3;
const LAXER: usize = 6;

/// Damaged files: a word less, a word twice, a letter or number changed, a line less, two words swapped.
pub(crate) fn damaged(text: &str, random: &mut Random) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let full: Vec<usize> = (0..lines.len())
        .filter(|n| {
            let line = lines[*n].trim();
            !line.is_empty() && !line.starts_with('#')
        })
        .collect();
    if full.is_empty() {
        return text.to_owned();
    }
    let at = full[random.below(full.len())];
    let indent: String = lines[at].chars().take_while(|c| c.is_whitespace() && *c != '\n').collect();
    let mut words: Vec<String> = lines[at].split_whitespace().map(str::to_owned).collect();
    let word = random.below(words.len());
    match random.below(6) {
        0 => drop(words.remove(word)),
        1 => words.insert(word, words[word].clone()),
        2 => {
            let other = random.below(words.len());
            words.swap(word, other);
        }
        3 => {
            let letter = char::from(b'a' + u8::try_from(random.below(26)).expect("a letter"));
            let place = random.below(words[word].chars().count().max(1));
            let changed = |(n, c): (usize, char)| if n == place { letter } else { c };
            words[word] = words[word].chars().enumerate().map(changed).collect();
        }
        4 => words.insert(word, "neverheardof".to_owned()),
        _ => words.clear(),
    }
    let mut out: String = lines[..at].concat();
    if !words.is_empty() {
        out.push_str(&format!("{indent}{}\n", words.join(" ")));
    }
    out + &lines[at + 1..].concat()
}

pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % most
    }
}

#[test]
fn damaged_configurations_are_judged_alike() {
    let Some(files) = corpus() else { return };
    if !haproxy_is_here() {
        return;
    }
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut total, mut same, mut taken) = (0_usize, 0_usize, 0_usize);
    let (mut strict, mut lax) = (Vec::new(), Vec::new());
    for (name, path, text) in files.iter().step_by(every(4)) {
        let Ok(text) = std::str::from_utf8(text) else { continue };
        if text.len() > 20_000 || !gaps(text.as_bytes()).is_empty() || !alerts(path).expect("haproxy").is_empty() {
            continue;
        }
        for _ in 0..often(4) {
            let changed = damaged(text, &mut random);
            let file = folder.path().join("haproxy.cfg");
            std::fs::write(&file, &changed).expect("written");
            let (here, said) = (gaps(changed.as_bytes()), alerts(&file).expect("haproxy"));
            total += 1;
            taken += usize::from(said.is_empty());
            match (said.is_empty(), here.is_empty()) {
                (true, true) | (false, false) => same += 1,
                (true, false) => strict.push(format!("{name}: {}", here.join("; "))),
                (false, true) if said.iter().all(|line| AROUND.iter().any(|text| line.contains(text))) => same += 1,
                (false, true) => lax.push(format!("{name}: {}", said.join("; "))),
            }
        }
    }
    let percent = 100.0 * same as f64 / total.max(1) as f64;
    eprintln!("{total} damaged files, {taken} taken by HAProxy: judged alike {same} ({percent:.1} %)");
    eprintln!("  only here: {}\n    {}", strict.len(), strict.join("\n    "));
    eprintln!("  only by HAProxy: {}\n    {}", lax.len(), lax.join("\n    "));
    assert!(total == 0 || percent >= 90.0, "{percent:.1} %");
}

/// Each line of a frontend or backend, and why it is refused.
#[test]
fn refusals_say_what_is_wrong() {
    let cases = [
        ("bind :80 sssl", "3:11 `bind` is not known to take `sssl`"),
        ("bind nowhere", "3:7 missing port number: `nowhere`: HAProxy refuses the file"),
        ("acl x nofetch 1", "3:8 unknown fetch method `nofetch`"),
        ("http-request deny if missing", "3:23 no such ACL: `missing`: HAProxy refuses the file"),
        ("default_backend nothing", "3:18 there is no backend `nothing`: HAProxy refuses the file"),
        ("http-request dennny", "3:15 unknown action `dennny` of `http-request`"),
        ("timeout client 5x", "3:17 `5x` is no time: HAProxy refuses the file"),
        ("reqrep a b", "3:2 `reqrep` is not supported any more: HAProxy refuses the file"),
        ("neverheard", "3:2 unknown keyword `neverheard` in a frontend section"),
        ("log \"global", "3:2 a quote is not closed: HAProxy refuses the file"),
    ];
    for (line, expected) in cases {
        assert_eq!(gaps(format!("frontend f\n mode http\n {line}\n").as_bytes()), [expected], "{line}");
    }
    let servers = [
        ("server a 10.0.0.1:80 chek", "3:23 `server` is not known to take `chek`"),
        ("server a 10.0.0.1:80 weight 900", "3:30 `900` is not from 0 to 256: HAProxy refuses the file"),
        (
            "server a 10.0.0.1:80\n server a 10.0.0.2:80",
            "4:9 another server is called `a` already: HAProxy refuses the file",
        ),
    ];
    for (line, expected) in servers {
        assert_eq!(gaps(format!("backend b\n mode http\n {line}\n").as_bytes()), [expected], "{line}");
    }
    let unended = "1:8 the last line does not end: HAProxy takes the file for cut off and refuses it";
    assert_eq!(gaps(b"defaults"), [unended]);
}
