//! `portcullis init`: the policy that it writes passes on what is there, whatever that is.

use crate::cli::{Ran, portcullis};
use crate::corpus::{Real, real};
use crate::folder::folder;
use crate::repo::{Item, Repo};
use std::fs;
use std::path::Path;

const SHUT: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
    -A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\n\
    -A INPUT -p tcp -m tcp --dport 443 -j ACCEPT\nCOMMIT\n";

fn init(folder: &Path, more: &[&str]) -> Ran {
    portcullis(folder, &[], &[&["init", "--path", "."], more].concat())
}

/// Writes a policy, and runs everything that has to pass with it.
fn written(folder: &Path) -> String {
    let ran = init(folder, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.talk);
    let text = fs::read_to_string(folder.join("portcullis.yaml")).expect("it is written");
    let ran = portcullis(folder, &[], &["check", "--old", ".", "--new", "."]);
    assert_eq!(ran.code, 0, "{}\n{text}", ran.out);
    let ran = portcullis(folder, &[], &["policy", "lint", "--path", "."]);
    assert_eq!(ran.code, 0, "{}\n{text}", ran.out);
    let ran = portcullis(folder, &[], &["lint", "--path", ".", "--policy", "portcullis.yaml"]);
    assert_eq!(ran.code, 0, "{}\n{text}", ran.out);
    text
}

#[test]
fn hosts_become_a_policy_that_keeps_what_is_reached_and_what_is_shut() {
    let folder = folder(&[("hosts/web1.rules", SHUT), ("hosts/web2.rules", SHUT), ("README.md", "# Hosts\n")]);
    let text = written(folder.path());
    crate::blessed::compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/init/hosts.yaml"), &text);
    // The next change that closes what is reached now is blocked.
    fs::create_dir(folder.path().join("new")).expect("a folder");
    let closed = SHUT.replace("-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT\n", "");
    for (name, text) in [("web1", &closed), ("web2", &SHUT.to_owned())] {
        fs::create_dir_all(folder.path().join("new/hosts")).expect("a folder");
        fs::write(folder.path().join(format!("new/hosts/{name}.rules")), text).expect("written");
    }
    fs::copy(folder.path().join("portcullis.yaml"), folder.path().join("new/portcullis.yaml")).expect("copied");
    let ran = portcullis(folder.path(), &[], &["check", "--old", ".", "--new", "new"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("critical-ports (tcp-443)"), "{}", ran.out);
}

#[test]
fn what_stands_open_is_named_and_the_rest_is_held() {
    let open = SHUT
        .replace("-s 198.51.100.0/24 ", "")
        .replace("COMMIT", "-A INPUT -p tcp -m tcp --dport 6379 -j ACCEPT\nCOMMIT");
    let folder = folder(&[("hosts/a.rules", &open), ("hosts/b.rules", SHUT)]);
    let text = written(folder.path());
    crate::blessed::compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/init/open.yaml"), &text);
}

#[test]
fn rules_that_are_wrong_today_are_warnings_and_files_that_are_not_understood_are_comments() {
    let wrong = SHUT.replace("COMMIT", "-A INPUT -p tcp -m tcp --dport 443 -j NOWHERE\nCOMMIT");
    let gap = SHUT.replace("-j ACCEPT\nCOMMIT", "-m nonsense --really -j ACCEPT\nCOMMIT");
    let balancer = "global\n    daemon\ndefaults\n    mode http\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\n\
        frontend www\n    bind :80\n    default_backend app\nbackend app\n    server a 192.0.2.1:80 check\n";
    let folder =
        folder(&[("fw/a.rules", SHUT), ("fw/b.rules", &gap), ("fw/c.rules", &wrong), ("lb/haproxy.cfg", balancer)]);
    let text = written(folder.path());
    crate::blessed::compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/init/mixed.yaml"), &text);
    assert!(text.contains("#   \"fw/b.rules\"   # line 7: "), "{text}");
}

#[test]
fn a_policy_that_is_there_is_left_alone() {
    let folder = folder(&[("hosts/web1.rules", SHUT), ("portcullis.yaml", "mine\n")]);
    let ran = init(folder.path(), &[]);
    let message = format!(
        "error: there is a policy already: {}\n help: --force writes it anew, --print only shows what would be written\n",
        folder.path().join("./portcullis.yaml").display()
    );
    assert_eq!((ran.code, ran.out.as_str(), ran.talk), (2, "", message));
    let read = || fs::read_to_string(folder.path().join("portcullis.yaml")).expect("it is there");
    assert_eq!(read(), "mine\n");
    let ran = init(folder.path(), &["--print"]);
    assert_eq!((ran.code, read().as_str()), (0, "mine\n"), "{}", ran.talk);
    assert_eq!(init(folder.path(), &["--force"]).code, 0);
    assert_eq!(read(), ran.out);
}

#[test]
fn where_nothing_can_be_judged_nothing_is_written() {
    let folder = folder(&[
        ("README.md", "# Nothing\n"),
        ("a.rules", "*filter\n:INPUT DROP [0:0]\n-A INPUT -m nonsense -j DROP\nCOMMIT\n"),
    ]);
    let ran = init(folder.path(), &[]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.talk.starts_with("error: there is nothing to judge") && ran.talk.contains("a.rules: line 3"),
        "{}",
        ran.talk
    );
    assert!(!folder.path().join("portcullis.yaml").exists());
}

#[test]
fn in_a_repository_the_files_count_that_git_knows() {
    let repo = Repo::new();
    let items: [Item<'_>; 1] = [(b"hosts/web1.rules", "100644", SHUT.as_bytes())];
    repo.commit(&[], &items);
    repo.checkout();
    repo.write("scratch/x.rules", "*filter\n");
    let ran = portcullis(repo.folder.path(), &[], &["init"]);
    assert_eq!(ran.code, 0, "{}", ran.talk);
    let text = fs::read_to_string(repo.folder.path().join("portcullis.yaml")).expect("it is written");
    assert!(text.contains("hosts/web1.rules") && !text.contains("scratch"), "{text}");
    assert!(
        ran.talk.contains("hooks: [{id: portcullis}]") && ran.talk.contains("examples/github/portcullis.yml"),
        "{}",
        ran.talk
    );
}

#[test]
fn what_everybody_passes_in_pieces_is_not_held_and_that_is_said() {
    let pieces = [("eth0", "ip saddr 10.0.0.0/8"), ("eth1", "ip saddr != 10.0.0.0/8")];
    let sixes = [("eth0", "ip6 saddr fd00::/8"), ("eth1", "ip6 saddr != fd00::/8")];
    let rule = |(interface, source): &(&str, &str)| format!("    iifname \"{interface}\" {source} accept\n");
    let rules: String = pieces.iter().chain(&sixes).map(rule).collect();
    let text = format!(
        "table inet filter {{\n  chain input {{\n    type filter hook input priority 0; policy drop;\n{rules}  }}\n}}\n"
    );
    let folder = folder(&[("fw/edge.nft", text.as_str()), ("hosts/web1.rules", SHUT)]);
    let text = written(folder.path());
    assert!(text.contains("not held where everything passes now: edge"), "{text}");
    assert!(text.contains("- check: exposed-ports\n    in: [web1/input]"), "{text}");
}

#[test]
fn files_without_an_extension_are_named_by_their_folder() {
    let folder = folder(&[("hosts/web1", SHUT), ("hosts/web2", SHUT), ("README", "# Hosts\n")]);
    let text = written(folder.path());
    assert!(text.contains("hosts: {files: [\"hosts/*\"], each: true, format: iptables-save}"), "{text}");
}

#[test]
fn real_files_of_every_format_become_a_policy_that_passes_on_them() {
    let folder = folder(&[]);
    let mut kinds = 0;
    for format in portcullis::formats::FORMATS {
        let kind = match format.id() {
            "aws-api" | "azure-api" => format!("{}-json", format.id()),
            "kubernetes" => "k8s-networkpolicy".to_owned(),
            known => known.to_owned(),
        };
        let Some(found) = real(&kind) else { return };
        kinds += usize::from(!found.is_empty());
        let spread = found.len().div_ceil(6).max(1);
        for Real { path, bytes, verdict: _ } in found.into_iter().step_by(spread) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, bytes).expect("written");
        }
    }
    assert!(kinds > 7, "{kinds}");
    let text = written(folder.path());
    assert!(text.contains("format: nftables") && text.contains("format: terraform"), "{text}");
    assert!(text.contains("# Not judged, because not all of it is understood."), "{text}");
}

#[test]
fn the_policy_is_none_of_the_files_that_it_judges() {
    let policy = |name: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: a}}\n\
             spec: {{podSelector: {{}}, policyTypes: [Ingress]}}\n"
        )
    };
    let folder = folder(&[("one.yaml", &policy("one")), ("two.yaml", &policy("two"))]);
    written(folder.path());
    assert_eq!(portcullis(folder.path(), &[], &["check", "--old", ".", "--new", "."]).code, 0);
}
