//! The kernel oracle: rulesets are loaded into a real kernel, packets are really sent through it, and what it
//! does is held against what the model says.
//!
//! `cargo test --test kernel -- [PART…] [--long] [--seed N] [--runs N]`
//!
//! The parts are `generated`, `corpus`, `acceptance` and `lines` for iptables, and `nft-generated`, `nft-corpus`,
//! `nft-acceptance` and `nft-lines` for nftables, `verify` for what `verify` sees of a kernel in which something
//! changes, and `apply` for what `apply` leaves behind when something goes wrong at any step.
//!
//! Without `--seed`, `--long` takes a new seed each time; a short run always the same one.
//!
//! Needs root, `unshare`, `ip`, `nft` and `iptables`. Without them nothing is compared, and the last line says
//! so with the number of parts skipped.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a test program without harness reports by itself")]

mod acceptance;
mod aim;
mod apply;
mod case;
mod compare;
mod corpus;
mod hosts;
mod liars;
mod lines;
mod nft;
mod observe;
mod options;
mod parts;
mod probe;
mod random;
mod rules;
mod shrink;
mod stream;
mod tally;
mod unlisted;
mod verify;
mod world;

use options::{Options, Role};
use portcullis::formats;
use std::process::{ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
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
        Role::Stream(pace) => stream::send(pace).map(|()| true),
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

/// Runs the parts, each share in a namespace of its own, as many at once as there are processors; whether all
/// is well.
fn whole(options: &Options) -> Result<bool, String> {
    if let Some(why) = missing() {
        println!("THE KERNEL IS NOT ASKED: {why}");
        println!("0 passed, 0 failed, {} skipped", options.parts.len());
        return Ok(true);
    }
    println!("seed {}", options.seed);
    let mut tally = Tally::default();
    let mut shares = Vec::new();
    for part in &options.parts {
        let folder = part.needs();
        if let Some(folder) = folder.filter(|folder| nft::corpus::folder(folder).is_none()) {
            println!("{} IS NOT COMPARED: there is no ../shared/corpus/{folder}", part.name());
            tally.add("skipped", 1);
        } else if part.format() == "nftables" && formats::format("nftables").is_none() {
            println!("{} IS NOT COMPARED: there is no reader of nftables yet", part.name());
            tally.add("skipped", 1);
        } else {
            shares.extend(options.shares(*part)?);
        }
    }
    let (tally, next) = (Mutex::new(tally), AtomicUsize::new(0));
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || {
            while let Some(share) = shares.get(next.fetch_add(1, Ordering::Relaxed)) {
                let begun = std::time::Instant::now();
                let outcome = run_share(share);
                let mut tally = tally.lock().expect("nobody panics while holding it");
                tally.add(&format!("seconds/{}", share.part.name()), begun.elapsed().as_secs());
                match outcome {
                    Ok(lines) => take(&mut tally, &lines),
                    Err(why) => {
                        println!("FAILED: {}: {why}", share.arguments().join(" "));
                        tally.add("failed", 1);
                    }
                }
            }
        };
        for _ in 0..at_once {
            scope.spawn(work);
        }
    });
    let tally = tally.into_inner().map_err(|error| error.to_string())?;
    parts::report(&tally);
    let failed = tally.get("failed");
    println!("{} passed, {failed} failed, {} skipped", tally.get("passed"), tally.get("skipped"));
    Ok(failed == 0)
}

/// Runs a share in a process of its own; what it prints. Each ends within minutes, unless the run is a long one.
fn run_share(share: &options::Share) -> Result<String, String> {
    let me = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = world::tool("timeout")
        .args(["--kill-after=10", if share.long { "0" } else { "600" }, "unshare", "--net", "--"])
        .arg(me)
        .args(share.arguments())
        .envs(std::env::var_os("PORTCULLIS_KEEP").map(|folder| ("PORTCULLIS_KEEP", folder)))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("timeout: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("it ended with {}", output.status))
    }
}

/// Counts what a share counted and prints what else it says.
fn take(tally: &mut Tally, lines: &str) {
    for line in lines.lines() {
        if !tally.take(line) {
            println!("{line}");
        }
    }
}

/// What is missing to ask the kernel: the right to make namespaces, or a tool that works in one.
fn missing() -> Option<String> {
    let enter = |tool: &'static [&str]| [&["--net", "--"], tool].concat();
    let tools: [(&[&str], &str); 6] = [
        (&["ip", "-V"], ""),
        (&["nft", "-f", "-"], ""),
        (&["iptables-nft-restore"], "*filter\nCOMMIT\n"),
        (&["ip6tables-nft-restore"], "*filter\nCOMMIT\n"),
        (&["iptables-legacy-restore"], "*filter\nCOMMIT\n"),
        (&["ip6tables-legacy-restore"], "*filter\nCOMMIT\n"),
    ];
    tools.into_iter().find_map(|(tool, input)| {
        let why = world::run("unshare", &enter(tool), input).err()?;
        Some(format!("`{}` does not work: {why}", tool.join(" ")))
    })
}
