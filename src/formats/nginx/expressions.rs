//! Regular expressions as PCRE reads them: which surely are none, and how many groups they have.

use super::values::number;

/// Whether a regular expression surely is none: a parenthesis or bracket without its other half, nothing to repeat, numbers
/// or letters out of order, a name twice or that is none. What else PCRE refuses is not looked for.
pub(super) fn is_broken(expression: &[u8], names: &[Vec<u8>]) -> bool {
    let (mut depth, mut at, mut before) = (0_usize, 0, Before::Nothing);
    while let Some(byte) = expression.get(at) {
        at += 1;
        let was = std::mem::replace(&mut before, Before::Item);
        match byte {
            b'\\' if expression.get(at) == Some(&b'Q') => {
                let end = memchr::memmem::find(&expression[at..], br"\E");
                at = end.map_or(expression.len(), |end| at + end + 2);
            }
            b'\\' if at == expression.len() => return true,
            b'\\' => at += 1,
            b'[' => match class(&expression[at..]) {
                Some(length) if is_class(&expression[at..at + length]) => at += length,
                _ => return true,
            },
            b'(' => {
                depth += 1;
                before = Before::Nothing;
                match expression.get(at) {
                    // `(?` and `(*` say what the group is.
                    Some(b'*') => (at, before) = (at + 1, Before::Item),
                    Some(b'?') if is_group(&expression[at + 1..]) => (at, before) = (at + 1, Before::Item),
                    Some(b'?') => return true,
                    _ => {}
                }
            }
            b')' if depth == 0 => return true,
            b')' => depth -= 1,
            b'|' => before = Before::Nothing,
            b'^' => before = Before::Start,
            b'*' | b'+' | b'?' => match was {
                Before::Nothing | Before::Changed => return true,
                Before::Repeated if *byte == b'*' => return true,
                Before::Repeated => before = Before::Changed,
                Before::Item | Before::Start => before = Before::Repeated,
            },
            b'{' => match repeats(&expression[at..]) {
                Some((least, most, _)) if most.is_some_and(|most| most < least) => return true,
                // Whether it may stand behind another is told by versions apart.
                Some((_, _, length)) => at += length,
                None => {}
            },
            _ => {}
        }
    }
    let twice = names.iter().enumerate().any(|(at, name)| names[..at].contains(name));
    let may = [&b"(?J"[..], b"(?|"].iter().any(|start| memchr::memmem::find(expression, start).is_some());
    depth > 0 || (twice && !may)
}

/// What stands before a sign of repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// What some versions of PCRE repeat and others do not.
    Start,
    Item,
    /// A sign of repetition, which another may change.
    Repeated,
    Changed,
}

/// Whether what stands behind `(?` says what a group is.
fn is_group(text: &[u8]) -> bool {
    let named = text.strip_prefix(b"P").unwrap_or(text);
    let (name, end) = match named {
        [b'<', b'=' | b'!', ..] if named.len() == text.len() => return true,
        [b'<', name @ ..] => (name, b'>'),
        [b'\'', name @ ..] if named.len() == text.len() => (name, b'\''),
        _ => {
            let known = b":=!>|#PRJimsxnUX^-+&(C0123456789<'\"*";
            return text.first().is_none_or(|byte| known.contains(byte));
        }
    };
    let letters = name.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    // Names of letters that are not of ASCII are for PCRE to judge.
    let foreign = name.get(letters).is_some_and(|byte| !byte.is_ascii());
    foreign || (name.get(letters) == Some(&end) && !name.first().is_some_and(u8::is_ascii_digit) && letters > 0)
}

/// The numbers of `{2,5}` behind its first brace, and how long the rest is.
fn repeats(text: &[u8]) -> Option<(u64, Option<u64>, usize)> {
    let end = text.iter().position(|byte| *byte == b'}')?;
    let (least, most) = match text[..end].iter().position(|byte| *byte == b',') {
        None => (number(&text[..end])?, None),
        Some(at) if at + 1 == end => (number(&text[..at])?, None),
        Some(at) => (number(&text[..at])?, Some(number(&text[at + 1..end])?)),
    };
    Some((least, most, end + 1))
}

/// Whether the ranges of a class are in order, and its names are some.
fn is_class(class: &[u8]) -> bool {
    const NAMES: &[&[u8]] = &[
        b"alnum", b"alpha", b"ascii", b"blank", b"cntrl", b"digit", b"graph", b"lower", b"print", b"punct", b"space",
        b"upper", b"word", b"xdigit",
    ];
    let named = memchr::memmem::find_iter(class, b"[:").all(|at| {
        let name = &class[at + 2..];
        let Some(end) = memchr::memmem::find(name, b":]") else { return true };
        let name = name[..end].strip_prefix(b"^").unwrap_or(&name[..end]);
        NAMES.contains(&name) || !name.iter().all(u8::is_ascii_alphabetic)
    });
    let ordered = class.windows(3).enumerate().all(|(at, part)| match part {
        // What a backslash begins is not a letter of a range, nor is the end of another.
        [first, b'-', last] if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            first <= last || class[..at].ends_with(b"\\") || class[..at].ends_with(b"-")
        }
        _ => true,
    });
    named && ordered
}

/// How many groups of an expression are told apart by numbers.
pub(super) fn captured(expression: &[u8]) -> usize {
    let (mut count, mut at) = (0, 0);
    while let Some(byte) = expression.get(at) {
        at += 1;
        match byte {
            b'\\' => at += 1,
            b'[' => at += class(&expression[at..]).unwrap_or(0),
            b'(' => {
                let rest = &expression[at..];
                let named = || {
                    let rest = rest.strip_prefix(b"?P").or_else(|| rest.strip_prefix(b"?"));
                    matches!(rest, Some([b'<', next, ..]) if !matches!(next, b'=' | b'!'))
                        || rest.is_some_and(|rest| rest.starts_with(b"'"))
                };
                count += usize::from(!matches!(rest.first(), Some(b'?' | b'*')) || named());
            }
            _ => {}
        }
    }
    count
}

/// How long a class is, without its first bracket.
fn class(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'^'));
    // A bracket that stands first is one of its characters.
    at += usize::from(text.get(at) == Some(&b']'));
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b']' => return Some(at),
            b'\\' => at += 1,
            b'[' if text.get(at) == Some(&b':') => {
                at += memchr::memmem::find(&text[at..], b":]").map_or(0, |end| end + 2);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{captured, is_broken};

    #[test]
    fn expressions_are_read() {
        let all = |check: fn(&[u8]) -> bool, words: &[&str]| words.iter().all(|word| check(word.as_bytes()));
        assert_eq!([r"(a)(b)", r"\((?:a)[(](?<n>b)", "(?=a)(?<=b)"].map(|text| captured(text.as_bytes())), [2, 1, 0]);
        let broken = |text: &[u8]| is_broken(text, &[]);
        assert!(all(
            broken,
            &[
                "(",
                ")",
                "a)",
                "[a",
                "*a",
                "a|*",
                "(+)",
                r"a\",
                "a**",
                "a+**",
                "a{2,1}",
                "[0z-a]",
                "[z-a]",
                "[[:foo:]]",
                "(?z)a",
                "(?<1a>b)",
                "(?<x-y>a)",
                "(?<->a)",
                "(?<a",
                "(?P<>a)",
            ]
        ));
        assert!(all(
            |text| !is_broken(text, &[]),
            &[
                "",
                "a",
                r"\(",
                "[]a]",
                "[^]]",
                "(?<x>a)",
                "(?:a)",
                r"\Q(\E",
                "[[:alpha:]]",
                "^*",
                "a|b",
                "(|a)",
                "(*UTF8)a",
                "^/(.*)$",
                "a+?b*+c??",
                "a{2,}{x}{,2}",
                "(?i)a(?-i:b)(?=c)(?!d)(?<=e)(?<!f)(?>g)(?#h)",
                "(?P<x>a)(?P=x)(?'y'b)(?&y)(?P>x)(?1)(?R)",
                "[a-zA-Z0-9_-][\\w-.][+--][[:alpha:][:^digit:]]"
            ]
        ));
    }
}
