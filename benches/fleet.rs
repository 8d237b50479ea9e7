//! What a fleet costs of which hardly anything changes: thousands of configurations, each a file, a few of which differ.
//!
//! `cargo bench --bench fleet` prints what whole processes take, wall clock: `check` of the
//! fleet with nothing changed, with ten files changed, and with all of them written in another order; and `simulate` of a
//! tenth of it. Nothing but this project is needed.

#[expect(dead_code, reason = "other benchmarks read single workloads with it")]
mod measure;

use measure::{Outcome, say};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

const HOSTS: usize = 2_000;
const RULES: usize = 100;

/// How the files of head differ from those of base.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    /// Not at all.
    Nothing,
    /// Ten of them have another rule.
    Ten,
    /// All have their rules in another order.
    Order,
}

fn main() -> Outcome<()> {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../workloads/fleet");
    let base = made.join("base");
    fleet(&base, HOSTS, Edit::Nothing)?;
    say(&format!("a fleet of {HOSTS} configurations of {RULES} rules; wall clock of whole processes in ms"));
    for (name, edit) in [("nothing", Edit::Nothing), ("ten", Edit::Ten), ("order", Edit::Order)] {
        let head = made.join(name);
        fleet(&head, HOSTS, edit)?;
        let mut check = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        check.arg("check").arg("--old").arg(&base).arg("--new").arg(&head).arg("--quiet");
        measure::processes(vec![(&format!("check, {name} changed"), check)], 5);
    }
    let part = made.join("part");
    fleet(&part, HOSTS / 10, Edit::Nothing)?;
    let mut simulate = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    simulate.arg("simulate").arg("--path").arg(&part).arg("--policy").arg(part.join("portcullis.yaml"));
    measure::processes(vec![("simulate, 1000 mistakes in a tenth of it", simulate)], 3);
    Ok(())
}

fn fleet(folder: &Path, hosts: usize, edit: Edit) -> Outcome<()> {
    let policy = "version: 1\nconfigurations: {hosts: {files: [\"hosts/*.rules\"], each: true}}\n\
        checks:\n  - {check: exposed-ports, services: [postgres]}\n  - {check: deletion-limit, count: 5}\n";
    fs::create_dir_all(folder.join("hosts"))?;
    fs::write(folder.join("portcullis.yaml"), policy)?;
    for host in 0..hosts {
        let mut rules: Vec<String> = Vec::with_capacity(RULES);
        for n in 0..RULES {
            let mut rule = String::new();
            write!(rule, "-A INPUT -s 10.{}.{}.0/24 -p tcp -m tcp --dport {} -j ACCEPT", host % 256, n, 1024 + n)?;
            rules.push(rule);
        }
        match edit {
            Edit::Order => rules.reverse(),
            Edit::Ten if host % (hosts / 10) == 0 => {
                rules.push("-A INPUT -s 192.0.2.7/32 -p tcp -m tcp --dport 22 -j ACCEPT".to_owned());
            }
            Edit::Nothing | Edit::Ten => {}
        }
        let text = format!(
            "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{}\nCOMMIT\n",
            rules.join("\n")
        );
        fs::write(folder.join(format!("hosts/h{host:04}.rules")), text)?;
    }
    Ok(())
}
