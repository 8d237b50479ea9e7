//! The comment that the GitHub Action keeps on a pull request, before a forge on loopback.

use crate::action::{Runner, script};
use crate::tools::{program, said};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// Comments of a pull request, as a forge keeps them: id, author, text.
type Comments = Arc<Mutex<Vec<(u64, String, String)>>>;

/// A forge that knows comments only, and gives its address. Without `writes`, its token may read only.
fn forge(comments: &Comments, writes: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let comments = Arc::clone(comments);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("the same"));
            let (mut first, mut length, mut known) = (String::new(), 0, false);
            reader.read_line(&mut first).expect("a request");
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                let lower = line.to_lowercase();
                known |= lower.trim() == "authorization: bearer secret";
                if let Some(number) = lower.strip_prefix("content-length:") {
                    length = number.trim().parse().expect("a number");
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let mut words = first.split(' ');
            let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
            let (status, answer) = reply(&mut comments.lock().expect("no panic"), method, path, &body, known, writes);
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
            stream.write_all((head + &answer).as_bytes()).expect("written");
        }
    });
    address
}

fn reply(
    comments: &mut Vec<(u64, String, String)>,
    method: &str,
    path: &str,
    body: &[u8],
    known: bool,
    writes: bool,
) -> (&'static str, String) {
    let text = || {
        serde_json::from_slice::<serde_json::Value>(body).expect("JSON")["body"].as_str().expect("a text").to_owned()
    };
    if !known {
        return ("401 Unauthorized", "{}".into());
    }
    if method == "GET" {
        let page: usize = path.rsplit("page=").next().expect("a page").parse().expect("a number");
        assert!(path.starts_with("/repos/o/r/issues/7/comments?per_page=100&page="), "{path}");
        let of_page = comments.iter().skip((page - 1) * 100).take(100);
        let list: Vec<_> = of_page
            .map(|(id, who, text)| serde_json::json!({"id": id, "user": {"login": who}, "body": text}))
            .collect();
        return ("200 OK", serde_json::to_string(&list).expect("JSON"));
    }
    if !writes {
        return ("403 Forbidden", "{}".into());
    }
    match (method, path) {
        ("POST", "/repos/o/r/issues/7/comments") => {
            let id = comments.len() as u64 + 1;
            comments.push((id, "github-actions[bot]".into(), text()));
            ("201 Created", "{}".into())
        }
        ("PATCH", path) => {
            let id: u64 =
                path.strip_prefix("/repos/o/r/issues/comments/").expect("a comment").parse().expect("a number");
            comments.iter_mut().find(|comment| comment.0 == id).expect("it is there").2 = text();
            ("200 OK", "{}".into())
        }
        other => unreachable!("not asked for: {other:?}"),
    }
}

/// Runs the comment step for that event.
fn commented(api: &str, event: &str, report: &str, token: &str) -> String {
    let folder = TempDir::new().expect("a folder");
    let mut runner = Runner::new(folder.path());
    fs::write(runner.temp.path().join("event.json"), event).expect("written");
    let file = folder.path().join("report.md");
    fs::write(&file, report).expect("written");
    for (name, value) in [
        ("GITHUB_API_URL", api),
        ("GITHUB_REPOSITORY", "o/r"),
        ("GITHUB_TOKEN", token),
        ("COMMENT", &file.display().to_string()),
        ("COMMENT_AUTHOR", "github-actions[bot]"),
        ("no_proxy", "127.0.0.1"),
    ] {
        runner.set(name, value);
    }
    let output = runner.run(&script("comment.sh"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(!said(&output).contains("secret"), "{}", said(&output));
    said(&output)
}

const EVENT: &str = r#"{"pull_request": {"number": 7}}"#;
const MARK: &str = "<!-- portcullis: report -->";

#[test]
fn one_comment_is_kept_up_to_date_and_nobody_elses_is_touched() {
    if program("jq").is_none() || program("curl").is_none() {
        return;
    }
    let others: Vec<(u64, String, String)> = (1..=120)
        .map(|id| (id, "mallory".to_owned(), format!("{MARK}\nwritten by somebody else {id}")))
        .chain([(121, "github-actions[bot]".to_owned(), format!("of another tool, about {MARK}"))])
        .collect();
    let comments: Comments = Arc::new(Mutex::new(others.clone()));
    let api = forge(&comments, true);
    for report in ["### blocked `x` \"@team\"\n", "### pass\n"] {
        assert!(commented(&api, EVENT, report, "secret").contains("is up to date"));
        let now = comments.lock().expect("no panic").clone();
        let ours = (122, "github-actions[bot]".to_owned(), format!("{MARK}\n{report}"));
        assert_eq!((&now[..121], &now[121..]), (others.as_slice(), [ours].as_slice()));
    }
}

#[test]
fn what_cannot_be_commented_is_said_and_does_not_fail() {
    if program("jq").is_none() || program("curl").is_none() {
        return;
    }
    let comments: Comments = Arc::default();
    let (reads, nobody) = (forge(&comments, false), forge(&comments, true));
    assert!(commented(&reads, EVENT, "x", "secret").contains("no comment: it cannot be written"));
    assert!(commented(&nobody, EVENT, "x", "wrong").contains("no comment: the comments cannot be read"));
    assert!(commented(&nobody, EVENT, "x", "").contains("no comment: there is no token"));
    assert!(
        commented(&nobody, r#"{"merge_group": {}}"#, "x", "secret").contains("no comment: the event is about no pull")
    );
    assert!(commented(&nobody, EVENT, "", "secret").contains("no comment: there is no report"));
    assert_eq!(*comments.lock().expect("no panic"), Vec::new());
}
