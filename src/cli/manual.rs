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
    let Some(folder) = folder else {
        return streams.bytes(&page(command), 0);
    };
    match written(command, &surroundings.folder.join(folder)) {
        Ok(()) => 0,
        Err(why) => streams.error(&format!("the pages cannot be written to {}: {why}", folder.display()), None, 3),
    }
}

fn page(command: Command) -> Vec<u8> {
    let mut page = Vec::new();
    // `help` has no page of its own.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    clap_mangen::Man::new(command).render(&mut page).expect("memory can be written");
    page
}

fn written(command: Command, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}
