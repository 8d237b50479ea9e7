//! The first steps with a balancer: what the usual files and presets say of themselves.

use crate::cli::portcullis;
use crate::folder::{folder, write};
use crate::repo::Repo;

const SITE: &str = "events {}\nhttp {\n  server {\n    listen 80;\n    root /srv/www;\n  }\n}\n";

fn policy(file: &str, more: &str) -> String {
    format!("version: 1\nconfigurations: {{lb: {{files: [{file}]}}}}\n{more}\n")
}

#[test]
fn a_comment_in_a_file_without_rules_empties_nothing() {
    let template = "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Bucket:\n    Type: AWS::S3::Bucket\n";
    for (file, text) in [("nginx.conf", SITE), ("site.yaml", template)] {
        let policy = policy(file, "extends: [baseline]");
        let sides = folder(&[]);
        write(&sides.path().join("old"), &[(file, text), ("portcullis.yaml", &policy)]);
        write(&sides.path().join("new"), &[(file, &format!("{text}# x\n")), ("portcullis.yaml", &policy)]);
        let ran = portcullis(sides.path(), &[], &["check", "--old", "old", "--new", "new"]);
        assert_eq!(ran.code, 0, "{file}: {}{}", ran.out, ran.talk);
    }
}

#[test]
fn a_preset_does_not_ask_for_what_nobody_has() {
    let policy = policy("nginx.conf", "extends: [baseline, load-balancer]");
    let sides = folder(&[]);
    write(&sides.path().join("old"), &[("nginx.conf", SITE), ("portcullis.yaml", &policy)]);
    write(
        &sides.path().join("new"),
        &[("nginx.conf", &SITE.replace("/srv/www", "/srv/web")), ("portcullis.yaml", &policy)],
    );
    let ran = portcullis(sides.path(), &[], &["check", "--old", "old", "--new", "new"]);
    assert!(
        !ran.talk.contains("nothing of the kind") && !ran.out.contains("nothing of the kind"),
        "{}{}",
        ran.out,
        ran.talk
    );
    // What a policy says itself is another matter.
    let own = policy.replace(
        "extends: [baseline, load-balancer]",
        "checks: [{check: deletion-limit, count: 10, kinds: [backend]}]",
    );
    write(&sides.path().join("old"), &[("portcullis.yaml", &own)]);
    write(&sides.path().join("new"), &[("portcullis.yaml", &own)]);
    let ran = portcullis(sides.path(), &[], &["check", "--old", "old", "--new", "new"]);
    assert!(ran.code == 1 && ran.out.contains("nothing of the kind"), "{}{}", ran.out, ran.talk);
}

const REDIRECT: &str = "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend f\n bind :80\n \
    bind :443 ssl crt a.pem\n http-request redirect scheme https unless { ssl_fc }\n use_backend adm if { path_beg /adm }\n \
    default_backend web\nbackend adm\n server s 10.0.0.1:80 check\nbackend web\n server s 10.0.0.2:80 check\n";

#[test]
fn a_line_that_one_bind_needs_is_not_shadowed() {
    let lint = |text: &str| {
        let policy = policy("haproxy.cfg", "checks: [{check: route-changes}]");
        let folder = folder(&[("haproxy.cfg", text), ("portcullis.yaml", &policy)]);
        let ran = portcullis(folder.path(), &[], &["lint", "--path", "."]);
        (ran.code, format!("{}{}", ran.out, ran.talk))
    };
    let (code, said) = lint(REDIRECT);
    assert_eq!(code, 0, "{said}");
    let never = REDIRECT.replace(" default_backend", " use_backend web if { path_beg /adm/x }\n default_backend");
    let (code, said) = lint(&never);
    assert!(code == 1 && said.matches("comes to this route").count() == 1, "{said}");
}

#[test]
fn what_has_no_kind_is_compared_with_a_method_only() {
    let gaps = |question: &str| {
        let text = REDIRECT.replace("path_beg /adm", question);
        let folder = folder(&[("haproxy.cfg", &text)]);
        portcullis(folder.path(), &[], &["parse", "haproxy.cfg"]).code
    };
    for refused in ["var(txn.a) 1", "var(txn.a)", "var(txn.a) -i x", "req.hdr(a),set-var(txn.b) x", "ssl_c_sha1 aa"] {
        assert_eq!(gaps(refused), 3, "{refused}");
    }
    for taken in ["var(txn.a) -m str 1", "var(txn.a) -m found", "var(txn.a),lower x", "ssl_c_sha1,hex aa", "path /x"] {
        assert_eq!(gaps(taken), 0, "{taken}");
    }
}

#[test]
fn init_writes_a_policy_for_a_site_without_backends() {
    let repo = Repo::of(&[("nginx.conf", SITE)]);
    let ran = portcullis(repo.folder.path(), &[], &["init"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.talk);
}

#[test]
fn a_certificate_that_stands_elsewhere_is_asked_for_when_it_is_named_anew() {
    let site = |certificate: &str| {
        let listen = format!(
            "listen 443 ssl;\n    ssl_certificate {certificate};\n    ssl_certificate_key /etc/letsencrypt/live/a/privkey.pem;"
        );
        SITE.replace("listen 80;", &listen)
    };
    let (old, new) = ("/etc/letsencrypt/live/a/fullchain.pem", "/etc/letsencrypt/live/b/fullchain.pem");
    for (checks, head, code) in [
        ("extends: [baseline, load-balancer]", old, 0),
        ("checks: [{check: certificate-references}]", new, 3),
        ("checks: [{check: certificate-references, inventory: [\"etc/letsencrypt/**\"]}]", new, 0),
        ("checks: [{check: certificate-references, inventory: [\"etc/letsencrypt/live/a/*\"]}]", new, 1),
    ] {
        let policy = policy("nginx.conf", checks);
        let sides = folder(&[]);
        write(&sides.path().join("old"), &[("nginx.conf", &site(old)), ("portcullis.yaml", &policy)]);
        write(&sides.path().join("new"), &[("nginx.conf", &site(head)), ("portcullis.yaml", &policy)]);
        let ran = portcullis(sides.path(), &[], &["check", "--old", "old", "--new", "new"]);
        assert_eq!(ran.code, code, "{checks} {head}: {}{}", ran.out, ran.talk);
    }
}
