//! nftables rulesets, as text for `nft -f` and as the JSON of `nft -j list ruleset`.
//!
//! Both notations become the same commands (`syntax`), these are carried out on a ruleset (`program`), and the ruleset is
//! turned into the model (`lower`).

use super::account;
mod include;
mod json;
mod lex;
mod long;
mod lower;
mod names;
mod parse;
mod program;
mod recognise;
mod ruleset;
mod runs;
mod syntax;
mod types;

use super::data::Json;
use super::{Disposition, Format, Include, Reading, Texts};
use crate::model::{Configuration, Declaration};
use crate::text::Span;
use account::Account;
use include::Includes;
use long::Long;
use regex::bytes::Regex;
use ruleset::Ruleset;
use runs::Shapes;
use std::sync::{Arc, LazyLock};

pub(super) static FORMAT: Nftables = Nftables;

pub(super) struct Nftables;

impl Format for Nftables {
    fn id(&self) -> &'static str {
        "nftables"
    }

    fn recognises(&self, name: &str, text: &[u8]) -> bool {
        json::recognises(text) || recognise::is_text(name, text)
    }

    fn includes(&self, main: &str, _file: &str, text: &[u8]) -> Vec<Include> {
        if recognise::is_json(text) { Vec::new() } else { include::names(main, text) }
    }

    fn declarations(&self, configuration: &Configuration, texts: &Texts<'_>) -> Vec<Declaration> {
        static DEFINE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m-u)^[ \t]*define[ \t]+([A-Za-z_][A-Za-z0-9_/\\.]*)[ \t]*=").expect("it is well-formed")
        });
        let jumps = |name: &str| ["jump", "goto"].map(|word| format!("{word} {name}")).to_vec();
        let elements = |name: &str| vec![format!("@{name}")];
        let mut out = texts.objects(configuration, "chain", str::is_empty, jumps);
        for kind in ["set", "map"] {
            out.extend(texts.objects(configuration, kind, |_| true, elements));
        }
        out.extend(texts.words("define", &DEFINE, |name| vec![format!("${name}")]));
        out
    }

    fn read(&self, reading: &mut Reading<'_>) {
        let mut account = Account::default();
        let mut documents = Vec::new();
        for file in reading.files() {
            let text = reading.text(*file);
            if recognise::is_json(text) {
                documents.push(Some(Json::read(text)));
            } else {
                documents.push(None);
            }
        }
        let (mut transactions, mut shapes) = (Vec::new(), Shapes::default());
        for (file, document) in reading.files().iter().zip(&documents) {
            let text = reading.text(*file);
            let end = u32::try_from(text.len()).expect("sources are smaller than 4 GiB");
            let all = Span { source: *file, start: 0, end };
            match document {
                Some(Ok(json)) => transactions.push(json::read(*file, json, &mut account)),
                Some(Err(refused)) => {
                    let place = |at: usize| u32::try_from(at).expect("sources are smaller than 4 GiB");
                    let at = Span { start: place(refused.at.start), end: place(refused.at.end), ..all };
                    account.claim(Span { end: at.start, ..all }, Disposition::Inert("not read"));
                    account.gap(at, refused.reason.clone());
                    account.claim(Span { start: at.end, ..all }, Disposition::Inert("not read"));
                }
                None if text.trim_ascii().is_empty() => account.gap(all, "the file is empty"),
                None => {
                    transactions.push(parse::parse(*file, &Includes::new(reading, *file), &mut shapes, &mut account));
                }
            }
        }
        let mut ruleset = Ruleset { shapes, ..Ruleset::default() };
        program::run(transactions, &mut ruleset, &mut account);
        reading.configuration.flushes.append(&mut ruleset.flushes);
        reading.configuration.undefined.append(&mut ruleset.undefined);
        let remembered = lower::lower(reading, &ruleset, &mut account);
        let changes = ruleset.tables.iter().flat_map(|table| &table.sets).flat_map(|set| &set.changes);
        let lists = Long::left(changes.filter_map(|change| change.elements.long.as_ref()));
        if !lists.is_empty() {
            reading.tell(Arc::new(lists));
        }
        account.close_and_remember(reading, remembered);
    }
}
