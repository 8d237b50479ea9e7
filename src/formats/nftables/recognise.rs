//! Whether a text is a ruleset, and what else it may be: a template of one, or a piece that others include.

/// How much of a file is looked at to tell its format.
const FIRST: usize = 1 << 16;

/// Whether the text is a JSON document; a ruleset in text never begins with a brace.
pub(super) fn is_json(text: &[u8]) -> bool {
    text.trim_ascii_start().first() == Some(&b'{')
}

/// Whether a file of that name with that text is probably for `nft -f`.
pub(super) fn is_text(name: &str, text: &[u8]) -> bool {
    let start = &text[..text.len().min(FIRST)];
    if start.starts_with(b"#!") && crate::text::lines(start).next().is_some_and(|(_, line)| says_nft(line)) {
        return true;
    }
    name.ends_with(".nft") || crate::text::lines(start).any(|(_, line)| is_command(line))
}

fn says_nft(line: &[u8]) -> bool {
    line.split(|byte| matches!(byte, b'/' | b' ')).any(|word| word == b"nft")
}

/// A line that only a ruleset has: `table inet filter {`, `flush ruleset`, `add rule ip x y …`.
fn is_command(line: &[u8]) -> bool {
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'{' | b';')).filter(|word| !word.is_empty());
    let family = |word: Option<&[u8]>| matches!(word, Some(b"ip" | b"ip6" | b"inet" | b"arp" | b"bridge" | b"netdev"));
    match words.next() {
        Some(b"table") => family(words.next()) || line.trim_ascii_end().ends_with(b"{"),
        Some(b"flush") => words.next() == Some(b"ruleset"),
        Some(b"add" | b"create" | b"delete" | b"destroy" | b"insert") => {
            matches!(words.next(), Some(b"table" | b"chain" | b"rule" | b"set" | b"map" | b"element"))
        }
        _ => false,
    }
}

/// Where a text has a mark of a template language, and which. A text that is not refused has to have a mark that is
/// nothing else, such as `{{ name }}`.
pub(super) fn template(text: &[u8], refused: bool) -> Option<(usize, usize, &'static str)> {
    const MARKS: [(&[u8], &str); 5] =
        [(b"{%", "Jinja"), (b"{{", "Jinja"), (b"{#", "Jinja"), (b"<%", "ERB"), (b"${", "shell or Terraform")];
    if !refused {
        let mut found = memchr::memmem::find_iter(text, b"{{")
            .filter(|at| is_placeholder(&text[at + 2..]) && !is_comment(&text[..*at]));
        return found.next().map(|at| (at, at + 2, "Jinja"));
    }
    let found = MARKS.iter().filter_map(|(mark, language)| {
        let at = memchr::memmem::find(text, mark)?;
        Some((at, at + mark.len(), *language))
    });
    found.min()
}

/// Whether what follows is in a comment.
fn is_comment(before: &[u8]) -> bool {
    let line = memchr::memrchr(b'\n', before).map_or(before, |end| &before[end..]);
    memchr::memchr(b'#', line).is_some()
}

/// Whether two braces hold one name, and no elements of a set.
fn is_placeholder(inside: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(inside, b"}}") else { return false };
    let name = inside[..end].trim_ascii();
    name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && !name.iter().any(|byte| matches!(byte, b',' | b'\n' | b'{'))
}
