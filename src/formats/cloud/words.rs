//! What the arguments of several providers have in common: protocols and ports as words.

use super::attributes::{Attributes, Known, port_range};
use super::line::{Condition, Line, Peer, Service};
use super::points::Direction;
use super::{Account, Lowering};
use crate::net::{Family, Set, protocol_number};
use crate::text::{Span, escape};
use std::sync::Arc;

/// A protocol: `Ok(None)` is any.
pub(super) type Protocol = Result<Option<u8>, Condition>;

/// A protocol by its name or number, in any case; what is among `any` is any. `None`: it is not there, or a gap.
///
/// Numbers are those of IANA, but for `ipip`: "ipip or 4" (OpenStack Networking API, "Security group rules"), as Linux has it.
pub(super) fn protocol(
    rule: &mut Attributes<'_>,
    name: &str,
    any: &[&str],
    lowering: &mut Lowering<'_, '_>,
) -> Option<Protocol> {
    match rule.text(name, lowering.account)? {
        Known::Not(name) => Some(Err(Condition::new(format!("the protocol is {name}")))),
        Known::Is(text) => {
            let lower = text.to_ascii_lowercase();
            if any.contains(&&*lower) {
                return Some(Ok(None));
            }
            let digits = !lower.is_empty() && lower.bytes().all(|byte| byte.is_ascii_digit());
            let number = match &*lower {
                "ipip" => Some(4),
                _ if digits => lower.parse().ok(),
                _ => protocol_number(&lower),
            };
            if number.is_none() {
                let reason = format!("there is no protocol `{}`", escape(text.as_bytes()));
                lowering.account.gap(rule.at, reason);
            }
            number.map(|number| Ok(Some(number)))
        }
    }
}

/// The packets of a protocol.
pub(super) fn service(protocol: Protocol) -> Service {
    match protocol {
        Ok(None) => Service::ANY,
        Ok(Some(number)) => Service::of(number),
        Err(condition) => Service::ANY.given(condition),
    }
}

/// ICMP where there is one word for that of both families: the examples of the providers that have no other let it in from
/// `::/0` (registry: `hcloud_firewall`, `digitalocean_firewall`).
pub(super) fn of_both_families(service: Service) -> Vec<Service> {
    match service.protocol {
        Some(1) => {
            let newer = Service { protocol: Some(58), ..service.clone() };
            vec![service.only(Family::Ipv4), newer.only(Family::Ipv6)]
        }
        Some(_) | None => vec![service],
    }
}

/// Whether a protocol has ports.
pub(super) const fn has_ports(protocol: &Protocol) -> bool {
    matches!(protocol, Ok(Some(6 | 17 | 33 | 132 | 136)))
}

/// Those to a port or range of ports that is written as a text; what is among `any` is all of them.
pub(super) fn to_ports(
    service: Service,
    ports: &Known<Arc<str>>,
    any: &[&str],
    at: Span,
    account: &mut Account,
) -> Service {
    match ports {
        Known::Not(name) => service.given(Condition::new(format!("the destination port is one of {name}"))),
        Known::Is(text) if any.contains(&&**text) => service,
        Known::Is(text) => match port_range(text) {
            Some((first, last)) => service.to(Set::range(first, last)),
            None => {
                account.gap(at, format!("`{}` is not a port or range of ports", escape(text.as_bytes())));
                service
            }
        },
    }
}

/// Those from a first to a last port, each of which may not be known.
pub(super) fn from_to(
    service: Service,
    first: &Known<i128>,
    last: &Known<i128>,
    at: Span,
    account: &mut Account,
) -> Service {
    match (first, last) {
        (Known::Is(first), Known::Is(last)) => match (u16::try_from(*first), u16::try_from(*last)) {
            (Ok(first), Ok(last)) if first <= last => service.to(Set::range(first.into(), last.into())),
            _ => {
                account.gap(at, format!("{first} to {last} are not ports"));
                service
            }
        },
        (first, last) => {
            let show = |known: &Known<i128>| match known {
                Known::Is(number) => number.to_string(),
                Known::Not(name) => name.clone(),
            };
            let (first, last) = (show(first), show(last));
            let text = if first == last { first } else { format!("from {first} to {last}") };
            service.given(Condition::new(format!("the destination port is {text}")))
        }
    }
}

/// A direction by one of two words, in any case.
pub(super) fn direction(
    rule: &mut Attributes<'_>,
    name: &str,
    [ingress, egress]: [&str; 2],
    lowering: &mut Lowering<'_, '_>,
) -> Option<Direction> {
    match rule.text(name, lowering.account) {
        Some(Known::Is(text)) if text.eq_ignore_ascii_case(ingress) => Some(Direction::Ingress),
        Some(Known::Is(text)) if text.eq_ignore_ascii_case(egress) => Some(Direction::Egress),
        Some(Known::Is(_) | Known::Not(_)) | None => {
            lowering.account.gap(rule.at, format!("the `{name}` is neither {ingress} nor {egress}, or not known"));
            None
        }
    }
}

/// Whether a rule lets packets pass, by one of two words, in any case.
pub(super) fn verb(
    rule: &mut Attributes<'_>,
    name: &str,
    [allow, deny]: [&str; 2],
    lowering: &mut Lowering<'_, '_>,
) -> Option<bool> {
    match rule.text(name, lowering.account) {
        Some(Known::Is(text)) if text.eq_ignore_ascii_case(allow) => Some(true),
        Some(Known::Is(text)) if text.eq_ignore_ascii_case(deny) => Some(false),
        Some(Known::Is(_) | Known::Not(_)) | None => {
            lowering.account.gap(rule.at, format!("the `{name}` is neither {allow} nor {deny}, or not known"));
            None
        }
    }
}

/// The end of a packet that rules of a direction are about: `source` or `destination`.
pub(super) const fn end_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "source",
        Direction::Egress => "destination",
    }
}

/// Gives a rule its peers: those at the far end, and anyone at the near one.
pub(super) fn between(line: &mut Line, direction: Direction, far: Vec<Peer>) {
    (line.sources, line.destinations) = match direction {
        Direction::Ingress => (far, vec![Peer::Any]),
        Direction::Egress => (vec![Peer::Any], far),
    };
}

/// A rule of which nothing is known: it may match anything.
pub(super) fn anything(at: Span) -> Line {
    let mut line = Line::new(true, at);
    line.sources = vec![Peer::Any];
    line.destinations = vec![Peer::Any];
    line.services = vec![Service::ANY];
    line
}
