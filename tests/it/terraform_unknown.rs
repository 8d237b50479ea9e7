//! What is not written in a configuration of Terraform is not taken for the same on both sides where what it depends on is not.

use crate::cli::{Ran, portcullis};
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

const POLICY: &str =
    "version: 1\nextends: [baseline]\nconfigurations:\n  aws: {files: [\"*.tf\"], format: terraform}\n";

/// Whether a change passes as one that changes nothing.
fn is_nothing(old: &[(&str, &str)], new: &[(&str, &str)]) -> bool {
    let ran = check(POLICY, old, new);
    let nothing = ran.out.starts_with("PASS: no finding, no semantic change");
    assert_eq!(nothing, ran.code == 0, "{}", ran.out);
    nothing
}

fn check(policy: &str, old: &[(&str, &str)], new: &[(&str, &str)]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    for (side, files) in [("old", old), ("new", new)] {
        for (name, text) in files {
            let path = folder.path().join(side).join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("made");
            std::fs::write(path, text).expect("written");
        }
    }
    std::fs::write(folder.path().join("policy.yaml"), policy).expect("written");
    portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "policy.yaml"])
}

/// A group that lets in ssh from the addresses of an expression.
fn group(addresses: &str, more: &str) -> String {
    format!(
        "{more}\nresource \"aws_security_group\" \"a\" {{\n  ingress {{\n    protocol = \"tcp\"\n    from_port = 22\n    to_port = 22\n    \
         cidr_blocks = {addresses}\n  }}\n}}\n"
    )
}

const FEW: &str = "{\"cidrs\": [\"10.0.0.0/8\"]}\n";
const MANY: &str = "{\"cidrs\": [\"0.0.0.0/0\"]}\n";

/// Addresses that are read from `nets.json`, and what is declared for that.
const READ: &[(&str, &str)] = &[
    ("jsondecode(file(\"nets.json\")).cidrs", ""),
    ("jsondecode(file(\"${path.module}/${var.env}.json\")).cidrs", "variable \"env\" { default = \"nets\" }"),
    ("jsondecode(file(\"${path.module}/${var.env}.json\")).cidrs", "variable \"env\" {}"),
    ("jsondecode(file(local.p)).cidrs", "locals { p = \"${path.module}/nets.json\" }"),
    ("jsondecode(file(join(\"/\", [path.module, \"nets.json\"]))).cidrs", ""),
    ("jsondecode(file(format(\"%s/%s.json\", path.module, \"nets\"))).cidrs", ""),
    ("jsondecode(file(\"${path.cwd}/nets.json\")).cidrs", ""),
    ("jsondecode(file(abspath(\"nets.json\"))).cidrs", ""),
    ("flatten([for f in fileset(path.module, \"*.json\") : jsondecode(file(f)).cidrs])", ""),
    ("[filemd5(\"nets.json\")]", ""),
    ("[filesha1(\"nets.json\")]", ""),
    ("[substr(filesha256(\"nets.json\"), 0, 8)]", ""),
    ("[filebase64(\"nets.json\")]", ""),
    (
        "jsondecode(templatefile(\"${path.module}/${var.env}.json\", {})).cidrs",
        "variable \"env\" { default = \"nets\" }",
    ),
    ("jsondecode(templatefile(\"${path.module}/nets.json\", var.names)).cidrs", "variable \"names\" {}"),
    (
        "jsondecode(data.local_file.c.content).cidrs",
        "data \"local_file\" \"c\" { filename = \"${path.module}/nets.json\" }",
    ),
    (
        "[data.external.c.result.cidr]",
        "data \"external\" \"c\" { program = [\"python3\", \"${path.module}/nets.json\"] }",
    ),
];

#[test]
fn a_file_that_is_read_is_compared_or_told_to_be_not() {
    for (addresses, more) in READ {
        let main = group(addresses, more);
        let main = main.as_str();
        assert!(
            !is_nothing(&[("main.tf", main), ("nets.json", FEW)], &[("main.tf", main), ("nets.json", MANY)]),
            "{main}"
        );
    }
    for (addresses, more) in &READ[..2] {
        let main = group(addresses, more);
        let files = [("main.tf", main.as_str()), ("nets.json", FEW)];
        assert!(is_nothing(&files, &files), "{main}");
    }
    let json = |file: &str| {
        format!(
            "{{\"locals\": {{\"p\": \"${{path.module}}/nets.json\"}}, \"resource\": {{\"aws_security_group\": {{\"a\": {{\"ingress\": \
             [{{\"protocol\": \"tcp\", \"from_port\": 22, \"to_port\": 22, \"cidr_blocks\": \"${{jsondecode(file({file})).cidrs}}\"}}]}}}}}}}}"
        )
    };
    for file in ["local.p", "join(\"/\", [path.module, \"nets.json\"])"] {
        let text = json(&file.replace('"', "\\\""));
        let policy = POLICY.replace("*.tf", "*.tf.json");
        let sides = [FEW, MANY].map(|nets| [("main.tf.json", text.as_str()), ("nets.json", nets)]);
        let ran = check(&policy, &sides[0], &sides[1]);
        assert!(ran.code != 0, "{text}: {}", ran.out);
    }
    let exists = group("fileexists(\"nets.json\") ? [\"0.0.0.0/0\"] : [\"10.0.0.0/8\"]", "");
    assert!(!is_nothing(&[("main.tf", &exists)], &[("main.tf", &exists), ("nets.json", FEW)]));
}

#[test]
fn a_module_reads_files_from_the_folder_of_the_root() {
    let inner = group("jsondecode(file(\"nets.json\")).cidrs", "");
    let main = ("main.tf", "module \"m\" { source = \"./m\" }\n");
    let files = |outer: &'static str, nearer: &'static str| {
        vec![main, ("m/group.tf", inner.as_str()), ("nets.json", outer), ("m/nets.json", nearer)]
    };
    assert!(!is_nothing(&files(FEW, FEW), &files(MANY, FEW)));
    assert!(is_nothing(&files(FEW, FEW), &files(FEW, MANY)));
}

/// Addresses that are not known and what they depend on, in which `@@` is something else on each side.
const COMPUTED: &[(&str, &str)] = &[
    ("[terraform_data.c.output]", "resource \"terraform_data\" \"c\" { input = \"10.0.0.@@/32\" }"),
    ("[aws_subnet.s.cidr_block]", "resource \"aws_subnet\" \"s\" { ipv4_netmask_length = @@ }"),
    ("aws_subnet.s[*].cidr_block", "resource \"aws_subnet\" \"s\" {\n  count = 2\n  ipv4_netmask_length = @@\n}"),
    (
        "[for s in aws_subnet.s : s.cidr_block]",
        "resource \"aws_subnet\" \"s\" {\n  count = 2\n  ipv4_netmask_length = @@\n}",
    ),
    (
        "values(aws_subnet.s)[*].cidr_block",
        "resource \"aws_subnet\" \"s\" {\n  for_each = toset([\"a\"])\n  ipv4_netmask_length = @@\n}",
    ),
    (
        "[aws_subnet.s[var.k].cidr_block]",
        "variable \"k\" {}\nresource \"aws_subnet\" \"s\" {\n  count = 2\n  ipv4_netmask_length = @@\n}",
    ),
    ("[\"10.0.0.${random_integer.c.result}/32\"]", "resource \"random_integer\" \"c\" {\n  min = @@\n  max = 9\n}"),
    ("[\"10.0.0.${random_integer.c.id}/32\"]", "resource \"random_integer\" \"c\" {\n  min = @@\n  max = 9\n}"),
    ("[\"${aws_instance.i.private_ip}/32\"]", "resource \"aws_instance\" \"i\" { subnet_id = \"s-@@\" }"),
    (
        "[data.aws_ssm_parameter.p.value]",
        "resource \"aws_ssm_parameter\" \"p\" {\n  name = \"/x\"\n  value = \"@@\"\n}\ndata \"aws_ssm_parameter\" \"p\" { name = \"/x\" }",
    ),
    (
        "[data.aws_ssm_parameter.p.value]",
        "resource \"null_resource\" \"p\" { triggers = { a = @@ } }\ndata \"aws_ssm_parameter\" \"p\" {\n  name = \"/x\"\n  \
         depends_on = [null_resource.p]\n}",
    ),
    (
        "[data.aws_ssm_parameter.p.value]",
        "data \"http\" \"n\" { url = \"http://example.com/@@\" }\ndata \"aws_ssm_parameter\" \"p\" { name = data.http.n.body }",
    ),
    ("[try(var.x.cidr, \"10.0.0.@@/32\")]", "variable \"x\" {}"),
    ("try(var.x.cidrs, [\"10.0.0.@@/32\"])", "variable \"x\" {}"),
    ("try(var.x[0].cidrs, var.x[1].cidrs, [\"10.0.0.@@/32\"])", "variable \"x\" {}"),
    ("[coalesce(var.x, \"10.0.0.@@/32\")]", "variable \"x\" {}"),
    ("[var.x.cidr]", "variable \"x\" { type = object({ cidr = optional(string, \"10.0.0.@@/32\") }) }"),
];

/// Likewise, where that says nothing of the addresses.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "[\"${aws_instance.i.private_ip}/32\"]",
        "resource \"aws_instance\" \"i\" {\n  subnet_id = \"s\"\n  tags = { a = \"@@\" }\n}",
    ),
    ("[\"10.0.0.0/8\"]", "resource \"aws_subnet\" \"s\" { ipv4_netmask_length = @@ }"),
    ("[try(var.x, \"10.0.0.@@/32\")]", "variable \"x\" {}"),
    ("[try(aws_subnet.s[0].cidr_block, \"10.0.0.@@/32\")]", "resource \"aws_subnet\" \"s\" { count = 1 }"),
];

#[test]
fn what_is_not_known_is_another_value_where_what_it_depends_on_is() {
    for (cases, wanted) in [(COMPUTED, false), (ELSEWHERE, true)] {
        for (addresses, more) in cases {
            let of = |side: &str| group(addresses, more).replace("@@", side);
            let (old, new) = (of("3"), of("4"));
            assert_eq!(is_nothing(&[("main.tf", &old)], &[("main.tf", &new)]), wanted, "{new}");
        }
    }
}

#[test]
fn an_entry_of_a_prefix_list_that_is_not_known_hides_no_other() {
    let with = |entry: &str, side: &str| {
        format!(
            "variable \"v\" {{}}\nresource \"aws_ec2_managed_prefix_list\" \"l\" {{\n  entry {{\n    cidr = \"10.0.0.{side}/32\"\n  }}\n{}}}\n{}\
             resource \"aws_security_group\" \"a\" {{\n  ingress {{\n    protocol = \"tcp\"\n    from_port = 22\n    to_port = 22\n    \
             prefix_list_ids = [aws_ec2_managed_prefix_list.l.id]\n  }}\n}}\n",
            if entry.starts_with("resource") { "" } else { entry },
            if entry.starts_with("resource") { entry } else { "" },
        )
    };
    let own = "resource \"aws_ec2_managed_prefix_list_entry\" \"e\" {\n  count = var.v\n  cidr = \"10.2.0.0/16\"\n  \
        prefix_list_id = aws_ec2_managed_prefix_list.l.id\n}\n";
    let dynamic = "  dynamic \"entry\" {\n    for_each = var.v\n    content {\n      cidr = entry.value\n    }\n  }\n";
    for entry in ["  entry {\n    cidr = var.v\n  }\n", dynamic, own] {
        let (old, new) = (with(entry, "3"), with(entry, "4"));
        assert!(!is_nothing(&[("main.tf", &old)], &[("main.tf", &new)]), "{new}");
        assert!(is_nothing(&[("main.tf", &old)], &[("main.tf", &old)]), "{old}");
    }
}

/// Types of resources that filter or balance, and are not computed.
const FILTERS: &[&str] = &[
    "aws_vpc_block_public_access_options",
    "aws_waf_web_acl",
    "aws_wafv2_web_acl",
    "aws_wafv2_web_acl_association",
    "azurerm_network_manager_admin_rule",
    "cloudflare_ruleset",
    "kubernetes_ingress_v1",
    "kubernetes_manifest",
    "kubernetes_network_policy",
    "kubernetes_network_policy_v1",
    "kubernetes_service",
    "nsxt_policy_security_policy",
    "oci_core_security_list",
    "openstack_fwaas_rule_v2",
    "ovh_iploadbalancing_tcp_farm",
    "panos_security_policy",
];

#[test]
fn a_change_of_what_filters_and_is_not_computed_is_told() {
    for (kinds, wanted) in
        [(FILTERS, false), (&["aws_s3_bucket_acl", "aws_wafv2_web_acl_logging_configuration"][..], true)]
    {
        for kind in kinds {
            let of = |side: &str| {
                group("[\"10.0.0.0/8\"]", &format!("resource \"{kind}\" \"x\" {{\n  a = \"{side}\"\n}}\n"))
            };
            assert_eq!(is_nothing(&[("main.tf", &of("3"))], &[("main.tf", &of("4"))]), wanted, "{kind}");
        }
    }
    let stack = |side: &str| {
        format!(
            "AWSTemplateFormatVersion: \"2010-09-09\"\nResources:\n  A: {{Type: AWS::WAFv2::WebACL, Properties: {{Scope: a{side}}}}}\n  \
             B: {{Type: AWS::WAFv2::WebACLAssociation, Properties: {{WebACLArn: b{side}}}}}\n"
        )
    };
    let ran = check(&STACKS, &[("stack.yaml", &stack("3"))], &[("stack.yaml", &stack("4"))]);
    assert!(ran.code != 0 && ran.out.matches("what it does to packets is not computed").count() >= 2, "{}", ran.out);
}

static STACKS: LazyLock<String> = LazyLock::new(|| {
    POLICY.replace("files: [\"*.tf\"], format: terraform", "files: [\"*.yaml\"], format: cloudformation")
});

/// Resources that say before what a filter stands.
const ATTACHED: &[(&str, &str)] = &[
    ("aws_network_acl", "subnet_ids = [\"s-@@\"]"),
    ("hcloud_firewall", "apply_to {\n    label_selector = \"@@\"\n  }"),
    ("digitalocean_firewall", "droplet_ids = [@@]"),
    ("digitalocean_firewall", "tags = [\"@@\"]"),
    ("digitalocean_droplet", "tags = [\"@@\"]"),
    ("aws_instance", "vpc_security_group_ids = [\"sg-@@\"]"),
    ("aws_network_interface", "security_groups = [\"sg-@@\"]"),
    ("aws_db_instance", "vpc_security_group_ids = [\"sg-@@\"]"),
    ("aws_launch_template", "network_interfaces {\n    security_groups = [\"sg-@@\"]\n  }"),
    ("aws_ecs_service", "network_configuration {\n    security_groups = [\"sg-@@\"]\n  }"),
    ("aws_lb", "security_groups = [\"sg-@@\"]"),
    ("aws_elb", "security_groups = [\"sg-@@\"]"),
    ("google_compute_instance", "tags = [\"@@\"]"),
    ("hcloud_server", "firewall_ids = [@@]"),
];

#[test]
fn where_a_filter_stands_is_compared_and_its_change_not_computed() {
    // As far as the line goes on.
    const TOLD: &str = "which hosts a firewall stands before is";
    let told = |format: &str, name: &str, text: &str| {
        let files = name.replace("a.", "*.");
        let policy =
            POLICY.replace("files: [\"*.tf\"], format: terraform", &format!("files: [\"{files}\"], format: {format}"));
        let (old, new) = (text.replace("@@", "3"), text.replace("@@", "4"));
        assert!(!check(&policy, &[(name, &old)], &[(name, &old)]).out.contains(TOLD), "{old}");
        let ran = check(&policy, &[(name, &old)], &[(name, &new)]);
        assert!(ran.code != 0 && ran.out.contains(TOLD), "{new}: {}", ran.out);
    };
    for (kind, argument) in ATTACHED {
        told("terraform", "a.tf", &format!("resource \"{kind}\" \"x\" {{\n  {argument}\n}}\n"));
    }
    let acl = "{\"NetworkAcls\": [{\"NetworkAclId\": \"acl-1\", \"Entries\": [], \"Associations\": [{\"SubnetId\": \"s-@@\"}]}]}";
    told("aws-api", "a.json", acl);
    for hosts in ["subnets", "networkInterfaces"] {
        let group = format!(
            "[{{\"name\": \"a\", \"type\": \"Microsoft.Network/networkSecurityGroups\", \"securityRules\": [], \
             \"{hosts}\": [{{\"id\": \"/s/@@\", \"resourceGroup\": \"x\"}}]}}]"
        );
        told("azure-api", "a.json", &group);
    }
    let host = "AWSTemplateFormatVersion: \"2010-09-09\"\nResources:\n  \
        I: {Type: AWS::EC2::Instance, Properties: {SecurityGroupIds: [sg-@@]}}\n";
    told("cloudformation", "a.yaml", host);
    // What else is said of a host is no matter.
    let of = |side: &str| {
        group(
            "[]",
            &format!(
                "resource \"aws_instance\" \"x\" {{\n  ami = \"{side}\"\n  vpc_security_group_ids = [\"sg-1\"]\n}}\n"
            ),
        )
    };
    assert!(is_nothing(&[("main.tf", &of("3"))], &[("main.tf", &of("4"))]));
    // That a host comes is no reason to be undecided, nor that one goes.
    let (without, with) = (group("[]", ""), of("3"));
    for (old, new) in [(&without, &with), (&with, &without)] {
        let ran = check(POLICY, &[("main.tf", old)], &[("main.tf", new)]);
        assert!(ran.code == 0 && ran.out.contains("attachment"), "{}", ran.out);
    }
}

#[test]
fn an_attribute_of_another_resource_of_a_template_is_another_one_where_that_is() {
    let stack = |size: &str, other: &str| {
        format!(
            "AWSTemplateFormatVersion: \"2010-09-09\"\nParameters: {{P: {{Type: String, Default: \"{size}\"}}, Q: {{Type: String, Default: {other}}}}}\n\
             Resources:\n  C: {{Type: \"Custom::Net\", Properties: {{ServiceToken: x, Size: !Ref P}}}}\n  D: {{Type: AWS::SQS::Queue, Properties: \
             {{QueueName: !Ref Q}}}}\n  G:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      GroupDescription: a\n      \
             SecurityGroupIngress: [{{IpProtocol: tcp, FromPort: 1, ToPort: 1, CidrIp: !GetAtt C.Cidr}}]\n"
        )
    };
    let ran = |old: &str, new: &str| check(&STACKS, &[("stack.yaml", old)], &[("stack.yaml", new)]);
    let changed = ran(&stack("1", "a"), &stack("2", "a"));
    assert!(changed.out.contains("1 configuration changed"), "{}", changed.out);
    let same = ran(&stack("1", "a"), &stack("1", "b"));
    assert!(same.out.contains("no semantic change"), "{}", same.out);
}
