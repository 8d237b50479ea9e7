//! Which other files a file needs: those of its folder, of the modules that it calls, of values, and those that its
//! functions read.

use super::declared::joined;
use super::json;
use crate::formats::Include;

/// What the names of the files of a module end with, those in JSON last.
const MODULES: [&str; 4] = [".tf", ".tofu", ".tf.json", ".tofu.json"];

/// What a file of that path needs, as far as it is written out.
pub(super) fn of(file: &str, text: &[u8]) -> Vec<Include> {
    let mut found = Found::default();
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
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
        json::texts(text, &mut |name, text| {
            if name == "source" {
                found.module(folder, text);
            }
            found.files(folder, text.as_bytes());
        });
    } else {
        strings_behind(text, b"source").for_each(|path| found.module(folder, path));
        found.files(folder, text);
    }
    found.includes
}

#[derive(Default)]
struct Found {
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

    /// The files that functions read.
    fn files(&mut self, folder: &str, text: &[u8]) {
        for at in memchr::memmem::find_iter(text, b"file(") {
            let rest = text[at + b"file(".len()..].trim_ascii_start();
            let Some(path) = quoted(rest) else { continue };
            let path =
                path.strip_prefix("${path.module}/").or_else(|| path.strip_prefix("${path.root}/")).unwrap_or(path);
            if !path.contains("${") && !path.starts_with('/') {
                self.add(folder, path, false);
            }
        }
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
        let found = of("stacks/main/m.tf", text);
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
