//! What a provider computes depends on what the configuration says of the resource: an attribute that is not known is
//! another one where that is something else.

use super::eval::{Context, show_all};
use super::syntax::{Block, Body, Expr, Kind, Start, Step};
use super::world::{Copy, Module, World, block_name};
use crate::formats::data::value::{Object, Value, What};
use crate::text::hex;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Arguments that say nothing of what a cloud provider computes, but for attributes that are called after them.
const ABOUT: &[&str] = &["description", "labels", "tags", "tags_all", "timeouts"];
/// What the types of resources begin with that hold values of their own, which their arguments make.
const VALUES: &[&str] =
    &["archive_", "external", "http", "local_", "null_", "random_", "terraform_data", "time_", "tls_"];

/// What an attribute of a resource is called that is not known.
pub(super) fn name_of(address: &str, attribute: &str, mark: &str) -> String {
    let named = if is_identity(address, attribute) { "" } else { mark };
    format!("{address}.{attribute}{named}")
}

/// Whether an attribute says which resource it is, and is the same one whatever is said of that.
pub(super) fn is_identity(address: &str, attribute: &str) -> bool {
    let of_cloud = !address.split('.').any(|part| VALUES.iter().any(|start| part.starts_with(start)));
    let names = ["arn", "id", "name", "self_link", "urn"];
    of_cloud && (names.contains(&attribute) || attribute.ends_with("_id") || attribute.ends_with("_arn"))
}

/// The mark within the name of what else there is of a resource as a whole.
pub(super) fn within(like: &Value) -> &str {
    let mark = like.name_of_unknown().and_then(|name| name.rsplit_once(".*")).map_or("", |(_, mark)| mark);
    if mark.len() == MARK && mark.starts_with(" #") { mark } else { "" }
}

/// The length of a mark.
const MARK: usize = 18;

/// Tells apart what texts say.
pub(super) fn mark_of(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    format!(" #{}", hex(&digest[..8]))
}

/// A text that nothing else is equal to.
fn unlike() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("unlike #{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl<'m> Module<'m> {
    /// What tells the arguments of an instance of a resource from others; nothing if it has none.
    pub(super) fn mark(&self, world: &World<'m>, block: &'m Block, copy: &Copy) -> Arc<str> {
        let id = (block.kind_at, Arc::clone(&copy.key));
        if let Some(known) = self.marks.borrow().get(&id) {
            return Arc::clone(known);
        }
        world.uses(block.at);
        // While it is computed: what asks for it then depends on itself.
        self.marks.borrow_mut().insert(id.clone(), mark_of(&unlike()).into());
        let kind = block.labels.first().map_or("", |(kind, _)| kind);
        let without = if VALUES.iter().any(|start| kind.starts_with(start)) { &[][..] } else { ABOUT };
        let said = self.said(world, block, copy, without);
        let mark: Arc<str> = if said.is_empty() { "".into() } else { mark_of(&said).into() };
        self.marks.borrow_mut().insert(id, Arc::clone(&mark));
        mark
    }

    /// What the configuration says of an instance, but for some arguments.
    fn said(&self, world: &World<'m>, block: &'m Block, copy: &Copy, without: &[&str]) -> String {
        let arguments = block.body.arguments.iter().map(|argument| &*argument.name);
        let names: BTreeSet<&str> = arguments.chain(block.body.blocks.iter().filter_map(block_name)).collect();
        let mut out = String::new();
        for name in names.into_iter().filter(|name| !without.contains(name)) {
            let said = match self.argument_of(world, block, copy, name) {
                None => continue,
                Some(Ok(value)) if value.is_null() => continue,
                Some(Ok(value)) => show_all(&value),
                // What is wrong with it is told where it is in force.
                Some(Err(_)) => unlike(),
            };
            writeln!(out, "{name} = {said}").expect("writing to a String");
        }
        out
    }

    /// The attribute of a resource that its configuration gives it in another argument.
    pub(super) fn argument_behind<'n>(kind: &str, attribute: &'n str) -> &'n str {
        if kind == "terraform_data" && attribute == "output" { "input" } else { attribute }
    }
}

/// What a data source may find depends on the resources of this configuration that it refers to, and on those of the same type
/// that have a value in common with it.
pub(super) fn found_by<'m>(context: &Context<'_, 'm>, block: &'m Block, object: &Object) -> String {
    let Some((kind, _)) = block.labels.first() else { return String::new() };
    let mut out = BTreeSet::new();
    let mut referred = BTreeSet::new();
    references(&block.body, &mut referred);
    let mut wanted = BTreeSet::new();
    object.entries.iter().for_each(|entry| texts(&entry.value, &mut wanted));
    for module in context.world.beside(context.module) {
        let here = std::ptr::eq(&*module, context.module);
        for ((other, name), resource) in &module.declared.resources {
            let named = here && referred.contains(&((*other).to_owned(), (*name).to_owned()));
            let same = **other == **kind || kind.strip_suffix('s') == Some(*other);
            if !(named || same) {
                continue;
            }
            let Ok(expansion) = module.expansion(context.world, resource) else { continue };
            for copy in &expansion.copies {
                let mut mine = BTreeSet::new();
                for argument in &resource.body.arguments {
                    if let Some(Ok(value)) = module.argument_of(context.world, resource, copy, &argument.name) {
                        texts(&value, &mut mine);
                    }
                }
                if named || !mine.is_disjoint(&wanted) {
                    let said = module.said(context.world, resource, copy, &[]);
                    let address = context.world.address(&module, resource, &copy.key);
                    out.insert(format!(", {address}{}", mark_of(&said)));
                }
            }
        }
    }
    out.into_iter().collect()
}

/// The texts in a value, and the names of what is not known of it.
fn texts(value: &Value, out: &mut BTreeSet<Arc<str>>) {
    match &value.what {
        What::Null | What::Truth(_) | What::Number(_) => {}
        What::Text(text) if text.len() < 2 => {}
        What::Text(text) => drop(out.insert(Arc::clone(text))),
        What::Unknown(unknown) => drop(out.insert(Arc::clone(&unknown.0))),
        What::List(list) => {
            list.items.iter().for_each(|item| texts(item, out));
            list.more.iter().for_each(|more| texts(&more.like, out));
        }
        What::Object(object) => {
            object.entries.iter().for_each(|entry| texts(&entry.value, out));
            object.more.iter().for_each(|more| texts(&more.like, out));
        }
    }
}

/// The resources that a body names.
fn references(body: &Body, out: &mut BTreeSet<(String, String)>) {
    body.arguments.iter().for_each(|argument| named(&argument.value, out));
    body.blocks.iter().for_each(|block| references(&block.body, out));
}

fn named(expr: &Expr, out: &mut BTreeSet<(String, String)>) {
    if let Kind::Path(start, steps) = &expr.kind
        && let (Start::Name(kind), Some(Step::Attribute(name))) = (&**start, steps.first())
    {
        out.insert((kind.to_string(), name.to_string()));
    }
    expr.each(&mut |inner, _| named(inner, out));
}
