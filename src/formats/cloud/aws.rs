//! Amazon EC2 security groups and network ACLs.
//!
//! registry: `aws_security_group`, `aws_security_group_rule`, `aws_vpc_security_group_ingress_rule`,
//! `aws_vpc_security_group_egress_rule`, `aws_default_security_group`, `aws_network_acl`, `aws_network_acl_rule`,
//! `aws_default_network_acl`, `aws_ec2_managed_prefix_list`; Amazon EC2 API, `IpPermission` and `NetworkAclEntry`;
//! Amazon VPC User Guide, "Security group rules", "Network ACLs".

mod acl;
mod group;

use super::attributes::{Known, messages};
use super::line::{Condition, Service};
use super::{Account, Lowering, Mine};
use crate::net::{Set, protocol_number};
use crate::text::{Span, escape};
use std::sync::Arc;

pub(super) const KINDS: &[&str] = &[
    "aws_security_group",
    "aws_default_security_group",
    "aws_security_group_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_vpc_security_group_egress_rule",
    "aws_network_acl",
    "aws_default_network_acl",
    "aws_network_acl_rule",
    "aws_ec2_managed_prefix_list",
    "aws_ec2_managed_prefix_list_entry",
];

pub(super) fn lower(lowering: &mut Lowering<'_, '_>, mine: &Mine<'_>) {
    group::lower(lowering, mine);
    acl::lower(lowering, mine);
}

/// What a rule says of protocol and ports.
struct Asked {
    protocol: Option<Known<Arc<str>>>,
    from: Option<Known<i128>>,
    to: Option<Known<i128>>,
    /// ICMP type and code, where they are not written as ports.
    message: Option<[Option<Known<i128>>; 2]>,
}

/// The packets that a rule asks for. "Specifying -1 or a protocol number other than tcp, udp, icmp, or icmpv6 allows
/// traffic on all ports, regardless of any ports you specify"; for ICMP the ports are type and code, -1 is any.
fn service(asked: Asked, at: Span, account: &mut Account) -> Option<Service> {
    let Asked { protocol, from, to, message } = asked;
    let refuse = |reason: String, account: &mut Account| {
        account.gap(at, format!("{reason}: EC2 refuses it"));
        None
    };
    let protocol = match protocol {
        Some(Known::Is(name)) => name,
        Some(Known::Not(name)) => {
            return Some(Service::ANY.given(Condition::new(format!("the protocol is {name}"))));
        }
        None => return refuse("the rule has no protocol".to_owned(), account),
    };
    let number = match &*protocol.to_ascii_lowercase() {
        "-1" | "all" => return Some(Service::ANY),
        name => match name.parse::<u8>() {
            Ok(number) if name.bytes().all(|byte| byte.is_ascii_digit()) => number,
            Ok(_) | Err(_) => match protocol_number(name) {
                Some(number) => number,
                None => return refuse(format!("there is no protocol `{}`", escape(name.as_bytes())), account),
            },
        },
    };
    match number {
        1 | 58 => {
            let [kind, code] = message.unwrap_or([from, to]);
            if number == 1 && (kind.is_none() || code.is_none()) {
                return refuse("a rule for ICMP has no type or no code".to_owned(), account);
            }
            Some(messages(Service::of(number), kind.as_ref(), code.as_ref(), at, account))
        }
        6 | 17 => match (from, to) {
            (Some(Known::Is(from)), Some(Known::Is(to))) => match (u16::try_from(from), u16::try_from(to)) {
                (Ok(from), Ok(to)) if from <= to => Some(Service::of(number).to(Set::range(from.into(), to.into()))),
                _ => refuse(format!("{from} to {to} are not ports"), account),
            },
            (Some(from), Some(to)) => {
                let show = |known: &Known<i128>| match known {
                    Known::Is(number) => number.to_string(),
                    Known::Not(name) => name.clone(),
                };
                let (from, to) = (show(&from), show(&to));
                let text = if from == to { from } else { format!("from {from} to {to}") };
                Some(Service::of(number).given(Condition::new(format!("the destination port is {text}"))))
            }
            (Some(_) | None, None) | (None, Some(_)) => {
                refuse("a rule for tcp or udp has no ports".to_owned(), account)
            }
        },
        _ => Some(Service::of(number)),
    }
}
