//! What reading and comparing the trees of clouds and clusters costs, beside the floor: reading the bytes.
//!
//! `cargo bench --bench cloud` prints one row a workload, as the other benchmarks do, then whole processes, then what peers
//! take for the same workload, as `../shared/peers.md` has it. The trees are those of `../shared/bench/gen.py`, base and
//! head. `cargo bench --bench cloud -- w4` runs those whose name contains `w4`.

#[expect(dead_code, reason = "other benchmarks make their rules with it")]
mod measure;

use measure::{Outcome, say};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A workload of the generator: what it is called there (behind a dash: which part of it), and what is read of it.
struct Tree {
    name: &'static str,
    what: &'static str,
    format: &'static str,
    endings: &'static [&'static str],
    goal: &'static str,
}

const TREES: &[Tree] = &[
    Tree { name: "w2", what: "1000 Terraform files, 10000 rules", format: "terraform", endings: &[".tf"], goal: "" },
    Tree { name: "w4", what: "1000 NetworkPolicies", format: "kubernetes", endings: &[".yaml"], goal: "" },
    Tree { name: "w5-nginx", what: "2000 upstreams", format: "nginx", endings: &["nginx.conf"], goal: "" },
    Tree { name: "w5-haproxy", what: "2000 backends", format: "haproxy", endings: &["haproxy.cfg"], goal: "" },
    Tree { name: "w5-envoy", what: "2000 clusters", format: "envoy", endings: &["envoy.yaml"], goal: "" },
];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--bench")).collect();
    if let [flag, base, head] = arguments.as_slice()
        && flag == "--one"
    {
        let tree =
            TREES.iter().find(|tree| base.ends_with(&format!("{}-base", tree.name))).ok_or("no such workload")?;
        return measure::one(tree.format, Path::new(base), Path::new(head), tree.endings);
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.is_dir() {
        say("skipped: ../shared (generator) is not beside this folder");
        return Ok(());
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../workloads");
    fs::create_dir_all(&made)?;
    let wanted: Vec<&Tree> =
        TREES.iter().filter(|tree| arguments.iter().all(|part| tree.name.contains(part.as_str()))).collect();
    let mut workloads = Vec::new();
    for tree in &wanted {
        let [base, head] = sides(&shared, &made, tree.name)?;
        workloads.push((format!("{} {}", tree.name, tree.what), base, head, tree.goal));
    }
    measure::rows(workloads)?;
    let peers = fs::read_to_string(shared.join("peers.md"))?;
    for tree in &wanted {
        let [base, head] = sides(&shared, &made, tree.name)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(["check", "--old"]).arg(base).arg("--new").arg(head);
        command.arg("--policy").arg(policy(&made, tree)?);
        say("\nwhole processes, both sides, wall clock in ms");
        measure::processes(vec![("portcullis check", command)], 10);
        say("peers, as they were measured: wall clock and CPU in s, memory in MiB");
        let rows = peers
            .lines()
            .filter(|line| line.starts_with(&format!("| {}/", tree.name.split('-').next().unwrap_or(tree.name))));
        rows.for_each(say);
    }
    Ok(())
}

/// Both sides of a workload, each a folder: the tags of the repository that the generator makes.
fn sides(shared: &Path, made: &Path, name: &str) -> Outcome<[PathBuf; 2]> {
    let generator = name.split('-').next().unwrap_or(name);
    let repository = made.join(generator);
    if !repository.exists() {
        let unfinished = made.join(format!("{generator}.part"));
        let bench = shared.join("bench");
        let script = format!("import sys; sys.path.insert(0, sys.argv[2]); import gen; gen.{generator}()");
        let mut command = Command::new("python3");
        command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", &script]).arg(&unfinished).arg(bench);
        if !command.status()?.success() {
            return Err("the generator failed".into());
        }
        fs::rename(unfinished.join(generator), &repository)?;
    }
    let side = |tag: &str| -> Outcome<PathBuf> {
        let folder = made.join(format!("{name}-{tag}"));
        if !folder.exists() {
            let mut command = Command::new("git");
            command.args(["-c", "advice.detachedHead=false", "clone", "-q", "--branch", tag]);
            if !command.arg(&repository).arg(&folder).status()?.success() {
                return Err(format!("there is no `{tag}`").into());
            }
        }
        Ok(folder)
    };
    Ok([side("base")?, side("head")?])
}

/// A policy that asks for what the change of the workload does: something opened to everybody.
fn policy(made: &Path, tree: &Tree) -> Outcome<PathBuf> {
    let Tree { name, what: _, format, endings, goal: _ } = tree;
    let patterns: Vec<String> = endings.iter().map(|ending| format!("\"**/*{ending}\"")).collect();
    let text = format!(
        "version: 1\nconfigurations:\n  bench: {{files: [{}], format: {format}}}\nchecks:\n  - {{check: exposed-ports, from: \
         203.0.113.0/24}}\n",
        patterns.join(", ")
    );
    let path = made.join(format!("{name}-policy.yaml"));
    fs::write(&path, text)?;
    Ok(path)
}
