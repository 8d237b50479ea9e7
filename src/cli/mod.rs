//! The command line: arguments to rooms, and what they answer to output and an exit code.
//!
//! Holds no logic: what is read is up to `source` and `formats`, what is wrong to `checks`, what follows to
//! `decision`, how it looks to `report`. The only room that prints, reads the environment or exits.

mod apply;
mod apply_arguments;
mod arguments;
mod attest;
mod audience;
mod audit;
mod check;
mod closure;
mod compare;
mod coverage;
mod demo;
mod doctor;
mod dumps;
mod effect;
mod expect;
mod explain;
mod feed;
mod gate;
mod init;
mod judge;
mod lint;
mod manual;
mod merge;
mod notice;
mod output;
mod parse;
mod planned;
mod policy_lint;
mod policy_try;
mod present;
mod progress;
mod proposal;
mod record_arguments;
mod review;
mod roots;
mod shard;
mod sided;
mod simulate;
mod start_arguments;
mod surroundings;
mod trace;
mod tree;
mod verify;
mod wanted;

pub use arguments::Arguments;
pub use demo::{DRIFTS, Drift, INCIDENTS, Incident, Replay};
pub use surroundings::{Surroundings, bug};

use arguments::Command;
use clap::{CommandFactory as _, Parser as _};
use output::Streams;
use start_arguments::PolicyCommand;
use std::ffi::OsString;
use std::io::Write;

/// Runs a command line, the program's name first, and gives the exit code: 0 pass, 1 blocked or approval missing,
/// 2 usage or policy error, 3 undecided, 4 what is in force is not what is expected (after
/// `apply`: rolled back), 5 a rollback failed. Data goes to `stdout`, talk to `stderr`.
pub fn run(
    surroundings: &Surroundings,
    arguments: impl IntoIterator<Item = OsString>,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    let mut streams = Streams::new(surroundings, stdout, stderr);
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(usage) => return streams.usage(&usage),
    };
    let Arguments { command, quiet } = arguments;
    streams.quiet = quiet;
    match command {
        Command::Check(check) => check::run(&check, surroundings, &mut streams),
        Command::Merge(merge) => merge::run(&merge, surroundings, &mut streams),
        Command::Attest(attest) => attest::run(&attest, surroundings, &mut streams),
        Command::BreakGlass(attest) => attest::break_glass(&attest, surroundings, &mut streams),
        Command::Gate(gate) => gate::run(&gate, surroundings, &mut streams),
        Command::Apply(arguments) => apply::run(&arguments, surroundings, &mut streams),
        Command::Confirm(arguments) => apply::confirm(&arguments, surroundings, &mut streams),
        Command::Recover(arguments) => apply::recover(&arguments, surroundings, &mut streams),
        Command::DeadMan(arguments) => apply::dead_man(&arguments, surroundings, &mut streams),
        Command::Audit(command) => audit::run(&command, surroundings, &mut streams),
        Command::Roots(command) => roots::run(&command, surroundings, &mut streams),
        Command::Lint(lint) => lint::run(&lint, surroundings, &mut streams),
        Command::Test(test) => expect::run(&test, surroundings, &mut streams),
        Command::Simulate(simulate) => simulate::run(&simulate, surroundings, &mut streams),
        Command::Diff(diff) => compare::run(&diff, surroundings, &mut streams),
        Command::Trace(trace) => trace::run(&trace, surroundings, &mut streams),
        Command::Verify(verify) => verify::run(&verify, surroundings, &mut streams),
        Command::Feed(command) => feed::run(&command, surroundings, &mut streams),
        Command::Init(init) => init::run(&init, surroundings, &mut streams),
        Command::Policy(PolicyCommand::Lint(lint)) => policy_lint::run(&lint, surroundings, &mut streams),
        Command::Man(man) => manual::run(&man, Arguments::command(), surroundings, &mut streams),
        Command::Policy(PolicyCommand::Try(tried)) => policy_try::run(&tried, surroundings, &mut streams),
        Command::Policy(PolicyCommand::Coverage(asked)) => coverage::run(&asked, surroundings, &mut streams),
        Command::Explain { check } => explain::run(check.as_deref(), &mut streams),
        Command::Demo => demo::run(&mut streams),
        Command::Parse(parse) => parse::run(&parse, surroundings, &mut streams),
        Command::Doctor(doctor) => doctor::run(&doctor, surroundings, &mut streams),
        Command::Schema { of } => streams.data(&explain::schema(of), 0),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "portcullis", &mut script);
            streams.data(&String::from_utf8_lossy(&script), 0)
        }
    }
}
