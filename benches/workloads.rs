//! What reading and comparing costs, beside the floor: reading the bytes.
//!
//! `cargo bench` prints one row a workload: the least of several runs, in time of one core. The workloads are
//! made by `../shared/bench/rules.py` (1,000 to 1,000,000 rules) and kept in `target/workloads`; the pairs of a real
//! firewall of 5,000 rules stand in `../shared/corpus`. Where those are not there, it says so and stops.
//! `cargo bench -- 100000` runs the rows whose name contains `100000`.

mod measure;

use measure::{Outcome, Workload, say};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--bench")).collect();
    if let [flag, base, head] = arguments.as_slice()
        && flag == "--one"
    {
        return measure::one("iptables-save", Path::new(base), Path::new(head), &[]);
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.is_dir() {
        say("skipped: ../shared (generator and corpus) is not beside this folder");
        return Ok(());
    }
    let wanted = |name: &str| arguments.iter().all(|part| name.contains(part.as_str()));
    measure::rows(workloads(&shared, &wanted)?)?;
    whole_processes(&shared, &wanted)
}

fn workloads(shared: &Path, wanted: &dyn Fn(&str) -> bool) -> Outcome<Vec<Workload>> {
    let mut out = Vec::new();
    let real = |stamp: &str| {
        let folder = shared.join("corpus/iptables-save/diekmann+net-network");
        folder.join(format!("configs_chair_for_Network_Architectures_and_Services__{stamp}.ipt"))
    };
    let v4 = [
        "2015-05-13_10-53-20",
        "2015-05-15_14-14-46",
        "2015-05-15_15-23-41",
        "2015-09-03_15-56-50",
        "2016-03-16_13-53-28",
        "2016-06-27_16-29-01",
    ];
    for pair in v4.windows(2) {
        let name = format!("real 5k {} -> {}", &pair[0][..10], &pair[1][..10]);
        let file = |stamp: &str| real(&format!("iptables-save-{stamp}"));
        out.push((name, file(pair[0]), file(pair[1]), "all <= 30 + reading"));
    }
    let file = |stamp: &str| real(&format!("ip6tables-save-{stamp}"));
    out.push((
        "real 6k IPv6 2016-03 -> 2016-06".into(),
        file("2016-03-16_13-53-28"),
        file("2016-06-27_16-29-01"),
        "all <= 50 + reading",
    ));
    for (name, edit, goal) in [
        ("real 5k, one rule inserted", Edit::Insert, "all <= 3"),
        ("real 5k, one rule removed", Edit::Remove, "all <= 3"),
        ("real 5k, 8 rules moved by 100", Edit::Move, "all <= 1, proved equal"),
    ] {
        if wanted(name) {
            let base = real("iptables-save-2016-06-27_16-29-01");
            out.push((name.into(), base.clone(), edited(&base, edit)?, goal));
        }
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../workloads");
    std::fs::create_dir_all(&made)?;
    for rules in ["1000", "10000", "100000", "1000000"] {
        for style in ["acl", "fw", "ipc"] {
            for change in ["--change 1", "--change 10", "--change 1000", "--reorder"] {
                let name = format!("{style} {rules} {}", change.trim_start_matches("--"));
                if !wanted(&name) || (rules == "1000000" && change == "--reorder") {
                    continue;
                }
                let generate = |change: &str| measure::generate(shared, &made, style, rules, change);
                let goal = match (rules, change) {
                    ("100000", "--reorder") => "diff <= 1000",
                    ("10000", "--reorder") => "diff <= 100",
                    ("100000", "--change 10") => "all <= 15 + floor",
                    ("100000", "--change 1000") => "all <= 500",
                    ("1000000", "--change 1000") => "all <= 800 (fw: 2000)",
                    ("1000000", _) => "all <= 110 + floor (fw: 2000), peak <= 250",
                    _ => "",
                };
                out.push((name, generate("")?, generate(change)?, goal));
            }
        }
    }
    out.retain(|(name, ..)| wanted(name));
    Ok(out)
}

#[derive(Clone, Copy)]
enum Edit {
    Insert,
    Remove,
    Move,
}

/// A real file with one edit that packets meet, or, for moved rules, one that none does.
fn edited(base: &Path, edit: Edit) -> Outcome<PathBuf> {
    let text = std::fs::read_to_string(base)?;
    let mut lines: Vec<&str> = text.lines().collect();
    let accepts = |chain: &'static str| move |line: &&str| line.starts_with(chain) && line.ends_with(" -j ACCEPT");
    let first = |wanted: &dyn Fn(&&str) -> bool| lines.iter().position(wanted).ok_or("no such rule");
    match edit {
        Edit::Insert => {
            let at = first(&|line| line.starts_with("-A FORWARD "))?;
            lines.insert(at, "-A FORWARD -s 192.0.2.7/32 -p tcp -m tcp --dport 8443 -j ACCEPT");
        }
        Edit::Remove => {
            let at = first(&|line| accepts("-A FORWARD ")(line) && line.contains(" --dport 22 "))?;
            lines.remove(at);
        }
        Edit::Move => {
            let at = first(&accepts("-A filter_1011 "))?;
            if !lines.iter().skip(at).take(108).all(accepts("-A filter_1011 ")) {
                return Err("the chain is too short".into());
            }
            lines[at..at + 108].rotate_left(8);
        }
    }
    let name = match edit {
        Edit::Insert => "insert",
        Edit::Remove => "remove",
        Edit::Move => "move",
    };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.ipt"));
    std::fs::write(&path, lines.join("\n") + "\n")?;
    Ok(path)
}

/// Whole processes on the real pair, beside what else reads such files.
fn whole_processes(shared: &Path, wanted: &dyn Fn(&str) -> bool) -> Outcome<()> {
    if !wanted("processes") {
        return Ok(());
    }
    let folder = shared.join("corpus/iptables-save/diekmann+net-network");
    let file = |stamp: &str| {
        folder.join(format!("configs_chair_for_Network_Architectures_and_Services__iptables-save-{stamp}.ipt"))
    };
    let (old, new) = (file("2016-03-16_13-53-28"), file("2016-06-27_16-29-01"));
    let git = ["diff", "--no-index", "--stat"];
    let with = |name: &'static str, arguments: &[&str]| {
        let mut command = Command::new(name);
        command.args(arguments).arg(&old).arg(&new);
        command
    };
    let mut check = Command::new("unshare");
    check.args(["-n", "iptables-restore", "--test"]).arg(&new);
    say("whole processes on the real 5k pair, wall ms, least of 9 runs");
    let commands = vec![
        ("cat both (floor)", with("cat", &[])),
        ("diff", with("diff", &[])),
        ("git diff --no-index", with("git", &git)),
        ("iptables-restore --test (one side)", check),
        ("portcullis diff", with(env!("CARGO_BIN_EXE_portcullis"), &["diff"])),
    ];
    measure::processes(commands, 9);
    Ok(())
}
