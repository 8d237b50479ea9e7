//! `iptables-save` and `ip6tables-save` files, the input of `iptables-restore`.

mod conditions;
mod earlier;
mod extensions;
mod family;
mod fast;
mod finish;
mod forms;
mod lower;
mod matches;
mod meaning;
mod normal;
mod parse;
mod plain;
mod read;
mod refusals;
mod ruleset;
mod syntax;
mod tails;
mod targets;
mod values;
mod words;
mod written;

use super::{Format, Reading, Texts};
use crate::model::{Configuration, Declaration};
use read::Modes;
use ruleset::TableKind;

pub(super) static FORMAT: IptablesSave = IptablesSave;

pub(super) struct IptablesSave;

impl Format for IptablesSave {
    fn id(&self) -> &'static str {
        "iptables-save"
    }

    /// A line `*filter`, or of another table, is among the first; nothing else looks like that.
    fn recognises(&self, _name: &str, text: &[u8]) -> bool {
        let start = &text[..text.len().min(FIRST)];
        crate::text::lines(start).any(|(_, line)| {
            let name = line.strip_prefix(b"*").map(|name| name.trim_ascii().split(u8::is_ascii_whitespace).next());
            name.flatten().is_some_and(|name| TableKind::find(name).is_some())
        })
    }

    fn declarations(&self, configuration: &Configuration, texts: &Texts<'_>) -> Vec<Declaration> {
        let mentions = |name: &str| ["-j", "-g", "--jump", "--goto"].map(|word| format!("{word} {name}")).to_vec();
        texts.objects(configuration, "chain", str::is_empty, mentions)
    }

    fn read(&self, reading: &mut Reading<'_>) {
        let mut modes = Modes::default();
        loop {
            match read::files(reading, modes) {
                Ok((ruleset, ledgers)) => {
                    for ledger in ledgers {
                        reading.close(ledger);
                    }
                    return finish::finish(reading, ruleset, modes);
                }
                Err(more) => modes = more,
            }
        }
    }
}

/// How much of a file is looked at to tell its format.
const FIRST: usize = 1 << 16;
