//! The kernel oracle: rulesets are loaded into a real kernel, packets are really sent through it, and what it
//! does is held against what the model says.
//!
//! `cargo test --test kernel -- [generated] [corpus] [acceptance] [--long] [--seed N] [--runs N]`
//!
//! Needs root, `unshare`, `ip`, `nft` and `iptables`. Without them nothing is compared, and the last line says
//! so with the number of parts skipped.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a test program without harness reports by itself")]

mod acceptance;
mod aim;
mod case;
mod compare;
mod corpus;
mod observe;
mod options;
mod parts;
mod probe;
mod random;
mod rules;
mod shrink;
mod tally;
mod world;

use options::{Options, Part, Role};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use tally::Tally;

fn main() -> ExitCode {
    let role = match options::read(std::env::args().skip(1)) {
        Ok(role) => role,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let outcome = match role {
        Role::List => Ok(true),
        Role::Send => world::send_frames().map(|()| true),
        Role::Inside(share) => parts::run(&share).map(|tally| {
            print!("{}", tally.lines());
            true
        }),
        Role::Whole(options) => whole(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the parts, each share in a namespace of its own; whether all is well.
fn whole(options: &Options) -> Result<bool, String> {
    if let Some(why) = missing() {
        println!("THE KERNEL IS NOT ASKED: {why}");
        println!("0 passed, 0 failed, {} skipped", options.parts.len());
        return Ok(true);
    }
    println!("seed {}", options.seed);
    let mut tally = Tally::default();
    for part in &options.parts {
        if *part == Part::Corpus && corpus::folder().is_none() {
            println!("REAL RULESETS ARE NOT COMPARED: there is no ../shared/corpus/iptables-save");
            tally.add("skipped", 1);
            continue;
        }
        for share in options.shares(*part)? {
            run_share(&share, &mut tally)?;
        }
    }
    parts::report(&tally);
    let failed = tally.get("failed");
    println!("{} passed, {failed} failed, {} skipped", tally.get("passed"), tally.get("skipped"));
    Ok(failed == 0)
}

fn run_share(share: &options::Share, tally: &mut Tally) -> Result<(), String> {
    let me = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new("unshare")
        .args(["--net", "--"])
        .arg(me)
        .args(share.arguments())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("unshare: {error}"))?;
    let output = child.stdout.take().ok_or("no output")?;
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|error| error.to_string())?;
        if !tally.take(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() {
        println!("FAILED: {} ended with {status}", share.arguments().join(" "));
        tally.add("failed", 1);
    }
    Ok(())
}

/// What is missing to ask the kernel.
fn missing() -> Option<String> {
    let tools: [(&str, &[&str]); 6] = [
        ("unshare", &["--net", "true"]),
        ("ip", &["-V"]),
        ("nft", &["--version"]),
        ("iptables-nft-restore", &["--version"]),
        ("ip6tables-nft-restore", &["--version"]),
        ("iptables-legacy-restore", &["--version"]),
    ];
    tools.iter().find_map(|(tool, arguments)| world::run(tool, arguments, "").err())
}
