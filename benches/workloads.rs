//! What reading and comparing costs, beside the floor: reading the bytes.
//!
//! `cargo bench` prints one row a workload: the least of several runs, wall clock on one core. The workloads are
//! made by `../shared/bench/rules.py` (1,000 to 1,000,000 rules) and kept in `target/workloads`; the pairs of a real
//! firewall of 5,000 rules stand in `../shared/corpus`. Where those are not there, it says so and stops.
//! `cargo bench -- 100000` runs the rows whose name contains `100000`.

use portcullis::diff::{Change, compare};
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--bench")).collect();
    if let [flag, base, head] = arguments.as_slice()
        && flag == "--one"
    {
        return one(Path::new(base), Path::new(head));
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.is_dir() {
        say("skipped: ../shared (generator and corpus) is not beside this folder");
        return Ok(());
    }
    let wanted = |name: &str| arguments.iter().all(|part| name.contains(part.as_str()));
    say(
        "times in ms, least of several runs; floor = reading both files; x = all / floor; peak = memory of the process in MiB",
    );
    say(&format!(
        "{:<34} {:>8} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6} {:>5} {:>6}  goal",
        "workload", "MB/s", "floor", "base", "head", "diff", "all", "x", "peak", "boxes"
    ));
    for (name, base, head, goal) in workloads(&shared, &wanted)? {
        let program = std::env::current_exe()?;
        let out = Command::new(program).arg("--one").arg(&base).arg(&head).stderr(Stdio::inherit()).output()?;
        if !out.status.success() {
            return Err(format!("{name}: {}", out.status).into());
        }
        say(&format!("{name:<34} {}  {goal}", String::from_utf8(out.stdout)?.trim_end()));
    }
    whole_processes(&shared, &wanted)
}

/// A name, both files and the goal.
type Workload = (String, PathBuf, PathBuf, &'static str);

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
        ("real 5k, rules moved", Edit::Move, "all <= 1, proved equal"),
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
                let generate = |change: &str| generate(shared, &made, style, rules, change);
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

/// A real file with one edit in the middle of its forward rules.
fn edited(base: &Path, edit: Edit) -> Outcome<PathBuf> {
    let text = std::fs::read_to_string(base)?;
    let mut lines: Vec<&str> = text.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.starts_with("-A filter_110 ") && line.ends_with("-j ACCEPT"))
        .ok_or("no such rule")?;
    let inserted = "-A filter_110 -s 192.0.2.7/32 -p tcp -m tcp --dport 8443 -j ACCEPT";
    match edit {
        Edit::Insert => lines.insert(at, inserted),
        Edit::Remove => drop(lines.remove(at)),
        Edit::Move => {
            let action = |line: &str| line.rsplit(' ').next().map(str::to_owned);
            let run = lines[at..]
                .iter()
                .take_while(|line| line.starts_with("-A filter_110 ") && action(line) == action(lines[at]))
                .count();
            lines[at..at + run].reverse();
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

fn generate(shared: &Path, made: &Path, style: &str, rules: &str, change: &str) -> Outcome<PathBuf> {
    let path = made.join(format!("{style}-{rules}{}.rules", change.replace(' ', "-")));
    if !path.exists() {
        eprint_line(&format!("making {}", path.display()));
        let unfinished = path.with_extension("part");
        let mut command = Command::new("python3");
        command.arg(shared.join("bench/rules.py")).args([style, rules]).args(change.split_whitespace());
        if !command.stdout(std::fs::File::create(&unfinished)?).status()?.success() {
            return Err("the generator failed".into());
        }
        std::fs::rename(unfinished, &path)?;
    }
    Ok(path)
}

/// Runs one workload and prints its figures.
fn one(base: &Path, head: &Path) -> Outcome<()> {
    let mut best = [Duration::MAX; 5];
    let (mut boxes, mut bytes) = (String::new(), 0);
    let begun = Instant::now();
    for round in 0..15 {
        let start = Instant::now();
        let (old, new) = (std::fs::read(base)?, std::fs::read(head)?);
        let floor = start.elapsed();
        bytes = old.len() + new.len();
        let mut sources = SourceMap::default();
        let old = sources.add(b"rules", old).map_err(|_| "too large")?;
        let new = sources.add(b"rules", new).map_err(|_| "too large")?;
        let mut store = Store::default();
        let input =
            |file| vec![Input { name: "bench".into(), format: formats::format("iptables-save"), files: vec![file] }];
        let start = Instant::now();
        let (before, memo, _) = formats::read(&input(old), &sources, &mut store, None);
        let read_base = start.elapsed();
        let start = Instant::now();
        let (after, _, _) = formats::read(&input(new), &sources, &mut store, Some(&memo));
        drop(memo);
        let read_head = start.elapsed();
        let change = Change::new(before, after, store);
        let start = Instant::now();
        let difference = compare(&change);
        let compared = start.elapsed();
        for (best, time) in
            best.iter_mut().zip([floor, read_base, read_head, compared, read_base + read_head + compared])
        {
            *best = (*best).min(time);
        }
        let filters = difference.configurations.iter().flat_map(|c| &c.filters);
        let found = filters.flat_map(|f| [&f.newly_allowed, &f.newly_denied]);
        let (count, complete) = found.fold((0, true), |(n, all), f| (n + f.deltas.len(), all & f.complete));
        boxes = format!("{count}{}", if complete { "" } else { "+" });
        if begun.elapsed() > Duration::from_secs(8) && round > 0 {
            break;
        }
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let [floor, base, head, diff, all] = best.map(ms);
    let speed = bytes as f64 / 2.0 / 1e3 / base;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|v| v.trim().split(' ').next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024;
    say(&format!(
        "{speed:>8.0} {floor:>7.2} {base:>7.2} {head:>7.2} {diff:>7.2} {all:>7.2} {:>6.1} {peak:>5} {boxes:>6}",
        all / floor
    ));
    Ok(())
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
    for (name, mut command) in [
        ("cat both (floor)", with("cat", &[])),
        ("diff", with("diff", &[])),
        ("git diff --no-index", with("git", &git)),
        ("iptables-restore --test (one side)", check),
        ("portcullis diff", with(env!("CARGO_BIN_EXE_portcullis"), &["diff"])),
    ] {
        let mut best = Duration::MAX;
        for _ in 0..9 {
            let start = Instant::now();
            if command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
                break;
            }
            best = best.min(start.elapsed());
        }
        let time =
            if best == Duration::MAX { "not installed".to_owned() } else { format!("{:.1}", best.as_secs_f64() * 1e3) };
        say(&format!("{name:<40} {time:>8}"));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark reports to its terminal")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "progress")]
fn eprint_line(line: &str) {
    eprintln!("{line}");
}
