//! Which base chains there can be.

use super::super::names;
use super::super::syntax::{Base, Family};
use crate::text::Span;

/// Refuses what nft and the kernel refuse about type, hook and devices.
pub(super) fn check(family: Family, base: Option<&Base<'_>>) -> Result<(), (Span, String)> {
    let Some(Base { at, kind, hook, devices, priority, offload: _ }) = base else { return Ok(()) };
    let known = match family {
        Family::Ip | Family::Ip6 => {
            matches!(&*hook.text, b"prerouting" | b"input" | b"forward" | b"output" | b"postrouting")
        }
        Family::Inet => {
            matches!(&*hook.text, b"prerouting" | b"input" | b"forward" | b"output" | b"postrouting" | b"ingress")
        }
        Family::Arp => matches!(&*hook.text, b"input" | b"output"),
        Family::Bridge => matches!(&*hook.text, b"prerouting" | b"input" | b"forward" | b"output" | b"postrouting"),
        Family::Netdev => matches!(&*hook.text, b"ingress" | b"egress"),
    };
    if !known {
        let reason = format!("the family {} has no hook `{}`: nft refuses the file", family.keyword(), hook.show());
        return Err((hook.at, reason));
    }
    let on_devices = matches!(&*hook.text, b"ingress" | b"egress");
    if on_devices && devices.is_empty() {
        return Err((*at, "a chain on this hook needs a device: nft refuses the file".to_owned()));
    }
    if let (false, Some(device)) = (on_devices, devices.first()) {
        return Err((device.at, "a chain on this hook has no devices: nft refuses the file".to_owned()));
    }
    let fits = match &*kind.text {
        b"filter" => true,
        b"nat" => {
            matches!(family, Family::Ip | Family::Ip6 | Family::Inet)
                && matches!(&*hook.text, b"prerouting" | b"input" | b"output" | b"postrouting")
        }
        b"route" => matches!(family, Family::Ip | Family::Ip6 | Family::Inet) && *hook.text == *b"output",
        _ => false,
    };
    if !fits {
        let (kind, hook, family) = (kind.show(), hook.show(), family.keyword());
        let reason = format!("no chain of type `{kind}` can be on the hook `{hook}` of {family}: nft refuses the file");
        return Err((*at, reason));
    }
    if let Some(name) = priority.name.as_deref() {
        let known: &[&[u8]] = match family {
            Family::Ip | Family::Ip6 | Family::Inet => {
                &[b"raw", b"mangle", b"dstnat", b"filter", b"security", b"srcnat"]
            }
            Family::Bridge => &[b"dstnat", b"filter", b"out", b"srcnat"],
            Family::Arp | Family::Netdev => &[b"filter"],
        };
        if !known.contains(&name) {
            let reason =
                format!("`{}` is no priority of {}: nft refuses the file", crate::text::escape(name), family.keyword());
            return Err((priority.at, reason));
        }
    }
    // Translations need connection tracking, which begins at -200.
    if *kind.text == *b"nat" && priority.name.is_none() && priority.offset <= -200 {
        let reason = "a chain of type nat needs a priority above -200: nft refuses the file".to_owned();
        return Err((priority.at, reason));
    }
    Ok(())
}

/// Whether two declarations of a base chain say the same.
pub(super) fn same(family: Family, known: &Base<'_>, base: &Base<'_>) -> bool {
    known.kind.text == base.kind.text
        && known.hook.text == base.hook.text
        && level(family, known) == level(family, base)
}

/// The priority as a number; names that stand for no number here are told apart by themselves.
fn level<'b>(family: Family, base: &'b Base<'_>) -> (i64, &'b [u8]) {
    let offset = base.priority.offset;
    match base.priority.name.as_deref() {
        None => (offset, b""),
        Some(name) => match names::priority(family, &base.hook.text, name) {
            Some(number) => (offset.saturating_add(number.into()), b""),
            None => (offset, name),
        },
    }
}
