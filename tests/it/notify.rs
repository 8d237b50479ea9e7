//! Webhooks on loopback that are slow, broken or silent: what they do changes no decision.

use crate::signed::{POLICY, SHUT, Site};
use portcullis::notify::{Message, Webhook};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// What a webhook does with a request.
#[derive(Clone, Copy)]
enum Manner {
    Answer(&'static str),
    Hang,
    Reset,
    Nonsense,
    /// The first two times an error, then well.
    ThirdTime,
}

/// A webhook, and what it is sent.
fn webhook(manner: Manner) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/services/secret", listener.local_addr().expect("an address"));
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut held = Vec::new();
        for (n, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let Some(body) = read(&mut stream) else { continue };
            if sender.send(body).is_err() {
                return;
            }
            let answer = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let text = match manner {
                Manner::Answer(status) => answer(status),
                Manner::ThirdTime => answer(if n < 2 { "503 Service Unavailable" } else { "200 OK" }),
                Manner::Nonsense => "<html>\r\n\r\n".to_owned(),
                Manner::Reset => continue,
                Manner::Hang => {
                    held.push(stream);
                    continue;
                }
            };
            drop(stream.write_all(text.as_bytes()));
        }
    });
    (address, receiver)
}

/// The body of a request.
fn read(stream: &mut TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

fn send(manner: Manner) -> (Result<(), String>, usize) {
    let (address, received) = webhook(manner);
    let mut webhook = Webhook::new(&address).expect("an address");
    webhook.pause = Duration::from_millis(1);
    if let Manner::Hang = manner {
        webhook.limit = Duration::from_millis(300);
    }
    let message = Message::sentence("gate", "refused", Some("production"), "a test");
    let sent = webhook.send(&message).map_err(|why| why.to_string());
    (sent, received.try_iter().count())
}

#[test]
fn a_message_is_sent_again_while_that_may_help_and_only_so_often() {
    let failed = |times: u32, why: &str| {
        Err(format!("the webhook at 127.0.0.1 did not take the message, tried {times} times: {why}"))
    };
    assert_eq!(send(Manner::Answer("200 OK")), (Ok(()), 1));
    assert_eq!(send(Manner::Answer("204 No Content")), (Ok(()), 1));
    assert_eq!(send(Manner::ThirdTime), (Ok(()), 3));
    assert_eq!(
        send(Manner::Answer("500 Internal Server Error")),
        (failed(3, "it answered 500 Internal Server Error"), 3)
    );
    assert_eq!(send(Manner::Answer("429 Too Many Requests")), (failed(3, "it answered 429 Too Many Requests"), 3));
    assert_eq!(send(Manner::Answer("404 Not Found")), (failed(1, "it answered 404 Not Found"), 1));
    assert_eq!(send(Manner::Answer("302 Found")), (failed(1, "it answered 302 Found"), 1));
    assert_eq!(send(Manner::Hang), (failed(3, "no answer within 300 ms"), 3));
    for manner in [Manner::Reset, Manner::Nonsense] {
        let (sent, tried) = send(manner);
        assert!(sent.is_err() && tried == 3, "{sent:?} {tried}");
    }
}

#[test]
fn what_does_not_pass_is_told_and_nothing_that_a_webhook_does_changes_the_decision() {
    let open = SHUT.replace("-s 198.51.100.0/24 ", "");
    let files = [("portcullis.yaml", POLICY), ("fw/web.rules", SHUT)];
    let bad = Site::new(&files, &[files[0], ("fw/web.rules", &open)]);
    let good = Site::usual();
    let plain = bad.run(&["check", "--base", "HEAD~1"]);
    for manner in [
        Manner::Answer("200 OK"),
        Manner::Answer("500 Oh"),
        Manner::Answer("404 Not Found"),
        Manner::Nonsense,
        Manner::Reset,
    ] {
        let (address, received) = webhook(manner);
        let ran = bad.run(&["check", "--base", "HEAD~1", "--notify", &address]);
        assert_eq!((ran.code, &ran.out), (1, &plain.out));
        assert!(!ran.talk.contains("secret"), "{}", ran.talk);
        let told: serde_json::Value = serde_json::from_str(&received.recv().expect("a message")).expect("JSON");
        assert_eq!((told["event"].as_str(), told["outcome"].as_str()), (Some("check"), Some("needs-approval")));
        assert_eq!(told["findings"][0]["check"].as_str(), Some("exposed-ports"));
        assert!(
            told["text"]
                .as_str()
                .is_some_and(|text| text.starts_with("portcullis check: needs-approval\n- exposed-ports")),
            "{told}"
        );
        // Nobody is told of what passes.
        let ran = good.run(&["check", "--base", "HEAD~1", "--notify", &address]);
        assert_eq!(ran.code, 0, "{}", ran.out);
        let again = received.try_iter().filter(|body| body.contains("\"pass\"")).count();
        assert_eq!(again, 0);
    }
    // Nobody is there.
    let nobody =
        format!("http://{}/secret", TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port"));
    let ran = bad.run(&["check", "--base", "HEAD~1", "--notify", &nobody]);
    assert_eq!((ran.code, &ran.out), (1, &plain.out));
    assert!(
        ran.talk.starts_with("note: the webhook at 127.0.0.1 did not take the message, tried 3 times"),
        "{}",
        ran.talk
    );
}

#[test]
fn a_refusal_at_the_gate_is_told() {
    let site = Site::usual();
    site.write("record.json", b"{}\n");
    let (address, received) = webhook(Manner::Answer("200 OK"));
    assert_eq!(site.gate(&["--new-state", "--notify", &address]).code, 1);
    let told: serde_json::Value = serde_json::from_str(&received.recv().expect("a message")).expect("JSON");
    assert_eq!((told["outcome"].as_str(), told["environment"].as_str()), (Some("refused"), Some("production")));
}

#[test]
fn an_address_that_others_could_read_along_is_refused() {
    let refused = |address: &str| Webhook::new(address).expect_err("refused").to_string();
    let because = |why: &str| format!("this is not the address of a webhook: {why}");
    assert_eq!(refused("http://hooks.example.org/x"), because("it has to begin with https://"));
    assert_eq!(refused("ftp://localhost/x"), because("it has to begin with https://"));
    assert_eq!(refused("https:///x"), because("it names no host, or a user besides"));
    assert_eq!(refused("http://127.0.0.1@example.org/x"), because("it names no host, or a user besides"));
    assert_eq!(refused("https://a b"), because("it names no host, or a user besides"));
    assert_eq!(refused("/x"), because("it is no URL"));
    assert!(Webhook::new("https://hooks.example.org/x").is_ok());
    assert!(Webhook::new("http://[::1]:80/x").is_ok());
    assert_eq!(
        format!("{:?}", Webhook::new("https://hooks.example.org/secret").expect("an address")),
        "Webhook(hooks.example.org)"
    );
    let site = Site::usual();
    let ran = site.run(&["check", "--base", "HEAD~1", "--notify", "http://hooks.example.org/x"]);
    assert_eq!(ran.code, 2);
}
