use super::arguments::Parse;
use super::output::Streams;
use super::surroundings::Surroundings;

pub(super) fn run(arguments: &Parse, _: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    streams.error(&format!("`{}` cannot be shown yet", arguments.file), None, 3)
}
