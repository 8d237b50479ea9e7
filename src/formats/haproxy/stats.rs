//! `stats`: the page of statistics that a proxy answers with (manual, chapter 4).

use super::conditions::When;
use super::forms;
use super::lex::{Line, joined};
use super::proxies::{Reader, needed, nothing_behind};
use crate::formats::Disposition;
use crate::text::Span;

/// The page of statistics.
#[derive(Debug, Clone)]
pub(super) struct Stats {
    pub(super) uri: String,
    pub(super) at: Span,
    pub(super) settings: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn stats(&mut self, line: &Line) -> Result<Disposition, (Span, String)> {
        let word = needed(line, 1)?;
        self.no_guards(line)?;
        let stats = self.proxy.stats.get_or_insert_with(|| Stats {
            uri: "/haproxy?stats".to_owned(),
            at: line.at,
            settings: Vec::new(),
        });
        match word.text.as_str() {
            "enable" => nothing_behind(line, 2)?,
            "uri" => {
                stats.uri = needed(line, 2)?.text.clone();
                stats.at = line.at;
                nothing_behind(line, 3)?;
            }
            "hide-version" | "show-legends" | "show-modules" | "show-node" | "show-desc" | "realm" | "refresh" => {
                if matches!(word.text.as_str(), "realm" | "refresh") {
                    needed(line, 2)?;
                    forms::check_both("stats", line.from(1))?;
                }
                return Ok(Disposition::Inert("how statistics look"));
            }
            "auth" | "scope" | "admin" | "http-request" => {
                forms::check_both("stats", line.from(1))?;
                let at = line.words.iter().position(|word| matches!(word.text.as_str(), "if" | "unless"));
                needed(line, 2)?;
                let when = When::read(line.from(at.unwrap_or(line.words.len())))?;
                self.check_when(when.as_ref());
                let when = self.show_when(when.as_ref());
                let end = at.unwrap_or(line.words.len());
                let plain = || joined(line.words.get(..end).unwrap_or_default());
                let text = format!("{}{when}", super::secrets::shown(line).unwrap_or_else(plain));
                if let Some(stats) = &mut self.proxy.stats {
                    stats.settings.push(text);
                }
                if matches!(word.text.as_str(), "auth" | "scope") {
                    nothing_behind(line, 3)?;
                }
            }
            other => return Err((word.at, format!("unknown stats parameter `{other}`"))),
        }
        Ok(Disposition::Modelled)
    }
}
