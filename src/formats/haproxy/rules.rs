//! `http-request`, `tcp-request` and `redirect`: what a rule does to a request (manual, 4.2 and 4.3).

use super::conditions::When;
use super::keywords::{B, D, F};
use super::lex::{Line, Word, joined};
use super::proxies::{Reader, needed, nothing_behind};
use super::rewrites::{Part, parts_of};
use super::samples::{Moment, Sample, in_format, variable_name};
use super::{forms, sections::Kind, values};
use crate::formats::Disposition;
use crate::model::Outcome;
use crate::text::Span;

/// A rule of a proxy.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) action: Action,
    pub(super) guards: Vec<(String, bool)>,
    pub(super) when: Option<When>,
    /// How it reads, condition included.
    pub(super) text: String,
    /// How its condition reads.
    pub(super) condition: String,
    /// What is changed by asking for its condition.
    pub(super) asking: Vec<Part>,
    /// What its texts are put together of; `None`: it may be anything.
    pub(super) reads: Option<Vec<Part>>,
    pub(super) at: Span,
}

/// What a rule does.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// No rule of the same list is asked after it.
    Accept,
    /// It decides.
    Final(Outcome),
    /// It changes those parts of the request.
    Rewrite(Vec<Part>),
    /// It sets a variable.
    Set(String, Sample),
    /// It does something else that can matter, and that no expression sees.
    Setting,
    /// It waits for content, wherever it stands.
    Delay,
    /// It does nothing to requests; why.
    Nothing(&'static str),
}

impl Action {
    /// How a line is accounted for that does so.
    pub(super) const fn disposition(&self) -> Disposition {
        match self {
            Self::Nothing(why) => Disposition::Inert(why),
            Self::Accept | Self::Final(_) | Self::Rewrite(_) | Self::Set(..) | Self::Setting | Self::Delay => {
                Disposition::Modelled
            }
        }
    }
}

type Fault = (Span, String);

/// Reads a rule; `None`: it has no effect in this kind of section.
pub(super) fn read(line: &Line, reader: &mut Reader<'_>) -> Result<Option<Rule>, Fault> {
    let kind = reader.proxy.kind;
    let (first, layer, actions) = match line.text(0) {
        "http-request" => (1, F | B | D, HTTP),
        "redirect" => (0, F | B, HTTP),
        "http-response" => (1, F | B | D, RESPONSE),
        "http-after-response" => (1, F | B | D, AFTER_RESPONSE),
        "tcp-response" if line.text(1) == "content" => (2, B | D, TCP_RESPONSE),
        _ => match line.text(1) {
            "connection" => (2, F | D, CONNECTION),
            "session" => (2, F | D, CONNECTION),
            "content" => (2, F | B | D, CONTENT),
            "inspect-delay" => {
                let word = needed(line, 2)?;
                nothing_behind(line, 3)?;
                values::time(word)?;
                let text = format!("{} inspect-delay {}", line.text(0), values::plain_time(&word.text));
                return Ok(Some(Rule {
                    action: Action::Delay,
                    guards: Vec::new(),
                    when: None,
                    text,
                    condition: String::new(),
                    asking: Vec::new(),
                    reads: Some(Vec::new()),
                    at: line.at,
                }));
            }
            other => return Err((line.at, format!("unknown `tcp-request {other}`"))),
        },
    };
    let here = match kind {
        Kind::Defaults => D,
        Kind::Frontend => F,
        Kind::Backend => B,
        Kind::Listen | Kind::Global | Kind::Other(_) => F | B,
    };
    if layer & here == 0 {
        if matches!(line.text(1), "connection" | "session") && kind == Kind::Backend {
            return Err((line.at, "a backend has no connections of clients: HAProxy refuses the file".to_owned()));
        }
        if line.text(0) == "tcp-response" {
            return Err((line.at, "a frontend has no connections to servers: HAProxy refuses the file".to_owned()));
        }
        return Ok(None);
    }
    let word = needed(line, first)?;
    let name = word.text.split('(').next().unwrap_or_default();
    let known = actions.split_ascii_whitespace().find_map(|entry| {
        let (known, least) = entry.split_once('/')?;
        let fits = known.strip_suffix('*').map_or(known == name, |start| name.starts_with(start));
        fits.then(|| least.parse::<usize>().ok()).flatten()
    });
    let Some(least) = known else {
        return Err((word.at, format!("unknown action `{}` of `{}`", word.text, line.text(0))));
    };
    let values = line.from(first + 1);
    let condition = |from: usize| {
        let found = values.iter().skip(from).position(|word| matches!(word.text.as_str(), "if" | "unless"));
        found.map_or(values.len(), |at| from + at)
    };
    let end = condition(least.min(values.len()));
    let when = When::read(values.get(end..).unwrap_or_default())?;
    let arguments = values.get(..end).unwrap_or_default();
    forms::check_call(word)?;
    // A text that is empty is as good as none, except for a variable.
    let given = arguments.iter().take_while(|word| word.unknown || !word.text.is_empty()).count();
    if given < least && !(name == "set-var-fmt" && arguments.len() == least) {
        return Err((line.at, format!("`{name}` is followed by too little: HAProxy refuses the file")));
    }
    let says = |words: &[&str]| arguments.iter().any(|word| words.contains(&word.text.as_str()));
    let sides = [
        (name == "set-timeout" && says(&["server", "tunnel"]), Kind::Frontend, "servers"),
        (name == "capture" && says(&["len"]), Kind::Backend, "clients"),
    ];
    if let Some((.., whose)) = sides.into_iter().find(|(is, there, _)| *is && *there == kind) {
        return Err((word.at, format!("this proxy has no connections of {whose}: HAProxy refuses the file")));
    }
    reader.check_when(when.as_ref());
    let asking = reader.asking(when.as_ref());
    let moment = match (line.text(0), line.text(1)) {
        ("tcp-request", "connection" | "session") => Moment::Connection,
        (first, _) if first.ends_with("-response") => Moment::Answer,
        (_, _) => Moment::Request,
    };
    let action = match action(line, word, name, arguments, least, moment)? {
        Action::Nothing(_) if !asking.is_empty() => Action::Setting,
        action @ (Action::Accept
        | Action::Final(_)
        | Action::Rewrite(_)
        | Action::Set(..)
        | Action::Setting
        | Action::Delay
        | Action::Nothing(_)) => action,
    };
    if let Action::Rewrite(parts) = &action {
        let lists = parts.iter().filter_map(|part| if let Part::List(file) = part { Some(file.clone()) } else { None });
        reader.proxy.lists.extend(lists);
    }
    let shown_when = reader.show_when(when.as_ref());
    let start = joined(line.words.get(..=first).unwrap_or_default());
    let text = format!("{start} {}", joined(arguments)).trim_end().to_owned() + &shown_when;
    let reads = reads(name, arguments);
    Ok(Some(Rule { action, guards: Vec::new(), when, text, condition: shown_when, asking, reads, at: line.at }))
}

/// What the texts of a rule are put together of (manual, 8.2.6: log formats); `None`: it may be anything.
fn reads(name: &str, arguments: &[Word]) -> Option<Vec<Part>> {
    let mut out = Vec::new();
    if name == "use-service" {
        return None;
    }
    if name == "redirect" && arguments.iter().any(|word| matches!(word.text.as_str(), "prefix" | "scheme")) {
        out.extend([Part::Path, Part::Query, Part::Host]);
    }
    for word in arguments.iter().filter(|word| word.text.contains('%')) {
        if has_alias(&word.text) {
            return None;
        }
        for sample in in_format(&word.text).ok()? {
            out.extend(parts_of(&sample)?);
        }
    }
    Some(out)
}

/// Whether a text has something like `%ci` in it.
fn has_alias(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('%') {
        rest = match behind.chars().next() {
            Some('%') => &behind[1..],
            Some('[') => behind,
            Some('{') => match behind.split_once('}') {
                Some((_, inner)) if inner.starts_with('[') => inner,
                Some(_) | None => return true,
            },
            Some(_) | None => return true,
        };
    }
    false
}

/// Actions and how many words follow at least. Those that end with `*` may have more in their name.
const HTTP: &str = "add-acl*/1 add-header/2 add-headers-bin/1 allow/0 auth/0 cache-use/1 capture/3 del-acl*/1 del-header/1 \
    del-headers-bin/1 del-map*/1 deny/0 disable-l7-retry/0 do-log/0 do-resolve*/1 early-hint/2 lua.*/0 \
    normalize-uri/1 on-error/0 ot-group/2 pause/1 redirect/2 reject/0 \
    replace-header/3 replace-path/2 replace-pathq/2 replace-uri/2 replace-value/3 return/0 sc-add-gpc/0 sc-inc-gpc/0 \
    sc-inc-gpc0/0 sc-inc-gpc1/0 sc-set-gpt/0 sc-set-gpt0/0 send-spoe-group/2 set-bandwidth-limit/1 set-bc-mark/1 set-bc-tos/1 set-dst/1 set-dst-port/1 set-fc-mark/1 set-fc-tos/1 \
    set-header/2 set-headers-bin/1 set-log-level/1 set-map*/2 set-mark/1 set-method/1 set-nice/1 set-path/1 set-pathq/1 \
    set-priority-class/1 set-priority-offset/1 set-query/1 set-retries/1 set-src/1 set-src-port/1 set-timeout/2 set-tos/1 \
    set-uri/1 set-var*/1 silent-drop/0 strict-mode/1 tarpit/0 track-sc*/1 unset-var*/0 use-service/1 wait-for-body/2 \
    wait-for-handshake/0";
const CONNECTION: &str = "accept/0 reject/0 expect-proxy/1 expect-netscaler-cip/1 attach-srv/1 lua.*/0 sc-add-gpc/0 \
    sc-inc-gpc/0 sc-inc-gpc0/0 sc-inc-gpc1/0 sc-set-gpt/0 sc-set-gpt0/0 \
    set-dst/1 set-dst-port/1 set-fc-mark/1 set-fc-tos/1 set-mark/1 set-src/1 set-src-port/1 set-tos/1 set-var*/1 \
    silent-drop/0 track-sc*/1 unset-var*/0";
const CONTENT: &str = "accept/0 reject/0 capture/3 do-log/0 do-resolve*/1 lua.*/0 ot-group/2 sc-add-gpc/0 sc-inc-gpc/0 \
    sc-inc-gpc0/0 sc-inc-gpc1/0 sc-set-gpt/0 sc-set-gpt0/0 send-spoe-group/2 set-bandwidth-limit/1 set-bc-mark/1 set-bc-tos/1 set-dst/1 set-dst-port/1 set-fc-mark/1 set-fc-tos/1 set-log-level/1 \
    set-mark/1 set-nice/1 set-priority-class/1 set-priority-offset/1 set-retries/1 set-src/1 set-src-port/1 set-tos/1 \
    set-var*/1 silent-drop/0 switch-mode/1 track-sc*/1 unset-var*/0 use-service/1";

const RESPONSE: &str = "add-acl*/1 add-header/2 add-headers-bin/1 allow/0 cache-store/1 capture/3 del-acl*/1 del-header/1 \
    del-headers-bin/1 del-map*/1 deny/0 do-log/0 lua.*/0 ot-group/2 pause/1 redirect/2 replace-header/3 replace-value/3 \
    return/0 sc-add-gpc/0 sc-inc-gpc/0 sc-inc-gpc0/0 sc-inc-gpc1/0 sc-set-gpt/0 sc-set-gpt0/0 send-spoe-group/2 set-bandwidth-limit/1 set-fc-mark/1 set-fc-tos/1 set-header/2 set-headers-bin/1 \
    set-log-level/1 set-map*/2 set-mark/1 set-nice/1 set-status/1 set-timeout/2 set-tos/1 set-var*/1 silent-drop/0 \
    strict-mode/1 track-sc*/1 unset-var*/0 wait-for-body/2";
const AFTER_RESPONSE: &str = "add-header/2 allow/0 capture/3 del-acl*/1 del-header/1 del-map*/1 do-log/0 lua.*/0 ot-group/2 \
    replace-header/3 replace-value/3 sc-add-gpc/0 sc-inc-gpc/0 sc-inc-gpc0/0 sc-inc-gpc1/0 sc-set-gpt/0 sc-set-gpt0/0 set-header/2 set-log-level/1 set-map*/2 set-status/1 set-var*/1 strict-mode/1 \
    unset-var*/0";
const TCP_RESPONSE: &str = "accept/0 close/0 do-log/0 lua.*/0 ot-group/2 reject/0 sc-add-gpc/0 sc-inc-gpc/0 sc-inc-gpc0/0 sc-inc-gpc1/0 \
    sc-set-gpt/0 sc-set-gpt0/0 send-spoe-group/2 \
    set-bandwidth-limit/1 set-fc-mark/1 set-fc-tos/1 set-log-level/1 set-mark/1 set-nice/1 set-tos/1 set-var*/1 \
    silent-drop/0 unset-var*/0";

fn action(
    line: &Line,
    word: &Word,
    name: &str,
    arguments: &[Word],
    least: usize,
    moment: Moment,
) -> Result<Action, Fault> {
    let too_many = |most: usize| match arguments.get(most) {
        Some(extra) => Err((extra.at, format!("`{}` is not expected here: HAProxy refuses the file", extra.text))),
        None => Ok(()),
    };
    let there = |word: &Word, samples: &[Sample]| match samples.iter().find(|sample| sample.is_absent(moment)) {
        Some(absent) => Err((word.at, format!("`{absent}` is not there at that time: HAProxy refuses the file"))),
        None => Ok(()),
    };
    let formats = |arguments: &[Word]| {
        arguments.iter().try_for_each(|word| {
            let samples = in_format(&word.text).map_err(|why| (word.at, why))?;
            there(word, &samples)
        })
    };
    forms::check(&format!("rule {name}"), arguments)?;
    forms::check(&format!("{} {name}", line.text(0)), arguments)?;
    // What these take is an expression.
    let asks = ["set-src", "set-src-port", "set-dst", "set-dst-port", "set-priority-class", "set-priority-offset"];
    if (asks.contains(&name) && !line.text(0).starts_with("tcp"))
        || name == "capture"
        || name.starts_with("track-sc")
        || (name.starts_with("set-var") && !name.contains("-fmt"))
    {
        let sample = sample(arguments)?;
        there(word, &[sample])?;
    }
    let one_header = || match arguments.first() {
        Some(word) if word.text.eq_ignore_ascii_case("host") => vec![Part::Host],
        Some(word) => vec![Part::Header(word.text.to_ascii_lowercase())],
        None => vec![Part::Anything],
    };
    Ok(match name {
        "allow" | "accept" => {
            too_many(0)?;
            Action::Accept
        }
        "deny" => Action::Final(answer(arguments, 403)?),
        "tarpit" => match answer(arguments, 500)? {
            Outcome::Refused(status) => Action::Final(Outcome::Refused(format!("tarpit, {status}"))),
            other @ (Outcome::Backend(_) | Outcome::Answered(_) | Outcome::Computed(_)) => Action::Final(other),
        },
        "return" => Action::Final(answer(arguments, 200)?),
        "reject" => {
            too_many(0)?;
            Action::Final(Outcome::Refused("closed".to_owned()))
        }
        "silent-drop" => {
            let how = match arguments.first() {
                None => String::new(),
                Some(word) if word.text == "rst-ttl" => {
                    too_many(2)?;
                    format!(" {}", joined(arguments))
                }
                Some(word) => {
                    return Err((word.at, format!("`{}` is not expected here: HAProxy refuses the file", word.text)));
                }
            };
            Action::Final(Outcome::Refused(format!("dropped{how}")))
        }
        "auth" => {
            match arguments.first() {
                None => {}
                Some(word) if word.text == "realm" && arguments.len() == 2 => {}
                Some(word) => return Err((word.at, "`auth` is followed by `realm` and its name".to_owned())),
            }
            Action::Final(Outcome::Refused("401".to_owned()))
        }
        "redirect" => {
            for word in arguments {
                there(word, &in_format(&word.text).unwrap_or_default())?;
            }
            Action::Final(redirect(line, arguments)?)
        }
        "use-service" => {
            too_many(1)?;
            Action::Final(Outcome::Answered(format!("service {}", joined(arguments))))
        }
        "set-path" | "replace-path" => {
            too_many(least)?;
            formats(arguments)?;
            Action::Rewrite(vec![Part::Path])
        }
        "set-pathq" | "replace-pathq" | "set-uri" | "replace-uri" | "normalize-uri" => {
            formats(arguments)?;
            let has_mode =
                ["path-strip-dotdot full", "percent-decode-unreserved strict", "percent-to-uppercase strict"];
            too_many(if has_mode.contains(&joined(arguments).as_str()) { 2 } else { least })?;
            Action::Rewrite(vec![Part::Path, Part::Query, Part::Host])
        }
        "set-query" => {
            too_many(1)?;
            formats(arguments)?;
            Action::Rewrite(vec![Part::Query])
        }
        "set-method" => {
            too_many(1)?;
            formats(arguments)?;
            Action::Rewrite(vec![Part::Method])
        }
        "set-src" | "set-src-port" | "expect-proxy" | "expect-netscaler-cip" => {
            too_many(1)?;
            if name.starts_with("set") {
                sample(arguments)?;
            } else if arguments.first().is_some_and(|word| word.text != "layer4") {
                return Err((word.at, "`layer4` is expected: HAProxy refuses the file".to_owned()));
            }
            Action::Rewrite(vec![Part::Source, Part::Destination])
        }
        "set-dst" | "set-dst-port" => {
            too_many(1)?;
            sample(arguments)?;
            Action::Rewrite(vec![Part::Destination])
        }
        "set-header" | "add-header" | "early-hint" => {
            too_many(2)?;
            formats(arguments.get(1..).unwrap_or_default())?;
            if name == "early-hint" { Action::Setting } else { Action::Rewrite(one_header()) }
        }
        "replace-header" | "replace-value" => {
            too_many(3)?;
            formats(arguments.get(2..).unwrap_or_default())?;
            Action::Rewrite(one_header())
        }
        "del-header" => match arguments.get(1) {
            None => Action::Rewrite(one_header()),
            Some(flag) if flag.text == "-m" && arguments.len() == 3 => {
                if arguments[2].text == "reg" {
                    forms::check("regex", arguments)?;
                }
                Action::Rewrite(vec![Part::Anything])
            }
            Some(extra) => {
                return Err((extra.at, format!("`{}` is not expected here: HAProxy refuses the file", extra.text)));
            }
        },
        _ if name.starts_with("set-var") => variable(word, name, arguments)?,
        _ if name.starts_with("unset-var") => {
            too_many(0)?;
            let variable = inner(word)?;
            variable_name(&variable).map_err(|why| (word.at, why))?;
            Action::Rewrite(vec![Part::Variable(variable)])
        }
        _ if name.starts_with("track-sc") => {
            sample(arguments)?;
            if let Some(extra) = arguments.get(1).filter(|word| word.text != "table") {
                return Err((extra.at, format!("`{}` is not expected here: HAProxy refuses the file", extra.text)));
            }
            Action::Rewrite(vec![Part::Counters])
        }
        _ if name.starts_with("sc-") => {
            too_many(usize::from(!name.starts_with("sc-inc")))?;
            Action::Rewrite(vec![Part::Counters])
        }
        _ if ["add-acl", "del-acl", "set-map", "del-map"].contains(&name) => {
            too_many(least)?;
            formats(arguments)?;
            Action::Rewrite(vec![Part::List(inner(word)?)])
        }
        _ if name.starts_with("lua.") => Action::Rewrite(vec![Part::Anything]),
        "send-spoe-group" | "ot-group" | "add-headers-bin" | "set-headers-bin" | "del-headers-bin" => {
            Action::Rewrite(vec![Part::Anything])
        }
        "switch-mode" => return Err((word.at, "connections that become HTTP are not modelled".to_owned())),
        "do-resolve" => {
            too_many(least)?;
            Action::Rewrite(vec![Part::Variable(inner(word)?.split(',').next().unwrap_or_default().to_owned())])
        }
        "set-log-level" => {
            too_many(1)?;
            let level = arguments.first().map_or("", |word| word.text.as_str());
            if !["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "silent"].contains(&level) {
                return Err((word.at, format!("`{level}` is no log level: HAProxy refuses the file")));
            }
            Action::Nothing("log")
        }
        "capture" => {
            sample(arguments)?;
            Action::Rewrite(vec![Part::Rest])
        }
        "do-log" => Action::Nothing("log"),
        "set-status" => {
            match arguments.get(1) {
                Some(extra) if extra.text != "reason" || arguments.len() != 3 => {
                    return Err((extra.at, format!("`{}` is not expected here: HAProxy refuses the file", extra.text)));
                }
                Some(_) | None => {}
            }
            Action::Setting
        }
        "close" => {
            too_many(0)?;
            Action::Setting
        }
        "set-nice" | "set-mark" | "set-tos" | "set-fc-mark" | "set-fc-tos" | "set-bc-mark" | "set-bc-tos" => {
            too_many(1)?;
            Action::Setting
        }
        "strict-mode" if arguments.len() > 1 => {
            return Err((word.at, "one word too many behind `strict-mode`".to_owned()));
        }
        "strict-mode" => match arguments.first().map(|word| word.text.as_str()) {
            Some("on" | "off") => Action::Setting,
            Some(_) | None => return Err((word.at, "`on` or `off` is expected: HAProxy refuses the file".to_owned())),
        },
        "wait-for-handshake" | "disable-l7-retry" => {
            too_many(0)?;
            Action::Rewrite(vec![Part::Rest])
        }
        "cache-use" => {
            too_many(1)?;
            Action::Setting
        }
        // Acts on bodies and priorities: expressions may see it, but none whose parts are known.
        _ => Action::Rewrite(vec![Part::Rest]),
    })
}

/// The name in parentheses.
fn inner(word: &Word) -> Result<String, Fault> {
    let inner = word.text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map(str::to_owned).ok_or_else(|| (word.at, "a name in parentheses is expected".to_owned()))
}

fn variable(word: &Word, name: &str, arguments: &[Word]) -> Result<Action, Fault> {
    let inside = inner(word)?;
    let (variable, condition) = inside.split_once(',').map_or((inside.as_str(), false), |(name, _)| (name, true));
    variable_name(variable).map_err(|why| (word.at, why))?;
    if let Some(extra) = arguments.get(1).filter(|_| name.starts_with("set-var-fmt")) {
        return Err((extra.at, format!("`{}` is not expected here: HAProxy refuses the file", extra.text)));
    }
    let Some(first) = arguments.first() else {
        return Err((word.at, "an expression is expected: HAProxy refuses the file".to_owned()));
    };
    if name.starts_with("set-var-fmt") {
        in_format(&first.text).map_err(|why| (first.at, why))?;
        return Ok(Action::Rewrite(vec![Part::Variable(variable.to_owned())]));
    }
    let sample = sample(arguments)?;
    if let Some(extra) = arguments.get(1) {
        return Err((extra.at, format!("`{}` is not expected here: HAProxy refuses the file", extra.text)));
    }
    if condition {
        return Ok(Action::Rewrite(vec![Part::Variable(variable.to_owned())]));
    }
    Ok(Action::Set(variable.to_owned(), sample))
}

fn sample(arguments: &[Word]) -> Result<Sample, Fault> {
    // Each of these actions takes one word at least.
    let first = arguments.first().expect("the number of words is checked before");
    Sample::whole(&first.text).map_err(|why| (first.at, why))
}

/// What an answer may be made of: one of these.
const CONTENTS: &[&str] = &["default-errorfiles", "errorfile", "errorfiles", "file", "lf-file", "lf-string", "string"];

/// `deny`, `tarpit` and `return`: with which status.
fn answer(arguments: &[Word], otherwise: u16) -> Result<Outcome, Fault> {
    let (mut status, mut at, mut rest, mut contents) = (otherwise, 0, Vec::new(), Vec::new());
    while let Some(word) = arguments.get(at) {
        let value =
            || arguments.get(at + 1).ok_or_else(|| (word.at, format!("`{}` is followed by nothing", word.text)));
        let words = match word.text.as_str() {
            "status" | "deny_status" => {
                let value = value()?;
                let code = value.text.parse::<u16>().ok().filter(|code| (200..600).contains(code));
                status =
                    code.ok_or_else(|| (value.at, format!("`{}` is no status: HAProxy refuses the file", value.text)))?;
                at += 2;
                continue;
            }
            "content-type" if arguments.get(at + 1).is_some_and(|word| word.text.is_empty() && !word.unknown) => {
                return Err((word.at, "`content-type` is followed by nothing: HAProxy refuses the file".to_owned()));
            }
            "content-type" | "errorfile" | "errorfiles" | "file" | "lf-file" | "string" | "lf-string" => {
                let value = value()?;
                if word.text == "lf-string" {
                    in_format(&value.text).map_err(|why| (value.at, why))?;
                }
                2
            }
            "hdr" => {
                let value = arguments.get(at + 2);
                let value = value.ok_or_else(|| (word.at, "`hdr` is followed by a name and a text".to_owned()))?;
                in_format(&value.text).map_err(|why| (value.at, why))?;
                3
            }
            "default-errorfiles" => 1,
            other => return Err((word.at, format!("`{other}` is not expected here: HAProxy refuses the file"))),
        };
        if CONTENTS.contains(&word.text.as_str()) {
            contents.push(word.at);
        }
        rest.extend_from_slice(arguments.get(at..at + words).unwrap_or_default());
        at += words;
    }
    let mut contents = contents.into_iter();
    if let (Some(_), Some(second)) = (contents.next(), contents.next()) {
        return Err((second, "an answer has one content: HAProxy refuses the file".to_owned()));
    }
    let told = |names: &[&str]| rest.iter().position(|word| names.contains(&word.text.as_str()));
    if let Some(body) = told(&["string", "lf-string"])
        && told(&["content-type"]).is_none()
        && rest.get(body + 1).is_some_and(|text| !text.text.is_empty())
    {
        return Err((
            rest[body].at,
            "an answer with content needs `content-type`: HAProxy refuses the file".to_owned(),
        ));
    }
    let text = format!("{status} {}", joined(&rest)).trim_end().to_owned();
    Ok(if status >= 400 { Outcome::Refused(text) } else { Outcome::Answered(text) })
}

fn redirect(line: &Line, words: &[Word]) -> Result<Outcome, Fault> {
    let (mut at, mut target, mut rest, mut code) = (0, None, Vec::new(), "302".to_owned());
    while let Some(word) = words.get(at) {
        let value = || words.get(at + 1).ok_or_else(|| (word.at, format!("`{}` is followed by nothing", word.text)));
        match word.text.as_str() {
            "location" | "prefix" | "scheme" => {
                let value = value()?;
                in_format(&value.text).map_err(|why| (value.at, why))?;
                target = Some(format!("{} {}", word.text, joined(std::slice::from_ref(value))));
                at += 2;
            }
            "code" => {
                let value = value()?;
                if !["301", "302", "303", "307", "308"].contains(&value.text.as_str()) {
                    return Err((
                        value.at,
                        format!("`{}` is no code of a redirect: HAProxy refuses the file", value.text),
                    ));
                }
                code.clone_from(&value.text);
                at += 2;
            }
            "set-cookie" | "clear-cookie" | "set-cookie-fmt" => {
                rest.push(format!("{} {}", word.text, joined(std::slice::from_ref(value()?))));
                at += 2;
            }
            "drop-query" | "append-slash" | "ignore-empty" | "keep-query" => {
                rest.push(word.text.clone());
                at += 1;
            }
            other => return Err((word.at, format!("`{other}` is not expected here: HAProxy refuses the file"))),
        }
    }
    let target = target.ok_or_else(|| (line.at, "a redirect needs `location`, `prefix` or `scheme`".to_owned()))?;
    rest.sort();
    rest.insert(0, format!("redirect {code} to {target}"));
    Ok(Outcome::Answered(rest.join(" ")))
}
