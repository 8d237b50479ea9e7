//! Routing that is really served: generated configurations are started on loopback, and what HAProxy does with requests is
//! held against the model.
//!
//! `PORTCULLIS_SEED=N` takes another seed than the usual one, `PORTCULLIS_RUNS=N` another number of configurations.

#![expect(clippy::print_stderr, reason = "totals and a skipped oracle are told")]

use portcullis::diff::balancers::route;
use portcullis::formats::{self, Input};
use portcullis::model::{Configuration, Outcome, Protocol, Snapshot, Store};
use portcullis::net::{Family, Request, Spoken};
use portcullis::text::{Linked, SourceMap};
use socket2::{Domain, SockAddr, Socket, Type};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

const BACKENDS: usize = 5;
const REQUESTS: usize = 60;

/// What a client sees.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// The server of that backend has answered.
    Backend(String),
    /// HAProxy has answered itself: the status, and where a redirect leads to.
    Status(u16, Option<String>),
    /// The page of statistics.
    Statistics,
    /// The connection was closed.
    Closed,
}

#[test]
fn requests_go_where_the_model_says() {
    if Command::new("haproxy").arg("-v").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: HAPROXY IS NOT ASKED: there is no haproxy here");
        return;
    }
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().expect("a number in the environment"))
    };
    let (seed, runs) = (number("PORTCULLIS_SEED", 20_261_121), number("PORTCULLIS_RUNS", 40));
    let servers: Vec<u16> = (0..BACKENDS).map(server).collect();
    let mut totals = Totals::default();
    let mut wrong = Vec::new();
    for run in 0..runs {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(run + 1));
        let case = Case::new(&mut random, &servers);
        case.compare(&mut random, &mut totals, &mut wrong);
    }
    eprintln!("seed {seed}: {totals}");
    let kinds: Vec<&str> = wrong.iter().filter_map(|text| text.lines().next()).collect();
    let first = wrong.first().map_or("", String::as_str);
    assert!(wrong.is_empty(), "{} disagreements:\n{}\nthe first:\n{first}", wrong.len(), kinds.join("\n"));
    assert!(totals.compared > 1000 || runs < 40, "{totals}");
}

#[derive(Debug, Default)]
struct Totals {
    configurations: usize,
    compared: usize,
    unknown: usize,
    /// Configurations that both refuse.
    refused: usize,
    outcomes: BTreeMap<&'static str, usize>,
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { configurations, compared, unknown, refused, outcomes } = self;
        write!(f, "{configurations} configurations started, {refused} refused by both; ")?;
        write!(f, "{compared} requests compared {outcomes:?}, {unknown} that depend on what is not known")
    }
}

/// A tiny server that says which backend it is of; its port.
pub(crate) fn server(number: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let mut text = [0; 4096];
                // Whatever has come is answered: the other side may be no HTTP.
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.read(&mut text);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nX-Served-By: b{number}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    port
}

/// Numbers that look random and are the same for a seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % most
    }

    pub(crate) fn of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len())]
    }

    pub(crate) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

const HOSTS: &[&str] = &[
    "a.example",
    "b.example",
    "www.a.example",
    "A.Example",
    "api.b.example",
    "a.example:8080",
    "other",
    "b.example.org",
];
const PATHS: &[&str] = &[
    "/",
    "/api",
    "/api/",
    "/api/v1",
    "/apiv2",
    "/static/x.png",
    "/img/a.jpg",
    "/API/x",
    "/a/b/c",
    "/login",
    "/x.php",
    "/up",
    "/stats",
    "/img/api/x",
    "/a.example/api",
    "//api",
    "/api//v1",
    "/img/../api/v1",
    "/./api",
    "/%61pi",
    "/api%2Fv1",
    "/api/..",
    "/x%2Ephp",
];
const QUERIES: &[&str] = &["", "", "", "q=1", "stats", "api=/x"];
const METHODS: &[&str] = &["GET", "GET", "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"];
const SOURCES: &[[u8; 4]] = &[[127, 0, 0, 1], [127, 0, 0, 2], [127, 1, 2, 3], [127, 9, 9, 9]];
const NETS: &[&str] =
    &["127.0.0.1", "127.0.0.0/24", "127.1.0.0/16", "127.0.0.0/255.0.0.0", "10.0.0.0/8", "127.9.9.9", "::1"];
const WORDS: &[&str] =
    &["api", "a", "/api", "/", "img", "example", ".example", "b.", "www", "x", "/a", "v1", "A", ".png", "8080"];
const EXPRESSIONS: &[&str] = &[
    "^/api(/|$)",
    r"\.(png|jpg)$",
    "^a",
    "[0-9]+",
    "^[a-z]+\\.example$",
    "(?:b|c)",
    "^/[^/]*$",
    "EX",
    "^$",
    "api/v[0-9]",
];

/// A configuration and what the model makes of it.
struct Case {
    text: String,
    map: String,
    ports: Vec<u16>,
    http: bool,
    folder: tempfile::TempDir,
}

impl Case {
    fn new(random: &mut Random, servers: &[u16]) -> Self {
        let folder = tempfile::TempDir::new().expect("a folder");
        let http = !random.chance(6);
        let ports: Vec<u16> = (0..2).map(|_| free_port()).collect();
        let mut map = String::new();
        for _ in 0..random.below(6) + 1 {
            let key = if random.chance(2) { random.of(HOSTS) } else { random.of(WORDS) };
            writeln!(map, "{key}  b{}", random.below(BACKENDS + 1)).expect("a String");
        }
        let mut case = Self { text: String::new(), map, ports, http, folder };
        case.write(random, servers);
        case
    }

    fn map_path(&self) -> String {
        self.folder.path().join("hosts.map").display().to_string()
    }

    fn write(&mut self, random: &mut Random, servers: &[u16]) {
        let mode = if self.http { "http" } else { "tcp" };
        let mut text = format!(
            "defaults\n mode {mode}\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n timeout tarpit 1ms\n"
        );
        text.push_str(" timeout http-request 5s\n");
        let listen = random.chance(4);
        if listen {
            text.push_str(&format!("listen b0\n server own 127.0.0.1:{}\n", servers[0]));
        } else {
            text.push_str("frontend front\n");
        }
        for port in &self.ports {
            text.push_str(&format!(" bind 127.0.0.1:{port}\n"));
        }
        let mut names = Vec::new();
        for number in 0..random.below(5) {
            let name = format!("n{}", number / 2);
            let question = self.question(random);
            text.push_str(&format!(" acl {name} {question}\n"));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if !self.http {
            text.push_str(" tcp-request inspect-delay 2s\n tcp-request content accept if { req.ssl_hello_type 1 }\n");
        }
        if random.chance(4) {
            let action = random.of(&["accept", "reject"]);
            text.push_str(&format!(" tcp-request connection {action} if {{ src {} }}\n", random.of(NETS)));
        }
        if random.chance(4) {
            let action = random.of(&["accept", "reject"]);
            let condition = self.condition(random, &names);
            text.push_str(&format!(" tcp-request content {action}{condition}\n"));
        }
        if self.http {
            if random.chance(5) {
                text.push_str(" monitor-uri /up\n");
            }
            if random.chance(5) {
                text.push_str(" stats enable\n stats uri /stats\n");
            }
            self.rules(random, &names, &mut text, 4);
        }
        for _ in 0..random.below(5) {
            let condition = self.condition(random, &names);
            if self.http && random.chance(4) {
                let key = random.of(&[
                    "req.hdr(host)",
                    "req.hdr(host),lower",
                    "path",
                    "req.hdr(host),field(1,:)",
                    "var(txn.h)",
                ]);
                let map = random.of(&["map", "map_str", "map_beg", "map_end", "map_sub", "map_dom", "map_dir"]);
                let default = random.of(&["", ",b1", ",nothing"]);
                let path = self.map_path();
                text.push_str(&format!(" use_backend %[{key},{map}({path}{default})]{condition}\n"));
            } else {
                text.push_str(&format!(" use_backend b{}{condition}\n", random.below(BACKENDS)));
            }
        }
        if !random.chance(4) {
            text.push_str(&format!(" default_backend b{}\n", random.below(BACKENDS)));
        }
        for (number, port) in servers.iter().enumerate().skip(usize::from(listen)) {
            text.push_str(&format!("backend b{number}\n"));
            if self.http && random.chance(3) {
                self.rules(random, &[], &mut text, 2);
            }
            text.push_str(&format!(" server s 127.0.0.1:{port}\n"));
        }
        self.text = text;
    }

    fn rules(&self, random: &mut Random, names: &[String], text: &mut String, most: usize) {
        for _ in 0..random.below(most) {
            let action = random.of(&[
                "http-request deny",
                "http-request deny deny_status 429",
                "http-request allow",
                "http-request reject",
                "http-request tarpit",
                "http-request auth realm x",
                "http-request return status 200 content-type text/plain string own",
                "http-request return status 404",
                "http-request redirect location /elsewhere code 303",
                "http-request set-header X-Extra 1",
                "http-request set-var(txn.h) req.hdr(host),lower",
                "http-request set-path /rewritten",
                "redirect location /moved code 301",
                "redirect location /found",
            ]);
            let condition = if action.contains("set-var") && !random.chance(3) {
                String::new()
            } else {
                self.condition(random, names)
            };
            text.push_str(&format!(" {action}{condition}\n"));
        }
    }

    fn condition(&self, random: &mut Random, names: &[String]) -> String {
        let mut out = format!(" {}", random.of(&["if", "if", "if", "unless"]));
        for number in 0..random.below(3) + 1 {
            if number > 0 && random.chance(2) {
                out.push_str(random.of(&[" or", " ||"]));
            }
            let not = random.of(&["", "", "", "!", "! "]);
            if random.chance(12) {
                out.push_str(&format!(
                    " {not}{}",
                    random.of(&["METH_GET", "TRUE", "FALSE", "LOCALHOST", "METH_POST", "HTTP"])
                ));
            } else if !names.is_empty() && random.chance(2) {
                out.push_str(&format!(" {not}{}", names[random.below(names.len())]));
            } else {
                out.push_str(&format!(" {not}{{ {} }}", self.question(random)));
            }
        }
        out
    }

    fn question(&self, random: &mut Random) -> String {
        let fold = random.of(&["", "", " -i"]);
        let port = self.ports[random.below(self.ports.len())];
        if !self.http {
            let host = random.of(HOSTS);
            return match random.below(5) {
                0 => format!("src {}", random.of(NETS)),
                1 => format!("dst_port {port}"),
                2 => format!("req.ssl_sni{fold} {host}"),
                3 => format!("req_ssl_sni{fold} -m end {}", random.of(WORDS)),
                _ => format!("req.ssl_sni -m beg{fold} {}", random.of(WORDS)),
            };
        }
        let (word, other) = (random.of(WORDS), random.of(WORDS));
        let (path, host) = (random.of(PATHS), random.of(HOSTS));
        let way = random.of(&["str", "beg", "end", "sub", "dir", "dom"]);
        let end = random.of(&["_beg", "_end", "_sub", "_dir", "_dom", ""]);
        match random.below(15) {
            0 => format!("hdr(host){fold} {host} {}", random.of(HOSTS)),
            1 => format!("hdr{end}(host){fold} {word}"),
            2 => format!("hdr_reg(host){fold} {}", random.of(EXPRESSIONS)),
            3 => format!("req.hdr(host),lower -m {way} {word}"),
            4 => {
                format!("req.hdr(host),{} -m {way} {host}", random.of(&["host_only", "field(1,:)", "lower,host_only"]))
            }
            5 => format!("path{end}{fold} {word} {other}"),
            6 => format!("path{fold} {path}"),
            7 => format!("path_reg{fold} {}", random.of(EXPRESSIONS)),
            8 => format!("method {} {}", random.of(METHODS), random.of(METHODS)),
            9 => format!("src {} {}", random.of(NETS), random.of(NETS)),
            10 => format!("dst_port {} {port}", random.of(&["eq", "ge", "le", "gt", "lt"])),
            11 => format!("query -m {way}{fold} {}", random.of(&["q", "q=1", "stats", "/x"])),
            12 => format!("base{}{fold} {host}{path}", random.of(&["", "_beg", "_end", "_sub"])),
            13 => format!("base{}{fold} {word}", random.of(&["_beg", "_end", "_sub"])),
            _ => format!("path,lower -m {way} {word}"),
        }
    }

    /// The model of the configuration.
    fn read(&self, store: &mut Store) -> Snapshot {
        let mut sources = SourceMap::default();
        let main = sources.add(b"haproxy.cfg", self.text.clone().into_bytes()).expect("small");
        let map = sources.add(b"hosts.map", self.map.clone().into_bytes()).expect("small");
        sources.link(main, self.map_path().as_bytes(), Linked { texts: vec![map], within: true });
        let input = Input { name: "lb".into(), format: formats::format("haproxy"), files: vec![main] };
        formats::read(&[input], &sources, store, None).0
    }

    fn compare(&self, random: &mut Random, totals: &mut Totals, wrong: &mut Vec<String>) {
        let (config, map) = (self.folder.path().join("haproxy.cfg"), self.map_path());
        std::fs::write(&map, &self.map).expect("written");
        std::fs::write(&config, &self.text).expect("written");
        let mut store = Store::default();
        let snapshot = self.read(&mut store);
        let refused = snapshot.gaps().first().map(|gap| gap.reason.clone());
        if let Some(reason) = refused {
            let out = Command::new("haproxy").arg("-c").arg("-f").arg(&config).output().expect("haproxy");
            if out.status.success() {
                wrong.push(format!("HAProxy takes it, and here is a gap: {reason}\n{}", self.text));
            }
            totals.refused += 1;
            return;
        }
        let configuration = snapshot.configurations().first().expect("one");
        let Some(running) = Running::start(&config, self.ports[0]) else {
            let out = Command::new("haproxy").arg("-c").arg("-f").arg(&config).output().expect("haproxy");
            wrong.push(format!("haproxy does not start: {}\n{}", String::from_utf8_lossy(&out.stderr), self.text));
            return;
        };
        totals.configurations += 1;
        for _ in 0..REQUESTS {
            let port = self.ports[random.below(self.ports.len())];
            let request = self.request(random, port);
            let Some(expected) = self.expected(&store, configuration, &request, port) else {
                totals.unknown += 1;
                continue;
            };
            let seen = ask(&request, port);
            totals.compared += 1;
            let kind = match &seen {
                Seen::Backend(_) => "backend",
                Seen::Status(300..400, _) => "redirect",
                Seen::Status(..) => "status",
                Seen::Statistics => "statistics",
                Seen::Closed => "closed",
            };
            *totals.outcomes.entry(kind).or_default() += 1;
            // The page has no body for HEAD, and is led away from for POST.
            let page = match &seen {
                Seen::Status(200, None) => request.method == b"HEAD",
                Seen::Status(303, Some(place)) => place.contains(";st="),
                Seen::Status(..) | Seen::Backend(_) | Seen::Statistics | Seen::Closed => false,
            };
            if seen != expected && !(page && expected == Seen::Statistics) {
                wrong.push(format!(
                    "{request}: HAProxy {seen:?}, the model {expected:?}\n{}\nmap:\n{}",
                    self.text, self.map
                ));
            }
        }
        drop(running);
    }

    fn request(&self, random: &mut Random, port: u16) -> Request {
        let [a, b, c, d] = SOURCES[random.below(SOURCES.len())];
        let name = random.of(HOSTS).as_bytes().to_vec();
        Request {
            what: if self.http { Spoken::Http } else { Spoken::Tcp },
            method: random.of(METHODS).as_bytes().to_vec(),
            host: name.clone(),
            path: random.of(PATHS).as_bytes().to_vec(),
            query: random.of(QUERIES).as_bytes().to_vec(),
            server_name: (!self.http).then_some(name),
            source: (Family::Ipv4, u32::from(Ipv4Addr::new(a, b, c, d)).into()),
            via: Some((String::new(), port)),
        }
    }

    /// What the model says; `None`: it does not know.
    fn expected(&self, store: &Store, configuration: &Configuration, request: &Request, port: u16) -> Option<Seen> {
        let at = |listener: &&portcullis::model::Listener| {
            listener.endpoints.iter().any(|end| end.ports.is_some_and(|(first, last)| first <= port && port <= last))
        };
        let listener = configuration.listeners.iter().find(at).expect("a listener on each port");
        assert_eq!(listener.protocol == Protocol::Http, self.http);
        let trace = route(store, listener, request, &[]);
        if !trace.unknown.is_empty() {
            return None;
        }
        Some(match trace.answer.outcome {
            Outcome::Backend(name) => Seen::Backend(name),
            Outcome::Computed(_) => return None,
            Outcome::Refused(_) if !self.http => Seen::Closed,
            Outcome::Refused(how) | Outcome::Answered(how) => {
                let how = how.strip_prefix("tarpit, ").unwrap_or(&how);
                match how.split([' ', ',']).collect::<Vec<_>>().as_slice() {
                    ["closed"] => Seen::Closed,
                    ["statistics"] => Seen::Statistics,
                    ["redirect", code, "to", "location", place] => {
                        Seen::Status(code.parse().expect("a code"), Some((*place).to_owned()))
                    }
                    [status, ..] => Seen::Status(status.parse().expect("a status"), None),
                    [] => Seen::Closed,
                }
            }
        })
    }
}

/// HAProxy with a configuration, until it is dropped.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(config: &std::path::Path, port: u16) -> Option<Self> {
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Self(command.spawn().expect("haproxy starts"));
        for _ in 0..300 {
            if running.0.try_wait().expect("a child").is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(running);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on, and from which no connection goes out by itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).expect("below 10,000");
    loop {
        let port = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Sends a request and tells what comes back.
fn ask(request: &Request, port: u16) -> Seen {
    let source = Ipv4Addr::from(u32::try_from(request.source.1).expect("IPv4"));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SockAddr::from(SocketAddrV4::new(source, 0))).expect("an address of loopback");
    socket.connect(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], port)))).expect("HAProxy listens");
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
    let bytes = match &request.server_name {
        Some(name) => hello(name),
        None => {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
            let query = if request.query.is_empty() { String::new() } else { format!("?{}", text(&request.query)) };
            let (method, path, host) = (text(&request.method), text(&request.path), text(&request.host));
            format!("{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
        }
    };
    // A connection that is refused may be closed before anything is sent or read.
    let _ = stream.write_all(&bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let header = |name: &str| {
        let mut lines = answer.lines().take_while(|line| !line.is_empty());
        lines.find_map(|line| line.to_ascii_lowercase().starts_with(name).then(|| line[name.len()..].trim().to_owned()))
    };
    let Some(status) = answer.split(' ').nth(1).and_then(|status| status.parse().ok()) else { return Seen::Closed };
    match header("x-served-by:") {
        Some(name) => Seen::Backend(name),
        None if answer.contains("Statistics Report") => Seen::Statistics,
        None => Seen::Status(status, header("location:")),
    }
}

/// The first message of a TLS handshake, with a server name.
fn hello(name: &[u8]) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat();
    let entry = [&[0][..], &sized(name)].concat();
    let extension = [&[0, 0][..], &sized(&sized(&entry))].concat();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(sized(&[0x13, 0x01]));
    body.extend([1, 0]);
    body.extend(sized(&extension));
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    let handshake = [&[1][..], &length[1..], &body].concat();
    [&[22, 3, 1][..], &sized(&handshake)].concat()
}
