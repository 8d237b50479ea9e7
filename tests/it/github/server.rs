//! The GitHub of tests on loopback, and what can go wrong on the way.

use super::world::{Answer, World};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What goes wrong with an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// It comes late.
    Delay(Duration),
    /// It never comes.
    Hang,
    /// The connection ends before it.
    Reset,
    /// The connection ends within it.
    Truncated,
    /// Another status, with headers.
    Status(u16, Vec<(&'static str, String)>),
    /// Another body.
    Body(String),
    /// Another type of content.
    Type(&'static str),
    /// Another place to look at.
    Redirect(u16),
    /// A link to a next page: of this address, `{own}` being the list's own one.
    Next(String),
    /// No link to a next page.
    NoNext,
    /// No items, although a next page is named.
    EmptyPage,
    /// Every item twice.
    Twice,
    /// Null at a pointer.
    Null(String),
    /// Nothing at a pointer.
    Removed(String),
    /// A word that nobody knows at a pointer.
    Word(String),
    /// Much more than expected.
    Huge,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

type Change = Box<dyn FnOnce(&mut World) + Send>;

struct Shared {
    world: World,
    /// What every path begins with.
    base: &'static str,
    /// What was answered, as long as nothing has happened since.
    answers: HashMap<(String, usize), Answer>,
    /// The call that goes wrong, how, and how often still.
    fault: Option<(String, Fault, usize)>,
    /// What happens to the world after that many requests.
    then: Option<(usize, Change)>,
    /// The paths that were asked for, with their published names.
    asked: Vec<(String, &'static str)>,
    tokens: Vec<String>,
    /// Where redirects and foreign pages lead.
    elsewhere: Option<SocketAddr>,
}

impl Server {
    pub(crate) fn start(world: World, base: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared {
            world,
            base,
            answers: HashMap::new(),
            fault: None,
            then: None,
            asked: Vec::new(),
            tokens: Vec::new(),
            elsewhere: None,
        }));
        let inner = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let inner = Arc::clone(&inner);
                // A client that has gone is no failure of the server.
                thread::spawn(move || drop(stream.and_then(|stream| serve(&stream, &inner))));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.address, self.lock().base)
    }

    /// Something happens.
    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        let mut shared = self.lock();
        change(&mut shared.world);
        shared.answers.clear();
    }

    /// From now on the answers to `call` go wrong, `times` times.
    pub(crate) fn fail(&self, call: &str, fault: Fault, times: usize) {
        self.lock().fault = Some((call.to_owned(), fault, times));
    }

    pub(crate) fn lead_to(&self, elsewhere: SocketAddr) {
        self.lock().elsewhere = Some(elsewhere);
    }

    /// Changes the world after a number of requests from now.
    pub(crate) fn after(&self, requests: usize, change: impl FnOnce(&mut World) + Send + 'static) {
        let mut shared = self.lock();
        let count = shared.asked.len() + requests;
        shared.then = Some((count, Box::new(change)));
    }

    /// The published names of what was asked since the last time, with the paths.
    pub(crate) fn asked(&self) -> Vec<(String, &'static str)> {
        std::mem::take(&mut self.lock().asked)
    }

    /// The values of `Authorization` that were sent.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.lock().tokens.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn serve(stream: &TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    stream.set_nodelay(true)?;
    while one_request(stream, &mut reader, shared)? {}
    Ok(())
}

/// Whether the connection lasts.
fn one_request(
    stream: &TcpStream,
    reader: &mut BufReader<&TcpStream>,
    shared: &Mutex<Shared>,
) -> std::io::Result<bool> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(false);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut token = None;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("authorization")
        {
            token = Some(value.trim().to_owned());
        }
    }
    let (answer, fault, elsewhere, own, page) = {
        let mut shared = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.tokens.extend(token);
        if shared.then.as_ref().is_some_and(|(count, _)| shared.asked.len() >= *count)
            && let Some((_, change)) = shared.then.take()
        {
            change(&mut shared.world);
            shared.answers.clear();
        }
        let path = target.strip_prefix(shared.base).unwrap_or("/nowhere").to_owned();
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let page = query.split('&').find_map(|pair| pair.strip_prefix("page=")?.parse().ok()).unwrap_or(1);
        let Shared { world, answers, .. } = &mut *shared;
        let answer = answers.entry((path.clone(), page)).or_insert_with(|| world.answer(&path, page)).clone();
        let bare = path.split('?').next().unwrap_or_default().to_owned();
        shared.asked.push((bare.clone(), answer.call));
        let fault = match &mut shared.fault {
            Some((call, fault, times)) if *call == bare && *times > 0 => {
                *times -= 1;
                Some(fault.clone())
            }
            _ => None,
        };
        let host = stream.local_addr()?;
        let own = format!("http://{host}{}{bare}", shared.base);
        (answer, fault, shared.elsewhere, own, page)
    };
    let lasts = fault.is_none();
    respond(stream, answer, fault, elsewhere, &own, page)?;
    Ok(lasts)
}

fn respond(
    mut stream: &TcpStream,
    answer: Answer,
    fault: Option<Fault>,
    elsewhere: Option<SocketAddr>,
    own: &str,
    page: usize,
) -> std::io::Result<()> {
    let Answer { call: _, mut status, next, mut body, said: _ } = answer;
    let mut headers: Vec<(&str, String)> = Vec::new();
    let mut kind = "application/json; charset=utf-8";
    let mut link = next.then(|| format!("<{own}?per_page=100&page={}>; rel=\"next\"", page + 1));
    let (mut text, mut cut, faulty) = (None, false, fault.is_some());
    let there = elsewhere.map_or_else(|| "203.0.113.9".to_owned(), |address| address.to_string());
    match fault {
        None => {}
        Some(Fault::Delay(time)) => thread::sleep(time),
        Some(Fault::Hang) => {
            // Until the other end gives up.
            let mut byte = [0];
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            return stream.read(&mut byte).map(drop);
        }
        Some(Fault::Reset) => return Ok(()),
        Some(Fault::Truncated) => cut = true,
        Some(Fault::Status(other, more)) => {
            status = other;
            headers.extend(more);
            text = Some("{\"message\":\"no\"}".to_owned());
        }
        Some(Fault::Body(other)) => text = Some(other),
        Some(Fault::Type(other)) => kind = other,
        Some(Fault::Redirect(other)) => {
            status = other;
            headers.push(("Location", format!("http://{there}/")));
        }
        Some(Fault::Next(target)) => {
            let target = target.replace("{own}", own).replace("{elsewhere}", &there);
            let target = target.replace("{page}", &page.to_string()).replace("{skip}", &(page + 2).to_string());
            link = Some(format!("<{target}>; rel=\"next\""));
        }
        Some(Fault::NoNext) => link = None,
        Some(Fault::EmptyPage) => {
            body = json!([]);
            link = Some(format!("<{own}?page={}>; rel=\"next\"", page + 1));
        }
        Some(Fault::Twice) => {
            if let Value::Array(items) = &mut body {
                items.extend(items.clone());
            }
        }
        Some(Fault::Null(at)) => {
            if let Some(found) = body.pointer_mut(&at) {
                *found = Value::Null;
            }
        }
        Some(Fault::Removed(at)) => {
            let (parent, name) = at.rsplit_once('/').expect("a pointer");
            match body.pointer_mut(parent) {
                Some(Value::Object(fields)) => drop(fields.remove(name)),
                Some(Value::Array(items)) => drop(items.remove(name.parse().expect("a number"))),
                _ => {}
            }
        }
        Some(Fault::Word(at)) => {
            if let Some(found) = body.pointer_mut(&at) {
                *found = json!("quite-new");
            }
        }
        Some(Fault::Huge) => text = Some(format!("[{}]", "0,".repeat(1 << 20))),
    }
    let text = text.unwrap_or_else(|| body.to_string());
    headers.extend(link.map(|link| ("Link", link)));
    let mut head = format!("HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", text.len());
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("writing to a String");
    }
    head.push_str(if faulty { "Connection: close\r\n\r\n" } else { "\r\n" });
    let end = if cut { text.len() / 2 } else { text.len() };
    head.push_str(&text[..end]);
    stream.write_all(head.as_bytes())
}
