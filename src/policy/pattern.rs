use super::node::Node;
use super::reader::{Read, Reader};
use crate::text::Span;
use globset::GlobBuilder;
use regex::bytes::{Regex, RegexBuilder};

/// The signs that patterns have a meaning for.
const SPECIAL: [char; 5] = ['*', '?', '[', '{', '}'];

/// A pattern of names in which `/` separates: anchored at both ends, `*` and `?` stay between two slashes, `**`
/// goes across.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As it is written.
    pub text: String,
    /// Where.
    pub span: Span,
    /// `None`: the text stands for itself.
    regex: Option<Regex>,
    /// The folders above the files: those of one part, of two …
    folders: Vec<Regex>,
    /// Whether files are in any folder below the last of `folders`.
    deep: bool,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence saying what is wrong with it.
    pub fn new(text: &str, span: Span) -> Result<Self, String> {
        if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
            return Err("a pattern is relative to the root and names files, not folders: no `/` at an end".to_owned());
        }
        if text.split('/').any(|part| part == "." || part == "..") {
            return Err("a pattern goes down from the root: no `.` or `..`".to_owned());
        }
        if text.contains('\\') {
            return Err("a pattern is written with `/`, and there is nothing to escape with `\\`".to_owned());
        }
        let regex = if text.contains(SPECIAL) { Some(regex(text)?) } else { None };
        let (mut folders, mut deep) = (Vec::new(), false);
        for (end, _) in text.match_indices('/') {
            let folder = &text[..end];
            let part = folder.rsplit('/').next().unwrap_or(folder);
            // Alternatives may have slashes in them: what is below is not told apart then.
            if part == "**" || part.contains('{') || part.contains('[') {
                deep = true;
                break;
            }
            folders.push(self::regex(folder)?);
        }
        Ok(Self { text: text.to_owned(), span, regex, folders, deep })
    }

    /// Whether it could be the pattern of a file somewhere below that folder. In doubt it could.
    #[must_use]
    pub fn reaches(&self, folder: &[u8]) -> bool {
        let ends = folder.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let ends: Vec<usize> = ends.chain([folder.len()]).collect();
        let fits = ends.iter().zip(&self.folders).all(|(end, above)| above.is_match(&folder[..*end]));
        fits && (self.deep || ends.len() <= self.folders.len())
    }

    /// Whether it is the pattern of this name, or the name itself: addresses such as `web[0]` have brackets in them.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        self.text.as_bytes() == name || self.regex.as_ref().is_some_and(|regex| regex.is_match(name))
    }

    /// Whether it is the pattern of this name or of a folder that the name is in: `edge` for `edge/input`.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        if self.regex.is_none() {
            return name.strip_prefix(&self.text).is_some_and(|below| below.is_empty() || below.starts_with('/'));
        }
        let ends = name.bytes().enumerate().filter(|(_, b)| *b == b'/').map(|(at, _)| at);
        ends.chain([name.len()]).any(|end| self.matches(&name.as_bytes()[..end]))
    }

    /// The folders before the first part that is not fixed: `hosts/` of `hosts/*.rules`.
    pub(super) fn fixed(&self) -> &str {
        let special = self.text.find(SPECIAL).unwrap_or(self.text.len());
        self.text[..special].rfind('/').map_or("", |slash| &self.text[..=slash])
    }
}

fn regex(text: &str) -> Result<Regex, String> {
    let glob = GlobBuilder::new(text).literal_separator(true).build().map_err(|e| e.kind().to_string())?;
    // Names are bytes and need not be UTF-8; globset's own matcher takes only what the system calls a path.
    let regex = RegexBuilder::new(glob.regex()).size_limit(1 << 20).dfa_size_limit(1 << 20).build();
    regex.map_err(|_| "the pattern is too large".to_owned())
}

impl Read for Pattern {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        Self::new(&text, node.span)
            .map_err(|message| {
                let help = "for example `edge/*.rules`, `hosts/**/rules.v4`";
                reader.refuse(node.span, format!("`{text}` is no pattern: {message}"), help);
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SourceMap;

    #[test]
    fn a_pattern_reaches_the_folders_in_which_its_files_can_be() {
        let source = SourceMap::default().add(b"", Vec::new()).expect("small");
        let span = Span { source, start: 0, end: 0 };
        let reached = |pattern: &str| -> Vec<&str> {
            let pattern = Pattern::new(pattern, span).expect(pattern);
            let folders = ["hosts", "hosts/web", "hosts/web/a", "other", "other/web"];
            folders.into_iter().filter(|folder| pattern.reaches(folder.as_bytes())).collect()
        };
        assert_eq!(reached("a.rules"), [""; 0]);
        assert_eq!(reached("hosts/*.rules"), ["hosts"]);
        assert_eq!(reached("*/web/*.rules"), ["hosts", "hosts/web", "other", "other/web"]);
        assert_eq!(reached("hosts/**/rules"), ["hosts", "hosts/web", "hosts/web/a"]);
        assert_eq!(reached("**/rules").len(), 5);
        assert_eq!(reached("{hosts,other/web}/rules").len(), 5);
    }
}
