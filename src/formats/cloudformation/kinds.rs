//! Types of resources, and those of Terraform that describe the same.

/// What a type of resource is to us.
pub(super) enum Kind {
    /// It filters packets, or says what they are filtered by.
    Read(&'static Shape),
    /// It is not read further than its name, which the types of Terraform tell what to do about.
    Named(String),
    /// It makes other resources.
    Makes(&'static str),
    /// What it does is in nobody's documentation but its author's.
    Foreign,
}

/// How the properties of a resource are called as arguments of Terraform.
pub(super) struct Shape {
    pub(super) kind: &'static str,
    pub(super) arguments: &'static [(&'static str, &'static str)],
    /// Properties that are objects whose parts are arguments of the resource itself.
    pub(super) parts: &'static [(&'static str, &'static [(&'static str, &'static str)])],
    /// Properties that are lists of blocks.
    pub(super) blocks: &'static [(&'static str, &'static [(&'static str, &'static str)])],
}

const RULE: &[(&str, &str)] = &[
    ("IpProtocol", "protocol"),
    ("FromPort", "from_port"),
    ("ToPort", "to_port"),
    ("CidrIp", "cidr_blocks"),
    ("CidrIpv6", "ipv6_cidr_blocks"),
    ("Description", "description"),
    ("SourcePrefixListId", "prefix_list_ids"),
    ("DestinationPrefixListId", "prefix_list_ids"),
    ("SourceSecurityGroupId", "security_groups"),
    ("SourceSecurityGroupName", "security_groups"),
    ("DestinationSecurityGroupId", "security_groups"),
];

const SINGLE: &[(&str, &str)] = &[
    ("GroupId", "security_group_id"),
    ("GroupName", "security_group_id"),
    ("IpProtocol", "ip_protocol"),
    ("FromPort", "from_port"),
    ("ToPort", "to_port"),
    ("CidrIp", "cidr_ipv4"),
    ("CidrIpv6", "cidr_ipv6"),
    ("Description", "description"),
    ("SourcePrefixListId", "prefix_list_id"),
    ("DestinationPrefixListId", "prefix_list_id"),
    ("SourceSecurityGroupId", "referenced_security_group_id"),
    ("SourceSecurityGroupName", "referenced_security_group_id"),
    ("DestinationSecurityGroupId", "referenced_security_group_id"),
];

static SHAPES: &[(&str, Shape)] = &[
    (
        "AWS::EC2::SecurityGroup",
        Shape {
            kind: "aws_security_group",
            arguments: &[
                ("GroupName", "name"),
                ("GroupDescription", "description"),
                ("VpcId", "vpc_id"),
                ("Tags", "tags"),
            ],
            parts: &[],
            blocks: &[("SecurityGroupIngress", RULE), ("SecurityGroupEgress", RULE)],
        },
    ),
    (
        "AWS::EC2::SecurityGroupIngress",
        Shape { kind: "aws_vpc_security_group_ingress_rule", arguments: SINGLE, parts: &[], blocks: &[] },
    ),
    (
        "AWS::EC2::SecurityGroupEgress",
        Shape { kind: "aws_vpc_security_group_egress_rule", arguments: SINGLE, parts: &[], blocks: &[] },
    ),
    (
        "AWS::EC2::NetworkAcl",
        Shape { kind: "aws_network_acl", arguments: &[("VpcId", "vpc_id"), ("Tags", "tags")], parts: &[], blocks: &[] },
    ),
    (
        "AWS::EC2::NetworkAclEntry",
        Shape {
            kind: "aws_network_acl_rule",
            arguments: &[
                ("NetworkAclId", "network_acl_id"),
                ("Egress", "egress"),
                ("RuleNumber", "rule_number"),
                ("RuleAction", "rule_action"),
                ("Protocol", "protocol"),
                ("CidrBlock", "cidr_block"),
                ("Ipv6CidrBlock", "ipv6_cidr_block"),
            ],
            parts: &[
                ("PortRange", &[("From", "from_port"), ("To", "to_port")]),
                ("Icmp", &[("Type", "icmp_type"), ("Code", "icmp_code")]),
            ],
            blocks: &[],
        },
    ),
    (
        "AWS::EC2::PrefixList",
        Shape {
            kind: "aws_ec2_managed_prefix_list",
            arguments: &[
                ("PrefixListName", "name"),
                ("AddressFamily", "address_family"),
                ("MaxEntries", "max_entries"),
                ("Tags", "tags"),
            ],
            parts: &[],
            blocks: &[("Entries", &[("Cidr", "cidr"), ("Description", "description")])],
        },
    ),
];

/// What the lists of blocks of resources are called as arguments of Terraform.
pub(super) fn block_name(property: &str) -> &'static str {
    match property {
        "SecurityGroupIngress" => "ingress",
        "SecurityGroupEgress" => "egress",
        _ => "entry",
    }
}

/// Types whose names do not tell what Terraform calls them.
const NAMES: &[(&str, &str)] = &[
    ("AWS::AutoScaling::AutoScalingGroup", "aws_autoscaling_group"),
    ("AWS::EC2::SubnetNetworkAclAssociation", "aws_network_acl_association"),
    ("AWS::ElastiCache::SecurityGroup", "aws_elasticache_security_group"),
    ("AWS::NetworkFirewall::Firewall", "aws_networkfirewall_firewall"),
    ("AWS::NetworkFirewall::FirewallPolicy", "aws_networkfirewall_firewall_policy"),
    ("AWS::NetworkFirewall::RuleGroup", "aws_networkfirewall_rule_group"),
    ("AWS::RDS::DBSecurityGroup", "aws_db_security_group"),
    ("AWS::Redshift::ClusterSecurityGroup", "aws_redshift_security_group"),
];

/// What a type is.
pub(super) fn kind(name: &str) -> Kind {
    if let Some((_, shape)) = SHAPES.iter().find(|(known, _)| *known == name) {
        return Kind::Read(shape);
    }
    if let Some((_, known)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Kind::Named((*known).to_owned());
    }
    match name {
        "AWS::CloudFormation::Stack" | "AWS::CloudFormation::StackSet" => {
            return Kind::Makes("a stack in the stack: its template is read from elsewhere; judge it by itself");
        }
        _ if name.ends_with("::MODULE") => return Kind::Makes("a module: what it is made of is not in the template"),
        _ if name.starts_with("AWS::Serverless::") => {
            return Kind::Makes("a macro makes other resources of it; expand the template first");
        }
        "AWS::CloudFormation::CustomResource" => return Kind::Foreign,
        _ => {}
    }
    let parts: Vec<&str> = name.split("::").collect();
    match parts.as_slice() {
        ["AWS", service, resource] if service.starts_with("WAF") => {
            Kind::Named(format!("aws_{}_{}", service.to_ascii_lowercase(), words(resource)))
        }
        ["AWS", service, resource] => {
            let balancer = if service.starts_with("ElasticLoadBalancing") { "lb_" } else { "" };
            Kind::Named(format!("aws_{}_{balancer}{}", words(service), words(resource)))
        }
        _ => Kind::Foreign,
    }
}

/// `VPCEndpoint` as `vpc_endpoint`.
fn words(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (n, letter) in letters.iter().enumerate() {
        let before = n.checked_sub(1).and_then(|n| letters.get(n));
        let starts = letter.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || letters.get(n + 1).is_some_and(|next| next.is_lowercase())
            });
        if starts {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}
