//! Data sources whose results depend on more than their arguments.

use super::declared::head;
use super::eval::{self, Context, Failure, Scope};
use super::marks;
use super::syntax::Block;
use super::world::World;
use crate::formats::data::value::{Object, Value, What};
use crate::model;
use crate::text::{escape, hex};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// The data sources that something asked for: what they find depends on what they say, on the files that they read and on
/// resources that are made.
pub(super) fn objects(world: &World<'_>) -> Vec<model::Object> {
    let mut said = BTreeSet::new();
    let mut objects = Vec::new();
    loop {
        // What one says may ask for others.
        let mut next = world.data();
        next.retain(|(address, _, _)| said.insert(address.clone()));
        if next.is_empty() {
            break;
        }
        for (address, module, block) in next {
            let context = Context { world, module: &module, scope: &Scope::NONE };
            let object = context.body(&block.body, false, None);
            let mut content = files(&context, block, &object);
            content.push_str(&marks::found_by(&context, block, &object));
            let body = Value::new(What::Object(Arc::new(object)), block.at);
            let content = escape(format!("{}{content}", eval::show_all(&body)).as_bytes());
            let uncomputed = Some("what a data source finds is not known");
            let address = escape(address.as_bytes());
            objects.push(model::Object { uncomputed, ..model::Object::new("data", address, content, block.at) });
        }
    }
    objects.sort_by(|a, b| a.address.cmp(&b.address));
    objects
}

/// The files that a data source reads, in words that are equal exactly if they hold the same. One that is not at hand is told.
fn files(context: &Context<'_, '_>, block: &Block, object: &Object) -> String {
    let mut out = String::new();
    let Some((kind, _)) = block.labels.first() else { return out };
    let (wanted, all): (Vec<&Value>, bool) = match &**kind {
        "local_file" | "local_sensitive_file" => (object.get("filename").into_iter().collect(), true),
        "external" => match object.get("program") {
            Some(program) => (program.list().map_or_else(|| vec![program], |list| list.items.iter().collect()), false),
            None => (Vec::new(), false),
        },
        _ => return out,
    };
    let folder = object.get("working_dir").and_then(Value::as_text);
    for value in wanted {
        let path = value.as_text();
        let found = path.as_ref().and_then(|path| {
            let behind = folder.as_ref().and_then(|folder| context.file(&format!("{folder}/{path}")));
            behind.or_else(|| context.file(path))
        });
        match (found, path) {
            (Some(found), _) => {
                let digest = Sha256::digest(found.text.as_bytes());
                write!(out, ", #{}", hex(&digest[..8])).expect("writing to a String");
            }
            // Of a program that is called the words that are no paths within the tree are what they say.
            (None, Some(path)) if !all && !is_within(&path) => {}
            (None, path) => {
                let shown = path.filter(|_| !value.sensitive).map(|path| format!(": \"{}\"", escape(path.as_bytes())));
                let reason = format!("its file is not among what is compared{}", shown.unwrap_or_default());
                context.world.refuse(&Failure::new(head(block), reason));
            }
        }
    }
    out
}

/// Whether a word of a command looks like a file beside the configuration.
fn is_within(word: &str) -> bool {
    const SCRIPTS: [&str; 9] = [".sh", ".py", ".rb", ".js", ".pl", ".ts", ".php", ".jq", ".json"];
    let plain = !word.starts_with(['/', '-', '~']) && !word.contains(char::is_whitespace);
    plain && !word.contains("://") && (word.contains('/') || SCRIPTS.iter().any(|end| word.ends_with(end)))
}
