//! What `terraform validate` refuses before it computes anything, as far as it changes what is there.

use super::declared::{Declared, Source, head};
use super::eval::Failure;
use super::syntax::{Block, Body, Expr, Kind, Start, Step};
use crate::model::Reference;
use crate::text::{Span, escape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is wrong with the modules.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) refused: Vec<Failure>,
    pub(super) undefined: Vec<Reference>,
}

/// Looks at a module.
pub(super) fn module<'m>(
    declared: &Declared<'m>,
    bodies: impl Iterator<Item = &'m Body>,
    folders: &BTreeMap<String, Declared<'_>>,
    checked: &mut Checked,
) {
    let mut checker = Checker { declared, folders, checked, said: BTreeSet::new(), names: Vec::new() };
    for body in bodies {
        for block in &body.blocks {
            checker.block(block);
        }
    }
}

struct Checker<'c, 'm> {
    declared: &'c Declared<'m>,
    folders: &'c BTreeMap<String, Declared<'m>>,
    checked: &'c mut Checked,
    /// What was said to be undeclared.
    said: BTreeSet<String>,
    /// The names that may be used besides.
    names: Vec<Arc<str>>,
}

/// Arguments in which names do not stand for values.
fn is_no_value(name: &str) -> bool {
    matches!(name, "provider" | "providers" | "ignore_changes" | "depends_on" | "replace_triggered_by")
}

impl Checker<'_, '_> {
    fn refuse(&mut self, at: Span, reason: impl Into<String>) {
        self.checked.refused.push(Failure::new(at, reason));
    }

    fn block(&mut self, block: &Block) {
        let body = &block.body;
        match &*block.kind {
            "moved" | "removed" | "import" | "terraform" | "check" => return,
            "variable" => return self.variable(body),
            "resource" | "data" | "module" => {
                if let (Some(_), Some(each)) = (body.argument("count"), body.argument("for_each")) {
                    self.refuse(each.at, "`count` and `for_each` exclude one another");
                }
                if &*block.kind == "module" {
                    self.call(block);
                }
                let names = [("count", "count"), ("each", "for_each")];
                for (name, argument) in names {
                    if body.argument(argument).is_some() {
                        self.names.push(name.into());
                    }
                }
            }
            _ => {}
        }
        self.body(body);
        self.names.clear();
    }

    fn variable(&mut self, body: &Body) {
        if let Some(default) = body.argument("default") {
            self.expr(&default.value);
        }
    }

    /// The arguments of a module that is at hand are its variables.
    fn call(&mut self, block: &Block) {
        let at = head(block);
        let Source::Local(folder) = self.declared.source_of(block) else {
            if self.declared.source_of(block) == Source::Unsaid {
                self.refuse(at, "`source` has to be a text that is written out");
            }
            return;
        };
        let Some(called) = self.folders.get(&folder) else { return };
        let meta = ["source", "version", "count", "for_each", "providers", "depends_on"];
        for argument in &block.body.arguments {
            if !meta.contains(&&*argument.name) && !called.variables.contains_key(&*argument.name) {
                let name = escape(argument.name.as_bytes());
                self.checked
                    .refused
                    .push(Failure::new(argument.name_at, format!("the module has no variable `{name}`")));
            }
        }
        for (name, variable) in &called.variables {
            if variable.block.body.argument("default").is_none() && block.body.argument(name).is_none() {
                let name = escape(name.as_bytes());
                self.checked
                    .refused
                    .push(Failure::new(at, format!("the variable `{name}` of the module has no value")));
            }
        }
    }

    fn body(&mut self, body: &Body) {
        for argument in &body.arguments {
            if !is_no_value(&argument.name) {
                self.expr(&argument.value);
            }
        }
        for block in &body.blocks {
            let labels = if matches!(&*block.kind, "dynamic" | "provisioner") { 1 } else { 0 };
            if block.labels.len() != labels {
                let kind = escape(block.kind.as_bytes());
                self.refuse(head(block), format!("a block `{kind}` has another number of labels"));
            }
            if &*block.kind == "dynamic" {
                self.dynamic(block);
            } else if matches!(&*block.kind, "provisioner" | "connection" | "postcondition") {
                let names = self.names.len();
                self.names.push("self".into());
                self.body(&block.body);
                self.names.truncate(names);
            } else {
                self.body(&block.body);
            }
        }
    }

    fn dynamic(&mut self, block: &Block) {
        let at = head(block);
        let Block { labels, body, .. } = block;
        let [(label, _)] = &labels[..] else { return };
        let iterator = match body.argument("iterator") {
            Some(argument) => match argument.value.as_name() {
                Some(name) => name.into(),
                None => return self.refuse(argument.at, "`iterator` is a name"),
            },
            None => Arc::clone(label),
        };
        match body.argument("for_each") {
            Some(each) => self.expr(&each.value),
            None => self.refuse(at, "a `dynamic` block without `for_each`: terraform refuses it"),
        }
        for argument in &body.arguments {
            if !matches!(&*argument.name, "for_each" | "iterator" | "labels") {
                let reason = format!("`{}` has no place in a `dynamic` block", escape(argument.name.as_bytes()));
                self.refuse(argument.name_at, reason);
            }
        }
        for inner in body.blocks.iter().filter(|inner| &*inner.kind != "content") {
            let reason = format!("a block `{}` has no place in a `dynamic` block", escape(inner.kind.as_bytes()));
            self.refuse(head(inner), reason);
        }
        for inner in body.blocks_of("content").filter(|inner| !inner.labels.is_empty()) {
            self.refuse(head(inner), "a block `content` has no labels");
        }
        let contents: Vec<&Block> = body.blocks_of("content").collect();
        let [content] = contents[..] else {
            let reason = if contents.is_empty() { "without `content`" } else { "with several blocks `content`" };
            return self.refuse(at, format!("a `dynamic` block {reason}: terraform refuses it"));
        };
        self.names.push(iterator);
        self.body(&content.body);
        self.names.pop();
    }

    fn expr(&mut self, expr: &Expr) {
        if let Kind::Path(start, steps) = &expr.kind
            && let Start::Name(name) = &**start
            && !self.names.contains(name)
        {
            let mut parts = steps.iter().map_while(|step| match &step {
                Step::Attribute(name) => Some(&**name),
                Step::Index(_) | Step::AttributeSplat | Step::FullSplat => None,
            });
            self.reference(name, parts.next(), parts.next(), expr.at);
        }
        expr.each(&mut |inner, names| {
            let known = self.names.len();
            self.names.extend(names.iter().map(|name| Arc::clone(name)));
            self.expr(inner);
            self.names.truncate(known);
        });
    }

    fn reference(&mut self, name: &str, second: Option<&str>, third: Option<&str>, at: Span) {
        let declared = self.declared;
        let (kind, address, is_known): (&'static str, String, bool) = match (name, second, third) {
            ("var", Some(name), _) => ("variable", format!("var.{name}"), declared.variables.contains_key(name)),
            ("local", Some(name), _) => ("local", format!("local.{name}"), declared.locals.contains_key(name)),
            ("module", Some(name), _) => ("module", format!("module.{name}"), declared.modules.contains_key(name)),
            ("data", Some(kind), Some(name)) => {
                ("data", format!("data.{kind}.{name}"), declared.data.contains_key(&(kind, name)))
            }
            ("path" | "terraform" | "ephemeral", _, _) => return,
            ("each" | "count" | "self", _, _) => {
                let reason = format!("`{name}` has no meaning here: terraform refuses it");
                if self.said.insert(format!("{name} at {}", at.start)) {
                    self.refuse(at, reason);
                }
                return;
            }
            ("resource", Some(kind), Some(name)) | (kind, Some(name), _) => {
                ("resource", format!("{kind}.{name}"), declared.resources.contains_key(&(kind, name)))
            }
            (name, None, _) => {
                let name = escape(name.as_bytes());
                return self.refuse(at, format!("`{name}` stands for nothing: a reference has at least two parts"));
            }
        };
        if is_known {
            return;
        }
        let address = escape(address.as_bytes());
        if self.said.insert(address.clone()) {
            self.refuse(at, format!("`{address}` is not declared: terraform refuses it"));
        }
        self.checked.undefined.push(Reference { kind, address, origin: at });
    }
}
