//! Network ACLs and their entries.

use super::Reader;
use crate::formats::data::value::{Entry as Named, Value};
use crate::formats::data::{Keys, Kind, Node, value_of};
use crate::text::Span;

/// The number of the rule with the asterisk, which denies what no other rule decides.
const ASTERISK: u64 = 32767;

impl Reader<'_> {
    /// "NetworkAcl".
    pub(super) fn acl(&mut self, node: Node<'_>) {
        let Some((mut acl, id)) = self.opened(node, "NetworkAclId") else { return };
        let mut blocks: [Vec<Value>; 2] = [Vec::new(), Vec::new()];
        let entries = acl.take_entry("Entries");
        match entries.as_ref().map(|entry| entry.value.list()) {
            Some(Some(items)) => {
                for item in items {
                    if let Some((egress, block)) = self.acl_entry(item) {
                        blocks[usize::from(egress)].push(block);
                    }
                }
            }
            Some(None) | None => self.gap(node, "it has no list of `Entries`: the answer is not whole"),
        }
        let [ingress, egress] = blocks;
        let mut body = vec![self.entry("ingress", node, ingress), self.entry("egress", node, egress)];
        for (key, name) in [("VpcId", "vpc_id"), ("Tags", "tags")] {
            body.extend(acl.take(key).map(|node| self.named(name, node)));
        }
        if let Some(associations) = acl.take("Associations").filter(|node| node.kind() != Kind::Null) {
            let subnets = associations.list().into_iter().flatten().filter_map(|item| self.subnet(item)).collect();
            let at = self.span(associations);
            let name = Span { end: at.start, ..at };
            body.push(Named { name: "subnet_ids".into(), at: name, value: Value::of_list(subnets, at) });
        }
        self.inert_keys(&mut acl, &["IsDefault", "OwnerId"], "not about packets");
        self.close(acl);
        self.instance("aws_network_acl", &id, node, body);
    }

    /// "NetworkAclAssociation".
    fn subnet(&mut self, node: Node<'_>) -> Option<Value> {
        let mut association = self.open(node)?;
        let subnet = association.take("SubnetId").map(|subnet| value_of(self.source, subnet));
        let told = ["NetworkAclAssociationId", "NetworkAclId"];
        self.inert_keys(&mut association, &told, "the list that it is in tells it");
        self.close(association);
        if subnet.is_none() {
            self.gap(node, "it has no `SubnetId`");
        }
        subnet
    }

    /// "NetworkAclEntry"; `None`: the one with the asterisk, which is always there.
    fn acl_entry(&mut self, node: Node<'_>) -> Option<(bool, Value)> {
        let mut entry = self.open(node)?;
        let Some(egress) = entry.take("Egress").and_then(Node::truth) else {
            self.gap(node, "it does not say whether it is for egress");
            return None;
        };
        let number = entry.take("RuleNumber");
        let action = entry.take("RuleAction");
        if number.and_then(Node::natural) == Some(ASTERISK) && action.and_then(Node::text) == Some("deny") {
            self.account.claim(self.span(node), crate::formats::Disposition::Inert("what is denied otherwise"));
            return None;
        }
        let mut body = Vec::new();
        body.extend(number.map(|node| self.named("rule_no", node)));
        body.extend(action.map(|node| self.named("action", node)));
        for (key, name) in [("Protocol", "protocol"), ("CidrBlock", "cidr_block"), ("Ipv6CidrBlock", "ipv6_cidr_block")]
        {
            body.extend(entry.take(key).map(|node| self.named(name, node)));
        }
        for (key, parts) in [
            ("PortRange", [("From", "from_port"), ("To", "to_port")]),
            ("IcmpTypeCode", [("Type", "icmp_type"), ("Code", "icmp_code")]),
        ] {
            let Some(range) = entry.take(key).filter(|range| range.kind() != Kind::Null) else { continue };
            let Some(mut object) = self.open(range) else { continue };
            for (key, name) in parts {
                body.extend(object.take(key).map(|node| self.named(name, node)));
            }
            self.close(object);
        }
        self.close(entry);
        Some((egress, self.object(node, body)))
    }
}
