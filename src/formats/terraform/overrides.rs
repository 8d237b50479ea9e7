//! Files that change what other files of their folder say: `override.tf` and `*_override.tf`, in JSON likewise.
//!
//! developer.hashicorp.com, Terraform language, "Override Files".

use super::eval::Failure;
use super::parse::File;
use super::syntax::{Argument, Block, Body};
use super::world::block_name;
use crate::text::{Span, escape};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether a file is one that changes others: "named exactly `override.tf` or that ends in `_override.tf`", and OpenTofu has
/// `.tofu` likewise.
pub(super) fn is_override(name: &str) -> bool {
    let name = name.strip_suffix(".json").unwrap_or(name);
    let name = name.strip_suffix(".tf").or_else(|| name.strip_suffix(".tofu"));
    name.is_some_and(|name| name == "override" || name.ends_with("_override"))
}

/// What became of the text.
#[derive(Default)]
pub(super) struct Overridden {
    /// What counts no more, because a file says otherwise.
    pub(super) replaced: Vec<Span>,
    /// The blocks that say so.
    pub(super) merged: Vec<Span>,
    pub(super) comments: Vec<Span>,
}

/// Merges such a file into the others of its folder. "If more than one override file defines the same top-level block, the
/// overriding effect is compounded, with later blocks taking precedence … processed in lexicographical order": so hand them over
/// in that order.
pub(super) fn merge(file: File, others: &mut [&mut File], overridden: &mut Overridden, refused: &mut Vec<Failure>) {
    let File { body: Body { arguments, blocks }, comments, marks } = file;
    overridden.merged.extend(marks);
    overridden.comments.extend(comments);
    for argument in arguments {
        refused.push(Failure::new(argument.at, "an argument outside of any block"));
    }
    for block in blocks {
        overridden.merged.push(block.at);
        match &*block.kind {
            // "Each locals block defines a number of named values; overrides are applied on a value-by-value basis".
            "locals" if block.labels.is_empty() => locals(block, others, overridden, refused),
            "resource" | "data" | "module" | "variable" | "output" | "ephemeral" => {
                let is = |known: &&mut Block| known.kind == block.kind && labels(known) == labels(&block);
                let found = others.iter_mut().flat_map(|file| &mut file.body.blocks).find(is);
                match found {
                    Some(base) => one(base, block, overridden, refused),
                    None => {
                        let name = labels(&block).join(".");
                        let reason = format!("there is no `{name}` to override: terraform refuses it");
                        refused.push(Failure::new(block.kind_at, reason));
                    }
                }
            }
            // Providers and the settings of Terraform itself say nothing of packets, wherever they stand.
            "provider" | "terraform" => {}
            kind => {
                let kind = escape(kind.as_bytes());
                refused.push(Failure::new(block.kind_at, format!("a block `{kind}` overrides nothing")));
            }
        }
    }
}

fn labels(block: &Block) -> Vec<Arc<str>> {
    block.labels.iter().map(|(label, _)| Arc::clone(label)).collect()
}

fn locals(block: Block, others: &mut [&mut File], overridden: &mut Overridden, refused: &mut Vec<Failure>) {
    for argument in block.body.arguments {
        let all = others.iter_mut().flat_map(|file| &mut file.body.blocks).filter(|block| &*block.kind == "locals");
        let mut known = all.flat_map(|block| &mut block.body.arguments);
        match known.find(|known| known.name == argument.name) {
            Some(base) => overridden.replaced.push(std::mem::replace(base, argument).at),
            None => {
                let name = escape(argument.name.as_bytes());
                let reason = format!("there is no local value `{name}` to override: terraform refuses it");
                refused.push(Failure::new(argument.name_at, reason));
            }
        }
    }
}

/// "An attribute argument within the override block replaces any argument of the same name in the original block. Any nested blocks
/// within the override block replace all blocks of the same type in the original block. … The contents of nested configuration
/// blocks are not merged", but for `lifecycle`, which is merged argument by argument.
fn one(base: &mut Block, block: Block, overridden: &mut Overridden, refused: &mut Vec<Failure>) {
    let Body { arguments, blocks } = block.body;
    for argument in arguments {
        if &*argument.name == "depends_on" {
            refused.push(Failure::new(argument.at, "`depends_on` cannot be overridden: terraform refuses it"));
            continue;
        }
        replace(&mut base.body.arguments, argument, overridden);
    }
    let (lifecycle, blocks): (Vec<Block>, Vec<Block>) =
        blocks.into_iter().partition(|block| &*block.kind == "lifecycle");
    for block in lifecycle {
        match base.body.blocks.iter_mut().find(|known| &*known.kind == "lifecycle") {
            Some(known) => {
                for argument in block.body.arguments {
                    replace(&mut known.body.arguments, argument, overridden);
                }
                known.body.blocks.extend(block.body.blocks);
            }
            None => base.body.blocks.push(block),
        }
    }
    let kinds: BTreeSet<String> = blocks.iter().filter_map(block_name).map(ToOwned::to_owned).collect();
    base.body.blocks.retain(|known| {
        let gone = block_name(known).is_some_and(|name| kinds.contains(name));
        if gone {
            overridden.replaced.push(known.at);
        }
        !gone
    });
    base.body.blocks.extend(blocks);
}

fn replace(arguments: &mut Vec<Argument>, argument: Argument, overridden: &mut Overridden) {
    match arguments.iter_mut().find(|known| known.name == argument.name) {
        Some(base) => overridden.replaced.push(std::mem::replace(base, argument).at),
        None => arguments.push(argument),
    }
}
