//! What became of the text of a file.

use super::parse::File;
use super::syntax::{Block, Body, Expr, Key};
use super::world::{World, block_name, is_ignored, is_meta_block};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::cloud;
use crate::text::Span;
use std::collections::BTreeSet;

/// Accounts for a file; `there` are the blocks of which there are instances.
pub(super) fn claim(file: &File, world: &World<'_>, is_root: bool, there: &BTreeSet<Span>, account: &mut Account) {
    let File { body, comments, marks } = file;
    if let Some(at) = marks {
        account.claim(*at, Disposition::Modelled);
    }
    for comment in comments {
        account.claim(*comment, Disposition::Inert("comment"));
    }
    for argument in &body.arguments {
        // It is refused.
        account.claim(argument.at, Disposition::Modelled);
    }
    for block in &body.blocks {
        top(block, world, is_root, there, account);
    }
}

fn top(block: &Block, world: &World<'_>, is_root: bool, there: &BTreeSet<Span>, account: &mut Account) {
    let Block { kind, body, at, .. } = block;
    let disposition = match &**kind {
        "resource" => {
            let relevant =
                block.labels.first().is_some_and(|(kind, _)| cloud::matters(kind) || !attaching(kind, body).is_empty());
            if !relevant && world.is_used(*at) {
                Disposition::Opaque("what the provider computes of it")
            } else if !relevant {
                Disposition::Inert("not a firewall")
            } else if there.contains(at) {
                meta(body, account);
                empty(body, world, account);
                Disposition::Modelled
            } else {
                Disposition::Inert("there is no instance of it")
            }
        }
        "module" => {
            for name in ["version", "providers", "depends_on"] {
                note(body, name, Disposition::Inert("says nothing of packets"), account);
            }
            if there.contains(at) { Disposition::Modelled } else { Disposition::Inert("there is no instance of it") }
        }
        "locals" => {
            for argument in &body.arguments {
                let used = world.is_used(argument.at);
                account.claim(argument.at, if used { Disposition::Modelled } else { Disposition::Inert("not used") });
            }
            Disposition::Modelled
        }
        "variable" if world.is_used(*at) => {
            for name in ["description", "ephemeral"] {
                note(body, name, Disposition::Inert("says nothing of packets"), account);
            }
            if let Some(default) = body.argument("default").filter(|default| !world.is_used(default.at)) {
                account.claim(default.at, Disposition::Inert("not used"));
            }
            for name in ["type", "nullable", "sensitive"] {
                note(body, name, Disposition::Opaque("what values it takes"), account);
            }
            for validation in body.blocks_of("validation") {
                account.claim(validation.at, Disposition::Opaque("what values it takes"));
            }
            Disposition::Modelled
        }
        "output" if world.is_used(*at) => {
            for name in ["description", "depends_on", "ephemeral", "sensitive"] {
                note(body, name, Disposition::Inert("says nothing of packets"), account);
            }
            for precondition in body.blocks_of("precondition") {
                account.claim(precondition.at, Disposition::Opaque("what values it takes"));
            }
            Disposition::Modelled
        }
        "output" if is_root => Disposition::Inert("output"),
        "variable" | "output" => Disposition::Inert("not used"),
        "data" if world.is_used(*at) => Disposition::Opaque("what a data source finds"),
        "data" => Disposition::Inert("not used"),
        "ephemeral" => Disposition::Inert("nothing lasting"),
        "provider" | "terraform" | "check" | "action" => Disposition::Inert("no resource"),
        "moved" => Disposition::Inert("says what an address was before"),
        "import" => Disposition::Inert("takes over what is there already"),
        "removed" => {
            let kept = body.blocks_of("lifecycle").filter_map(|block| block.body.argument("destroy"));
            if kept.into_iter().any(|destroy| destroy.value.literal_truth() != Some(true)) {
                account.gap(*at, "what is removed here stays as it is, without being declared any more");
            }
            Disposition::Inert("says what to do with what is declared no more")
        }
        // It is refused.
        _ => Disposition::Modelled,
    };
    account.claim(*at, disposition);
}

/// The arguments and blocks of a resource that is no firewall in which it says which ones stand before it.
pub(super) fn attaching<'b>(kind: &str, body: &'b Body) -> Vec<&'b str> {
    fn says(kind: &str, body: &Body) -> bool {
        body.arguments.iter().any(|argument| cloud::attaches(kind, &argument.name) || holds(kind, &argument.value))
            || body.blocks.iter().any(|block| {
                block_name(block).is_some_and(|name| cloud::attaches(kind, name)) || says(kind, &block.body)
            })
    }
    // Some providers take objects where others have blocks.
    fn holds(kind: &str, value: &Expr) -> bool {
        let keys = value.object().into_iter().flatten();
        let named = |key: &Key| matches!(key, Key::Name(name, _) if cloud::attaches(kind, name));
        keys.into_iter().any(|(key, value)| named(key) || holds(kind, value))
            || value.tuple().into_iter().flatten().any(|item| holds(kind, item))
    }
    let arguments =
        body.arguments.iter().filter(|argument| cloud::attaches(kind, &argument.name) || holds(kind, &argument.value));
    let mut found: Vec<&str> = arguments.map(|argument| &*argument.name).collect();
    for block in &body.blocks {
        let Some(name) = block_name(block).filter(|name| !is_meta_block(name)) else { continue };
        if cloud::attaches(kind, name) || says(kind, &block.body) {
            found.push(name);
        }
    }
    found
}

/// What every resource may say besides its own arguments.
fn meta(body: &Body, account: &mut Account) {
    note(body, "depends_on", Disposition::Inert("the order of changes"), account);
    note(body, "provider", Disposition::Opaque("which account or region"), account);
    const IGNORED: Disposition = Disposition::Inert("its changes are not applied");
    for argument in body.arguments.iter().filter(|argument| is_ignored(body, &argument.name)) {
        account.claim(argument.at, IGNORED);
    }
    for block in &body.blocks {
        if block_name(block).is_some_and(|name| !is_meta_block(name) && is_ignored(body, name)) {
            account.claim(block.at, IGNORED);
        }
    }
    for block in body.blocks_of("lifecycle") {
        account.claim(block.at, Disposition::Inert("how it is changed"));
    }
    for kind in ["provisioner", "connection"] {
        for block in body.blocks_of(kind) {
            account.claim(block.at, Disposition::Opaque("commands that are run"));
        }
    }
}

/// Blocks that `dynamic` makes none of.
fn empty(body: &Body, world: &World<'_>, account: &mut Account) {
    for block in &body.blocks {
        if &*block.kind == "dynamic" && !world.is_used(block.at) {
            account.claim(block.at, Disposition::Inert("it makes no block"));
        }
        empty(&block.body, world, account);
    }
}

fn note(body: &Body, name: &str, disposition: Disposition, account: &mut Account) {
    if let Some(argument) = body.argument(name) {
        account.claim(argument.at, disposition);
    }
}
