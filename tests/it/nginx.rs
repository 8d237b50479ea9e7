//! nginx as the judge: the same files are refused, and requests that it serves go where the model says.

use crate::tools::offline;
use portcullis::diff::balancers::route;
use portcullis::diff::{self, Change, ChangeKind};
use portcullis::formats::{self, Input};
use portcullis::model::{Configuration, Outcome, Snapshot, Store};
use portcullis::net::{Family, Request, Spoken};
use portcullis::text::SourceMap;
use regex::Regex;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) fn read(text: &str, store: &mut Store) -> Snapshot {
    let mut sources = SourceMap::default();
    let file = sources.add(b"nginx.conf", text.as_bytes().to_vec()).expect("small");
    let format = formats::format("nginx").expect("a format");
    let input = Input { name: "nginx".to_owned(), format: Some(format), files: vec![file] };
    formats::read(&[input], &sources, store, None).0
}

pub(crate) fn configuration(snapshot: &Snapshot) -> &Configuration {
    snapshot.configurations().first().expect("one configuration")
}

/// Where nginx is; says so where it is not.
#[expect(clippy::print_stderr, reason = "a test that could not be run says so")]
pub(crate) fn nginx() -> Option<PathBuf> {
    let found =
        ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].iter().map(PathBuf::from).find(|p| p.exists());
    if found.is_none() {
        eprintln!("SKIPPED: nginx is not installed, so nothing is compared with what it does");
    }
    found
}

/// Numbers that are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % n
    }

    pub(crate) fn one<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

pub(crate) const BACKENDS: usize = 4;
const NAMES: &[&str] = &[
    "a.example",
    "b.example",
    ".c.example",
    "*.a.example",
    "*.x.a.example",
    "www.*",
    "\"~^w\\d+\\.example$\"",
    "~b",
    "\"\"",
];
pub(crate) const HOSTS: &[&str] = &[
    "a.example",
    "A.example",
    "b.example",
    "c.example",
    "x.c.example",
    "y.a.example",
    "z.x.a.example",
    "www.a.example",
    "w12.example",
    "wb.example",
    "other.example",
    "www.q",
    "a.example.",
];
const PREFIXES: &[&str] =
    &["/", "/a", "/a/", "/a/b", "/a/b/", "/b/", "/static/", "/a/b/c", "/a//b", "/a/../b", "/a%2Fb"];
const EXPRESSIONS: &[&str] =
    &["\\.php$", "^/a/", "b", "/c(/|$)", "\\.(gif|jpe?g)$", "^/[ab]/x", "//", "%", "[?#]", "\\.\\.", "[^ -~]"];
pub(crate) const PATHS: &[&str] = &[
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/b/",
    "/a/b/c",
    "/a/b/c/d",
    "/a/x.php",
    "/b/",
    "/b",
    "/static/x.gif",
    "/static/",
    "/x/c",
    "/c",
    "/A/b",
    "/a/x",
    "/static/b.JPG",
    "/a/b/x.php",
];

/// A path as a client may send it: with what nginx decodes, merges and resolves, or refuses.
pub(crate) fn spelled(random: &mut Random, path: &str) -> String {
    let mut out = String::new();
    for c in path.chars() {
        match (c, random.below(12)) {
            ('/', 0) => out.push_str("//"),
            ('/', 1) => out.push_str("/./"),
            ('/', 2) => out.push_str(random.one(&["/x/../", "/../", "/..%2F", "/%2e%2E/", "/x/y/../../", "/.b/../"])),
            ('/', 3) if !out.is_empty() => out.push_str(random.one(&["%2F", "%2f"])),
            (c, 4) if !out.is_empty() => out.push_str(&format!("%{:02x}", u32::from(c))),
            (c, _) => out.push(c),
        }
    }
    let end = [
        "/..", "/.", "//", "%2e", "/%", "%zz", "%00", "%25", "%3Fx", "%23", "#x", "/..#", "%0", "%C3%A9", "%20x",
        "%0A", "%0a/b", "x.php%0A",
    ];
    if random.below(3) == 0 {
        out.push_str(random.one(&end));
    }
    out
}

/// What a location does.
fn content(random: &mut Random, out: &mut String, deep: usize, within: Option<&str>) {
    if random.below(4) == 0 {
        let _ = write!(
            out,
            " if ($request_method {} {}) {{ return 405; }}",
            random.one(&["=", "!="]),
            random.one(&["POST", "GET"])
        );
    }
    if random.below(4) == 0 {
        let _ = write!(
            out,
            " {} 127.0.0.{}; {};",
            random.one(&["allow", "deny"]),
            1 + random.below(4),
            random.one(&["deny all", "allow all", "deny 127.0.0.2/31"])
        );
    }
    if let Some(within) = within.filter(|_| deep < 2 && random.below(4) == 0) {
        let count = 1 + random.below(2);
        locations(random, out, deep + 1, count, within);
    }
    match random.below(6) {
        0 => {
            let _ = write!(out, " return {};", random.one(&["403", "301 /moved", "404", "302 http://o.example/"]));
        }
        _ => {
            let _ = write!(out, " proxy_pass http://b{};", random.below(BACKENDS));
        }
    }
}

fn locations(random: &mut Random, out: &mut String, deep: usize, count: usize, within: &str) {
    let inner: Vec<&str> = PREFIXES.iter().filter(|prefix| prefix.starts_with(within)).copied().collect();
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..count {
        let head = match random.below(6) {
            0 => format!("= {}", random.one(&inner)),
            1 => format!("^~ {}", random.one(&inner)),
            2 => format!("~ {}", random.one(EXPRESSIONS)),
            3 => format!("~* {}", random.one(EXPRESSIONS)),
            _ => random.one(&inner).to_owned(),
        };
        // A prefix may stand once, with either sign.
        let key = head.trim_start_matches("^~ ").to_owned();
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let _ = write!(out, "\n    location {head} {{");
        let prefix = head.trim_start_matches("^~ ");
        content(random, out, deep, Some(prefix).filter(|prefix| prefix.starts_with('/')));
        out.push_str(" }");
    }
}

pub(crate) fn generated(random: &mut Random, folder: &Path, port: u16, backends: &[u16]) -> String {
    let mut out = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;\nevents {{}}\nhttp {{\n  access_log off; root {0}/empty;\n  client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3; uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5;\n",
        folder.display()
    );
    for (number, port) in backends.iter().enumerate() {
        let _ = writeln!(out, "  upstream b{number} {{ server 127.0.0.1:{port}; }}");
        let _ = writeln!(out, "  server {{ listen 127.0.0.1:{port}; return 200 b{number}; }}");
    }
    if random.below(4) == 0 {
        out.push_str("  merge_slashes off;\n");
    }
    for _ in 0..1 + random.below(4) {
        let default = if random.below(5) == 0 && !out.contains("default_server") { " default_server" } else { "" };
        let names: Vec<&str> = (0..1 + random.below(3)).map(|_| random.one(NAMES)).collect();
        let _ = write!(out, "  server {{\n    listen 127.0.0.1:{port}{default};\n    server_name {};", names.join(" "));
        if random.below(4) == 0 {
            let _ = write!(out, "\n    merge_slashes {};", random.one(&["on", "off"]));
        }
        if random.below(6) == 0 {
            let _ = write!(out, "\n    if ($host = {}) {{ return 403; }}", random.one(&["a.example", "b.example"]));
        }
        let count = random.below(6);
        locations(random, &mut out, 0, count, "/");
        out.push_str("\n  }\n");
    }
    out.push_str("}\n");
    out
}

/// A running nginx, stopped when it is dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn start(program: &Path, configuration: &Path, port: u16) -> Running {
    let child = Command::new(program)
        .args([
            "-c",
            &configuration.display().to_string(),
            "-p",
            &configuration.parent().expect("a folder").display().to_string(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx starts");
    let running = Running(child);
    for _ in 0..500 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return running;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(), "nginx does not listen");
    running
}

/// The status and the body of an answer to a request from an address of this host.
pub(crate) fn ask(from: IpAddr, port: u16, method: &str, host: &str, path: &str) -> (u16, String) {
    let (domain, to) = match from {
        IpAddr::V4(_) => (socket2::Domain::IPV4, IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(_) => (socket2::Domain::IPV6, IpAddr::V6(Ipv6Addr::LOCALHOST)),
    };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::new(from, 0).into()).expect("a local address");
    socket.connect(&SocketAddr::new(to, port).into()).expect("nginx listens");
    let mut stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    // The body of a backend may come in chunks.
    let named = (0..BACKENDS).map(|n| format!("b{n}")).find(|name| status == 200 && body.contains(name.as_str()));
    (status, named.unwrap_or_default())
}

pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port")).collect();
    held.iter().map(|listener| listener.local_addr().expect("bound").port()).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "totals are read in the log")]
fn requests_go_where_the_model_says() {
    let Some(program) = nginx() else { return };
    let mut random = Random(0x5eed_0005);
    let (mut asked, mut wrong) = (0_usize, Vec::new());
    for round in 0..40 {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("empty")).expect("a folder");
        let ports = free_ports(BACKENDS + 1);
        let text = generated(&mut random, folder.path(), ports[0], &ports[1..]);
        let file = folder.path().join("nginx.conf");
        fs::write(&file, &text).expect("written");
        let mut store = Store::default();
        let snapshot = read(&text, &mut store);
        let told =
            offline(&program).args(["-t", "-q", "-c", &file.display().to_string()]).output().expect("nginx runs");
        let refused = !told.status.success();
        let reasons: Vec<&String> = snapshot.gaps().iter().map(|gap| &gap.reason).collect();
        assert_eq!(refused, !reasons.is_empty(), "{} {reasons:?}\n{text}", String::from_utf8_lossy(&told.stderr));
        if refused {
            continue;
        }
        let name = format!("127.0.0.1:{}", ports[0]);
        let listener = configuration(&snapshot).listeners.iter().find(|l| l.name == name).expect("the listener");
        let _running = start(&program, &file, ports[0]);
        for _ in 0..60 {
            let (method, host, path) = (random.one(&["GET", "POST", "PUT"]), random.one(HOSTS), random.one(PATHS));
            let path = if random.below(3) == 0 { path.to_owned() } else { spelled(&mut random, path) };
            let from = Ipv4Addr::new(127, 0, 0, u8::try_from(1 + random.below(5)).expect("small"));
            let request = Request {
                what: Spoken::Http,
                method: method.as_bytes().to_vec(),
                host: host.as_bytes().to_vec(),
                path: path.as_bytes().to_vec(),
                source: (Family::Ipv4, u32::from(from).into()),
                ..Request::default()
            };
            let (status, body) = ask(IpAddr::V4(from), ports[0], method, host, &path);
            let outcome = route(&store, listener, &request, &[]).answer.outcome;
            asked += 1;
            if !agrees(&outcome, status, &body) {
                wrong.push(format!("round {round}: {method} {host} {path} from {from}: {status} {body}, the model says {outcome:?}\n{text}"));
            }
        }
    }
    println!("requests served by nginx and compared with the model: {asked}, wrong: {}", wrong.len());
    assert!(wrong.is_empty(), "{} of {asked}; the first: {}", wrong.len(), wrong[0]);
}

/// Whether an answer is the one that the model says.
pub(crate) fn agrees(outcome: &Outcome, status: u16, body: &str) -> bool {
    match outcome {
        Outcome::Backend(name) => status == 200 && body == *name,
        Outcome::Refused(code) => code.starts_with(&status.to_string()),
        Outcome::Answered(what) if what.starts_with("redirect ") => {
            what.split(' ').nth(1) == Some(status.to_string().as_str())
        }
        Outcome::Answered(_) => matches!(status, 403..=405),
        Outcome::Computed(_) => false,
    }
}

/// What becomes of a configuration that is changed.
fn change(old: &str, new: &str) -> ChangeKind {
    let mut sources = SourceMap::default();
    let format = formats::format("nginx").expect("a format");
    let mut side = |text: &str| {
        let file = sources.add(b"nginx.conf", text.as_bytes().to_vec()).expect("small");
        vec![Input { name: "nginx".to_owned(), format: Some(format), files: vec![file] }]
    };
    let (base, head) = (side(old), side(new));
    let mut store = Store::default();
    let (base, memo, _) = formats::read(&base, &sources, &mut store, None);
    let (head, _, _) = formats::read(&head, &sources, &mut store, Some(&memo));
    assert_eq!(head.gaps().iter().map(|gap| &gap.reason).collect::<Vec<_>>(), Vec::<&String>::new(), "{new}");
    let difference = diff::compare(&Change::new(base, head, store));
    difference.configurations.first().expect("one").change
}

#[test]
fn what_leads_to_itself_ends() {
    let reasons = |text: &str| -> Vec<String> {
        read(text, &mut Store::default()).gaps().iter().map(|gap| gap.reason.clone()).collect()
    };
    let mut store = Store::default();
    let circle = "http { server { listen 8080; location / { try_files $uri @a; } \
                  location @a { try_files $uri @b; } location @b { try_files $uri @a; } } }";
    let snapshot = read(circle, &mut store);
    let listener = configuration(&snapshot).listeners.first().expect("the listener");
    let last = listener.routes.iter().map(|route| &route.outcome).chain([&listener.otherwise]);
    let refused = |outcome: &&Outcome| **outcome == Outcome::Refused("500: locations lead to one another".to_owned());
    assert!(last.filter(refused).count() > 0, "{listener:?}");
    let twice = (0..40).fold("# configuration file /n:\ninclude f0; http { server { } }\n".to_owned(), |text, n| {
        text + &format!("# configuration file /f{n}:\ninclude f{0}; include f{0};\n", n + 1)
    });
    assert!(!reasons(&twice).is_empty());
    assert!(!reasons("# configuration file /n:\ninclude n; include n;\nhttp { server { } }\n").is_empty());
    assert!(!reasons("http { server { location / { try_files @a; } } }").is_empty());
}

#[test]
fn a_way_to_servers_that_nobody_knows_is_a_gap() {
    let gaps = |name: &str| {
        let key = "set $memcached_key $uri;";
        let text = format!("events {{}} http {{ server {{ location / {{ {key} {name} 127.0.0.1:8081; }} }} }}");
        read(&text, &mut Store::default()).gaps().len()
    };
    assert_eq!(["fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass"].map(gaps), [0; 4]);
    assert_eq!(["fastogi_pass", "redis_pass", "_pass"].map(gaps), [1; 3]);
}

#[test]
fn an_address_has_one_default_server() {
    let gaps = |second: &str| {
        let server = |listen: &str| format!("server {{ listen {listen} default_server; return 204; }}");
        let text = format!("events {{}} http {{ {} {} }}", server("80"), server(second));
        read(&text, &mut Store::default()).gaps().iter().map(|gap| gap.reason.clone()).collect::<Vec<_>>()
    };
    let refused = ["nginx refuses it: a duplicate default server"];
    assert_eq!((gaps("80"), gaps("*:80")), (refused.map(String::from).to_vec(), refused.map(String::from).to_vec()));
    assert_eq!((gaps("81").len(), gaps("127.0.0.1:80").len()), (0, 0));
}

#[test]
fn what_is_behind_a_variable_or_a_page_is_no_equal() {
    let server = |text: &str| {
        format!("events {{}} http {{ map $http_x $m {{ default 0; a 1; }} server {{ listen 80; {text} }} }}")
    };
    let old = "set $b one; if ($http_x ~ x) { set $c 1; } if ($c = 1) { return 403; } if ($m) { return 404; } \
               error_page 403 /sorry; rewrite ^/r/(.*) /s/$1 last; \
               location / { proxy_pass http://$b; } location /l { content_by_lua_block { say(1) } } \
               location /s { try_files $uri @app; } location @app { proxy_pass http://10.0.0.1; } \
               location /p { try_files $uri =404; fastcgi_pass 10.0.0.2:9000; }";
    let same = server(old).replace("; ", ";\n\t");
    assert_ne!(change(&server(old), &same), ChangeKind::Changed, "another layout");
    for (from, to) in [
        ("set $b one", "set $b two"),
        ("~ x", "~ y"),
        ("set $c 1", "set $c 2"),
        ("$c = 1", "$c = 2"),
        ("/sorry", "/other"),
        ("/s/$1", "/t/$1"),
        ("say(1)", "say(2)"),
        ("10.0.0.1", "10.0.0.3"),
        ("@app; }", "=404; }"),
        ("10.0.0.2", "10.0.0.4"),
        ("=404; fast", "=405; fast"),
    ] {
        assert!(old.contains(from), "{from}");
        assert_eq!(change(&server(old), &server(&old.replace(from, to))), ChangeKind::Changed, "{from} -> {to}");
    }
    let mapped = server(old).replace("a 1", "a 2");
    assert_eq!(change(&server(old), &mapped), ChangeKind::Changed, "the map");
}

/// Why nginx may refuse a file of which nothing is wrong here: what it needs is not on this machine, and nothing else.
pub(crate) const ELSEWHERE: &[&str] = &[
    r#"cannot load certificate (key )?"[^"]*": .*No such file or directory"#,
    r#"(open|mkdir|lstat)\(\) "[^"]*" failed \((2: No such file or directory|13: Permission denied)\)"#,
    r#"dlopen\(\) "[^"]*" failed \([^ ]*: cannot open shared object file: No such file or directory\)"#,
    // A user or group that is not there: another error has its number behind it.
    r#"get(pw|gr)nam\("[^"]*"\) failed in"#,
    r#"host not found in (upstream|resolver) "[A-Za-z0-9._-]+(:[0-9]+)?(/[^"]*)?""#,
    // Pieces of a configuration are read here as well.
    r#"no "events" section in configuration"#,
];

/// Words of other versions, and of modules that Debian's nginx does not have, which the corpus uses.
const OTHER_VERSIONS: &[&str] = &[
    r#"unknown directive "(connections|http2|mail|keepalive_min_timeout|geoip_[a-z]+|[a-z_]+_by_lua(_block)?)""#,
    r#"unknown "http3" variable"#,
    r#"invalid value "2""#,
    r#"invalid parameter "(spdy|quic)""#,
    r#"host not found in resolver "ipv4=on""#,
    "invalid number of the geo parameters",
    r#"unknown "is_request_port" variable"#,
    // Whether there is a variable of that name is not looked at here.
    r#"unknown "arg" variable"#,
];

/// Why nginx refuses a file, if it does.
pub(crate) fn refusal(program: &Path, file: &Path) -> Option<String> {
    let said = offline(program).args(["-t", "-q", "-c", &file.display().to_string()]).output().expect("nginx runs");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    let reason = text.lines().rfind(|line| line.contains("[emerg]")).unwrap_or(text.trim()).to_owned();
    (!said.status.success()).then_some(reason)
}

/// Whether the reason is one of the list.
pub(crate) fn is_one_of(reason: &str, list: &[&str]) -> bool {
    list.iter().any(|known| Regex::new(known).expect("a pattern").is_match(reason))
}

#[test]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "tables are read in the log")]
fn the_same_files_are_refused() {
    let Some(program) = nginx() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/nginx");
    if !root.is_dir() {
        eprintln!("SKIPPED: ../shared/corpus is not beside this folder");
        return;
    }
    let mut files = Vec::new();
    collect(&root, &mut files);
    let (mut read_files, mut mains, mut both, mut neither, mut elsewhere) = (0, 0, 0, 0, 0);
    let (mut unknown, mut versions) = (0, 0);
    let (mut gaps, mut listeners, mut routes) = (0, 0, 0);
    let mut disagree = Vec::new();
    for path in &files {
        let bytes = fs::read(path).expect("readable");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut store = Store::default();
        let snapshot = read(&text, &mut store);
        read_files += 1;
        gaps += snapshot.gaps().len();
        listeners += configuration(&snapshot).listeners.len();
        routes += configuration(&snapshot).listeners.iter().map(|listener| listener.routes.len()).sum::<usize>();
        if !text.contains("http {") && !text.contains("http{") && !text.contains("stream {") {
            continue;
        }
        mains += 1;
        let refused = snapshot.gaps().iter().find(|gap| gap.reason.starts_with("nginx refuses it"));
        match (refused, refusal(&program, path)) {
            (Some(gap), None) => {
                disagree.push(format!("{}: read by nginx, refused here: {}", path.display(), gap.reason))
            }
            (Some(_), Some(_)) => both += 1,
            (None, None) => neither += 1,
            (None, Some(reason)) if is_one_of(&reason, ELSEWHERE) => elsewhere += 1,
            // What is not known here is a gap, whatever nginx says of it.
            (None, Some(_)) if !snapshot.gaps().is_empty() => unknown += 1,
            (None, Some(reason)) if is_one_of(&reason, OTHER_VERSIONS) => versions += 1,
            (None, Some(reason)) => {
                disagree.push(format!("{}: refused by nginx, read here: {reason}", path.display()));
            }
        }
    }
    println!("nginx corpus: {read_files} files, {listeners} listeners, {routes} routes, {gaps} gaps");
    println!(
        "  {mains} whole configurations: {both} refused by both, {neither} read by both, {elsewhere} refused by nginx for what is not on this machine, {unknown} with a gap here, {versions} for words of other versions"
    );
    assert!(disagree.is_empty(), "{} disagreements:\n{}", disagree.len(), disagree.join("\n"));
}

pub(crate) fn collect(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, out) } else { out.push(path) }
    }
    out.sort();
}
