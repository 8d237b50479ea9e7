//! What reading and comparing nftables rulesets costs, beside the floor: reading the bytes.
//!
//! `cargo bench --bench nftables` prints one row a workload, as the other benchmark does. The rules are those of
//! `../shared/bench/rules.py`, written as nftables text; the sets are made here. `cargo bench --bench nftables -- set`
//! runs the rows whose name contains `set`. Where `nft` may be run, whole processes follow.

mod measure;

use measure::{Outcome, Workload, say};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--bench")).collect();
    if let [flag, base, head] = arguments.as_slice()
        && flag == "--one"
    {
        return measure::one("nftables", Path::new(base), Path::new(head), &[]);
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.is_dir() {
        say("skipped: ../shared (generator) is not beside this folder");
        return Ok(());
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../workloads");
    fs::create_dir_all(&made)?;
    let wanted = |name: &str| arguments.iter().all(|part| name.contains(part.as_str()));
    let mut workloads = rules(&shared, &made, &wanted)?;
    workloads.extend(sets(&made, &wanted)?);
    measure::rows(workloads)?;
    whole_processes(&shared, &made, &wanted)
}

fn rules(shared: &Path, made: &Path, wanted: &dyn Fn(&str) -> bool) -> Outcome<Vec<Workload>> {
    let mut out = Vec::new();
    for (rules, goal) in [("1000", ""), ("10000", ""), ("100000", "all <= 3 x that of iptables-save")] {
        for style in ["acl", "fw", "ipc"] {
            for change in ["--change 1", "--change 10", "--reorder"] {
                let name = format!("{style} {rules} {}", change.trim_start_matches("--"));
                if wanted(&name) {
                    let file = |change: &str| translated(shared, made, style, rules, change);
                    out.push((name, file("")?, file(change)?, goal));
                }
            }
        }
    }
    Ok(out)
}

/// The rules of the other benchmark as nftables text.
fn translated(shared: &Path, made: &Path, style: &str, rules: &str, change: &str) -> Outcome<PathBuf> {
    let source = measure::generate(shared, made, style, rules, change)?;
    let path = source.with_extension("nft");
    if path.exists() {
        return Ok(path);
    }
    let mut out = String::from("table ip filter {\n");
    out.push_str("\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n\n");
    out.push_str("\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n");
    for line in fs::read_to_string(source)?.lines().filter(|line| line.starts_with("-A FORWARD ")) {
        writeln!(out, "\t\t{}", rule(line)?)?;
    }
    out.push_str("\t}\n}\n");
    fs::write(&path, out)?;
    Ok(path)
}

fn rule(line: &str) -> Outcome<String> {
    let mut out = Vec::new();
    let (mut words, mut protocol, mut ports) = (line.split(' ').skip(2), None, false);
    while let Some(option) = words.next() {
        let value = words.next().ok_or("an option without a value")?;
        let protocol_is = protocol.unwrap_or_default();
        match option {
            "-s" => out.push(format!("ip saddr {value}")),
            "-d" => out.push(format!("ip daddr {value}")),
            "-p" => protocol = Some(value),
            "-m" => {}
            "--sport" | "--dport" => {
                ports = true;
                out.push(format!("{protocol_is} {} {}", &option[2..], value.replace(':', "-")));
            }
            "-j" if !ports && protocol.is_some() => {
                out.push(format!("ip protocol {protocol_is} {}", value.to_lowercase()));
            }
            "-j" => out.push(value.to_lowercase()),
            _ => return Err(format!("{option} is not known here").into()),
        }
    }
    Ok(out.join(" "))
}

/// Sets of a million prefixes, ten of which change: in the order of addresses, as `nft list` prints them, and in none.
fn sets(made: &Path, wanted: &dyn Fn(&str) -> bool) -> Outcome<Vec<Workload>> {
    let mut out = Vec::new();
    for (name, order, notation, goal) in [
        ("set 1000000 sorted", Order::Sorted, Notation::Text, "all <= 55"),
        ("set 1000000 unsorted", Order::None, Notation::Text, "all <= 90"),
        ("set 1000000 as JSON", Order::Sorted, Notation::Json, ""),
    ] {
        if wanted(name) {
            out.push((
                name.to_owned(),
                set(made, name, order, notation, 0)?,
                set(made, name, order, notation, 10)?,
                goal,
            ));
        }
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Sorted,
    None,
}

#[derive(Clone, Copy)]
enum Notation {
    Text,
    Json,
}

/// A ruleset with a set of a million prefixes, `changed` of which differ from those of the set with 0.
fn set(made: &Path, name: &str, order: Order, notation: Notation, changed: usize) -> Outcome<PathBuf> {
    let path = made.join(format!("{}-{changed}.nft", name.replace(' ', "-")));
    if path.exists() {
        return Ok(path);
    }
    const COUNT: usize = 1_000_000;
    // Every twelfth network of 256 addresses from 1.0.0.0 on, shifted by up to eleven: no two are equal.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("below a usize")
    };
    let mut networks: Vec<usize> = (0..COUNT).map(|n| 0x1_0000 + n * 12 + random(11)).collect();
    for n in 0..changed {
        networks[n * COUNT / 10 + 77] += 1;
    }
    if order == Order::None {
        for n in (1..COUNT).rev() {
            networks.swap(n, random(n + 1));
        }
    }
    let address = |n: &usize| format!("{}.{}.{}.0", n >> 16, n >> 8 & 255, n & 255);
    let text = match notation {
        Notation::Text => {
            let elements: Vec<String> = networks.iter().map(|n| format!("{}/24", address(n))).collect();
            format!(
                "table inet filter {{\n\tset blocked {{\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = {{ {} }}\n\t}}\n\n\tchain input {{\n\t\ttype filter hook input priority filter; policy accept;\n\t\tip saddr @blocked drop\n\t}}\n}}\n",
                elements.join(",\n")
            )
        }
        Notation::Json => {
            let element = |n| format!(r#"{{"prefix": {{"addr": "{}", "len": 24}}}}"#, address(n));
            let elements: Vec<String> = networks.iter().map(element).collect();
            format!(
                r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}}}, {{"table": {{"family": "inet", "name": "filter", "handle": 1}}}}, {{"set": {{"family": "inet", "name": "blocked", "table": "filter", "type": "ipv4_addr", "handle": 2, "flags": ["interval"], "elem": [{}]}}}}, {{"chain": {{"family": "inet", "table": "filter", "name": "input", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}}}}, {{"rule": {{"family": "inet", "table": "filter", "chain": "input", "handle": 3, "expr": [{{"match": {{"op": "==", "left": {{"payload": {{"protocol": "ip", "field": "saddr"}}}}, "right": "@blocked"}}}}, {{"drop": null}}]}}}}]}}"#,
                elements.join(", ")
            )
        }
    };
    fs::write(&path, text)?;
    Ok(path)
}

/// Whole processes, beside what nft itself takes to check one side.
fn whole_processes(shared: &Path, made: &Path, wanted: &dyn Fn(&str) -> bool) -> Outcome<()> {
    if !wanted("processes") {
        return Ok(());
    }
    let name = "set 1000000 sorted";
    let pairs = [
        (
            "10,000 rules",
            translated(shared, made, "acl", "10000", "")?,
            translated(shared, made, "acl", "10000", "--change 10")?,
        ),
        (
            "100,000 rules",
            translated(shared, made, "acl", "100000", "")?,
            translated(shared, made, "acl", "100000", "--change 10")?,
        ),
        (
            "a set of 1,000,000",
            set(made, name, Order::Sorted, Notation::Text, 0)?,
            set(made, name, Order::Sorted, Notation::Text, 10)?,
        ),
    ];
    for (what, old, new) in pairs {
        say(&format!("whole processes, {what}, wall ms, least of 3 runs"));
        let with = |name: &'static str, arguments: &[&str]| {
            let mut command = Command::new(name);
            command.args(arguments).arg(&old).arg(&new);
            command
        };
        let mut check = Command::new("unshare");
        check.args(["-n", "nft", "-c", "-f"]).arg(&new);
        let commands = vec![
            ("cat both (floor)", with("cat", &[])),
            ("diff", with("diff", &[])),
            ("nft -c -f (one side, as root)", check),
            ("portcullis diff", with(env!("CARGO_BIN_EXE_portcullis"), &["diff"])),
        ];
        measure::processes(commands, 3);
    }
    Ok(())
}
