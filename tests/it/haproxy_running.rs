//! What a running HAProxy does, read through its socket, held against what is expected of it.

use crate::cli::portcullis;
use crate::folder::{folder, write};
use crate::tools;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const CONFIGURATION: &str = "global
  stats socket FOLDER/user.sock mode 600 level user
  stats socket SOCKET mode 600 level admin
defaults
  mode http
  timeout client 5s
  timeout connect 5s
  timeout server 5s
frontend web
  bind unix@FOLDER/web.sock
  acl office src 192.0.2.0/24 198.51.100.7
  acl many url_param(n) -m int ge 3
  http-request deny if { path_beg /admin } !office
  http-request deny if METH_GET many
  http-request deny if { src -f blocked.lst }
  http-request set-header x-tier %[req.hdr(host),map(tiers.map,none)]
  use_backend %[req.hdr(host),lower,map(hosts.map,app)]
  default_backend app
backend app
  server one 127.0.0.1:9001 check weight 10
  server two 127.0.0.1:9002 backup
  server three 127.0.0.1:9003 disabled
  server four 127.0.0.1:9004 ssl verify none
backend api
  server one 127.0.0.1:9101
backend named
  server one localhost:9301
listen old
  bind unix@FOLDER/old.sock
  mode tcp
  server one 127.0.0.1:9201
";
const FILES: [(&str, &str); 3] = [
    ("hosts.map", "# who is where\na.example app\nb.example api\n"),
    ("tiers.map", "a.example gold\n"),
    ("blocked.lst", "203.0.113.0/24\n\n203.0.114.9\n"),
];

/// A process that is ended with the test.
struct Running {
    folder: TempDir,
    process: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("admin.sock")
}

fn text(folder: &Path) -> String {
    CONFIGURATION.replace("SOCKET", "FOLDER/admin.sock").replace("FOLDER", &folder.display().to_string())
}

/// The files of a host, older by a second than anything that begins now.
fn laid(more: &str, files: &[(&str, &str)]) -> TempDir {
    let folder = folder(&[&FILES, files].concat());
    let more = more.replace("FOLDER", &folder.path().display().to_string());
    write(folder.path(), &[("haproxy.cfg", &(text(folder.path()) + &more))]);
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let begun = second();
    while second() == begun {
        std::thread::sleep(Duration::from_millis(10));
    }
    folder
}

impl Running {
    fn start() -> Option<Self> {
        Self::start_with("", &[])
    }

    /// With more at the end of its configuration, and more files.
    fn start_with(more: &str, files: &[(&str, &str)]) -> Option<Self> {
        let haproxy = tools::program("haproxy")?;
        let folder = laid(more, files);
        let process = Command::new(haproxy)
            .args(["-W", "-f"])
            .arg(folder.path().join("haproxy.cfg"))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy starts");
        let running = Self { folder, process };
        let until = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(socket(running.folder.path())).is_err() {
            assert!(Instant::now() < until, "haproxy takes no connection");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(running)
    }

    fn tell(&self, command: &str) {
        let mut stream = UnixStream::connect(socket(self.folder.path())).expect("a connection");
        stream.write_all(format!("{command}\n").as_bytes()).expect("told");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let wrong = ["Unknown", "No such", "Require", "Invalid", "Malformed"];
        assert!(!wrong.iter().any(|word| answer.trim_start().starts_with(word)), "{command}: {answer}");
    }

    /// The code, and all that is said.
    fn verify(&self, more: &[&str]) -> (u8, String) {
        verify(self.folder.path(), more)
    }
}

fn verify(folder: &Path, more: &[&str]) -> (u8, String) {
    let live = format!("live:haproxy:{}", socket(folder).display());
    let arguments = [&["verify", "--expected", "haproxy.cfg", "--live", &live], more].concat();
    let ran = portcullis(folder, &[], &arguments);
    (ran.code, ran.out + &ran.talk)
}

#[test]
fn what_is_changed_through_the_socket_is_a_difference_until_it_is_taken_back() {
    let Some(running) = Running::start() else { return };
    let (code, said) = running.verify(&[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("EQUAL: host: what is in force is what is expected"), "{said}");
    for (change, back, told) in [
        ("disable server app/one", "enable server app/one", "server one (127.0.0.1:9001): it is disabled now"),
        ("set server app/one state drain", "set server app/one state ready", "its weight was 10 and is 0"),
        ("set server app/one weight 20", "set server app/one weight 10", "its weight was 10 and is 20"),
        ("set server app/three state ready", "set server app/three state maint", "server three (127.0.0.1:9003)"),
        ("set server app/one addr 127.0.0.9", "set server app/one addr 127.0.0.1", "127.0.0.9"),
        ("set server api/one addr 127.0.0.1 port 9999", "set server api/one addr 127.0.0.1 port 9101", "9999"),
        ("set server app/four ssl off", "set server app/four ssl on", "server four (127.0.0.1:9004)"),
        ("disable health app/one", "enable health app/one", "server one (127.0.0.1:9001)"),
        (
            "add server api/more 127.0.0.1:9102",
            "set server api/more state maint; del server api/more",
            "server more (127.0.0.1:9102)",
        ),
        ("add map hosts.map c.example api", "del map hosts.map c.example", "host c.example"),
        ("set map hosts.map b.example app", "set map hosts.map b.example api", "host b.example"),
        ("add acl blocked.lst 198.18.0.1", "del acl blocked.lst 198.18.0.1", "198.18.0.1"),
        ("disable frontend web", "enable frontend web", "listener web"),
        ("disable frontend old", "enable frontend old", "listener old"),
        // A value that no route depends on.
        ("add map tiers.map b.example silver", "del map tiers.map b.example", "other settings differ"),
    ] {
        running.tell(change);
        let (code, said) = running.verify(&[]);
        assert!(code == 4 && said.contains(told), "{change}: {code}\n{said}");
        running.tell(back);
        let (code, said) = running.verify(&[]);
        assert_eq!(code, 0, "{back}\n{said}");
    }
}

#[test]
fn what_is_known_to_differ_and_cannot_be_shown_is_never_equal() {
    let Some(running) = Running::start() else { return };
    // A pattern that stands in the configuration itself.
    for (change, back) in [
        ("add acl #ADMIN /secret", "del acl #ADMIN /secret"),
        ("del acl #OFFICE 198.51.100.7", "add acl #OFFICE 198.51.100.7"),
    ] {
        let number = |line: &str| {
            let mut stream = UnixStream::connect(socket(running.folder.path())).expect("a connection");
            stream.write_all(b"show acl\n").expect("asked");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            let line = answer.lines().find(|known| known.contains(line)).expect("a list").to_owned();
            line.split(' ').next().expect("a number").to_owned()
        };
        let named = |text: &str| {
            let text = text.replace("#ADMIN", &format!("#{}", number("acl 'path_beg'")));
            text.replace("#OFFICE", &format!("#{}", number("acl 'src'")))
        };
        running.tell(&named(change));
        let (code, said) = running.verify(&[]);
        assert_eq!(code, 3, "{change}\n{said}");
        running.tell(&named(back));
        let (code, said) = running.verify(&[]);
        assert_eq!(code, 0, "{back}\n{said}");
    }
}

#[test]
fn where_a_name_leads_is_where_its_server_has_to_be() {
    let Some(running) = Running::start() else { return };
    running.tell("set server named/one addr 127.0.0.9");
    let (code, said) = running.verify(&[]);
    assert!(code == 3 && said.contains("`named/one` is at `localhost`, which is"), "{code}\n{said}");
    assert!(said.contains("and 127.0.0.9 is in force"), "{said}");
    running.tell("set server named/one addr 127.0.0.1");
    let (code, said) = running.verify(&[]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn who_may_not_ask_everything_does_not_know_that_all_is_well() {
    let Some(running) = Running::start() else { return };
    let live = format!("live:haproxy:{}", running.folder.path().join("user.sock").display());
    let verify = |more: &[&str]| {
        let arguments = [&["verify", "--expected", "haproxy.cfg", "--live", &live], more].concat();
        portcullis(running.folder.path(), &[], &arguments)
    };
    let ran = verify(&[]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("Permission denied"), "{}", ran.out);
    // What can be seen differs, and that is known.
    running.tell("disable server app/one");
    assert_eq!(verify(&[]).code, 4);
}

#[test]
fn a_certificate_that_is_not_that_of_its_file_is_not_verified() {
    let Some(openssl) = tools::program("openssl") else { return };
    let certificate = || {
        let made = folder(&[]);
        let output = Command::new(&openssl)
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=a.example"])
            .args(["-keyout", "key", "-out", "certificate"])
            .current_dir(made.path())
            .output()
            .expect("openssl");
        assert!(output.status.success(), "{}", tools::said(&output));
        let read = |name| fs::read_to_string(made.path().join(name)).expect("made");
        read("certificate") + &read("key")
    };
    let (first, second) = (certificate(), certificate());
    let more = "frontend tls\n  bind unix@FOLDER/tls.sock ssl crt FOLDER/site.pem\n  default_backend app\n";
    let Some(running) = Running::start_with(more, &[("site.pem", &first)]) else { return };
    let (code, said) = running.verify(&[]);
    assert_eq!(code, 0, "{said}");
    write(running.folder.path(), &[("site.pem", &second)]);
    let (code, said) = running.verify(&[]);
    assert!(code == 3 && said.contains("the certificate in force is not that of"), "{code}\n{said}");
    fs::remove_file(running.folder.path().join("site.pem")).expect("removed");
    let (code, said) = running.verify(&[]);
    assert!(code == 3 && said.contains("is not known: No such file"), "{code}\n{said}");
}

#[test]
fn a_file_that_was_written_since_the_process_was_started_is_not_what_it_runs() {
    let Some(running) = Running::start() else { return };
    let path = running.folder.path().join("haproxy.cfg");
    let before = fs::read_to_string(&path).expect("read");
    fs::write(&path, before.replace("weight 10", "weight 11")).expect("written");
    // Whoever deploys reviews the file, and the process was never told.
    let (code, said) = running.verify(&[]);
    assert!(code == 4 && said.contains("its weight was 11 and is 10"), "{code}\n{said}");
    fs::write(&path, before.replace("path_beg /admin", "path_beg /secret")).expect("written");
    let (code, said) = running.verify(&[]);
    assert_eq!(code, 3, "what it routes by cannot be seen\n{said}");
    assert!(said.contains("which rules it routes by cannot be read from its socket"), "{said}");
    // Somebody keeps what it was started with.
    write(running.folder.path(), &[("kept.cfg", &before)]);
    let (code, said) = running.verify(&["--started-with", "kept.cfg"]);
    assert!(code == 4 && said.contains("path /admin"), "{code}\n{said}");
    fs::write(&path, &before).expect("written");
    assert_eq!(running.verify(&[]).0, 3, "the same bytes, and nobody knows what was there meanwhile");
    assert_eq!(running.verify(&["--started-with", "kept.cfg"]).0, 0);
}

#[test]
fn other_proxies_than_those_expected_are_never_equal() {
    let Some(running) = Running::start() else { return };
    let path = running.folder.path().join("expected.cfg");
    let live = format!("live:haproxy:{}", socket(running.folder.path()).display());
    let before = text(running.folder.path());
    for (more, less) in
        [("backend new\n  server x 127.0.0.1:1\n", ""), ("", "backend api\n  server one 127.0.0.1:9101\n")]
    {
        fs::write(&path, before.replace(less, "") + more).expect("written");
        let ran = portcullis(running.folder.path(), &[], &["verify", "--expected", "expected.cfg", "--live", &live]);
        assert!(matches!(ran.code, 3 | 4), "{}", ran.out);
    }
}

#[test]
fn diff_and_trace_say_that_verify_looks_at_all_of_it() {
    let Some(running) = Running::start() else { return };
    let live = format!("live:haproxy:{}", socket(running.folder.path()).display());
    let ran = portcullis(running.folder.path(), &[], &["diff", "haproxy.cfg", &live]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.talk);
    let ran = portcullis(
        running.folder.path(),
        &[],
        &["verify", "--expected", "haproxy.cfg", "--live", &live, "--persisted"],
    );
    assert_eq!(ran.code, 3, "{}", ran.out);
}

/// Somebody who listens at the socket and answers every question with the same.
fn answering(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> TempDir {
    let folder = laid("", &[]);
    let listener = UnixListener::bind(socket(folder.path())).expect("a socket");
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut question = [0; 256];
            let length = stream.read(&mut question).expect("a question");
            match answer(std::str::from_utf8(&question[..length]).expect("text").trim()) {
                Some(answer) => drop(stream.write_all(answer.as_bytes())),
                // It never ends.
                None => silent.push(stream),
            }
        }
    });
    folder
}

#[test]
fn who_does_not_answer_is_never_equal() {
    let info = |more: &str| {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        format!("Name: HAProxy\nVersion: 3.0.0\nPid: {}\nStart_time_sec: {start}\n{more}", std::process::id())
    };
    let says = |folder: &TempDir| {
        let (code, said) = verify(folder.path(), &[]);
        assert_eq!(code, 3, "{said}");
        let line = said.lines().next().unwrap_or_default().to_owned();
        line.replace(&folder.path().display().to_string(), "DIR")
    };
    let nobody = laid("", &[]);
    let said = says(&nobody);
    assert!(said.starts_with("NOT VERIFIED: host: nobody answers at `DIR/admin.sock`"), "{said}");
    fs::write(socket(nobody.path()), "no socket").expect("written");
    assert!(says(&nobody).contains("nobody answers at"), "a file is no socket");
    for (answer, why) in [
        (Some(String::new()), "the answer is empty"),
        (Some("Permission denied\n".to_owned()), "may not read what is in force: Permission denied"),
        (Some("Unknown command: 'show info'\n".to_owned()), "Unknown command"),
        (Some("Name: nginx\n".to_owned()), "it is no HAProxy that answers"),
        (Some(info("Stopping: 1\n")), "the process that answers is about to end"),
        (Some(info("Nbproc: 2\n")), "there are several processes"),
        (Some(info("")), "the answer is no `show servers state`"),
        (None, "has not answered within"),
    ] {
        let folder = answering(move |_| answer.clone());
        let said = says(&folder);
        assert!(said.contains(why), "{why}: {said}");
    }
    // It has forgotten its servers, or is another one by the end.
    let begun = Instant::now();
    let folder = answering(move |question| {
        let number = begun.elapsed().as_nanos();
        Some(match question {
            "show info" => format!("Name: HAProxy\nPid: {number}\nStart_time_sec: 1\n").replace("Pid: 1", "Pid: 2"),
            "show servers state" => "1\n# be_id be_name srv_id srv_name srv_addr\n".to_owned(),
            "show stat" => "# pxname,svname,status,bck\n".to_owned(),
            "show acl" | "show map" => "# id (file) description\n".to_owned(),
            _ => "# filename\n".to_owned(),
        })
    });
    says(&folder);
}

#[test]
fn a_reload_that_the_process_refuses_leaves_the_old_one_and_is_not_equal() {
    let Some(running) = Running::start() else { return };
    let path = running.folder.path().join("haproxy.cfg");
    let before = fs::read_to_string(&path).expect("read");
    write(running.folder.path(), &[("good.cfg", &before)]);
    fs::write(&path, before.clone() + "backend broken\n  no such keyword\n").expect("written");
    let told = Command::new("kill").args(["-USR2", &running.process.id().to_string()]).status().expect("kill");
    assert!(told.success());
    // Before and after it has tried, the old worker answers.
    for _ in 0..20 {
        let live = format!("live:haproxy:{}", socket(running.folder.path()).display());
        let arguments = ["verify", "--expected", "good.cfg", "--live", &live];
        let ran = portcullis(running.folder.path(), &[], &arguments);
        assert_eq!(ran.code, 3, "{}", ran.out);
        std::thread::sleep(Duration::from_millis(20));
    }
}
