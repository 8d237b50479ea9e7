//! nginx as the judge of more: requests with TLS and over IPv6, and damaged files.

use crate::nginx::{
    BACKENDS, ELSEWHERE, HOSTS, PATHS, Random, agrees, ask, collect, configuration, free_ports, generated, is_one_of,
    nginx, read, refusal, spelled, start,
};
use portcullis::diff::balancers::route;
use portcullis::model::Store;
use portcullis::net::{Family, Request, Spoken};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::Path;
use std::process::Command;

/// The same configurations, reached with TLS (with a server name that is not always the host) and over IPv6.
#[test]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "totals and what is left out are read in the log")]
fn requests_go_where_the_model_says_with_tls_and_over_ipv6() {
    let Some(program) = nginx() else { return };
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !there("curl") || Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: without curl and openssl no request is made with TLS");
        return;
    }
    let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !ipv6 {
        eprintln!("SKIPPED: this machine has no IPv6: no request is made over it");
    }
    let keys = tempfile::tempdir().expect("a folder");
    let (key, certificate) = (keys.path().join("key"), keys.path().join("crt"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut random = Random(0x5eed_0443);
    let (mut with_tls, mut over_ipv6, mut wrong) = (0_usize, 0_usize, Vec::new());
    for round in 0..16 {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("empty")).expect("a folder");
        let ports = free_ports(BACKENDS + 2);
        let text = generated(&mut random, folder.path(), ports[0], &ports[2..]);
        let own = format!("listen 127.0.0.1:{}", ports[0]);
        let mut text = text.replace(
            "http {\n",
            &format!("http {{\n  ssl_certificate {}; ssl_certificate_key {};\n", certificate.display(), key.display()),
        );
        for default in [" default_server", ""] {
            let six = if ipv6 { format!("\n    listen [::1]:{}{default};", ports[0]) } else { String::new() };
            let more = format!("{own}{default} ;\n    listen 127.0.0.1:{} ssl{default};{six}", ports[1]);
            text = text.replace(&format!("{own}{default};"), &more);
        }
        let file = folder.path().join("nginx.conf");
        fs::write(&file, &text).expect("written");
        let mut store = Store::default();
        let snapshot = read(&text, &mut store);
        let gaps: Vec<&String> = snapshot.gaps().iter().map(|gap| &gap.reason).collect();
        assert_eq!(refusal(&program, &file).is_some(), !gaps.is_empty(), "{gaps:?}\n{text}");
        if !gaps.is_empty() {
            continue;
        }
        let named = |name: String| configuration(&snapshot).listeners.iter().find(move |l| l.name == name);
        let secure = named(format!("127.0.0.1:{}", ports[1])).expect("the listener with TLS");
        let six = named(format!("[::1]:{}", ports[0]));
        let _running = start(&program, &file, ports[0]);
        for _ in 0..25 {
            let (method, host, path) = (random.one(&["GET", "POST", "PUT"]), random.one(HOSTS), random.one(PATHS));
            let path = &if random.below(2) == 0 { path.to_owned() } else { spelled(&mut random, path) };
            let name = random.one(&["a.example", "b.example", "www.q", "other.example"]);
            let from = Ipv4Addr::new(127, 0, 0, u8::try_from(1 + random.below(5)).expect("small"));
            let mut request = Request {
                what: Spoken::Https,
                method: method.as_bytes().to_vec(),
                host: host.as_bytes().to_vec(),
                path: path.as_bytes().to_vec(),
                server_name: Some(name.as_bytes().to_vec()),
                source: (Family::Ipv4, u32::from(from).into()),
                ..Request::default()
            };
            let out = Command::new("curl")
                .args([
                    "-s",
                    "-k",
                    "--path-as-is",
                    "-X",
                    method,
                    "-H",
                    &format!("Host: {host}"),
                    "-w",
                    "\n%{http_code}",
                ])
                .args(["--interface", &from.to_string(), "--connect-to", &format!("::127.0.0.1:{}", ports[1])])
                .arg(format!("https://{name}{path}"))
                .output()
                .expect("curl runs");
            let said = String::from_utf8_lossy(&out.stdout).into_owned();
            let (body, status) = said.rsplit_once('\n').unwrap_or_default();
            let status = status.parse().unwrap_or(0);
            let backend =
                (0..BACKENDS).map(|n| format!("b{n}")).find(|name| status == 200 && body.contains(name.as_str()));
            let outcome = route(&store, secure, &request, &[]).answer.outcome;
            with_tls += 1;
            if !agrees(&outcome, status, &backend.unwrap_or_default()) {
                wrong.push(format!("round {round}: {method} https {host} ({name}) {path} from {from}: {said}, the model says {outcome:?}\n{text}"));
            }
            if let Some(six) = six {
                request.what = Spoken::Http;
                request.source = (Family::Ipv6, 1);
                let (status, body) = ask(IpAddr::V6(Ipv6Addr::LOCALHOST), ports[0], method, host, path);
                let outcome = route(&store, six, &request, &[]).answer.outcome;
                over_ipv6 += 1;
                if !agrees(&outcome, status, &body) {
                    wrong.push(format!("round {round}: {method} {host} {path} from ::1: {status} {body}, the model says {outcome:?}\n{text}"));
                }
            }
        }
    }
    println!("requests served by nginx with TLS: {with_tls}, over IPv6: {over_ipv6}, wrong: {}", wrong.len());
    assert!(wrong.is_empty(), "{}; the first: {}", wrong.len(), wrong[0]);
}

/// Files with a word less, twice, changed or in another place are refused here if nginx refuses them, and only then.
#[test]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "tables are read in the log")]
fn damaged_configurations_are_judged_alike() {
    let Some(program) = nginx() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/nginx");
    if !root.is_dir() {
        eprintln!("SKIPPED: ../shared/corpus is not beside this folder");
        return;
    }
    let mut files = Vec::new();
    collect(&root, &mut files);
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = crate::haproxy::Random(0x9e37_79b9_7f4a_7c15);
    let reasons = |text: &str| -> Vec<String> {
        let snapshot = read(text, &mut Store::default());
        snapshot.gaps().iter().map(|gap| gap.reason.clone()).collect()
    };
    let (mut total, mut same, mut taken) = (0_usize, 0_usize, 0_usize);
    let (mut strict, mut lax) = (Vec::new(), Vec::new());
    for path in &files {
        let bytes = fs::read(path).expect("readable");
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let whole = text.len() < 20_000 && (text.contains("http {") || text.contains("http{"));
        if !whole || !reasons(&text).is_empty() || refusal(&program, path).is_some() {
            continue;
        }
        for _ in 0..6 {
            let changed = crate::haproxy::damaged(&text, &mut random);
            let file = folder.path().join("nginx.conf");
            fs::write(&file, &changed).expect("written");
            let (here, there) = (reasons(&changed), refusal(&program, &file));
            total += 1;
            taken += usize::from(there.is_none());
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match (here.iter().any(|reason| reason.starts_with("nginx refuses it")), there) {
                (true, Some(_)) | (false, None) => same += 1,
                (true, None) => strict.push(format!("{name}: {}", here.join("; "))),
                (false, Some(reason)) if !here.is_empty() || is_one_of(&reason, ELSEWHERE) => same += 1,
                (false, Some(reason)) => lax.push(format!("{name}: {reason}")),
            }
        }
    }
    let percent = 100.0 * same as f64 / total.max(1) as f64;
    println!("{total} damaged files, {taken} taken by nginx: judged alike {same} ({percent:.1} %)");
    println!("  only here: {}\n    {}", strict.len(), strict.join("\n    "));
    println!("  only by nginx: {}\n    {}", lax.len(), lax.join("\n    "));
    assert!(total == 0 || percent >= 80.0, "{percent:.1} %");
    assert!(strict.len() * 100 <= total * 2, "{strict:#?}");
}
