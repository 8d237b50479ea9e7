//! The command `portcullis`.

use portcullis::cli::{Surroundings, bug, run};
use std::io::{stderr, stdout};
use std::process::ExitCode;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(bug));
    ExitCode::from(run(&Surroundings::of_process(), std::env::args_os(), &mut stdout().lock(), &mut stderr()))
}
