//! Which other files a file needs: those of the modules that it calls, of values, and those that its functions read.

use super::declared::joined;
use crate::formats::Include;

/// What a file of that path needs, as far as it is written out.
pub(super) fn of(file: &str, text: &[u8]) -> Vec<Include> {
    let mut found = Found::default();
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    if !file.ends_with(".tf") {
        return found.includes;
    }
    for path in strings_behind(text, b"source") {
        if path.starts_with("./") || path.starts_with("../") {
            for files in ["*.tf", "*.tf.json"] {
                found.add(folder, &format!("{path}/{files}"), true);
            }
        }
    }
    if memchr::memmem::find(text, b"variable").is_some() {
        for files in ["terraform.tfvars", "*.auto.tfvars"] {
            found.add(folder, files, true);
        }
    }
    for name in [&b"file("[..], b"templatefile("] {
        for at in memchr::memmem::find_iter(text, name) {
            let rest = text[at + name.len()..].trim_ascii_start();
            if let Some(path) = quoted(rest) {
                let path =
                    path.strip_prefix("${path.module}/").or_else(|| path.strip_prefix("${path.root}/")).unwrap_or(path);
                if !path.contains("${") && !path.starts_with('/') {
                    found.add(folder, path, false);
                }
            }
        }
    }
    found.includes
}

#[derive(Default)]
struct Found {
    includes: Vec<Include>,
}

impl Found {
    /// A file behind a folder is called by its path: the same words lead elsewhere from another folder.
    fn add(&mut self, folder: &str, path: &str, pattern: bool) {
        let Some(path) = joined(folder, path) else { return };
        // What a pattern has a meaning for in names is not asked for.
        if path.is_empty() || folder.contains(['*', '?', '[']) {
            return;
        }
        let name = path.clone().into_bytes();
        if self.includes.iter().all(|known| known.name != name) {
            self.includes.push(Include { places: vec![name.clone()], name, pattern });
        }
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
            .map(|include| {
                format!("{}{}", String::from_utf8_lossy(&include.name), if include.pattern { " *" } else { "" })
            })
            .collect();
        assert_eq!(
            shown,
            [
                "stacks/modules/a/*.tf *",
                "stacks/modules/a/*.tf.json *",
                "stacks/main/terraform.tfvars *",
                "stacks/main/*.auto.tfvars *",
                "stacks/main/y.txt",
            ]
        );
    }
}
