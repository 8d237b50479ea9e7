//! Terraform configurations of several folders, and what they cost that are made to cost much.

use crate::cli::portcullis;
use crate::repo::{Item, Repo};
use portcullis::formats::{self, Input, describe};
use portcullis::model::Store;
use portcullis::text::SourceMap;

/// What files come to: the rules, the uses of names that nothing declares, and the gaps.
fn read(files: &[(&str, &str)]) -> Vec<String> {
    let mut sources = SourceMap::default();
    let add = |(name, text): &(&str, &str)| sources.add(name.as_bytes(), (*text).into()).expect("small");
    let input =
        Input { name: "aws".into(), format: formats::format("terraform"), files: files.iter().map(add).collect() };
    let mut store = Store::default();
    let (snapshot, _, _) = formats::read(&[input], &sources, &mut store, None);
    let page = describe(&snapshot, &[], &sources, &store);
    let rules = page.lines().filter(|line| line.starts_with("chain ") || line.contains("  accept  "));
    let gaps = snapshot.gaps().iter().map(|gap| format!("gap: {}", gap.reason));
    rules.map(|line| line.trim().to_owned()).chain(gaps).collect()
}

const GROUP: &str = r#"
variable "name" {}
variable "from" { type = set(string) }
variable "port" { default = 22 }
resource "aws_security_group" "this" {
  name = var.name
  ingress {
    protocol    = "tcp"
    from_port   = var.port
    to_port     = var.port
    cidr_blocks = var.from
  }
}
output "id" { value = aws_security_group.this.id }
"#;

#[test]
fn local_modules_are_read_as_they_are_called() {
    let main = r#"
locals { offices = { a = ["192.0.2.0/24"], b = ["198.51.100.0/24", "203.0.113.0/24"] } }
module "office" {
  source   = "../modules/group"
  for_each = local.offices
  name     = each.key
  from     = each.value
}
module "twice" {
  source = "./wrapped"
  count  = 2
  port   = 80 + count.index
}
resource "aws_security_group_rule" "r" {
  security_group_id        = module.office["a"].id
  type                     = "ingress"
  protocol                 = "udp"
  from_port                = 53
  to_port                  = 53
  source_security_group_id = module.twice[1].ids[0]
}
"#;
    let wrapped = r#"
variable "port" {}
module "inner" {
  source = "../../modules/group"
  name   = "x"
  from   = ["0.0.0.0/0"]
  port   = var.port
}
output "ids" { value = [module.inner.id] }
"#;
    let found =
        read(&[("modules/group/main.tf", GROUP), ("stacks/main.tf", main), ("stacks/wrapped/main.tf", wrapped)]);
    assert_eq!(
        found,
        [
            r#"chain module.office["a"].aws_security_group.this/ingress (modules/group/main.tf:5)"#,
            "modules/group/main.tf:7  accept  tcp 192.0.2.0/24 -> any:22",
            "stacks/main.tf:14  accept  udp 0.0.0.0/0 -> any:53 if source is a member of \
             module.twice[1].module.inner.aws_security_group.this",
            "stacks/main.tf:14  accept  udp ::/0 -> any:53 if source is a member of \
             module.twice[1].module.inner.aws_security_group.this",
            r#"chain module.office["a"].aws_security_group.this/egress (modules/group/main.tf:5)"#,
            r#"chain module.office["b"].aws_security_group.this/ingress (modules/group/main.tf:5)"#,
            "modules/group/main.tf:7  accept  tcp 198.51.100.0/24,203.0.113.0/24 -> any:22",
            r#"chain module.office["b"].aws_security_group.this/egress (modules/group/main.tf:5)"#,
            "chain module.twice[0].module.inner.aws_security_group.this/ingress (modules/group/main.tf:5)",
            "modules/group/main.tf:7  accept  tcp 0.0.0.0/0 -> any:80",
            "chain module.twice[0].module.inner.aws_security_group.this/egress (modules/group/main.tf:5)",
            "chain module.twice[1].module.inner.aws_security_group.this/ingress (modules/group/main.tf:5)",
            "modules/group/main.tf:7  accept  tcp 0.0.0.0/0 -> any:81",
            "chain module.twice[1].module.inner.aws_security_group.this/egress (modules/group/main.tf:5)",
        ]
    );
}

#[test]
fn what_is_made_to_cost_much_is_refused() {
    let chain: String = (1..5000).map(|n| format!("  l{n} = local.l{}\n", n - 1)).collect();
    let deep =
        format!("locals {{\n  l0 = 1\n{chain}}}\nresource \"aws_security_group\" \"a\" {{\n  name = local.l4999\n}}\n");
    let refused = |files: &[(&str, &str)], why: &str| {
        let found = read(files);
        assert!(found.iter().any(|line| line == why), "{found:?}");
    };
    refused(&[("a.tf", &deep)], "gap: values are computed from one another too deeply to be followed");

    let nested = format!("locals {{\n  x = {}1{}\n}}\n", "[".repeat(5000), "]".repeat(5000));
    let found = read(&[("a.tf", &nested)]);
    assert!(found.iter().any(|line| line.starts_with("gap: not HCL: ")), "{found:?}");
    let most = format!(
        "locals {{\n  x = {}1{}\n}}\nresource \"aws_security_group\" \"a\" {{ name = jsonencode(local.x) }}\n",
        "[".repeat(60),
        "]".repeat(60)
    );
    assert_eq!(read(&[("a.tf", &most)]).len(), 2);

    let doubled: String = (1..64).map(|n| format!("  l{n} = \"${{local.l{0}}}${{local.l{0}}}\"\n", n - 1)).collect();
    let long = format!(
        "locals {{\n  l0 = \"x\"\n{doubled}}}\nresource \"aws_security_group\" \"a\" {{\n  name = local.l63\n}}\n"
    );
    refused(&[("a.tf", &long)], "gap: a text that is longer than can be computed");

    let group =
        |expression: &str| format!("resource \"aws_security_group\" \"a\" {{ name = jsonencode({expression}) }}\n");
    let repeated = "[for a in range(1024) : [for b in range(1024) : [for c in range(1024) : a]]]";
    let nothing = "[for a in range(1024) : [for b in range(1024) : [for c in range(1024) : a if false]]]";
    for expression in [repeated.to_owned(), nothing.to_owned(), format!("try({repeated}, 1)")] {
        refused(&[("a.tf", &group(&expression))], "gap: the values of the configuration are more than can be computed");
    }
    for pair in ["[local.l{}, local.l{}]", "{ a = local.l{}, b = local.l{} }"] {
        let all: String = (1..40).map(|n| format!("  l{n} = {}\n", pair.replace("{}", &(n - 1).to_string()))).collect();
        let nested = format!("locals {{\n  l0 = [\"x\"]\n{all}}}\n{}", group("flatten([local.l39])"));
        refused(&[("a.tf", &nested)], "gap: a value that is larger than can be computed");
    }
    let all: String =
        (1..40).map(|n| format!("  l{n} = join(local.l{0}, [for x in range(9) : local.l{0}])\n", n - 1)).collect();
    let long = format!("locals {{\n  l0 = \"x\"\n{all}}}\n{}", group("local.l39"));
    refused(&[("a.tf", &long)], "gap: `join`: more than can be computed");

    let itself = "module \"m\" { source = \"./b\" }\n";
    let back = "module \"n\" { source = \"../\" }\nmodule \"o\" { source = \"../\" }\n";
    refused(&[("a/a.tf", itself), ("a/b/b.tf", back)], "gap: the module calls itself: terraform refuses it");
}

#[test]
fn a_byte_order_mark_and_keys_that_stand_twice_are_read() {
    let text = "\u{feff}locals {\n  x = { port = 1, port = 22, \"a b\" = 1, \"a b\" = 2 }\n}\n\
        resource \"aws_security_group\" \"a\" {\n  ingress {\n    protocol = \"tcp\"\n    from_port = local.x.port\n\
        to_port = local.x.port + local.x[\"a b\"]\n    cidr_blocks = [\"10.0.0.0/8\"]\n  }\n}\n";
    assert_eq!(
        read(&[("a.tf", text)]),
        [
            "chain aws_security_group.a/ingress (a.tf:4)",
            "a.tf:5  accept  tcp 10.0.0.0/8 -> any:22-24",
            "chain aws_security_group.a/egress (a.tf:4)",
        ]
    );
}

const POLICY: &str = "version: 1\nextends: [baseline]\nconfigurations:\n  \
    aws: {files: [\"stacks/**/*.tf\"], variables: [\"values/*.tfvars\"]}\n";

#[test]
fn modules_values_and_files_outside_of_the_patterns_are_fetched() {
    let main = r#"
variable "port" {}
module "group" {
  source = "../../modules/group"
  name   = "x"
  from   = split("\n", chomp(file("${path.module}/hosts.txt")))
  port   = var.port
}
"#;
    let file =
        |path: &'static str, text: &'static str| -> Item<'static> { (path.as_bytes(), "100644", text.as_bytes()) };
    let repo = Repo::new();
    let items = |port: &'static str, hosts: &'static str| {
        [
            file("portcullis.yaml", POLICY),
            file("modules/group/main.tf", GROUP),
            file("stacks/main/main.tf", main),
            file("stacks/main/hosts.txt", hosts),
            file("values/prod.tfvars", port),
        ]
    };
    let base = repo.commit(&[], &items("port = 22\n", "192.0.2.0/24\n"));
    repo.commit(&[base], &items("port = 23\n", "192.0.2.0/24\n198.51.100.0/24\n"));
    repo.checkout();
    let ran = portcullis(repo.folder.path(), &[], &["check", "--base", "HEAD~1"]);
    let told: Vec<&str> = ran.out.lines().map(str::trim).filter(|line| line.starts_with("tcp ")).collect();
    assert_eq!(told, ["tcp 192.0.2.0/24 -> any:22", "tcp 192.0.2.0/24,198.51.100.0/24 -> any:23"], "{}", ran.out);
    assert!(!ran.out.contains("holds nothing"), "{}", ran.out);
}

#[test]
fn addresses_that_an_unknown_condition_chooses_among_are_known_under_it() {
    let text = r#"variable "open" { type = bool }
resource "aws_security_group" "a" {
  ingress {
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = [var.open ? "0.0.0.0/0" : "10.0.0.0/8"]
  }
  ingress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = var.open ? ["0.0.0.0/0"] : []
  }
}
"#;
    assert_eq!(
        read(&[("a.tf", text)]),
        [
            "chain aws_security_group.a/ingress (a.tf:2)",
            "a.tf:3  accept  tcp 10.0.0.0/8 -> any:22 unless var.open",
            "a.tf:3  accept  tcp 0.0.0.0/0 -> any:22 if var.open",
            "a.tf:9  accept  tcp 0.0.0.0/0 -> any:443 if a source is \"0.0.0.0/0\" if var.open",
            "chain aws_security_group.a/egress (a.tf:2)",
        ]
    );
}

#[test]
fn override_files_change_what_other_files_say() {
    let main = r#"
locals { ports = [22] }
variable "from" { default = "10.0.0.0/8" }
resource "aws_security_group" "a" {
  name = "a"
  ingress {
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = [var.from]
  }
  ingress {
    protocol    = "udp"
    from_port   = 53
    to_port     = 53
    cidr_blocks = [var.from]
  }
}
resource "aws_security_group" "b" {
  dynamic "ingress" {
    for_each = local.ports
    content {
      protocol    = "tcp"
      from_port   = ingress.value
      to_port     = ingress.value
      cidr_blocks = [var.from]
    }
  }
}
"#;
    let first = r#"
locals { ports = [23, 24] }
variable "from" { default = "192.0.2.0/24" }
"#;
    let second = r#"
# The last word.
variable "from" { default = "0.0.0.0/0" }
resource "aws_security_group" "a" {
  ingress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = [var.from]
  }
}
"#;
    let chains = [
        "chain aws_security_group.a/ingress (m/main.tf:4)",
        "m/override.tf:5  accept  tcp 0.0.0.0/0 -> any:443",
        "chain aws_security_group.a/egress (m/main.tf:4)",
        "chain aws_security_group.b/ingress (m/main.tf:19)",
        "m/main.tf:20  accept  tcp 0.0.0.0/0 -> any:23",
        "m/main.tf:20  accept  tcp 0.0.0.0/0 -> any:24",
        "chain aws_security_group.b/egress (m/main.tf:19)",
    ];
    let files = [("m/main.tf", main), ("m/override.tf", second), ("m/a_override.tf", first)];
    assert_eq!(read(&files), chains);
    // Those of another folder are not overridden, and what is overridden must be there.
    let elsewhere = read(&[("m/main.tf", main), ("n/override.tf", second)]);
    assert!(elsewhere.contains(&"m/main.tf:6  accept  tcp 10.0.0.0/8 -> any:22".to_owned()), "{elsewhere:?}");
    assert!(
        elsewhere.contains(&"gap: there is no `aws_security_group.a` to override: terraform refuses it".to_owned()),
        "{elsewhere:?}"
    );
}
