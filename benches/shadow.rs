//! What it costs to find every line that never applies or changes nothing, beside the floor: reading the bytes.
//!
//! `cargo bench --bench shadow` prints one row a workload: the least of several runs, time of one core. The
//! workloads are those of `workloads.rs`; `adversarial` are ranges at random in every field, which no structure helps.
//! `cargo bench --bench shadow -- real` runs the rows whose name contains `real`.

#[expect(dead_code, reason = "what this shares with the other benchmarks is the making of files")]
mod measure;

use measure::{Outcome, generate, say, spent};
use portcullis::diff::shadow::{Worth, worth};
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::text::SourceMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--bench")).collect();
    let wanted = |name: &str| arguments.iter().all(|part| name.contains(part.as_str()));
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.is_dir() {
        say("skipped: ../shared (generator and corpus) is not beside this folder");
        return Ok(());
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../workloads");
    std::fs::create_dir_all(&made)?;
    say(
        "times in ms of one core, least of several runs; floor = reading the file; x = all / floor; open = lines not decided",
    );
    say(&format!(
        "{:<28} {:>8} {:>8} {:>9} {:>8} {:>8} {:>9} {:>6}",
        "workload", "floor", "read", "analysis", "x", "shadowed", "redundant", "open"
    ));
    for (name, file) in workloads(&shared, &made, &wanted)? {
        row(&name, &file)?;
    }
    Ok(())
}

fn workloads(shared: &Path, made: &Path, wanted: &dyn Fn(&str) -> bool) -> Outcome<Vec<(String, PathBuf)>> {
    let mut out = Vec::new();
    let folder = shared.join("corpus/iptables-save/diekmann+net-network");
    for stamp in ["2015-05-13_10-53-20", "2015-09-03_15-56-50", "2016-06-27_16-29-01"] {
        let file = format!("configs_chair_for_Network_Architectures_and_Services__iptables-save-{stamp}.ipt");
        out.push((format!("real 5k {}", &stamp[..10]), folder.join(file)));
    }
    let file = "configs_chair_for_Network_Architectures_and_Services__ip6tables-save-2016-06-27_16-29-01.ipt";
    out.push(("real 6k IPv6".to_owned(), folder.join(file)));
    for rules in ["1000", "10000", "100000"] {
        for style in ["acl", "fw", "ipc"] {
            let name = format!("{style} {rules}");
            if wanted(&name) {
                out.push((name, generate(shared, made, style, rules, "")?));
            }
        }
    }
    for rules in [300, 3000] {
        out.push((format!("adversarial {rules}"), adversarial(made, rules)?));
    }
    out.retain(|(name, _)| wanted(name));
    Ok(out)
}

/// Rules with ranges at random in every field.
fn adversarial(made: &Path, rules: usize) -> Outcome<PathBuf> {
    let path = made.join(format!("adversarial-{rules}.rules"));
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    };
    let mut text = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n".to_owned();
    for _ in 0..rules {
        let mut range = |bits: u32| {
            let (a, b) = (next(1 << bits), next(1 << bits));
            (a.min(b), a.max(b))
        };
        let (source, destination, from, to) = (range(32), range(32), range(16), range(16));
        let address = |n: u64| format!("{}.{}.{}.{}", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255);
        let target = if next(2) == 0 { "ACCEPT" } else { "DROP" };
        writeln!(
            text,
            "-A FORWARD -p tcp -m iprange --src-range {}-{} --dst-range {}-{} -m tcp --sport {}:{} --dport {}:{} -j {target}",
            address(source.0),
            address(source.1),
            address(destination.0),
            address(destination.1),
            from.0,
            from.1,
            to.0,
            to.1
        )?;
    }
    text.push_str("COMMIT\n");
    std::fs::write(&path, text)?;
    Ok(path)
}

fn row(name: &str, file: &Path) -> Outcome<()> {
    let mut best = [Duration::MAX; 3];
    let mut found = Worth::default();
    let begun = Instant::now();
    for round in 0..10 {
        let start = spent();
        let bytes = std::fs::read(file)?;
        let floor = spent() - start;
        let mut sources = SourceMap::default();
        let source = sources.add(b"rules", bytes).map_err(|_| "too large")?;
        let mut store = Store::default();
        let input = [Input { name: "bench".into(), format: formats::format("iptables-save"), files: vec![source] }];
        let start = spent();
        let (snapshot, _, _) = formats::read(&input, &sources, &mut store, None);
        let read = spent() - start;
        let start = spent();
        found = snapshot.configurations().first().map(|configuration| worth(&store, configuration)).unwrap_or_default();
        let analysis = spent() - start;
        for (best, time) in best.iter_mut().zip([floor, read, analysis]) {
            *best = (*best).min(time);
        }
        if begun.elapsed() > Duration::from_secs(10) || (round > 0 && begun.elapsed() > Duration::from_secs(3)) {
            break;
        }
    }
    let [floor, read, analysis] = best.map(|time| time.as_secs_f64() * 1e3);
    let Worth { shadowed, redundant, open, need_open, .. } = found;
    say(&format!(
        "{name:<28} {floor:>8.2} {read:>8.1} {analysis:>9.1} {:>8.0} {:>8} {:>9} {:>6}",
        (read + analysis) / floor,
        shadowed.len(),
        redundant.len(),
        open.len() + need_open.len()
    ));
    Ok(())
}
