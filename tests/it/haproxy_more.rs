//! HAProxy as the judge of more: requests with TLS and over IPv6; and listeners that are too hard to compare.

#![expect(clippy::print_stderr, reason = "totals and a skipped oracle are told")]

use crate::cli::portcullis;
use crate::haproxy_served::{Random, Running, free_port, server};
use crate::tools::every;
use portcullis::diff::balancers::route;
use portcullis::formats::{self, Input};
use portcullis::model::{Outcome, Store};
use portcullis::net::{Family, Request, Spoken};
use portcullis::text::SourceMap;
use std::fmt::Write as _;
use std::iter::once;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};

const BACKENDS: usize = 4;
const HOSTS: &[&str] = &["a.example", "b.example", "A.Example", "www.a.example", "other"];
const PATHS: &[&str] = &["/", "/api", "/api/v1", "/apiv2"];
const QUESTIONS: &[&str] = &[
    "ssl_fc",
    "!{ ssl_fc }",
    "ssl_fc_sni a.example",
    "ssl_fc_sni -i A.EXAMPLE",
    "ssl_fc_sni_end .example",
    "ssl_fc_sni -m end -i .EXAMPLE",
    "ssl_fc_sni -m beg www.",
    "ssl_fc_sni -m reg ^[ab]\\.",
    "ssl_fc_sni -m found",
    "ssl_fc_has_sni",
    "ssl_fc_sni,lower -m dom a.example",
    "ssl_fc 0",
    "ssl_fc false",
    "ssl_fc -m found",
    "always_true 0",
    "always_false 1",
    "always_false -m found",
    "src ::1",
    "src 127.0.0.2 ::1/128",
    "src 127.0.0.0/8",
    "src -m found",
    "dst_port PLAIN",
    "path_beg /api",
    "hdr(host) -i a.example",
    "method POST",
];

fn configuration(random: &mut Random, servers: &[u16], binds: &str, plain: u16) -> String {
    let mut text = format!(
        "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend front\n{binds}"
    );
    for _ in 0..=random.below(4) {
        let all: Vec<String> = (0..=random.below(2))
            .map(|_| {
                let question = random.of(QUESTIONS).replace("PLAIN", &plain.to_string());
                if question.starts_with('!') { question } else { format!("{{ {question} }}") }
            })
            .collect();
        let condition = all.join(random.of(&[" ", " || "]));
        let what = if random.chance(5) { "http-request deny" } else { "" };
        match what {
            "" => writeln!(text, " use_backend b{} if {condition}", random.below(BACKENDS)).expect("a String"),
            deny => text = text.replacen("frontend front\n", &format!("frontend front\n {deny} if {condition}\n"), 1),
        }
    }
    writeln!(text, " default_backend b{}", random.below(BACKENDS)).expect("a String");
    for (number, port) in servers.iter().enumerate() {
        writeln!(text, "backend b{number}\n server s 127.0.0.1:{port}").expect("a String");
    }
    text
}

fn curl(method: &str, host: &str, more: &[String]) -> Output {
    let mut command = Command::new("curl");
    command.args(["-s", "-k", "-g", "--max-time", "10", "-D", "-", "-o", "-", "-X", method]);
    command.arg("-H").arg(format!("Host: {host}")).args(more).output().expect("curl runs")
}

/// The backend that answered, or the status.
fn seen(out: &Output) -> String {
    let said = String::from_utf8_lossy(&out.stdout).to_ascii_lowercase();
    let served = said.lines().find_map(|line| line.strip_prefix("x-served-by:"));
    let status = || said.split(' ').nth(1).unwrap_or("closed").to_owned();
    served.map_or_else(status, |name| name.trim().to_owned())
}

/// One frontend, reached in the clear, with TLS (with a server name that is not always the host, or none) and over IPv6.
#[test]
fn requests_go_where_the_model_says_with_tls_and_over_ipv6() {
    for (program, argument) in [("haproxy", "-v"), ("curl", "--version"), ("openssl", "version")] {
        if Command::new(program).arg(argument).output().is_err() {
            eprintln!("SKIPPED: HAPROXY IS NOT ASKED WITH TLS: there is no {program} here");
            return;
        }
    }
    let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !ipv6 {
        eprintln!("SKIPPED: this machine has no IPv6: no request is made over it");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = certificate(folder.path());
    let servers: Vec<u16> = (0..BACKENDS).map(server).collect();
    let mut random = Random(0x5eed_0444);
    let (mut clear, mut with_tls, mut over_ipv6, mut unknown, mut wrong) = (0, 0, 0, 0, Vec::new());
    for round in 0..24 {
        let (plain, secure, six) = (free_port(), free_port(), free_port());
        let mut binds = format!(" bind 127.0.0.1:{plain}\n bind 127.0.0.1:{secure} ssl crt {certificate}\n");
        if ipv6 {
            writeln!(binds, " bind [::1]:{six}").expect("a String");
        }
        let text = configuration(&mut random, &servers, &binds, plain);
        let file = folder.path().join(format!("{round}.cfg"));
        std::fs::write(&file, &text).expect("written");
        let mut sources = SourceMap::default();
        let main = sources.add(b"haproxy.cfg", text.clone().into_bytes()).expect("small");
        let input = Input { name: "lb".into(), format: formats::format("haproxy"), files: vec![main] };
        let mut store = Store::default();
        let (snapshot, _, _) = formats::read(&[input], &sources, &mut store, None);
        let gaps: Vec<&String> = snapshot.gaps().iter().map(|gap| &gap.reason).collect();
        assert!(gaps.is_empty(), "{gaps:?}\n{text}");
        let listeners = &snapshot.configurations().first().expect("one").listeners;
        let running = Running::start(&file, plain);
        assert!(running.is_some(), "haproxy does not start:\n{text}");
        for _ in 0..20 {
            let (method, host, path) = (random.of(&["GET", "POST"]), random.of(HOSTS), random.of(PATHS));
            let name = random.of(&["a.example", "b.example", "www.a.example", "other.test", "127.0.0.1"]);
            let from = Ipv4Addr::new(127, 0, 0, u8::try_from(1 + random.below(3)).expect("small"));
            let way = random.below(if ipv6 { 3 } else { 2 });
            let (port, counted) = match way {
                0 => (plain, &mut clear),
                1 => (secure, &mut with_tls),
                _ => (six, &mut over_ipv6),
            };
            let request = Request {
                what: if way == 1 { Spoken::Https } else { Spoken::Http },
                method: method.as_bytes().to_vec(),
                host: host.as_bytes().to_vec(),
                path: path.as_bytes().to_vec(),
                // An address is no server name, so that none is sent.
                server_name: (way == 1)
                    .then(|| if name == "127.0.0.1" { Vec::new() } else { name.as_bytes().to_vec() }),
                source: if way == 2 { (Family::Ipv6, 1) } else { (Family::Ipv4, u32::from(from).into()) },
                via: Some((if way == 2 { "::1" } else { "127.0.0.1" }.to_owned(), port)),
                ..Request::default()
            };
            let listener = listeners
                .iter()
                .find(|listener| listener.endpoints.iter().any(|end| end.ports == Some((port, port))))
                .expect("a listener on each port");
            let trace = route(&store, listener, &request, &[]);
            if !trace.unknown.is_empty() {
                unknown += 1;
                continue;
            }
            let expected = match trace.answer.outcome {
                Outcome::Backend(name) => name,
                Outcome::Refused(how) | Outcome::Answered(how) | Outcome::Computed(how) => {
                    how.split([' ', ',']).next().unwrap_or_default().to_owned()
                }
            };
            let out = match way {
                1 => curl(
                    method,
                    host,
                    &[
                        "--interface".to_owned(),
                        from.to_string(),
                        "--connect-to".to_owned(),
                        format!("::127.0.0.1:{secure}"),
                        format!("https://{name}{path}"),
                    ],
                ),
                2 => curl(method, host, &[format!("http://[::1]:{six}{path}")]),
                _ => curl(
                    method,
                    host,
                    &["--interface".to_owned(), from.to_string(), format!("http://127.0.0.1:{plain}{path}")],
                ),
            };
            *counted += 1;
            let seen = seen(&out);
            if seen != expected {
                wrong.push(format!("{request} ({name}): HAProxy {seen}, the model {expected}\n{text}"));
            }
        }
    }
    eprintln!(
        "requests served by HAProxy in the clear: {clear}, with TLS: {with_tls}, over IPv6: {over_ipv6}, wrong: {}, not \
         known: {unknown}",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}; the first: {}", wrong.len(), wrong[0]);
    assert!(with_tls > 50 && (over_ipv6 > 50 || !ipv6), "too few were compared");
}

/// A key with its certificate, in one file as HAProxy reads it; its path.
fn certificate(folder: &Path) -> String {
    let (key, certificate, both) = (folder.join("key"), folder.join("crt"), folder.join("both.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let parts = [certificate, key].map(|path| std::fs::read_to_string(path).expect("written"));
    std::fs::write(&both, parts.concat()).expect("written");
    both.display().to_string()
}

/// Many conditions that only time tells, in another order on each side.
#[test]
fn listeners_that_are_too_hard_to_compare_are_undecided_and_never_equal() {
    let text = |numbers: &[usize]| {
        let mut text =
            "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend front\n \
                        bind :80\n"
                .to_owned();
        for n in numbers {
            writeln!(text, " use_backend b{} if {{ fe_conn gt {n} }}", n % 2).expect("a String");
        }
        text + " default_backend b0\nbackend b0\n server s 192.0.2.1:80\nbackend b1\n server s 192.0.2.2:80\n"
    };
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
    let numbers: Vec<usize> = (1..60).collect();
    let mut others = numbers.clone();
    others.swap(57, 58);
    write("old.cfg", text(&numbers));
    write("new.cfg", text(&others));
    let ran = portcullis(folder.path(), &[], &["diff", "old.cfg", "new.cfg"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(!ran.out.contains("no semantic change"), "{}", ran.out);
    let said = "what `new.cfg/front` does with requests could not be compared within its budget";
    assert!(ran.out.contains(said), "{}", ran.out);
    let same = portcullis(folder.path(), &[], &["diff", "old.cfg", "old.cfg"]);
    assert_eq!(same.code, 0, "{}", same.out);
}

/// What HAProxy takes for the value of a converter is what it is taken for here: the same patterns are refused.
#[test]
fn values_of_converters_are_compared_as_haproxy_compares_them() {
    let Ok(said) = Command::new("haproxy").args(["-dKcnv", "-q", "-c", "-f", "/dev/null"]).output() else {
        eprintln!("SKIPPED: HAPROXY IS NOT ASKED: there is no haproxy here");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (map, file) = (folder.path().join("m.map"), folder.path().join("haproxy.cfg"));
    std::fs::write(&map, "").expect("written");
    let list = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut asked = 0;
    for line in list.lines() {
        let Some((call, _)) = line.trim().split_once(": ") else { continue };
        let (name, arguments) = call.trim_end_matches(')').split_once('(').unwrap_or((call, ""));
        let arguments: Vec<String> = arguments
            .split([',', '['])
            .map(|kind| match kind.trim_end_matches(']') {
                "" => String::new(),
                "integer" => "1".to_owned(),
                "table" => "t".to_owned(),
                "IPv4 mask" => "24".to_owned(),
                "IPv6 mask" => "64".to_owned(),
                _ if name.starts_with("map") => map.display().to_string(),
                _ if name.ends_with("-var") || name == "strcmp" => "txn.x".to_owned(),
                _ if name == "digest" => "sha1".to_owned(),
                _ => "1".to_owned(),
            })
            .filter(|text| !text.is_empty())
            .collect();
        let least = call.split('[').next().unwrap_or(call).matches([',', '(']).count();
        let least = if call.contains("([") { 0 } else { least };
        let few = arguments.get(..least.max(usize::from(!arguments.is_empty()))).unwrap_or(&arguments).join(",");
        let call = if few.is_empty() { name.to_owned() } else { format!("{name}({few})") };
        // The first says whether the call is one at all.
        for behind in once("-m found").chain(["", "x", "gt 5"].into_iter().skip(asked % every(3)).step_by(every(3))) {
            let text = format!(
                "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend f\n bind :80\n \
                 http-request deny if {{ src,{call} {behind} }}\nbackend t\n stick-table type ip size 1 store gpc0,gpt0,conn_cnt\n"
            );
            std::fs::write(&file, &text).expect("written");
            let out = Command::new("haproxy").args(["-c", "-f"]).arg(&file).output().expect("haproxy");
            if behind == "-m found" && !out.status.success() {
                // The value is none for it, or its arguments are others.
                break;
            }
            let mut sources = SourceMap::default();
            let main = sources.add(b"haproxy.cfg", text.clone().into_bytes()).expect("small");
            let input = Input { name: "lb".into(), format: formats::format("haproxy"), files: vec![main] };
            let snapshot = formats::read(&[input], &sources, &mut Store::default(), None).0;
            let refused: Vec<&String> =
                snapshot.gaps().iter().map(|gap| &gap.reason).filter(|why| why.contains("refuses")).collect();
            let told = String::from_utf8_lossy(&out.stderr);
            if told.contains("is not a valid IPv4 or IPv6 address") {
                // It may be the name of a host.
                continue;
            }
            assert_eq!(out.status.success(), refused.is_empty(), "{text}{refused:?}\n{told}");
            asked += 1;
        }
    }
    eprintln!("{asked} comparisons of the values of converters");
    assert!(asked * every(3) > 200 || !list.contains("length: sint"), "{asked}");
}
