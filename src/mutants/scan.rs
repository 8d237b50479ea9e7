//! Lists and prefixes in a text, whatever its format.

use crate::net::parse_addresses;

/// A list in brackets or braces longer than this is no list that somebody wrote.
const LONGEST: usize = 1 << 24;

/// The prefixes and single addresses of a text that can be wider: from, to. The ends of ranges are none, nor are
/// addresses with a port.
pub(super) fn prefixes(text: &[u8]) -> Vec<(u32, u32)> {
    let part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'/');
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(start) = text.get(at..).and_then(|rest| rest.iter().position(part)).map(|n| at + n) {
        let end =
            text.get(start..).and_then(|rest| rest.iter().position(|b| !part(b))).map_or(text.len(), |n| start + n);
        let word =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'%'));
        let before = start.checked_sub(1).and_then(|n| text.get(n));
        if !word(before) && !word(text.get(end)) && text.get(start..end).and_then(wider).is_some() {
            out.push((narrow(start), narrow(end)));
        }
        at = end;
    }
    out
}

/// The next wider prefix that people write: the next shorter length of whole bytes, of 16 bits for IPv6.
pub(super) fn wider(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
        None => (text, None),
    };
    if address.contains('.') == address.contains(':') {
        return None;
    }
    let (step, bits) = if address.contains('.') { (8, 32) } else { (16, 128) };
    let length = length.unwrap_or(bits);
    let wider = length.checked_sub(1)? / step * step;
    // A word such as `ab:cd` is no address.
    parse_addresses(text)?;
    let (_, set) = parse_addresses(&format!("{address}/{wider}"))?;
    let first = set.first()?;
    Some(if bits == 32 {
        format!("{}/{wider}", std::net::Ipv4Addr::from(u32::try_from(first).ok()?))
    } else {
        format!("{}/{wider}", std::net::Ipv6Addr::from(first))
    })
}

/// What is between the brackets or braces of each list of two entries or more, and each list of lines that begin with a
/// dash: from, to.
pub(super) fn lists(text: &[u8]) -> Vec<(u32, u32)> {
    let mut out = brackets(text);
    out.extend(dashes(text));
    out
}

fn brackets(text: &[u8]) -> Vec<(u32, u32)> {
    let (mut out, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = end_of_quote(text, at),
            b'#' if starts_comment(text, at) => at = end_of_line(text, at),
            b'[' | b'{' => open.push((at + 1, *byte)),
            b']' | b'}' => {
                if let Some((start, opening)) = open.pop()
                    && at - start <= LONGEST
                    && text.get(start..at).is_some_and(|inner| is_list(inner, opening))
                {
                    out.push((narrow(start), narrow(at)));
                }
            }
            _ => {}
        }
        at += 1;
    }
    out
}

/// In braces there are also blocks and maps, which are no lists.
fn is_list(inner: &[u8], opening: u8) -> bool {
    let is_set = || !inner.iter().any(|byte| matches!(byte, b';' | b'=' | b'{' | b'[' | b'"'));
    (opening == b'[' || is_set()) && entries(inner).len() > 1
}

/// The entries of a list, separated by commas: from, to.
pub(super) fn entries(inner: &[u8]) -> Vec<(usize, usize)> {
    let (mut out, mut depth, mut start, mut at) = (Vec::new(), 0_usize, 0, 0);
    while let Some(byte) = inner.get(at) {
        match byte {
            b'"' => at = end_of_quote(inner, at),
            b'#' if starts_comment(inner, at) => at = end_of_line(inner, at),
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                out.push((start, at));
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    out.push((start, inner.len()));
    out.retain(|(start, end)| inner.get(*start..*end).is_some_and(|entry| !entry.trim_ascii().is_empty()));
    out
}

/// Lists of YAML: neighbouring lines that begin with a dash at one column, with what is indented below each.
fn dashes(text: &[u8]) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    // Of each open list: its column, where it begins, where it ends, how many entries it has.
    let mut open: Vec<(usize, usize, usize, usize)> = Vec::new();
    let mut close = |list: Option<(usize, usize, usize, usize)>| {
        if let Some((_, start, end, count)) = list
            && count > 1
        {
            out.push((narrow(start), narrow(end)));
        }
    };
    for (start, line) in crate::text::lines(text) {
        let column = line.iter().take_while(|byte| **byte == b' ').count();
        let rest = line.get(column..).unwrap_or_default().trim_ascii();
        if rest.is_empty() || rest.starts_with(b"#") {
            continue;
        }
        let is_entry = rest == b"-" || rest.starts_with(b"- ");
        let end = text.len().min(start + line.len() + 1);
        while open.last().is_some_and(|(at, ..)| column < *at || (column == *at && (!is_entry || rest == b"---"))) {
            close(open.pop());
        }
        if is_entry {
            match open.last_mut() {
                Some((at, _, _, count)) if *at == column => *count += 1,
                Some(_) | None => open.push((column, start, end, 1)),
            }
        }
        for (_, _, last, _) in &mut open {
            *last = end;
        }
    }
    while let Some(list) = open.pop() {
        close(Some(list));
    }
    out
}

/// The entries of a list of lines: from, to.
pub(super) fn dashed(inner: &[u8]) -> Vec<(usize, usize)> {
    let column = inner.iter().take_while(|byte| **byte == b' ').count();
    let starts = crate::text::lines(inner).filter(|(_, line)| {
        let own = line.iter().take_while(|byte| **byte == b' ').count();
        own == column && line.get(column) == Some(&b'-')
    });
    let starts: Vec<usize> = starts.map(|(start, _)| start).collect();
    let ends = starts.iter().skip(1).copied().chain([inner.len()]);
    starts.iter().copied().zip(ends).collect()
}

/// Where the first half of the lines ends; `None`: there is one line only.
pub(super) fn half(text: &[u8]) -> Option<usize> {
    let starts: Vec<usize> =
        crate::text::lines(text).filter(|(_, line)| !line.is_empty()).map(|(start, _)| start).collect();
    (starts.len() > 1).then(|| starts.get(starts.len() / 2).copied())?
}

/// Where a quoted text ends that begins there.
fn end_of_quote(text: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(byte) = text.get(end) {
        match byte {
            b'\\' => end += 1,
            b'"' | b'\n' => break,
            _ => {}
        }
        end += 1;
    }
    end
}

fn starts_comment(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|n| text.get(n)).is_none_or(u8::is_ascii_whitespace)
}

fn end_of_line(text: &[u8], at: usize) -> usize {
    text.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)).map_or(text.len(), |n| at + n)
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("sources are smaller than 4 GiB")
}
