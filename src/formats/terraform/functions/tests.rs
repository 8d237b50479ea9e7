use super::encoding::json;
use crate::formats::terraform::declared::Declared;
use crate::formats::terraform::eval::{Context, Evaluated, Scope, show};
use crate::formats::terraform::moves::Moves;
use crate::formats::terraform::parse;
use crate::formats::terraform::world::{Texts, World};
use crate::text::SourceMap;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Expressions and what Terraform 1.11 says they are, in JSON: `terraform console`. Behind a `?`: they
/// stay unknown here.
const EXPRESSIONS: &str = include_str!("expressions.txt");

/// The value of an expression in a module that declares nothing else.
fn evaluated(expression: &str) -> Evaluated {
    let text = format!("locals {{\n  x = {expression}\n}}\n");
    let mut sources = SourceMap::default();
    let source = sources.add(b"x.tf", text.clone().into()).expect("small");
    let file = parse::file(source, text.as_bytes()).expect("an expression");
    let mut refused = Vec::new();
    let mut modules = BTreeMap::new();
    modules.insert(String::new(), Declared::of("", [&file.body].into_iter(), &mut refused));
    let none = Texts::new();
    let moves = Moves::default();
    let world = World::new(&modules, &none, &moves);
    let declared = modules.get("").expect("it was put there");
    let module = world.root(declared);
    let context = Context { world: &world, module: &module, scope: &Scope::NONE };
    context.eval(&declared.locals["x"].value)
}

fn shown(expression: &str) -> String {
    match evaluated(expression) {
        Ok(value) => json(&value).unwrap_or_else(|| format!("? {}", show(&value))),
        Err(failure) => format!("refused: {}", failure.reason()),
    }
}

#[test]
fn expressions_are_what_terraform_says() {
    let mut wrong = Vec::new();
    for line in EXPRESSIONS.lines() {
        let (expression, wanted) = line.rsplit_once("  =>  ").expect("two columns");
        let found = shown(expression);
        let right = match wanted {
            "refused" => found.starts_with("refused"),
            "unknown" => found.starts_with("? "),
            known if known.starts_with("? ") => found.starts_with("? "),
            json => found == json,
        };
        if !right {
            wrong.push(format!("{expression}  =>  {found}, not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Networks as lists of bits, for computing with them in the plainest way.
fn bits(address: u128, width: usize) -> Vec<bool> {
    (0..width).map(|n| address >> (width - 1 - n) & 1 == 1).collect()
}

fn number(bits: &[bool]) -> u128 {
    bits.iter().fold(0, |number, bit| number << 1 | u128::from(*bit))
}

fn written(bits: &[bool]) -> String {
    let value = number(bits);
    if bits.len() == 32 {
        return std::net::Ipv4Addr::from(u32::try_from(value).expect("32 bits")).to_string();
    }
    std::net::Ipv6Addr::from(value).to_string()
}

proptest! {
    #[test]
    fn networks_are_cut_as_their_bits_are(
        address: u128, wide: bool, length in 0_usize..=128, longer in 0_usize..=40, place: u128,
    ) {
        let width = if wide { 128 } else { 32 };
        let length = length % (width + 1);
        let longer = longer.min(width - length);
        let address = bits(address, width);
        let prefix = &address[..length];
        let within = bits(place, longer);
        let whole: Vec<bool> =
            prefix.iter().chain(&within).copied().chain(std::iter::repeat(false)).take(width).collect();
        // Addresses that IPv6 has for IPv4 are written otherwise, and computed otherwise by Terraform.
        prop_assume!(!wide || prefix.iter().any(|bit| *bit));
        let call = format!("cidrsubnet(\"{}/{length}\", {longer}, {})", written(&address), number(&within));
        prop_assert_eq!(shown(&call), format!("\"{}/{}\"", written(&whole), length + longer), "{}", call);

        let rest = bits(place, width - length);
        let host: Vec<bool> = prefix.iter().chain(&rest).copied().collect();
        let offset = number(&rest);
        if offset <= u128::try_from(i128::MAX).expect("positive") {
            let call = format!("cidrhost(\"{}/{length}\", {offset})", written(&address));
            prop_assert_eq!(shown(&call), format!("\"{}\"", written(&host)), "{}", call);
        }
    }

    #[test]
    fn networks_that_are_cut_one_after_another_do_not_overlap(
        address: u32, length in 0_u32..=16, longer in proptest::collection::vec(1_u32..=12, 1..6),
    ) {
        let list = longer.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let call = format!("cidrsubnets(\"{}/{length}\", {list})", std::net::Ipv4Addr::from(address));
        let found = shown(&call);
        // The plainest way: the first network of that size that begins behind all before.
        let first = u64::from(address) >> (32 - length) << (32 - length);
        let end = first + (1_u64 << (32 - length));
        let mut next = first;
        let mut wanted = Vec::new();
        for longer in &longer {
            let size = 1_u64 << (32 - length - longer);
            let start = (0..).map(|n| first + n * size).find(|start| *start >= next).expect("there is no end");
            next = start + size;
            let start = u32::try_from(start % (1 << 32)).expect("32 bits");
            wanted.push(format!("\"{}/{}\"", std::net::Ipv4Addr::from(start), length + longer));
        }
        if next <= end {
            prop_assert_eq!(found, format!("[{}]", wanted.join(",")), "{}", call);
        } else {
            prop_assert!(found.starts_with("refused"), "{}", found);
        }
    }
}
