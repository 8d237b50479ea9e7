//! What a text on a command line names: a file, a folder, `REV:PATH`, or what is in force on this host.

use super::judge;
use super::surroundings::Surroundings;
use crate::decision::{Cause, Doubt};
use crate::live::{Host, Target};
use crate::source::Side;
use std::path::Path;

/// The side of that name.
pub(super) fn side(surroundings: &Surroundings, text: &str, namespace: Option<&Path>) -> Result<Side, Doubt> {
    match Target::named(text) {
        None => Side::named(&surroundings.place(), text).map_err(|why| judge::doubt(Cause::Source, &why)),
        Some(target) => {
            let read = target.and_then(|target| Ok((target, Host::here(namespace)?.read(target)?)));
            let (target, ruleset) = read.map_err(|why| judge::doubt(Cause::Source, &why))?;
            if let Some(beside) = ruleset.beside.first() {
                let message = format!(
                    "`{}` does not show all that decides packets here: there are rules of {} too",
                    target.name(),
                    beside.name
                );
                let help = "`portcullis verify` looks at all of them".to_owned();
                return Err(Doubt { cause: Cause::Source, message, help, at: None });
            }
            Ok(Side::live(target.name(), ruleset.files))
        }
    }
}
