//! Security groups and their rules.

use super::{Reader, Referred};
use crate::formats::data::value::{Entry as Named, Value};
use crate::formats::data::{Keys, Node, Object};

const KIND: &str = "aws_security_group";

impl Reader<'_> {
    /// "SecurityGroup": `IpPermissions` are "the inbound rules", `IpPermissionsEgress` the outbound ones.
    pub(super) fn group(&mut self, node: Node<'_>) {
        let Some((mut group, id)) = self.opened(node, "GroupId") else { return };
        let mut body = Vec::new();
        let first = self.referred.len();
        for (key, name) in [("IpPermissions", "ingress"), ("IpPermissionsEgress", "egress")] {
            let entry = group.take_entry(key);
            let Some(whole) = entry.as_ref().map(|entry| entry.value) else {
                self.gap(node, format!("it has no `{key}`: the answer is not whole"));
                continue;
            };
            let blocks: Vec<Value> = self.values(entry, Self::permission);
            body.push(self.entry(name, whole, blocks));
        }
        for (key, name) in
            [("GroupName", "name"), ("Description", "description"), ("VpcId", "vpc_id"), ("Tags", "tags")]
        {
            body.extend(group.take(key).map(|node| self.named(name, node)));
        }
        let owner = group.take_entry("OwnerId");
        owner.iter().for_each(|entry| self.inert(entry, "not about packets"));
        let owner = owner.and_then(|entry| entry.value.text()).map(ToOwned::to_owned);
        self.referred.iter_mut().skip(first).for_each(|referred| referred.of = owner.clone());
        self.inert_keys(&mut group, &["SecurityGroupArn"], "not about packets");
        self.close(group);
        self.instance(KIND, &id, node, body);
    }

    /// "IpPermission": one protocol and range of ports, and lists of peers.
    fn permission(&mut self, node: Node<'_>) -> Value {
        let Some(mut permission) = self.open(node) else { return self.object(node, Vec::new()) };
        let mut body = Vec::new();
        for (key, name) in [("IpProtocol", "protocol"), ("FromPort", "from_port"), ("ToPort", "to_port")] {
            body.extend(permission.take(key).map(|node| self.named(name, node)));
        }
        let lists = [
            ("IpRanges", "CidrIp", "cidr_blocks"),
            ("Ipv6Ranges", "CidrIpv6", "ipv6_cidr_blocks"),
            ("PrefixListIds", "PrefixListId", "prefix_list_ids"),
            ("UserIdGroupPairs", "GroupId", "security_groups"),
        ];
        for (key, part, name) in lists {
            let items = self.values(permission.take_entry(key), |reader, item| reader.peer(item, part));
            body.push(self.entry(name, node, items));
        }
        // As EC2-Classic had it: groups beside each other.
        if let Some(entry) = permission.take_entry("Groups") {
            let items = self.values(Some(entry), |reader, item| reader.peer(item, "GroupId"));
            if !items.is_empty() {
                body.push(self.entry("groups", node, items));
            }
        }
        self.close(permission);
        self.object(node, body)
    }

    /// One peer, with its description.
    fn peer(&mut self, node: Node<'_>, part: &str) -> Value {
        let Some(mut object) = self.open(node) else { return self.object(node, Vec::new()) };
        let value = object.take(part);
        if part == "GroupId" {
            self.refer(value, &mut object);
        }
        let about = ["Description", "UserId", "VpcId", "VpcPeeringConnectionId", "PeeringStatus"];
        self.inert_keys(&mut object, &about, "about the peer, which its id tells");
        if value.is_some() {
            self.inert_keys(&mut object, &["GroupName"], "about the peer, which its id tells");
        }
        let value = value.or_else(|| object.take("GroupName").filter(|_| part == "GroupId"));
        self.close(object);
        match value {
            Some(value) => crate::formats::data::value_of(self.source, value),
            None => {
                self.gap(node, format!("it has no `{part}`"));
                self.object(node, Vec::new())
            }
        }
    }

    /// Notes which group is meant, and whose it is.
    fn refer(&mut self, group: Option<Node<'_>>, about: &mut Object<'_>) {
        let why = "about the peer, which its id tells";
        let [user, peering] = ["UserId", "VpcPeeringConnectionId"].map(|key| about.take_entry(key));
        [&user, &peering].into_iter().flatten().for_each(|entry| self.inert(entry, why));
        let Some((id, at)) = group.and_then(|group| Some((group.text()?.to_owned(), self.span(group)))) else { return };
        let user = user.and_then(|entry| entry.value.text()).map(ToOwned::to_owned);
        // "VpcPeeringConnectionId - the ID of the VPC peering connection, if applicable": it is of another VPC then.
        self.referred.push(Referred { id, at, of: None, user, elsewhere: peering.is_some() });
    }

    /// "SecurityGroupRule", as `describe-security-group-rules` lists them: of which group, and one peer.
    pub(super) fn rule(&mut self, node: Node<'_>) {
        let Some((mut rule, id)) = self.opened(node, "SecurityGroupRuleId") else { return };
        let Some(egress) = rule.take("IsEgress").and_then(Node::truth) else {
            return self.gap(node, "it does not say whether it is for egress");
        };
        let mut body: Vec<Named> = Vec::new();
        let names = [
            ("GroupId", "security_group_id"),
            ("IpProtocol", "ip_protocol"),
            ("FromPort", "from_port"),
            ("ToPort", "to_port"),
            ("CidrIpv4", "cidr_ipv4"),
            ("CidrIpv6", "cidr_ipv6"),
            ("PrefixListId", "prefix_list_id"),
            ("Description", "description"),
            ("Tags", "tags"),
        ];
        for (key, name) in names {
            body.extend(rule.take(key).map(|node| self.named(name, node)));
        }
        let owner = rule.take_entry("GroupOwnerId");
        owner.iter().for_each(|entry| self.inert(entry, "not about packets"));
        if let Some(referenced) = rule.take("ReferencedGroupInfo") {
            let mut info: Option<Object<'_>> = self.open(referenced);
            let group = info.as_mut().and_then(|info| info.take("GroupId"));
            let first = self.referred.len();
            if let Some(info) = &mut info {
                self.refer(group, info);
            }
            let owner = owner.as_ref().and_then(|entry| entry.value.text());
            self.referred.iter_mut().skip(first).for_each(|referred| referred.of = owner.map(ToOwned::to_owned));
            body.extend(group.map(|node| self.named("referenced_security_group_id", node)));
            if let Some(mut info) = info {
                let about = ["UserId", "VpcId", "VpcPeeringConnectionId", "PeeringStatus"];
                self.inert_keys(&mut info, &about, "about the peer, which its id tells");
                self.close(info);
            }
        }
        self.inert_keys(&mut rule, &["SecurityGroupRuleArn"], "not about packets");
        self.close(rule);
        let kind = if egress { "aws_vpc_security_group_egress_rule" } else { "aws_vpc_security_group_ingress_rule" };
        self.instance(kind, &id, node, body);
    }
}
