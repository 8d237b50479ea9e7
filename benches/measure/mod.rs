//! One workload measured: both sides read and compared, beside the floor, which is reading the bytes.

use portcullis::diff::{Change, compare};
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// As in the program.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What may go wrong is shown and ends the run.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A name, both files and the goal.
pub(crate) type Workload = (String, PathBuf, PathBuf, &'static str);

/// Prints one row a workload. Each is measured in a process of its own, so that its memory is its own.
pub(crate) fn rows(workloads: Vec<Workload>) -> Outcome<()> {
    say(
        "times in ms of one core, least of several runs; floor = reading both files; x = all / floor; peak = memory of the process in MiB",
    );
    say(&format!(
        "{:<34} {:>8} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6} {:>5} {:>6} {:>5}  goal",
        "workload", "MB/s", "floor", "base", "head", "diff", "all", "x", "peak", "boxes", "gaps"
    ));
    for (name, base, head, goal) in workloads {
        let program = std::env::current_exe()?;
        let out = Command::new(program).arg("--one").arg(&base).arg(&head).stderr(Stdio::inherit()).output()?;
        if !out.status.success() {
            return Err(format!("{name}: {}", out.status).into());
        }
        say(&format!("{name:<34} {}  {goal}", String::from_utf8(out.stdout)?.trim_end()));
    }
    Ok(())
}

/// The files of a workload with the names that they have in it: those of a folder whose names end so, or one alone.
fn texts(path: &Path, endings: &[&str]) -> Outcome<Vec<(String, Vec<u8>)>> {
    if path.is_file() {
        return Ok(vec![("rules".to_owned(), std::fs::read(path)?)]);
    }
    let (mut folders, mut out) = (vec![path.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let found = entry?.path();
            let name = found.strip_prefix(path)?.to_string_lossy().into_owned();
            if found.is_dir() {
                folders.extend((!name.starts_with(".git")).then_some(found));
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                out.push((name, std::fs::read(found)?));
            }
        }
    }
    out.sort();
    Ok(out)
}

/// Runs one workload and prints its figures. Of folders, the files whose names end so are one configuration; several
/// threads may read them, so the time of all is counted.
pub(crate) fn one(format: &str, base: &Path, head: &Path, endings: &[&str]) -> Outcome<()> {
    let spent = if base.is_dir() { spent_by_all } else { spent };
    let mut best = [Duration::MAX; 5];
    let (mut boxes, mut bytes, mut gaps) = (String::new(), 0, 0);
    let begun = Instant::now();
    for round in 0..15 {
        let start = spent();
        let (old, new) = (texts(base, endings)?, texts(head, endings)?);
        let floor = spent() - start;
        bytes = old.iter().chain(&new).map(|(_, text)| text.len()).sum();
        let mut sources = SourceMap::default();
        let mut add = |texts: Vec<(String, Vec<u8>)>| -> Result<Vec<_>, &str> {
            let one = |(name, text): (String, Vec<u8>)| sources.add(name.as_bytes(), text).map_err(|_| "too large");
            texts.into_iter().map(one).collect()
        };
        let (old, new) = (add(old)?, add(new)?);
        let mut store = Store::default();
        let input = |files| vec![Input { name: "bench".into(), format: formats::format(format), files }];
        let start = spent();
        let (before, memo, _) = formats::read(&input(old), &sources, &mut store, None);
        let read_base = spent() - start;
        let start = spent();
        let (after, _, _) = formats::read(&input(new), &sources, &mut store, Some(&memo));
        drop(memo);
        let read_head = spent() - start;
        gaps = before.gaps().len() + after.gaps().len();
        let change = Change::new(before, after, store);
        let start = spent();
        let difference = compare(&change);
        let compared = spent() - start;
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
        "{speed:>8.0} {floor:>7.2} {base:>7.2} {head:>7.2} {diff:>7.2} {all:>7.2} {:>6.1} {peak:>5} {boxes:>6} {gaps:>5}",
        all / floor
    ));
    Ok(())
}

/// What this thread has had of a core so far: others may keep the machine busy.
pub(crate) fn spent() -> Duration {
    on(rustix::time::ClockId::ThreadCPUTime)
}

/// What all threads of the process have had.
fn spent_by_all() -> Duration {
    on(rustix::time::ClockId::ProcessCPUTime)
}

fn on(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A file of rules made by `../shared/bench/rules.py`, kept in `made`.
pub(crate) fn generate(shared: &Path, made: &Path, style: &str, rules: &str, change: &str) -> Outcome<PathBuf> {
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

/// Runs whole processes and prints the least wall clock of `runs`.
pub(crate) fn processes(commands: Vec<(&str, Command)>, runs: usize) {
    for (name, mut command) in commands {
        let mut best = Duration::MAX;
        let mut failed = false;
        for _ in 0..runs {
            let start = Instant::now();
            match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
                Ok(status) => failed = status.code().is_none_or(|code| code > 1),
                Err(_) => break,
            }
            best = best.min(start.elapsed());
        }
        let time =
            if best == Duration::MAX { "not installed".to_owned() } else { format!("{:.1}", best.as_secs_f64() * 1e3) };
        say(&format!("{name:<48} {time:>8}{}", if failed { "  FAILED" } else { "" }));
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark reports to its terminal")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "progress")]
fn eprint_line(line: &str) {
    eprintln!("{line}");
}
