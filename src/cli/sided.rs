//! What a text on a command line names: a file, a folder, `REV:PATH`, or what is in force on this host.

use super::judge;
use super::surroundings::Surroundings;
use crate::decision::{Cause, Doubt};
use crate::live::{Named, Ruleset};
use crate::source::Side;
use crate::text::escape;
use std::path::Path;

/// The side of that name.
pub(super) fn side(surroundings: &Surroundings, text: &str, namespace: Option<&Path>) -> Result<Side, Doubt> {
    match Named::of(text) {
        None => Side::named(&surroundings.place(), text).map_err(|why| judge::doubt(Cause::Source, &why)),
        Some(named) => {
            let doubt = |message: String| {
                let help = "`portcullis verify` looks at all of it, and says what is not known".to_owned();
                Err(Doubt { cause: Cause::Source, message, help, at: None })
            };
            let read = named.and_then(|named| named.read(namespace, &[]));
            let Ruleset { files, beside, included, unseen, rest_as_expected: _ } =
                read.map_err(|why| judge::doubt(Cause::Source, &why))?;
            if let Some(beside) = beside.first() {
                let name = beside.name;
                return doubt(format!(
                    "`{text}` does not show all that decides packets here: there are rules of {name} too"
                ));
            }
            if let Some(unseen) = unseen.first() {
                return doubt(format!("`{text}` does not show all that is in force here: {unseen}"));
            }
            if let Some((name, _)) = included.first() {
                let name = escape(name);
                return doubt(format!("what `{text}` includes (`{name}`) may be in no file of the other side"));
            }
            Ok(Side::live(text, files))
        }
    }
}
