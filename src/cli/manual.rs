use super::output::Streams;
use super::start_arguments::Man;
use super::surroundings::Surroundings;
use clap::Command;
use std::path::Path;

pub(super) fn run(
    Man { folder }: &Man,
    command: Command,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
) -> u8 {
    let done = match folder {
        Some(folder) => written(command, &surroundings.folder.join(folder)).map(|()| Vec::new()),
        None => page(command),
    };
    match done {
        Ok(page) if page.is_empty() => 0,
        Ok(page) => streams.bytes(&page, 0),
        Err(why) => streams.error(&format!("the pages cannot be written: {why}"), None, 3),
    }
}

fn page(command: Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    // `help` has no page of its own.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}

fn written(command: Command, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}
