//! What is not written in a configuration of Terraform is not taken for the same on both sides where what it depends on is not.

use crate::cli::portcullis;
use std::path::Path;
use tempfile::TempDir;

const POLICY: &str =
    "version: 1\nextends: [baseline]\nconfigurations:\n  aws: {files: [\"*.tf\"], format: terraform}\n";

/// Whether a change passes as one that changes nothing.
fn is_nothing(old: &[(&str, &str)], new: &[(&str, &str)]) -> bool {
    let folder = TempDir::new().expect("a folder");
    for (side, files) in [("old", old), ("new", new)] {
        for (name, text) in files {
            let path = folder.path().join(side).join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("made");
            std::fs::write(path, text).expect("written");
        }
    }
    std::fs::write(folder.path().join("policy.yaml"), POLICY).expect("written");
    let ran = portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "policy.yaml"]);
    let nothing = ran.out.starts_with("PASS: no finding, no semantic change");
    assert_eq!(nothing, ran.code == 0, "{}", ran.out);
    nothing
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
