use std::borrow::Cow;
use std::fmt::Write as _;

/// Text from the input made safe to print on one line: control characters (C0, DEL, C1), bidirectional
/// and zero-width controls, invisible line breaks and bytes that are not UTF-8 become escapes.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    escaped(bytes).into_owned()
}

/// The same, as it stands where nothing is to be escaped.
#[must_use]
pub fn escaped(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if c.is_control() && u32::from(c) < 0x100 => {
                    write!(out, "\\x{:02x}", u32::from(c)).expect("writing to a String");
                }
                c if is_invisible(c) => {
                    write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a String");
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}").expect("writing to a String");
        }
    }
    Cow::Owned(out)
}

/// Characters that change how a line looks without showing: what a reviewer cannot see.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_that_moves_the_cursor_survives() {
        assert_eq!(escape(b"a\x1b]52;c\x07\n\xff"), "a\\x1b]52;c\\x07\\n\\xff");
        assert_eq!(escape("ok \u{202e}\u{85}é".as_bytes()), "ok \\u{202e}\\x85é");
    }
}
