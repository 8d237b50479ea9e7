//! Frontends, backends and `listen` sections, line by line, with what they take from `defaults`.

use super::ask::Named;
use super::asked::{self, Asked};
use super::conditions::When;
use super::keywords::{self, B, D, F, Use};
use super::lex::{Line, Word, joined};
use super::places::{self, Bind};
use super::references::{self, Needed};
use super::rewrites::Part;
use super::rules::{Action, Rule};
use super::sections::{Entry, Kind, Section, shown};
use super::servers::{ServerLine, Servers};
use super::stats::Stats;
use super::{forms, inherited, rules, servers, values};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::text::Span;
use std::collections::{BTreeMap, BTreeSet};

/// A proxy as it is written, `defaults` included.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) at: Span,
    pub(super) http: bool,
    pub(super) other_mode: Option<String>,
    pub(super) disabled: bool,
    pub(super) binds: Vec<Bind>,
    pub(super) acls: Named,
    pub(super) connection: Vec<Rule>,
    pub(super) session: Vec<Rule>,
    pub(super) content: Vec<Rule>,
    pub(super) inspected: bool,
    pub(super) requests: Vec<Rule>,
    pub(super) redirects: Vec<Rule>,
    pub(super) switching: Vec<Switch>,
    pub(super) default_backend: Option<Word>,
    pub(super) monitor_uri: Option<Word>,
    pub(super) monitor_fail: Vec<When>,
    pub(super) stats: Option<Stats>,
    pub(super) front: Settings,
    pub(super) back: Settings,
    pub(super) servers: Servers,
    pub(super) check: Option<String>,
    pub(super) check_steps: Vec<String>,
    pub(super) source: Option<Vec<Word>>,
    pub(super) used_servers: Vec<(Word, String)>,
    /// Files of patterns that its rules change in memory.
    pub(super) lists: BTreeSet<String>,
    /// What its lines ask of servers.
    pub(super) asked: BTreeSet<Asked>,
    /// What its lines name that has to be there.
    pub(super) needed: Vec<Needed>,
    /// What its lines are about, those of `defaults` too.
    pub(super) said: Vec<String>,
}

/// `use_backend`.
#[derive(Debug, Clone)]
pub(super) struct Switch {
    pub(super) backend: Word,
    pub(super) guards: Vec<(String, bool)>,
    pub(super) when: Option<When>,
    /// What is changed by asking for the condition.
    pub(super) asking: Vec<Part>,
    pub(super) at: Span,
}

/// What else a proxy says.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) single: BTreeMap<String, String>,
    pub(super) list: Vec<String>,
}

impl Settings {
    pub(super) fn text(&self) -> String {
        let Self { single, list } = self;
        single.values().chain(list).map(String::as_str).collect::<Vec<_>>().join("; ")
    }
}

/// Reads the lines of a proxy; what stands in its `defaults` first, which is accounted for there.
pub(super) struct Reader<'a> {
    pub(super) account: &'a mut Account,
    /// Names that nothing declares: kind, name, place.
    pub(super) undefined: &'a mut Vec<(&'static str, String, Span)>,
    pub(super) proxy: Proxy,
    quiet: bool,
    guards: Vec<(String, bool)>,
}

/// Reads a section.
pub(super) fn read(
    section: &Section,
    inherited: &[Entry],
    account: &mut Account,
    undefined: &mut Vec<(&'static str, String, Span)>,
) -> Proxy {
    let name = section.name().map_or_else(String::new, |word| word.text.clone());
    let proxy = Proxy {
        kind: section.kind,
        name,
        at: section.head.at,
        http: false,
        other_mode: None,
        disabled: false,
        binds: Vec::new(),
        acls: Named::new(),
        connection: Vec::new(),
        session: Vec::new(),
        content: Vec::new(),
        inspected: false,
        requests: Vec::new(),
        redirects: Vec::new(),
        switching: Vec::new(),
        default_backend: None,
        monitor_uri: None,
        monitor_fail: Vec::new(),
        stats: None,
        front: Settings::default(),
        back: Settings::default(),
        servers: Servers::default(),
        check: None,
        check_steps: Vec::new(),
        source: None,
        used_servers: Vec::new(),
        lists: BTreeSet::new(),
        asked: BTreeSet::new(),
        needed: Vec::new(),
        said: Vec::new(),
    };
    if let Some(why) = inherited::refused(section, inherited) {
        account.gap(section.head.at, format!("{why}: HAProxy refuses the file"));
    }
    let mut reader = Reader { account, undefined, proxy, quiet: true, guards: Vec::new() };
    for entry in inherited {
        reader.entry(entry);
    }
    reader.quiet = false;
    for entry in &section.entries {
        reader.entry(entry);
    }
    reader.proxy
}

impl Reader<'_> {
    fn entry(&mut self, entry: &Entry) {
        self.guards.clone_from(&entry.guards);
        let line = &entry.line;
        self.proxy.asked.extend(asked::by(line));
        self.proxy.said.extend(references::said(line));
        if !self.quiet || references::counts_where_inherited(line) {
            self.proxy.needed.extend(references::of(line, self.proxy.kind));
        }
        match self.line(line) {
            Ok(disposition) => self.claim(line.at, disposition),
            Err((at, why)) => {
                self.gap(at, why);
                self.claim(line.at, Disposition::Modelled);
            }
        }
    }

    pub(super) fn gap(&mut self, at: Span, why: impl Into<String>) {
        if !self.quiet {
            self.account.gap(at, why);
        }
    }

    pub(super) fn claim(&mut self, at: Span, disposition: Disposition) {
        if !self.quiet {
            self.account.claim(at, disposition);
        }
    }

    pub(super) fn undefined(&mut self, kind: &'static str, word: &Word) {
        if !self.quiet {
            self.undefined.push((kind, word.text.clone(), word.at));
        }
    }

    fn allowed(&self, sections: u8) -> bool {
        match self.proxy.kind {
            Kind::Defaults => sections & D != 0,
            Kind::Frontend => sections & F != 0,
            Kind::Backend => sections & B != 0,
            Kind::Listen => sections & (F | B) != 0,
            Kind::Global | Kind::Other(_) => false,
        }
    }

    /// Whether a keyword is for this kind of section: what `defaults` say counts where it can.
    fn has(&self, side: u8) -> bool {
        let kind = self.proxy.kind;
        (side & F != 0 && kind.is_front()) || (side & B != 0 && kind.is_back())
    }

    /// What a line is; `Err`: why HAProxy refuses it or its effect is not known, and where.
    fn line(&mut self, line: &Line) -> Result<Disposition, (Span, String)> {
        let (mut first, mut second) = (line.text(0).to_owned(), line.text(1).to_owned());
        let mut negated = false;
        if matches!(first.as_str(), "no" | "default") && line.words.len() > 1 {
            (first, second) = (second, line.text(2).to_owned());
            negated = true;
            let own = first == "option" && keywords::NOT_NEGATED.contains(&second.as_str());
            if own || !matches!(first.as_str(), "option" | "log" | "load-server-state-from-file") {
                return Err((
                    line.at,
                    "negation is not supported for this keyword: HAProxy refuses the file".to_owned(),
                ));
            }
        }
        if line.words.iter().take(1).any(|word| word.unknown) {
            return Err((line.at, "a keyword that comes from the environment".to_owned()));
        }
        if !negated && let Some(out) = self.special(line)? {
            return Ok(out);
        }
        let Some((keyword, words)) = keywords::find(&first, &second) else {
            let shown = if first == "option" { format!("option {second}") } else { first };
            return Err((line.at, format!("unknown keyword `{shown}` in a {} section", self.proxy.kind.word())));
        };
        let values = line.from(words + usize::from(negated));
        if keyword.use_ == Use::Removed {
            return Err((line.at, format!("`{first}` is not supported any more: HAProxy refuses the file")));
        }
        if !self.allowed(keyword.sections) {
            if self.proxy.kind == Kind::Defaults {
                let key = line.words.iter().take(words).map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                return Err((line.at, format!("`{key}` is not allowed in `defaults`: HAProxy refuses the file")));
            }
            // What it says is not even read.
            if first == "stick" {
                return Ok(Disposition::Inert("has no effect in this kind of section"));
            }
        }
        let given = values.iter().take_while(|word| word.unknown || !word.text.is_empty()).count();
        if given < keyword.least && !negated {
            return Err((line.at, format!("`{first}` is followed by too little: HAProxy refuses the file")));
        }
        if let Some(extra) = values.get(if negated { 0 } else { keyword.most }) {
            return Err((extra.at, format!("`{}` is one word too many", extra.text)));
        }
        let key = line.words.iter().skip(usize::from(negated)).take(words).map(|word| word.text.as_str());
        let key = key.collect::<Vec<_>>().join(" ");
        values::check(&key, values)?;
        if !self.allowed(keyword.sections) {
            return Ok(Disposition::Inert("has no effect in this kind of section"));
        }
        if let Use::Inert(why) = keyword.use_ {
            return Ok(Disposition::Inert(why));
        }
        if !self.has(keyword.sections) {
            return Ok(Disposition::Inert("has no effect in this kind of section"));
        }
        let plain = || format!("{key} {}", values::normal(&key, values)).trim_end().to_owned();
        let mut text = super::secrets::shown(line).unwrap_or_else(plain);
        if !self.guards.is_empty() {
            text = format!("where {}: {text}", shown(&self.guards));
        }
        self.setting(keyword.use_, keyword.sections, &key, text, negated, values)?;
        Ok(Disposition::Modelled)
    }

    fn setting(
        &mut self,
        use_: Use,
        sections: u8,
        key: &str,
        text: String,
        negated: bool,
        values: &[Word],
    ) -> Result<(), (Span, String)> {
        match use_ {
            Use::Inert(_) | Use::Removed => {}
            Use::Check => {
                self.proxy.check = (!negated).then_some(text);
                self.proxy.check_steps.clear();
            }
            Use::CheckStep => self.proxy.check_steps.push(text),
            Use::Single | Use::List => {
                let mut text = text;
                if let Some(at) = values.iter().position(|word| matches!(word.text.as_str(), "if" | "unless")) {
                    let when = When::read(&values[at..])?;
                    self.check_when(when.as_ref());
                    let shown = self.show_when(when.as_ref());
                    let before = joined(&values[..at]);
                    text = format!("{key} {before}{shown}");
                }
                for word in values {
                    if matches!(key, "capture request" | "unique-id-format") {
                        super::samples::in_format(&word.text).map_err(|why| (word.at, why))?;
                    }
                }
                let kind = self.proxy.kind;
                let sides = [(F, kind.is_front(), &mut self.proxy.front), (B, kind.is_back(), &mut self.proxy.back)];
                for (side, is, settings) in sides {
                    if sections & side == 0 || !is {
                        continue;
                    }
                    if use_ == Use::List {
                        settings.list.push(text.clone());
                    } else if negated {
                        settings.single.remove(key);
                    } else {
                        settings.single.insert(key.to_owned(), text.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// A keyword that is more than a setting.
    fn special(&mut self, line: &Line) -> Result<Option<Disposition>, (Span, String)> {
        let front = |reader: &Self| reader.proxy.kind.is_front();
        let back = |reader: &Self| reader.proxy.kind.is_back();
        let misplaced = Ok(Some(Disposition::Inert("has no effect in this kind of section")));
        let not_in_defaults = |reader: &Self| {
            if reader.proxy.kind == Kind::Defaults {
                return Err((
                    line.at,
                    format!("`{}` is not allowed in `defaults`: HAProxy refuses the file", line.text(0)),
                ));
            }
            Ok(())
        };
        if self.proxy.kind == Kind::Defaults && self.proxy.name.is_empty() && !self.quiet && inherited::is_rule(line) {
            return Err((
                line.at,
                format!("`{}` is not allowed in `defaults` without a name: HAProxy refuses the file", line.text(0)),
            ));
        }
        match line.text(0) {
            "mode" => {
                let word = needed(line, 1)?;
                self.no_guards(line)?;
                nothing_behind(line, 2)?;
                self.proxy.http = word.text == "http";
                match word.text.as_str() {
                    "http" | "tcp" => self.proxy.other_mode = None,
                    "log" | "spop" | "haterm" => self.proxy.other_mode = Some(word.text.clone()),
                    other => return Err((word.at, format!("unknown proxy mode `{other}`: HAProxy refuses the file"))),
                }
            }
            "disabled" | "enabled" => {
                self.no_guards(line)?;
                nothing_behind(line, 1)?;
                self.proxy.disabled = line.text(0) == "disabled";
            }
            "bind" => {
                not_in_defaults(self)?;
                self.no_guards(line)?;
                let binds = places::read(line, self)?;
                if !front(self) {
                    return misplaced;
                }
                self.proxy.binds.extend(binds);
            }
            "acl" => self.acl(line)?,
            "use_backend" => {
                not_in_defaults(self)?;
                let backend = needed(line, 1)?.clone();
                if backend.text.contains('%') {
                    super::samples::in_format(&backend.text).map_err(|why| (backend.at, why))?;
                }
                let when = When::read(line.from(2))?;
                self.check_when(when.as_ref());
                let (asking, guards) = (self.asking(when.as_ref()), self.guards.clone());
                self.proxy.switching.push(Switch { backend, guards, when, asking, at: line.at });
                // Its backend has to be there all the same.
                if !front(self) {
                    return misplaced;
                }
            }
            "default_backend" => {
                if !front(self) && self.quiet {
                    return misplaced;
                }
                self.no_guards(line)?;
                nothing_behind(line, 2)?;
                self.proxy.default_backend = Some(needed(line, 1)?.clone());
                if !front(self) {
                    return misplaced;
                }
            }
            "http-response" | "http-after-response" | "tcp-response" => return self.response(line),
            "http-request" | "tcp-request" | "redirect" => {
                if line.text(0) == "redirect" {
                    not_in_defaults(self)?;
                }
                return self.rule(line);
            }
            "monitor-uri" => {
                self.no_guards(line)?;
                nothing_behind(line, 2)?;
                let uri = needed(line, 1)?.clone();
                if !front(self) {
                    return misplaced;
                }
                self.proxy.monitor_uri = Some(uri);
            }
            "monitor" => {
                not_in_defaults(self)?;
                self.no_guards(line)?;
                if line.text(1) != "fail" {
                    return Err((line.at, "`monitor` is followed by `fail`: HAProxy refuses the file".to_owned()));
                }
                let when = When::read(line.from(2))?;
                if when.is_none() {
                    return Err((line.at, "`monitor fail` needs a condition: HAProxy refuses the file".to_owned()));
                }
                self.check_when(when.as_ref());
                if !front(self) {
                    return misplaced;
                }
                self.proxy.monitor_fail.extend(when);
            }
            "stats" => return self.stats(line).map(Some),
            "server" | "server-template" => {
                not_in_defaults(self)?;
                if !back(self) {
                    return Err((line.at, "a frontend has no servers: HAProxy refuses the file".to_owned()));
                }
                let sure = self.guards.is_empty();
                let server: ServerLine = servers::read(line, self, sure)?;
                self.proxy.servers.add(server);
            }
            "default-server" => {
                if !back(self) && self.quiet {
                    return misplaced;
                }
                if !back(self) {
                    return Err((line.at, "a frontend has no servers: HAProxy refuses the file".to_owned()));
                }
                self.no_guards(line)?;
                servers::defaults(line, self)?;
            }
            "dispatch" => {
                not_in_defaults(self)?;
                self.no_guards(line)?;
                nothing_behind(line, 2)?;
                let address = needed(line, 1)?;
                forms::check("dispatch", line.from(1))?;
                if !back(self) {
                    return misplaced;
                }
                let server = servers::dispatch(address);
                self.proxy.servers.add(server);
            }
            "source" => {
                self.no_guards(line)?;
                needed(line, 1)?;
                values::source(line.from(1))?;
                if !back(self) {
                    return misplaced;
                }
                self.proxy.source = Some(line.from(1).to_vec());
            }
            "use-server" => {
                not_in_defaults(self)?;
                if !back(self) {
                    return Err((line.at, "a frontend has no servers: HAProxy refuses the file".to_owned()));
                }
                let server = needed(line, 1)?.clone();
                forms::check("use-server", line.from(1))?;
                let when = When::read(line.from(2))?;
                if when.is_none() {
                    return Err((line.at, "`use-server` needs a condition: HAProxy refuses the file".to_owned()));
                }
                self.check_when(when.as_ref());
                let mut shown_when = self.show_when(when.as_ref());
                if !self.guards.is_empty() {
                    shown_when.push_str(&format!(" where {}", shown(&self.guards)));
                }
                self.proxy.used_servers.push((server, shown_when));
            }
            "log" => {
                values::log(line.from(1))?;
                return Ok(None);
            }
            _ => return Ok(None),
        }
        Ok(Some(Disposition::Modelled))
    }

    pub(super) fn no_guards(&self, line: &Line) -> Result<(), (Span, String)> {
        if self.guards.is_empty() {
            return Ok(());
        }
        Err((line.at, format!("whether this line counts is not known: {}", shown(&self.guards))))
    }

    fn rule(&mut self, line: &Line) -> Result<Option<Disposition>, (Span, String)> {
        let Some(mut rule) = rules::read(line, self)? else {
            return Ok(Some(Disposition::Inert("has no effect in this kind of section")));
        };
        rule.guards.clone_from(&self.guards);
        let what = rule.action.disposition();
        let opaque_list = matches!(rule.action, Action::Nothing(_));
        let content = line.text(0) == "tcp-request" && matches!(line.text(1), "content" | "inspect-delay");
        if content {
            self.proxy.inspected |= line.text(1) == "inspect-delay";
        }
        let list = match (line.text(0), line.text(1)) {
            _ if opaque_list => return Ok(Some(what)),
            ("http-request", _) => &mut self.proxy.requests,
            ("redirect", _) => &mut self.proxy.redirects,
            (_, "connection") => &mut self.proxy.connection,
            (_, "session") => &mut self.proxy.session,
            (_, _) => &mut self.proxy.content,
        };
        list.push(rule);
        Ok(Some(what))
    }

    /// What is done with answers: a setting, in order.
    fn response(&mut self, line: &Line) -> Result<Option<Disposition>, (Span, String)> {
        let Some(rule) = rules::read(line, self)? else {
            return Ok(Some(Disposition::Inert("has no effect in this kind of section")));
        };
        let mut text = rule.text;
        if !self.guards.is_empty() {
            text = format!("where {}: {text}", shown(&self.guards));
        }
        let kind = self.proxy.kind;
        let tcp = line.text(0) == "tcp-response";
        if kind.is_front() && !tcp {
            self.proxy.front.list.push(text.clone());
        }
        if kind.is_back() {
            self.proxy.back.list.push(text);
        }
        Ok(Some(rule.action.disposition()))
    }
}

/// The word there.
pub(super) fn needed(line: &Line, at: usize) -> Result<&Word, (Span, String)> {
    let missing = || (line.at, format!("`{}` is followed by too little: HAProxy refuses the file", line.text(0)));
    line.words.get(at).filter(|word| !word.text.is_empty()).ok_or_else(missing)
}

/// No word stands there.
pub(super) fn nothing_behind(line: &Line, at: usize) -> Result<(), (Span, String)> {
    match line.words.get(at) {
        None => Ok(()),
        Some(extra) => Err((extra.at, format!("`{}` is one word too many", extra.text))),
    }
}
