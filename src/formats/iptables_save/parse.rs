//! Text to syntax.

use super::extensions::{Module, Spec, Target};
use super::syntax::{Command, Kind, Line, Match, Part};
use super::values;
use super::words::{self, Uncut, Word};
use crate::net::{Family, protocol_name};
use std::borrow::Cow;
use std::ops::Range;

/// Tells what the line `text[start..end]` (without its line ending) is, as `iptables-restore` does: by its first byte.
pub(super) fn line(text: &[u8], start: usize, end: usize) -> Line<'_> {
    let line = &text[start..end];
    match line {
        [] => Line::Blank,
        [b'#', ..] => Line::Comment,
        [b'*', ..] => {
            let (name, rest) = first_word(text, start + 1, end);
            Line::Table { name, rest }
        }
        [b':', ..] => {
            let (name, rest) = first_word(text, start + 1, end);
            let (policy, rest) = first_word(text, rest.start, end);
            Line::Chain { name, policy: Some(policy).filter(|word| !word.text.is_empty()), rest }
        }
        b"COMMIT" => Line::Commit { ragged: false },
        _ if line.trim_ascii() == b"COMMIT" => Line::Commit { ragged: true },
        _ if line.trim_ascii().is_empty() => Line::Blank,
        _ => Line::Command,
    }
}

/// The first word of `text[start..end]`, unquoted, and what follows it.
fn first_word(text: &[u8], start: usize, end: usize) -> (Word<'_>, Range<usize>) {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let begin = text[start..end].iter().position(|b| !blank(b)).map_or(end, |n| start + n);
    let stop = text[begin..end].iter().position(blank).map_or(end, |n| begin + n);
    (Word { text: Cow::Borrowed(&text[begin..stop]), start: begin, end: stop }, stop..end)
}

/// Reads the arguments on the line `text[start..end]`.
pub(super) fn command<'t>(text: &'t [u8], start: usize, end: usize) -> Command<'t> {
    let mut reader = Reader {
        words: Vec::with_capacity(24),
        next: 0,
        target: None,
        command: Command { parts: Vec::with_capacity(8), matches: Vec::new() },
        protocol: None,
    };
    let mut at = start;
    if let Some(counters) = counters(&text[start..end]) {
        reader.part(start..start + counters, false, Kind::Counters);
        at += counters;
    }
    if let Err(uncut) = words::cut(text, at, end, &mut reader.words) {
        let (at, reason) = match uncut {
            Uncut::OpenQuote(at) => (at, "the quote is never closed"),
            Uncut::LongWord(at) => (at, "the argument is longer than the 1,023 bytes that iptables-restore takes"),
            Uncut::ManyWords(at) => (at, "iptables-restore takes at most 250 arguments on a line"),
            Uncut::Nul(at) => (at, "there is a NUL byte on the line"),
        };
        reader.read();
        // What the missing word was the argument of is not the reason.
        let lacking = reader.command.parts.pop_if(|part| matches!(part.kind, Kind::Refused(_)));
        let at = lacking.map_or(at, |part| part.at.start);
        reader.part(at..end, false, Kind::Refused(reason.to_owned()));
        return reader.command;
    }
    reader.read();
    reader.command
}

/// How many bytes the counters `[12:3456]` take at the start of a line.
fn counters(line: &[u8]) -> Option<usize> {
    let body = line.strip_prefix(b"[")?;
    let close = body.iter().position(|b| *b == b']')?;
    let (packets, bytes) = body[..close].split_at(body[..close].iter().position(|b| *b == b':')?);
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    (digits(packets) && digits(&bytes[1..])).then_some(close + 2)
}

struct Reader<'t> {
    words: Vec<Word<'t>>,
    next: usize,
    target: Option<&'static Target>,
    command: Command<'t>,
    protocol: Option<Word<'t>>,
}

/// An option of the command itself.
#[derive(Clone, Copy)]
enum Global {
    Append,
    Insert,
    New,
    Policy,
    Other(&'static str),
    Source,
    Destination,
    Protocol,
    Input,
    Output,
    Fragment,
    Jump,
    Goto,
    Match,
    Counters,
    Family(Family),
    Manner,
    /// An option of the command that no file may hold.
    Alien,
}

/// Long options of the command, and the letter of each.
const GLOBALS: &[(&str, u8)] = &[
    ("append", b'A'),
    ("insert", b'I'),
    ("new-chain", b'N'),
    ("new", b'N'),
    ("policy", b'P'),
    ("delete", b'D'),
    ("replace", b'R'),
    ("flush", b'F'),
    ("delete-chain", b'X'),
    ("rename-chain", b'E'),
    ("zero", b'Z'),
    ("check", b'C'),
    ("list", b'L'),
    ("list-rules", b'S'),
    ("source", b's'),
    ("src", b's'),
    ("destination", b'd'),
    ("dst", b'd'),
    ("protocol", b'p'),
    ("proto", b'p'),
    ("in-interface", b'i'),
    ("out-interface", b'o'),
    ("fragments", b'f'),
    ("fragment", b'f'),
    ("jump", b'j'),
    ("goto", b'g'),
    ("match", b'm'),
    ("set-counters", b'c'),
    ("ipv4", b'4'),
    ("ipv6", b'6'),
    ("verbose", b'v'),
    ("numeric", b'n'),
    ("exact", b'x'),
    ("wait", b'w'),
    ("table", b't'),
    ("modprobe", b'M'),
    ("line-numbers", b'0'),
    ("wait-interval", b'W'),
    ("version", b'V'),
    ("help", b'h'),
];

impl Global {
    const fn of(letter: u8) -> Option<Self> {
        Some(match letter {
            b'A' => Self::Append,
            b'I' => Self::Insert,
            b'N' => Self::New,
            b'P' => Self::Policy,
            b'D' => Self::Other("deletes a rule"),
            b'R' => Self::Other("replaces a rule"),
            b'F' => Self::Other("empties a chain"),
            b'X' => Self::Other("deletes a chain"),
            b'E' => Self::Other("renames a chain"),
            b'Z' => Self::Other("resets counters"),
            b'C' => Self::Other("asks whether a rule is there"),
            b'L' | b'S' => Self::Other("lists rules"),
            b's' => Self::Source,
            b'd' => Self::Destination,
            b'p' => Self::Protocol,
            b'i' => Self::Input,
            b'o' => Self::Output,
            b'f' => Self::Fragment,
            b'j' => Self::Jump,
            b'g' => Self::Goto,
            b'm' => Self::Match,
            b'c' => Self::Counters,
            b'4' => Self::Family(Family::Ipv4),
            b'6' => Self::Family(Family::Ipv6),
            b'v' => Self::Manner,
            b'n' | b'x' | b'w' | b't' => Self::Alien,
            _ => return None,
        })
    }
}

/// What a long option turns out to be.
enum Named {
    Global(u8),
    OfMatch(usize, &'static Spec),
    OfTarget(&'static Spec),
}

impl<'t> Reader<'t> {
    fn part(&mut self, at: Range<usize>, negated: bool, kind: Kind<'t>) {
        self.command.parts.push(Part { at, negated, kind });
    }

    fn word(&mut self) -> Option<Word<'t>> {
        let word = self.words.get_mut(self.next)?;
        self.next += 1;
        Some(Word { text: std::mem::take(&mut word.text), start: word.start, end: word.end })
    }

    fn peek(&self) -> Option<&Word<'t>> {
        self.words.get(self.next)
    }

    fn read(&mut self) {
        while let Some(word) = self.word() {
            let start = word.start;
            if *word.text == *b"!" {
                match self.word() {
                    Some(option) => self.option(start, true, option),
                    None => self.part(word.at(), true, Kind::Refused("nothing follows the `!`".to_owned())),
                }
            } else {
                self.option(start, false, word);
            }
        }
    }

    fn option(&mut self, start: usize, negated: bool, word: Word<'t>) {
        match &*word.text {
            [b'-', b'-', _, ..] => self.long(start, negated, word),
            [b'-', letter, rest @ ..] if *letter != b'-' => {
                let Some(global) = Global::of(*letter) else { return self.unknown(start, negated, word) };
                let attached = (!rest.is_empty()).then(|| Word {
                    text: match &word.text {
                        Cow::Borrowed(text) => Cow::Borrowed(&text[2..]),
                        Cow::Owned(text) => Cow::Owned(text[2..].to_vec()),
                    },
                    start: word.end - rest.len().min(word.end - word.start),
                    end: word.end,
                });
                self.global(start, negated, global, &word, attached);
            }
            _ => {
                let reason = format!("`{}` is not an option: iptables-restore refuses the line", word.show());
                self.part(start..word.end, negated, Kind::Refused(reason));
            }
        }
    }

    fn long(&mut self, start: usize, negated: bool, word: Word<'t>) {
        let text = &word.text[2..];
        let (name, attached) = match text.iter().position(|b| *b == b'=') {
            Some(n) => (&text[..n], Some(text[n + 1..].to_vec())),
            None => (text, None),
        };
        let attached = attached.map(|text| Word { text: Cow::Owned(text), start: word.start, end: word.end });
        let Some(named) = std::str::from_utf8(name).ok().and_then(|name| self.named(name)) else {
            return self.unknown(start, negated, word);
        };
        match named {
            Named::Global(letter) => match Global::of(letter) {
                Some(global) => self.global(start, negated, global, &word, attached),
                None => self.unknown(start, negated, word),
            },
            Named::OfMatch(of, spec) => self.extension(start, negated, &word, spec, attached, Some(of)),
            Named::OfTarget(spec) => self.extension(start, negated, &word, spec, attached, None),
        }
    }

    /// The option of that name among those known at this point (getopt_long(3): exactly so, or the only one that begins so). The
    /// matches and the target that were named last come first.
    fn named(&mut self, name: &str) -> Option<Named> {
        self.exactly(name).or_else(|| self.begun(name)).or_else(|| {
            // The protocol brings its own match along when one of that match's options is met.
            let protocol = self.protocol.take()?;
            let module = Module::find(values::protocol(&protocol).ok().and_then(protocol_name)?)?;
            let known = self.command.matches.iter().any(|m| m.module.is_some_and(|m| m.name == module.name));
            if known || !module.options.iter().any(|spec| spec.name.starts_with(name)) {
                self.protocol = Some(protocol);
                return None;
            }
            self.command.matches.push(Match { module: Some(module), name: protocol });
            self.exactly(name).or_else(|| self.begun(name))
        })
    }

    fn exactly(&self, name: &str) -> Option<Named> {
        self.extensions().find(|(spec, _)| spec.name == name).map(of).or_else(|| {
            let (_, letter) = GLOBALS.iter().find(|(known, _)| *known == name)?;
            Some(Named::Global(*letter))
        })
    }

    fn begun(&self, name: &str) -> Option<Named> {
        let mut found = self.extensions().filter(|(spec, _)| spec.name.starts_with(name));
        let mut globals = GLOBALS.iter().filter(|(known, _)| known.starts_with(name));
        match (found.next(), globals.next()) {
            (Some(first), None) => found
                .all(|(spec, of)| of == first.1 && spec.meaning == first.0.meaning && spec.name == first.0.name)
                .then(|| of(first)),
            (None, Some((_, letter))) => globals.all(|(_, other)| other == letter).then_some(Named::Global(*letter)),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// The options of the target and of the matches, the last match first; `None` is the target.
    fn extensions(&self) -> impl Iterator<Item = (&'static Spec, Option<usize>)> {
        let target = self.target.iter().flat_map(|target| target.options.iter().map(|spec| (spec, None)));
        let matches = self.command.matches.iter().enumerate().rev();
        let matches = matches.filter_map(|(n, found)| Some((n, found.module?)));
        target.chain(matches.flat_map(|(n, module)| module.options.iter().map(move |spec| (spec, Some(n)))))
    }

    fn extension(
        &mut self,
        start: usize,
        negated: bool,
        word: &Word<'t>,
        spec: &'static Spec,
        attached: Option<Word<'t>>,
        of: Option<usize>,
    ) {
        let mut negated = negated;
        let mut end = word.end;
        let mut values: Vec<_> = attached.into_iter().collect();
        if spec.arguments > 0 && values.is_empty() {
            negated |= self.old_negation();
        }
        while values.len() < spec.arguments {
            let Some(value) = self.word() else {
                let reason = format!("`--{}` lacks its argument: iptables-restore refuses the line", spec.name);
                return self.part(start..end, negated, Kind::Refused(reason));
            };
            end = value.end;
            values.push(value);
        }
        let kind = match of {
            Some(of) => Kind::Option { of, spec, values },
            None => Kind::TargetOption { spec, values },
        };
        self.part(start..end, negated, kind);
    }

    /// Whether a `!` stands between an option and its argument, as iptables allowed until 1.4.
    fn old_negation(&mut self) -> bool {
        let found = self.peek().is_some_and(|word| *word.text == *b"!");
        self.next += usize::from(found);
        found
    }

    fn global(&mut self, start: usize, negated: bool, global: Global, word: &Word<'t>, attached: Option<Word<'t>>) {
        let mut negated = negated;
        let mut end = word.end;
        let mut attached = attached;
        if matches!(
            global,
            Global::Source | Global::Destination | Global::Protocol | Global::Input | Global::Output | Global::Match
        ) && attached.is_none()
        {
            negated |= self.old_negation();
        }
        // `-vn` is two options.
        if matches!(global, Global::Manner)
            && attached.as_ref().is_some_and(|rest| rest.text.iter().any(|b| *b != b'v'))
        {
            return self.global(start, negated, Global::Alien, word, None);
        }
        let whole = matches!(
            global,
            Global::Source
                | Global::Destination
                | Global::Protocol
                | Global::Input
                | Global::Output
                | Global::Jump
                | Global::Goto
        );
        if whole && attached.is_some() {
            // iptables/xshared.c, `do_parse`, takes `argv[optind - 1]`.
            let reason = format!("iptables-restore takes all of `{}` for the value, and refuses it", word.show());
            return self.part(start..end, negated, Kind::Refused(reason));
        }
        let mut argument = |reader: &mut Self| -> Option<Word<'t>> {
            let value = attached.take().or_else(|| reader.word())?;
            end = end.max(value.end);
            Some(value)
        };
        let kind = match global {
            Global::Append => argument(self).map(Kind::Append),
            Global::Insert => argument(self).map(|chain| {
                let numbered = self.peek().is_some_and(|word| word.text.first().is_some_and(u8::is_ascii_digit));
                let number = if numbered { argument(self) } else { None };
                Kind::Insert(chain, number)
            }),
            Global::New => argument(self).map(Kind::New),
            Global::Policy => {
                let chain = argument(self);
                let policy = argument(self);
                chain.zip(policy).map(|(chain, policy)| Kind::Policy(chain, policy))
            }
            Global::Other(what) => {
                while argument(self).is_some() {}
                Some(Kind::OtherCommand(what))
            }
            Global::Source => argument(self).map(Kind::Source),
            Global::Destination => argument(self).map(Kind::Destination),
            Global::Protocol => argument(self).map(|protocol| {
                self.protocol = Some(protocol.clone());
                Kind::Protocol(protocol)
            }),
            Global::Input => argument(self).map(Kind::Input),
            Global::Output => argument(self).map(Kind::Output),
            Global::Fragment => Some(Kind::Fragment),
            Global::Jump => argument(self).map(|name| {
                self.target = name.ascii().and_then(Target::find);
                Kind::Jump(name, self.target)
            }),
            Global::Goto => argument(self).map(Kind::Goto),
            Global::Match => argument(self).map(|name| {
                let module = name.ascii().and_then(Module::find);
                self.command.matches.push(Match { module, name });
                Kind::Match(self.command.matches.len() - 1)
            }),
            Global::Counters => {
                let number = |word: Word<'_>| word.text.iter().all(u8::is_ascii_digit);
                let packets = argument(self).is_some_and(number);
                (argument(self).is_some_and(number) && packets).then_some(Kind::Counters)
            }
            Global::Family(family) => Some(Kind::Family(family)),
            Global::Manner => Some(Kind::Manner),
            Global::Alien => {
                Some(Kind::Refused(format!("`{}` cannot stand in a file for iptables-restore", word.show())))
            }
        };
        let lacking = || format!("`{}` lacks its argument: iptables-restore refuses the line", word.show());
        let kind = kind.unwrap_or_else(|| Kind::Refused(lacking()));
        self.part(start..end, negated, kind);
    }

    /// An option that is not known: the words after it that do not begin an option are taken for its arguments.
    fn unknown(&mut self, start: usize, negated: bool, word: Word<'t>) {
        let mut values = vec![word];
        while self.peek().is_some_and(|word| !matches!(&*word.text, b"!" | [b'-', _, ..])) {
            values.extend(self.word());
        }
        let end = values.last().map_or(start, |word| word.end);
        self.part(start..end, negated, Kind::Unknown { values });
    }
}

fn of((spec, of): (&'static Spec, Option<usize>)) -> Named {
    match of {
        Some(of) => Named::OfMatch(of, spec),
        None => Named::OfTarget(spec),
    }
}
