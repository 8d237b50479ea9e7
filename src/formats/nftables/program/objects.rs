//! Which named objects and flow tables there can be.

use super::super::syntax::{CtExpectation, CtTimeout, Expression, Flowtable, Kind, Name, Object, ObjectData};
use super::super::types;
use super::Done;
use crate::text::Span;

/// Refuses an object that nft or the kernel refuses for what it lacks.
pub(super) fn check(object: &Object<'_>) -> Done {
    let name = object.path.name.at;
    let refused = |at: Span, reason: &str| Err((at, format!("{reason}: nft refuses the file")));
    match &object.data {
        ObjectData::CtExpectation(CtExpectation { protocol, l3proto: _, dport, timeout, size }) => {
            let lacks = protocol.is_none()
                || dport.as_ref().is_none_or(is_zero)
                || timeout.is_none_or(|time| time == 0)
                || size.is_none_or(|size| size == 0);
            if lacks {
                refused(name, "missing options (a protocol, and a port, a timeout and a size above 0)")
            } else {
                Ok(())
            }
        }
        ObjectData::CtHelper { kind, protocol, l3proto: _ } if kind.is_none() || protocol.is_none() => {
            refused(name, "Could not process rule: Numerical result out of range: a helper needs a type and a protocol")
        }
        ObjectData::CtTimeout(CtTimeout { protocol, l3proto: _, policy }) => {
            let states = states(protocol.as_ref());
            if let Some((state, _)) = policy.iter().find(|(state, _)| !states.contains(&&*state.text)) {
                return refused(state.at, "invalid state for this protocol");
            }
            if protocol.is_some() {
                return Ok(());
            }
            refused(name, "Could not process rule: Operation not supported: a timeout needs a protocol")
        }
        ObjectData::Limit(limit) if limit.is_none_or(|limit| limit.rate == 0) => {
            refused(name, "Could not process rule: Invalid argument: a limit needs a rate above 0")
        }
        ObjectData::CtHelper { .. }
        | ObjectData::Limit(_)
        | ObjectData::Counter { .. }
        | ObjectData::Quota(_)
        | ObjectData::Secmark(_)
        | ObjectData::Synproxy(_) => Ok(()),
    }
}

/// Refuses a flow table on a hook that cannot have one.
pub(super) fn check_flowtable(flowtable: &Flowtable<'_>) -> Done {
    match &flowtable.hook {
        Some((hook, _)) if *hook.text != *b"ingress" => {
            Err((flowtable.path.name.at, format!("invalid hook {}: nft refuses the file", hook.show())))
        }
        Some(_) | None => Ok(()),
    }
}

fn is_zero(port: &Expression<'_>) -> bool {
    let Kind::Word(text) = &port.resolved().kind else { return false };
    std::str::from_utf8(text).ok().and_then(types::number) == Some(0)
}

/// The states that have a timeout; nothing else is tracked so than these two protocols.
fn states(protocol: Option<&Name<'_>>) -> &'static [&'static [u8]] {
    match protocol.map(|protocol| &*protocol.text) {
        Some(b"tcp") => &[
            b"syn_sent",
            b"syn_recv",
            b"established",
            b"fin_wait",
            b"close_wait",
            b"last_ack",
            b"time_wait",
            b"close",
            b"syn_sent2",
            b"retrans",
            b"unack",
        ],
        Some(b"udp") => &[b"unreplied", b"replied"],
        Some(_) | None => &[],
    }
}
