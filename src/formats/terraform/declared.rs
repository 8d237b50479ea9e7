//! What the files of one folder declare together: a module (Terraform language: files and directories).

use super::eval::Failure;
use super::syntax::{Argument, Block, Body};
use super::types::{self, Type};
use crate::formats::data::value::Value;
use crate::text::{Span, escape};
use std::collections::{BTreeMap, HashMap};

/// A module as its files declare it.
#[derive(Debug, Default)]
pub(super) struct Declared<'m> {
    /// Its folder from the root of the side; empty: that itself.
    pub(super) folder: String,
    pub(super) variables: BTreeMap<&'m str, Variable<'m>>,
    pub(super) locals: HashMap<&'m str, &'m Argument>,
    pub(super) outputs: BTreeMap<&'m str, &'m Block>,
    pub(super) resources: HashMap<(&'m str, &'m str), &'m Block>,
    /// All of them, in the order of the files.
    pub(super) in_order: Vec<&'m Block>,
    pub(super) data: HashMap<(&'m str, &'m str), &'m Block>,
    pub(super) modules: BTreeMap<&'m str, &'m Block>,
    /// Those that say what an address was before.
    pub(super) moved: Vec<&'m Block>,
    /// What files of values assign to its variables, if it is a root.
    pub(super) assigned: HashMap<&'m str, Value>,
}

/// An input variable.
#[derive(Debug)]
pub(super) struct Variable<'m> {
    pub(super) block: &'m Block,
    pub(super) kind: Option<Type<'m>>,
    pub(super) sensitive: bool,
    pub(super) nullable: bool,
}

/// Where a module comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A folder of the same side.
    Local(String),
    /// Somewhere else: a registry, a repository, or out of the side.
    Remote(String),
    /// It is not said, or not as a text.
    Unsaid,
}

/// How many labels a block of that kind has; `None`: there are none of that kind, or any number of labels will do.
pub(super) fn labels_of(kind: &str) -> Option<usize> {
    Some(match kind {
        "resource" | "data" | "ephemeral" | "action" => 2,
        "variable" | "output" | "module" | "provider" | "check" => 1,
        "locals" | "terraform" | "moved" | "removed" | "import" => 0,
        _ => return None,
    })
}

impl<'m> Declared<'m> {
    /// Puts the files of a folder together; what Terraform refuses about that is added to `refused`.
    pub(super) fn of(folder: &str, bodies: impl Iterator<Item = &'m Body>, refused: &mut Vec<Failure>) -> Self {
        let mut declared = Self { folder: folder.to_owned(), ..Self::default() };
        for body in bodies {
            for argument in &body.arguments {
                refused.push(Failure::new(argument.at, "an argument outside of any block"));
            }
            for block in &body.blocks {
                declared.add(block, refused);
            }
        }
        declared
    }

    fn add(&mut self, block: &'m Block, refused: &mut Vec<Failure>) {
        let labels: Vec<&'m str> = block.labels.iter().map(|(label, _)| &**label).collect();
        let at = head(block);
        let twice = match (&*block.kind, &labels[..]) {
            ("variable", [name]) => {
                let variable = Variable::of(block, refused);
                self.variables.insert(name, variable).is_some()
            }
            ("locals", []) => {
                for argument in &block.body.arguments {
                    if self.locals.insert(&argument.name, argument).is_some() {
                        refused.push(Failure::new(argument.name_at, format!("`{}` is declared twice", argument.name)));
                    }
                }
                false
            }
            ("output", [name]) => self.outputs.insert(name, block).is_some(),
            ("resource", [kind, name]) => {
                self.in_order.push(block);
                self.resources.insert((kind, name), block).is_some()
            }
            ("data", [kind, name]) => self.data.insert((kind, name), block).is_some(),
            ("module", [name]) => self.modules.insert(name, block).is_some(),
            ("provider" | "check" | "ephemeral" | "action", _) => false,
            ("moved", []) => {
                self.moved.push(block);
                false
            }
            ("terraform" | "removed" | "import", []) => false,
            (kind, _) => {
                let reason = match labels_of(kind) {
                    Some(_) => format!("a block `{kind}` has another number of labels"),
                    None => format!("there are no blocks `{}` in Terraform files", escape(kind.as_bytes())),
                };
                refused.push(Failure::new(at, reason));
                false
            }
        };
        if twice {
            let name = labels.join(".");
            refused.push(Failure::new(at, format!("`{name}` is declared twice: terraform refuses it")));
        }
    }

    /// Where the module comes from that a block calls.
    pub(super) fn source_of(&self, block: &Block) -> Source {
        let Some(source) = block.body.argument("source").and_then(|argument| argument.value.literal_text()) else {
            return Source::Unsaid;
        };
        if !(source.starts_with("./") || source.starts_with("../")) {
            return Source::Remote(source.to_owned());
        }
        joined(&self.folder, source).map_or_else(|| Source::Remote(source.to_owned()), Source::Local)
    }

    /// What `path.module` is: the folder as it is reached from that of the root module.
    pub(super) fn path_from(&self, root: &str) -> String {
        if self.folder == root {
            return ".".to_owned();
        }
        let parts =
            |path: &'_ str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let (here, root) = (parts(&self.folder), parts(root));
        let common = here.iter().zip(&root).take_while(|(a, b)| a == b).count();
        let up = root[common..].iter().map(|_| "..".to_owned());
        up.chain(here[common..].iter().cloned()).collect::<Vec<_>>().join("/")
    }
}

impl<'m> Variable<'m> {
    fn of(block: &'m Block, refused: &mut Vec<Failure>) -> Self {
        let kind = match block.body.argument("type").map(|argument| types::read(&argument.value)) {
            Some(Ok(kind)) => Some(kind),
            Some(Err(failure)) => {
                refused.push(failure);
                None
            }
            None => None,
        };
        let truth = |name: &str| block.body.argument(name).and_then(|argument| argument.value.literal_truth());
        Self {
            block,
            kind,
            sensitive: block.body.argument("sensitive").is_some() && truth("sensitive") != Some(false),
            nullable: truth("nullable") != Some(false),
        }
    }
}

/// The first line of a block: its kind and labels.
pub(super) fn head(block: &Block) -> Span {
    let end = block.labels.last().map_or(block.kind_at.end, |(_, at)| at.end);
    Span { end: end.max(block.kind_at.end), ..block.kind_at }
}

/// A path behind a folder without `.` and `..`; `None`: it leads out of the side.
pub(super) fn joined(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
