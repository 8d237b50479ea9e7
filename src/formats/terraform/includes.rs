//! Which other files a file needs: those of its folder, of the modules that it calls, of values, and those that its
//! functions read.

use super::declared::joined;
use super::json;
use super::read::NAMES;
use crate::formats::Include;

/// What the names of the files of a module end with, those in JSON last.
const MODULES: [&str; 4] = [".tf", ".tofu", ".tf.json", ".tofu.json"];

/// Data sources that read files, which an argument of theirs names.
const READERS: [&[u8]; 3] = [b"\"local_file\"", b"\"local_sensitive_file\"", b"\"external\""];

/// What a file of that path needs, as far as it is written out. `main` is a file of the root module.
pub(super) fn of(main: &str, file: &str, text: &[u8]) -> Vec<Include> {
    let folder_of = |path: &'_ str| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let mut found = Found { root: folder_of(main), includes: Vec::new() };
    let folder = &*folder_of(file);
    let is_json = MODULES[2..].iter().any(|end| file.ends_with(end));
    if !is_json && !MODULES[..2].iter().any(|end| file.ends_with(end)) {
        return found.includes;
    }
    // "A module is a directory": its files are read together.
    for end in MODULES {
        found.beside(folder, end);
    }
    if memchr::memmem::find(text, b"variable").is_some() {
        for files in ["terraform.tfvars", "terraform.tfvars.json", "*.auto.tfvars", "*.auto.tfvars.json"] {
            found.add(folder, files, true);
        }
    }
    if is_json {
        let mut computed = READERS.iter().any(|reader| memchr::memmem::find(text, reader).is_some());
        json::texts(text, &mut |name, text| {
            if name == "source" {
                found.module(folder, text);
            }
            computed |= found.files(folder, text.as_bytes());
        });
        if computed {
            json::texts(text, &mut |_, text| found.perhaps(folder, text));
        }
    } else {
        strings_behind(text, b"source").for_each(|path| found.module(folder, path));
        if found.files(folder, text) || READERS.iter().any(|reader| memchr::memmem::find(text, reader).is_some()) {
            // The path is computed: of what is written here, or of nothing that can be found.
            strings(text).for_each(|path| found.perhaps(folder, path));
        }
    }
    found.includes
}

struct Found {
    /// The folder of the root module.
    root: String,
    includes: Vec<Include>,
}

impl Found {
    /// The files of a module.
    fn module(&mut self, folder: &str, path: &str) {
        if path.starts_with("./") || path.starts_with("../") {
            for end in MODULES {
                self.add(folder, &format!("{path}/*{end}"), true);
            }
        }
    }

    /// The files that functions read. Whether there are some whose paths are not written where they are read.
    fn files(&mut self, folder: &str, text: &[u8]) -> bool {
        let mut computed = false;
        for at in memchr::memmem::find_iter(text, b"file") {
            // Those that tell something else of a file are called after what they tell: `filesha256(`.
            let rest = &text[at + b"file".len()..];
            let name = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let Some(rest) = rest[name..].trim_ascii_start().strip_prefix(b"(") else { continue };
            let rest = rest.trim_ascii_start();
            match template(rest) {
                Some((path, behind)) if matches!(behind.trim_ascii_start().first(), Some(b')' | b',')) => {
                    self.read(folder, &path);
                }
                Some(_) | None => computed = true,
            }
        }
        computed
    }

    /// A file that is read by a path in which something may be computed. "path.module is the filesystem path of the module
    /// where the expression is placed"; other paths begin where Terraform runs, in the folder of the root.
    fn read(&mut self, folder: &str, path: &str) {
        let root = self.root.clone();
        let (folder, path) = match path.strip_prefix("${path.module}/") {
            Some(path) => (folder, path),
            None => (&*root, path.strip_prefix("${path.root}/").unwrap_or(path)),
        };
        if path.starts_with('/') {
            return;
        }
        self.text(folder, &pattern(path));
    }

    /// A file that is read as a text, perhaps one of several, and is none of a module.
    fn text(&mut self, folder: &str, path: &str) {
        let Some((before, tail)) = path.rsplit_once('*') else {
            if !NAMES.iter().any(|end| path.ends_with(end)) {
                self.add(folder, path, false);
            }
            return;
        };
        let stems = ["tf", "tofu", "tfvars"];
        let places = match tail {
            // All but those that end in `.tf.json` and the like.
            ".json" => ["?.json", "*[!fus].json", "*[!t]f.json", "*[!f]u.json", "*[!r]s.json"]
                .iter()
                .map(|end| format!("{before}{end}"))
                .chain(
                    (!before.ends_with(['/', '*']) && !stems.iter().any(|stem| before.ends_with(stem)))
                        .then(|| format!("{before}.json")),
                )
                .collect(),
            tail if NAMES.iter().any(|end| end.ends_with(tail) || tail.ends_with(end)) => Vec::new(),
            _ => vec![path.to_owned()],
        };
        for place in places {
            self.add(folder, &place, true);
        }
    }

    /// A text that may be the path of a file, or the end of one.
    fn perhaps(&mut self, folder: &str, text: &str) {
        let path = text.strip_prefix("${path.module}/").or_else(|| text.strip_prefix("${path.root}/")).unwrap_or(text);
        let path = pattern(path.strip_prefix("%s/").unwrap_or(path));
        let name = path.rsplit('/').next().unwrap_or_default();
        let letters = |end: &str| {
            end.len() <= 8
                && end.starts_with(|c: char| c.is_ascii_alphabetic())
                && !end.contains(|c: char| !c.is_alphanumeric())
        };
        let is_named = name.rsplit_once('.').is_some_and(|(_, end)| letters(end));
        let odd = |c: char| c.is_whitespace() || matches!(c, '"' | '$' | '{' | '(' | '[' | '?' | ':' | ',' | '@');
        if !is_named || path.len() > 200 || path.contains(odd) || path.starts_with('/') {
            return;
        }
        let root = self.root.clone();
        self.text(folder, &path);
        self.text(&root, &path);
    }

    /// A file behind a folder is called by its path: the same words lead elsewhere from another folder.
    fn add(&mut self, folder: &str, path: &str, pattern: bool) {
        let Some(path) = joined(folder, path) else { return };
        // What a pattern has a meaning for in names is not asked for.
        if path.is_empty() || folder.contains(['*', '?', '[']) {
            return;
        }
        let name = path.clone().into_bytes();
        if self.includes.iter().all(|known| known.name != name) {
            self.includes.push(Include { places: vec![name.clone()], name, pattern, beside: false });
        }
    }

    /// The files of the same folder whose names end so.
    fn beside(&mut self, folder: &str, end: &str) {
        if folder.contains(['*', '?', '[']) {
            return;
        }
        let place = if folder.is_empty() { format!("*{end}") } else { format!("{folder}/*{end}") };
        // Somebody may call the folder as a module, too, which is to lead to all of it.
        let name = format!("beside {place}").into_bytes();
        self.includes.push(Include { name, places: vec![place.into_bytes()], pattern: true, beside: true });
    }
}

/// The texts of arguments of that name.
fn strings_behind<'t>(text: &'t [u8], name: &'t [u8]) -> impl Iterator<Item = &'t str> {
    memchr::memmem::find_iter(text, name).filter_map(move |at| {
        let rest = text[at + name.len()..].trim_ascii_start();
        quoted(rest.strip_prefix(b"=")?.trim_ascii_start())
    })
}

/// All texts in quotes, as far as that can be told without reading the whole.
fn strings(text: &[u8]) -> impl Iterator<Item = &str> {
    text.split(|byte| *byte == b'\n')
        .flat_map(|line| line.split(|byte| *byte == b'"').skip(1).step_by(2))
        .filter_map(|part| std::str::from_utf8(part).ok())
}

/// The text in quotes that bytes begin with, which may have expressions with quotes in it, and what is behind.
fn template(bytes: &[u8]) -> Option<(String, &[u8])> {
    let rest = bytes.strip_prefix(b"\"")?;
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        match &rest[at..] {
            [] | [b'\n', ..] | [b'\\', ..] => return None,
            [b'$', b'{', ..] => {
                depth += 1;
                at += 1;
            }
            [b'{', ..] if depth > 0 => depth += 1,
            [b'}', ..] if depth > 0 => depth -= 1,
            [b'"', ..] if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    Some((std::str::from_utf8(&rest[..at]).ok()?.to_owned(), &rest[at + 1..]))
}

/// A path in which what is computed may be anything: `${…}`, and `%s` in a text that is to be filled in.
fn pattern(path: &str) -> String {
    let (mut out, mut rest) = (String::new(), path);
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let (mut depth, mut end) = (0_usize, rest.len());
        for (n, c) in rest[at..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => {
                    end = at + n + 1;
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        out.push('*');
        rest = &rest[end..];
    }
    out.push_str(rest);
    out.replace("%s", "*").replace("%v", "*").replace("%d", "*")
}

/// The text in quotes that bytes begin with.
fn quoted(bytes: &[u8]) -> Option<&str> {
    let rest = bytes.strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\n', rest).filter(|end| rest[*end] == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn files_are_called_by_their_paths_from_the_root_of_the_side() {
        let text = br#"
module "a" { source = "../modules/a" }
module "b" { source = "terraform-aws-modules/vpc/aws" }
variable "x" {}
locals { y = file("${path.module}/y.txt"), z = file("/etc/passwd") }
"#;
        let found = of("stacks/main/m.tf", "stacks/main/m.tf", text);
        let shown: Vec<String> = found
            .iter()
            .filter(|include| !include.beside)
            .map(|include| {
                format!("{}{}", String::from_utf8_lossy(&include.name), if include.pattern { " *" } else { "" })
            })
            .collect();
        assert_eq!(
            shown,
            [
                "stacks/main/terraform.tfvars *",
                "stacks/main/terraform.tfvars.json *",
                "stacks/main/*.auto.tfvars *",
                "stacks/main/*.auto.tfvars.json *",
                "stacks/modules/a/*.tf *",
                "stacks/modules/a/*.tofu *",
                "stacks/modules/a/*.tf.json *",
                "stacks/modules/a/*.tofu.json *",
                "stacks/main/y.txt",
            ]
        );
    }
}
