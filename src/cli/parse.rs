use super::arguments::Parse;
use super::closure;
use super::judge;
use super::output::Streams;
use super::surroundings::Surroundings;
use super::wanted::Everything;
use crate::decision::{Cause, Doubt};
use crate::formats::{self, Input, describe};
use crate::model::Store;
use crate::source::Side;
use crate::text::{SourceMap, escape};

pub(super) fn run(arguments: &Parse, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let mut sources = SourceMap::default();
    match parse(arguments, surroundings, &mut sources) {
        Ok((text, code)) => streams.data(&text, code),
        Err(doubts) => streams.doubts(&doubts, &sources),
    }
}

fn parse(arguments: &Parse, surroundings: &Surroundings, sources: &mut SourceMap) -> Result<(String, u8), Vec<Doubt>> {
    let Parse { file, format } = arguments;
    let side = Side::named(&surroundings.place(), file).map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
    if !side.is_file() {
        let help = "name one file; `portcullis diff` and `portcullis check` take folders".to_owned();
        return Err(vec![Doubt { cause: Cause::Source, message: format!("`{file}` is a folder"), help, at: None }]);
    }
    let format = format.as_ref().and_then(|format| formats::format(format.0));
    let mut inputs = Vec::new();
    for file in side.files(&Everything).map_err(judge::source_doubts)? {
        inputs.push(Input { name: escape(&file.path), format, files: vec![judge::add(sources, file)?] });
    }
    closure::of_side(&side, &mut inputs, sources)?;
    let mut store = Store::default();
    let (snapshot, _, notes) = formats::read(&inputs, sources, &mut store, None);
    let code = if snapshot.gaps().is_empty() { 0 } else { 3 };
    Ok((describe(&snapshot, &notes, sources, &store), code))
}
