//! String functions (functions: string functions).

use super::{Arguments, Found, Stop, count, list, text, truth};
use crate::formats::data::value::{Entry, List, More, Unknown, Value, What};
use crate::formats::terraform::eval::{Failure, LONGEST_TEXT, show};
use std::sync::Arc;

pub(super) fn call(name: &str, arguments: &Arguments<'_, '_, '_>) -> Option<Found> {
    Some(match name {
        "chomp" => one(arguments, |value| value.trim_end_matches(['\n', '\r']).to_owned()),
        "lower" => one(arguments, |value| value.chars().map(|c| single(c, c.to_lowercase())).collect()),
        "upper" => one(arguments, |value| value.chars().map(|c| single(c, c.to_uppercase())).collect()),
        "trimspace" => one(arguments, |value| value.trim().to_owned()),
        "strrev" => one(arguments, |value| value.chars().rev().collect()),
        "title" => one(arguments, title),
        "trim" => two(arguments, |value, cut| value.trim_matches(|c| cut.contains(c)).to_owned()),
        "trimprefix" => two(arguments, |value, cut| value.strip_prefix(cut).unwrap_or(value).to_owned()),
        "trimsuffix" => two(arguments, |value, cut| value.strip_suffix(cut).unwrap_or(value).to_owned()),
        "startswith" => asked(arguments, |value, part| value.starts_with(part)),
        "endswith" => asked(arguments, |value, part| value.ends_with(part)),
        "strcontains" => asked(arguments, |value, part| value.contains(part)),
        "split" => split(arguments),
        "join" => join(arguments),
        "replace" => replace(arguments),
        "regex" => regex(arguments),
        "regexall" => regexes(arguments),
        "substr" => substr(arguments),
        "indent" => indent(arguments),
        "format" => format(arguments),
        "formatlist" => formatlist(arguments),
        _ => return None,
    })
}

fn one(arguments: &Arguments<'_, '_, '_>, compute: impl Fn(&str) -> String) -> Found {
    arguments.at_most(1)?;
    text(compute(&arguments.text(0)?))
}

fn two(arguments: &Arguments<'_, '_, '_>, compute: impl Fn(&str, &str) -> String) -> Found {
    arguments.at_most(2)?;
    text(compute(&arguments.text(0)?, &arguments.text(1)?))
}

fn asked(arguments: &Arguments<'_, '_, '_>, compute: impl Fn(&str, &str) -> bool) -> Found {
    arguments.at_most(2)?;
    truth(compute(&arguments.text(0)?, &arguments.text(1)?))
}

/// Another letter for a letter: never several.
fn single(plain: char, mut other: impl Iterator<Item = char>) -> char {
    match (other.next(), other.next()) {
        (Some(one), None) => one,
        _ => plain,
    }
}

/// The first letter of each word large.
fn title(value: &str) -> String {
    let mut before = ' ';
    let large = |c: char| {
        let begins = !(before.is_alphanumeric() || before == '_');
        before = c;
        if begins { single(c, c.to_uppercase()) } else { c }
    };
    value.chars().map(large).collect()
}

fn split(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (separator, value) = (arguments.text(0)?, arguments.text(1)?);
    let piece = |piece: &str| Value::of_text(piece, arguments.at);
    list(if separator.is_empty() {
        value.chars().map(|c| piece(c.encode_utf8(&mut [0; 4]))).collect()
    } else {
        value.split(&*separator).map(piece).collect()
    })
}

fn join(arguments: &Arguments<'_, '_, '_>) -> Found {
    let separator = arguments.text(0)?;
    let mut pieces = Vec::new();
    for n in 1..arguments.all().len() {
        for item in arguments.items(n)? {
            match (item.as_text(), &item.what) {
                (Some(text), _) => pieces.push(text),
                (None, What::Unknown(_) | What::Number(_)) => return Err(Stop::Unknown),
                (None, What::Null | What::Truth(_) | What::Text(_) | What::List(_) | What::Object(_)) => {
                    return arguments.refuse("a list of texts is expected");
                }
            }
        }
    }
    arguments.get(1)?;
    let length = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    if length.saturating_add(separator.len().saturating_mul(pieces.len())) > LONGEST_TEXT {
        return Err(Stop::Refused(Failure::limit(arguments.at, "`join`: more than can be computed")));
    }
    text(pieces.join(&*separator))
}

/// A pattern, which Terraform reads as RE2 does.
fn pattern(arguments: &Arguments<'_, '_, '_>, written: &str) -> Result<regex::Regex, Stop> {
    match regex::RegexBuilder::new(written).size_limit(1 << 20).build() {
        Ok(pattern) => Ok(pattern),
        // Where the two languages of patterns differ, this one may be too strict.
        Err(_) if written.contains('\\') || written.contains("(?") => Err(Stop::Unknown),
        Err(_) => arguments.refuse(format!("`{}` is no pattern", crate::text::escape(written.as_bytes()))),
    }
}

fn replace(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(3)?;
    let (value, old, new) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
    if value.len().saturating_mul(new.len()) > 1 << 28 {
        return Err(Stop::Unknown);
    }
    match old.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        Some(written) => {
            // `$1x` is group `1x` to Go as it is here.
            let pattern = pattern(arguments, written)?;
            text(pattern.replace_all(&value, &*new))
        }
        None => text(value.replace(&*old, &new)),
    }
}

fn regex(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (written, value) = (arguments.text(0)?, arguments.text(1)?);
    let pattern = pattern(arguments, &written)?;
    match pattern.captures(&value) {
        Some(captures) => Ok(captured(arguments, &pattern, &captures)?),
        None => arguments.refuse("the text does not match"),
    }
}

fn regexes(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (written, value) = (arguments.text(0)?, arguments.text(1)?);
    let pattern = pattern(arguments, &written)?;
    let found = pattern
        .captures_iter(&value)
        .map(|captures| captured(arguments, &pattern, &captures).map(|what| Value::new(what, arguments.at)));
    list(found.collect::<Result<_, _>>()?)
}

/// The whole match, or its groups: a list, or an object if they have names.
fn captured(arguments: &Arguments<'_, '_, '_>, pattern: &regex::Regex, captures: &regex::Captures<'_>) -> Found {
    let at = arguments.at;
    let of = |group: Option<regex::Match<'_>>| match group {
        Some(group) => Value::of_text(group.as_str(), at),
        None => Value::new(What::Null, at),
    };
    let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
    if names.is_empty() {
        return Ok(of(captures.get(0)).what);
    }
    if names.iter().all(Option::is_none) {
        return list(captures.iter().skip(1).map(of).collect());
    }
    let mut entries = Vec::new();
    for name in names {
        let Some(name) = name else { return arguments.refuse("named and unnamed groups are mixed") };
        entries.push(Entry { name: name.into(), at, value: of(captures.name(name)) });
    }
    Ok(Value::of_entries(entries, at).what)
}

fn substr(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(3)?;
    let (value, offset, length) = (arguments.text(0)?, arguments.integer(1)?, arguments.integer(2)?);
    if !value.is_ascii() {
        // It counts grapheme clusters.
        return Err(Stop::Unknown);
    }
    let all = i128::try_from(value.len()).unwrap_or(i128::MAX);
    let start = if offset < 0 { (all + offset).max(0) } else { offset.min(all) };
    let end = if length < 0 { all } else { start.saturating_add(length).min(all) };
    let place = |n: i128| usize::try_from(n).unwrap_or_default();
    text(value.get(place(start)..place(end)).unwrap_or_default())
}

fn indent(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(2)?;
    let (Ok(spaces), value) = (usize::try_from(arguments.integer(0)?), arguments.text(1)?) else {
        return arguments.refuse("a number of spaces is expected");
    };
    if spaces > 1000 {
        return Err(Stop::Unknown);
    }
    text(value.replace('\n', &format!("\n{}", " ".repeat(spaces))))
}

fn format(arguments: &Arguments<'_, '_, '_>) -> Found {
    let written = arguments.text(0)?;
    text(formatted(arguments, &written, arguments.all().get(1..).unwrap_or_default())?)
}

/// Texts made of lists side by side; what is no list stands in each.
fn formatlist(arguments: &Arguments<'_, '_, '_>) -> Found {
    let written = arguments.text(0)?;
    let rest = arguments.all().get(1..).unwrap_or_default();
    let lists: Vec<&List> = rest.iter().filter_map(Value::list).collect();
    let unknown = rest.iter().any(|value| value.name_of_unknown().is_some());
    if let ([only], false) = (&lists[..], unknown)
        && !only.more.is_empty()
    {
        // Each further one is formatted like the others.
        let with = |item: &Value| {
            let each: Vec<Value> =
                rest.iter().map(|value| if value.list().is_some() { item.clone() } else { value.clone() }).collect();
            each_formatted(arguments, &written, &each)
        };
        let items = only.items.iter().map(with).collect::<Result<Vec<_>, _>>()?;
        let mut more = Vec::new();
        for further in &only.more {
            let like = with(&further.like)?;
            let name = format!("{} for {}", show(&like), further.name.0);
            more.push(More { name: Unknown(name.into()), like });
        }
        return Ok(What::List(Arc::new(List { items, more, is_set: false })));
    }
    if unknown || lists.iter().any(|list| !list.more.is_empty()) {
        return Err(Stop::Unknown);
    }
    let length = lists.first().map_or(1, |list| list.items.len());
    if lists.iter().any(|list| list.items.len() != length) {
        return arguments.refuse("the lists are of different lengths");
    }
    let mut out = Vec::with_capacity(length);
    for n in 0..length {
        let pick = |value: &Value| value.list().map_or_else(|| Some(value.clone()), |list| list.items.get(n).cloned());
        let each: Vec<Value> = rest.iter().filter_map(pick).collect();
        out.push(each_formatted(arguments, &written, &each)?);
    }
    list(out)
}

fn each_formatted(arguments: &Arguments<'_, '_, '_>, written: &str, values: &[Value]) -> Result<Value, Stop> {
    match formatted(arguments, written, values) {
        Ok(text) => Ok(Value::of_text(&text, arguments.at)),
        Err(Stop::Unknown) => {
            let shown: Vec<String> = values.iter().map(show).collect();
            let name = format!("format({written:?}, {})", shown.join(", "));
            Ok(crate::formats::terraform::eval::unknown_of(&name, &values.iter().collect::<Vec<_>>(), arguments.at))
        }
        Err(Stop::Refused(failure)) => Err(Stop::Refused(failure)),
    }
}

/// `%[flags][width][.precision]verb`, as functions: `format` has it.
fn formatted(arguments: &Arguments<'_, '_, '_>, written: &str, values: &[Value]) -> Result<String, Stop> {
    let mut out = String::new();
    let mut rest = written;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let length = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | '#' | ' ' | '.' | '[' | ']')));
        let Some(length) = length else { return arguments.refuse("a `%` without its letter") };
        let (directive, behind) = rest.split_at(length);
        let verb = behind.chars().next().unwrap_or('%');
        rest = &behind[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        let mut directive = Directive::read(directive).ok_or(Stop::Unknown)?;
        let place = directive.index.take().unwrap_or(next + 1);
        let Some(value) = place.checked_sub(1).and_then(|n| values.get(n)) else {
            return arguments.refuse("there are fewer values than directives");
        };
        next = place;
        if !value.is_known() {
            return Err(Stop::Unknown);
        }
        out.push_str(&directive.apply(arguments, verb, value)?);
    }
    out.push_str(rest);
    if next < values.len() && !written.contains("%[") {
        return arguments.refuse("there are more values than directives");
    }
    Ok(out)
}

#[derive(Default)]
struct Directive {
    left: bool,
    plus: bool,
    zero: bool,
    sharp: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
    index: Option<usize>,
}

impl Directive {
    fn read(written: &str) -> Option<Self> {
        let mut directive = Self::default();
        let mut rest = written;
        if let Some((before, behind)) = rest.split_once('[') {
            let (index, behind) = behind.split_once(']')?;
            directive.index = Some(index.parse().ok()?);
            if !behind.is_empty() {
                return None;
            }
            rest = before;
        }
        while let Some(flag) = rest.chars().next().filter(|c| matches!(c, '+' | '-' | '#' | ' ' | '0')) {
            match flag {
                '+' => directive.plus = true,
                '-' => directive.left = true,
                '#' => directive.sharp = true,
                ' ' => directive.space = true,
                _ => directive.zero = true,
            }
            rest = &rest[1..];
        }
        let (width, precision) = match rest.split_once('.') {
            Some((width, precision)) => (width, Some(precision)),
            None => (rest, None),
        };
        let small = |text: &str| text.parse::<usize>().ok().filter(|n| *n <= 1000);
        if !width.is_empty() {
            directive.width = Some(small(width)?);
        }
        if let Some(precision) = precision {
            directive.precision = Some(if precision.is_empty() { 0 } else { small(precision)? });
        }
        Some(directive)
    }

    fn apply(&self, arguments: &Arguments<'_, '_, '_>, verb: char, value: &Value) -> Result<String, Stop> {
        let number = || match value.as_number() {
            Some(number) => Ok(number),
            None => arguments.refuse("a number is expected"),
        };
        let whole = || match number()?.integer() {
            Some(number) => Ok(number),
            None => arguments.refuse("a whole number is expected"),
        };
        let digits = |digits: String, negative: bool| {
            let sign = match (negative, self.plus, self.space) {
                (true, _, _) => "-",
                (false, true, _) => "+",
                (false, false, true) => " ",
                (false, false, false) => "",
            };
            let width = self.width.unwrap_or(0);
            if self.zero && !self.left {
                let room = width.saturating_sub(sign.len());
                format!("{sign}{digits:0>room$}")
            } else {
                self.padded(format!("{sign}{digits}"))
            }
        };
        match verb {
            's' | 'q' | 'v' => {
                let plain = match value.as_text() {
                    Some(text) if verb == 'v' && self.sharp => {
                        super::encoding::json(value).unwrap_or_else(|| text.to_string())
                    }
                    Some(text) => text.to_string(),
                    // Terraform does not know it before the plan is applied either.
                    None if value.is_null() => return Err(Stop::Unknown),
                    None if verb == 's' => return arguments.refuse("a text is expected"),
                    None => super::encoding::json(value).ok_or(Stop::Unknown)?,
                };
                if verb == 'q' {
                    return Ok(self.padded(super::encoding::json_text(&plain)));
                }
                let cut: String = match self.precision {
                    Some(precision) => plain.chars().take(precision).collect(),
                    None => plain,
                };
                Ok(self.padded(cut))
            }
            't' => match value.as_truth() {
                Some(truth) => Ok(self.padded(truth.to_string())),
                None => arguments.refuse("`true` or `false` is expected"),
            },
            'd' => {
                let number = whole()?;
                Ok(digits(number.unsigned_abs().to_string(), number < 0))
            }
            'b' | 'o' | 'x' | 'X' if value.text().is_none() => {
                let number = whole()?;
                let plain = number.unsigned_abs();
                let shown = match verb {
                    'b' => format!("{plain:b}"),
                    'o' => format!("{plain:o}"),
                    'x' => format!("{plain:x}"),
                    _ => format!("{plain:X}"),
                };
                Ok(digits(shown, number < 0))
            }
            // Rounding is not computed here, but what needs none is.
            'f' => {
                let places = self.precision.unwrap_or(6);
                let plain = number()?.decimal().ok_or(Stop::Unknown)?;
                let (sign, plain) = plain.strip_prefix('-').map_or((false, &*plain), |plain| (true, plain));
                let (whole, after) = plain.split_once('.').unwrap_or((plain, ""));
                if after.len() > places {
                    return Err(Stop::Unknown);
                }
                let after = format!("{after:0<places$}");
                Ok(digits(if places == 0 { whole.to_owned() } else { format!("{whole}.{after}") }, sign))
            }
            _ => Err(Stop::Unknown),
        }
    }

    fn padded(&self, text: String) -> String {
        let width = self.width.unwrap_or(0);
        let length = text.chars().count();
        let room = " ".repeat(width.saturating_sub(length));
        if self.left { text + &room } else { room + &text }
    }
}

/// How many characters a text has, where each is one byte; others are counted in grapheme clusters.
pub(super) fn length(value: &str) -> Found {
    if value.is_ascii() && !value.contains("\r\n") { count(value.len()) } else { Err(Stop::Unknown) }
}
