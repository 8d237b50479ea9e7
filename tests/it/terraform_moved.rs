//! Resources and modules of Terraform that are only called otherwise, and texts that are made of templates.

use crate::cli::portcullis;
use tempfile::TempDir;

const POLICY: &str = "version: 1\nconfigurations:\n  aws: {files: [\"**/*.tf\"], format: terraform}\n\
    checks:\n  - {check: deletion-limit, count: 0}\n  - {check: exposed-ports, from: any, services: [tcp/22]}\n";

/// What the gate says of a change of files: its exit code, and the report on one line.
fn checked(base: &[(&str, &str)], head: &[(&str, &str)]) -> (u8, String) {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("portcullis.yaml"), POLICY).expect("written");
    for (side, files) in [("old", base), ("new", head)] {
        crate::folder::write(&folder.path().join(side), files);
    }
    let ran = portcullis(folder.path(), &[], &["check", "--old", "old", "--new", "new", "--policy", "portcullis.yaml"]);
    // Lines are broken where they are too long.
    (ran.code, ran.out.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn group(name: &str, more: &str) -> String {
    format!(
        r#"
resource "aws_security_group" "{name}" {{
  {more}
  ingress {{
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["10.0.0.0/8"]
  }}
  ingress {{
    protocol  = "tcp"
    from_port = 22
    to_port   = 22
    self      = true
  }}
}}
resource "aws_security_group_rule" "of_{name}" {{
  security_group_id        = aws_security_group.{name}{}.id
  type                     = "ingress"
  protocol                 = "udp"
  from_port                = 53
  to_port                  = 53
  source_security_group_id = aws_security_group.{name}{}.id
}}
"#,
        if more.contains("count") { "[0]" } else { "" },
        if more.contains("count") { "[0]" } else { "" },
    )
}

fn moved(from: &str, to: &str) -> String {
    format!("moved {{\n  from = {from}\n  to   = {to}\n}}\n")
}

/// A change of one file.
fn change(base: &str, head: &str) -> (u8, String) {
    checked(&[("main.tf", base)], &[("main.tf", head)])
}

#[track_caller]
fn changes_nothing((code, said): (u8, String)) {
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("newly") && !said.contains("removed"), "{said}");
}

#[track_caller]
fn is_blocked((code, said): (u8, String)) {
    assert_eq!(code, 1, "{said}");
}

#[test]
fn a_renamed_resource_is_neither_deleted_nor_added() {
    let (web, front) = (group("web", ""), group("front", ""));
    let rule = moved("aws_security_group_rule.of_web", "aws_security_group_rule.of_front");
    let told = format!("{front}{}{rule}", moved("aws_security_group.web", "aws_security_group.front"));
    changes_nothing(change(&web, &told));
    // Untold it is.
    is_blocked(change(&web, &front));
    // What it lets pass is judged all the same.
    is_blocked(change(&web, &told.replace("\"10.0.0.0/8\"]", "\"10.0.0.0/8\", \"0.0.0.0/0\"]").replace("443", "22")));
    // It may be forgotten later that it was called otherwise.
    changes_nothing(change(&told, &front));
    changes_nothing(change(&told, &told));
}

#[test]
fn a_chain_of_moves_leads_to_the_last_address() {
    let (web, edge) = (group("web", ""), group("edge", ""));
    let all = |kind: &str, prefix: &str| {
        [("web", "front"), ("front", "side"), ("side", "edge")]
            .map(|(from, to)| moved(&format!("{kind}.{prefix}{from}"), &format!("{kind}.{prefix}{to}")))
    };
    let mut moves = [all("aws_security_group", ""), all("aws_security_group_rule", "of_")].concat();
    changes_nothing(change(&web, &format!("{edge}{}", moves.concat())));
    moves.reverse();
    changes_nothing(change(&web, &format!("{edge}{}", moves.concat())));
    // Whoever skipped the first releases is at the middle of the chain.
    changes_nothing(change(&group("front", ""), &format!("{edge}{}", moves.concat())));
    // Without its middle it is none.
    moves.retain(|one| !one.contains("from = aws_security_group.front"));
    is_blocked(change(&web, &format!("{edge}{}", moves.concat())));
}

#[test]
fn a_resource_that_is_moved_into_a_module_stays() {
    let module = ("m/main.tf", &*group("web", ""));
    let call = "module \"m\" { source = \"./m\" }\n";
    let moves = ["aws_security_group.web", "aws_security_group_rule.of_web"]
        .map(|address| moved(address, &format!("module.m.{address}")))
        .concat();
    let root = format!("{call}{moves}");
    changes_nothing(checked(&[("main.tf", &group("web", ""))], &[("main.tf", &root), module]));
    // And back.
    let back = ["aws_security_group.web", "aws_security_group_rule.of_web"]
        .map(|address| moved(&format!("module.m.{address}"), address))
        .concat();
    let flat = format!("{}{back}", group("web", ""));
    changes_nothing(checked(&[("main.tf", call), module], &[("main.tf", &flat)]));
}

#[test]
fn a_module_that_is_renamed_or_repeated_stays_with_all_that_is_in_it() {
    let web = group("web", "");
    let module = ("m/main.tf", &*web);
    let base = "module \"m\" { source = \"./m\" }\n";
    let renamed = format!("module \"n\" {{ source = \"./m\" }}\n{}", moved("module.m", "module.n"));
    changes_nothing(checked(&[("main.tf", base), module], &[("main.tf", &renamed), module]));
    let repeated = "module \"n\" {\n  source   = \"./m\"\n  for_each = toset([\"a\"])\n}\n";
    let keyed = format!("{repeated}{}", moved("module.m", "module.n[\"a\"]"));
    changes_nothing(checked(&[("main.tf", base), module], &[("main.tf", &keyed), module]));
    let other = format!("{repeated}{}", moved("module.m", "module.n[\"b\"]"));
    is_blocked(checked(&[("main.tf", base), module], &[("main.tf", &other), module]));
    // A module says what has become of what is in it, wherever it is called.
    let inner = format!(
        "{}{}{}",
        group("front", ""),
        moved("aws_security_group.web", "aws_security_group.front"),
        moved("aws_security_group_rule.of_web", "aws_security_group_rule.of_front")
    );
    changes_nothing(checked(&[("main.tf", base), module], &[("main.tf", &renamed), ("m/main.tf", &inner)]));
}

#[test]
fn a_resource_that_gets_a_count_or_loses_it_is_moved_without_a_word() {
    let (single, counted) = (group("web", ""), group("web", "count = 1"));
    changes_nothing(change(&single, &counted));
    changes_nothing(change(&counted, &single));
    is_blocked(change(&single, &group("web", "count = 0").replace("[0].id", "[*].id[0]")));
    is_blocked(change(&single, &single.replace("  ingress", "  for_each = toset([\"a\"])\n  ingress")));
    let keyed = group("web", "for_each = toset([\"a\"])").replace("web.id", "web[\"a\"].id");
    is_blocked(change(&single, &keyed));
    changes_nothing(change(
        &single,
        &format!("{keyed}{}", moved("aws_security_group.web", "aws_security_group.web[\"a\"]")),
    ));
}

#[test]
fn a_move_that_terraform_does_not_make_hides_no_deletion() {
    let (web, front) = (group("web", ""), group("front", ""));
    let both = format!("{web}{front}");
    let moves = format!(
        "{}{}",
        moved("aws_security_group.web", "aws_security_group.front"),
        moved("aws_security_group_rule.of_web", "aws_security_group_rule.of_front")
    );
    // There is something already.
    is_blocked(change(&both, &format!("{front}{moves}")));
    // The new address is not declared.
    is_blocked(change(&both, &format!("{front}{}", moves.replace("front", "side"))));
    // What is moved is declared still, two are moved to one address, or to another type.
    let refused = |head: &str, why: &str| {
        let (code, said) = change(&web, head);
        assert_ne!(code, 0, "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused(&format!("{both}{moves}"), "`aws_security_group.web` is still declared: terraform refuses to move it");
    refused(
        &format!("{front}{moves}{}", moved("aws_security_group.other", "aws_security_group.front")),
        "another `moved` block is about the same address",
    );
    refused(&format!("{front}{}", moved("aws_security_group.web", "local.front")), "the address of a resource");
    refused(&format!("{front}moved {{\n  from = aws_security_group.web\n}}\n"), "`moved` without `to`");
    let acl = "resource \"aws_network_acl\" \"front\" {}\n";
    is_blocked(change(&web, &format!("{acl}{}", moved("aws_security_group.web", "aws_network_acl.front"))));
    // A circle has no end to be led to.
    let circle = format!(
        "{}{}",
        moved("aws_security_group.web", "aws_security_group.a"),
        moved("aws_security_group.a", "aws_security_group.web")
    );
    is_blocked(change(&web, &circle));
}

const TEMPLATE: &str = r#"[
%{ for n, cidr in offices ~}
  "${cidr}"%{ if n < length(offices) - 1 },%{ endif }
%{ endfor ~}
]
"#;

const OF_TEMPLATE: &str = r#"
variable "offices" { default = ["192.0.2.0/24", "198.51.100.0/24"] }
resource "aws_security_group" "web" {
  ingress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = jsondecode(templatefile("${path.module}/offices.tftpl", { offices = var.offices }))
  }
}
"#;

#[test]
fn a_template_file_is_what_it_gives_with_the_names_that_it_is_given() {
    let written = OF_TEMPLATE.replace(
        "jsondecode(templatefile(\"${path.module}/offices.tftpl\", { offices = var.offices }))",
        "[\"192.0.2.0/24\", \"198.51.100.0/24\"]",
    );
    let template = ("stack/offices.tftpl", TEMPLATE);
    changes_nothing(checked(&[("stack/main.tf", &written)], &[("stack/main.tf", OF_TEMPLATE), template]));
    // What the file says counts.
    let other = TEMPLATE.replace("\"${cidr}\"", "\"${cidr}\", \"0.0.0.0/0\"");
    let open = OF_TEMPLATE.replace("443", "22");
    is_blocked(checked(
        &[("stack/main.tf", &written), template],
        &[("stack/main.tf", &open), ("stack/offices.tftpl", &other)],
    ));
    let refused = |template: &str, why: &str| {
        let head = [("stack/main.tf", OF_TEMPLATE), ("stack/offices.tftpl", template)];
        let (code, said) = checked(&[("stack/main.tf", &written)], &head);
        assert_ne!(code, 0, "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused("[${var.offices}]", "the file needs `var`, which is not given");
    refused("[${templatefile(\"x\", {})}]", "a template file cannot read another one");
    refused("[${", "`templatefile`: not HCL: ");
}
