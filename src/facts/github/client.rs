use super::fault::Fault;
use super::{Api, Limits, Token};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http_body_util::BodyExt as _;
use octocrab::Octocrab;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::error::Error as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Asks, within limits. Nothing is written, no redirect is followed, and an answer that is not as it should be is a
/// [`Fault`].
pub(super) struct Client {
    crab: Octocrab,
    pub(super) api: Api,
    pub(super) token: Token,
    pub(super) limits: Limits,
    started: Instant,
    asked: Cell<u32>,
}

/// What was answered, with status 200.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
}

/// What was answered, whatever it is.
struct Any {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    /// Must be called within a runtime.
    pub(super) fn new(api: &Api, token: &Token, limits: Limits) -> Result<Self, Fault> {
        let Api { scheme, authority, path: _ } = api;
        // Every request names the whole address, so the path is not octocrab's to add.
        let crab = Octocrab::builder()
            .base_uri(format!("{scheme}://{authority}"))
            .and_then(|builder| builder.upload_uri(format!("{scheme}://{authority}")))
            .and_then(|builder| {
                builder
                    .personal_token(token.expose().to_owned())
                    .add_header(ACCEPT, "application/vnd.github+json".to_owned())
                    .set_connect_timeout(Some(limits.connect))
                    .build()
            })
            .map_err(|why| Fault::Unreachable(reason(&why)))?;
        let (started, asked) = (Instant::now(), Cell::new(0));
        Ok(Self { crab, api: api.clone(), token: token.clone(), limits, started, asked })
    }

    /// The one thing that is at a path.
    pub(super) async fn one<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        self.get(path).await?.parse()
    }

    /// The same; `None`: the answer is that there is none. That may also mean that the token may not see it.
    pub(super) async fn found<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Fault> {
        match self.one(path).await {
            Ok(found) => Ok(Some(found)),
            Err(Fault::Status(404)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Asks until there is an answer with status 200, as often as it makes sense.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Fault> {
        let mut wait = self.limits.backoff;
        let mut attempt = 1;
        loop {
            let (fault, pause) = match self.once(path).await {
                Ok(Any { status: 200, headers, body }) => return Ok(Answer { headers, body }),
                Ok(Any { status, headers, body: _ }) => match pause(status, &headers) {
                    Pause::Asked(pause) => (Fault::RateLimit(until(pause)), Some(pause)),
                    Pause::Limited => (Fault::RateLimit(String::new()), None),
                    Pause::Failed => (Fault::Status(status), None),
                    Pause::Final => return Err(Fault::Status(status)),
                },
                Err(fault @ (Fault::Unreachable(_) | Fault::Silent(_) | Fault::Cut(_))) => (fault, None),
                Err(fault) => return Err(fault),
            };
            let pause = pause.unwrap_or_else(|| wait + jitter(wait));
            if attempt >= self.limits.attempts || self.left().is_none_or(|left| left <= pause) {
                return Err(fault);
            }
            tokio::time::sleep(pause).await;
            wait *= 2;
            attempt += 1;
        }
    }

    /// How much time there is left.
    fn left(&self) -> Option<Duration> {
        self.limits.run.checked_sub(self.started.elapsed()).filter(|left| !left.is_zero())
    }

    async fn once(&self, path: &str) -> Result<Any, Fault> {
        let out_of_time = || Fault::OutOfTime(self.limits.run);
        let left = self.left().ok_or_else(out_of_time)?;
        let asked = self.asked.get();
        if asked >= self.limits.requests {
            return Err(Fault::TooManyRequests(self.limits.requests));
        }
        self.asked.set(asked + 1);
        match tokio::time::timeout(left, self.exchange(path)).await {
            Ok(answer) => answer,
            Err(_) => Err(out_of_time()),
        }
    }

    async fn exchange(&self, path: &str) -> Result<Any, Fault> {
        let Limits { connect, read, bytes: limit, .. } = self.limits;
        let uri = format!("{}{path}", self.api);
        let sent = tokio::time::timeout(connect.max(read), self.crab._get(uri)).await;
        let response =
            sent.map_err(|_| Fault::Silent(connect.max(read)))?.map_err(|why| Fault::Unreachable(reason(&why)))?;
        let (parts, mut stream) = response.into_parts();
        let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > limit) {
            return Err(Fault::TooLarge(limit));
        }
        let mut body = Vec::new();
        loop {
            let frame = tokio::time::timeout(read, stream.frame()).await.map_err(|_| Fault::Silent(read))?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|why| Fault::Cut(reason(&why)))?;
            if let Some(data) = frame.data_ref() {
                if body.len() + data.len() > limit {
                    return Err(Fault::TooLarge(limit));
                }
                body.extend_from_slice(data);
            }
        }
        let (status, headers) = (parts.status.as_u16(), parts.headers);
        Ok(Any { status, headers, body })
    }
}

impl Answer {
    /// What it says.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let kind = self.headers.get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap_or("?"));
        let essence = kind.split(';').next().unwrap_or_default().trim();
        let is_json = essence == "application/json"
            || essence.strip_prefix("application/vnd.github").is_some_and(|rest| rest.ends_with("json"));
        if !is_json || self.headers.contains_key(CONTENT_ENCODING) {
            return Err(Fault::NotJson(kind.to_owned()));
        }
        serde_json::from_slice(&self.body).map_err(|why| Fault::Form(why.to_string()))
    }
}

/// Whether it makes sense to ask again.
enum Pause {
    /// After that long.
    Asked(Duration),
    /// Later, nobody says when.
    Limited,
    /// Something failed on the way.
    Failed,
    /// It does not.
    Final,
}

fn pause(status: u16, headers: &HeaderMap) -> Pause {
    let number = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let after = number("retry-after").map(Duration::from_secs);
    let used_up = number("x-ratelimit-remaining") == Some(0);
    match status {
        429 | 403 if after.is_some() || used_up || status == 429 => {
            let reset = number("x-ratelimit-reset").filter(|_| used_up).map(|reset| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
                Duration::from_secs(reset.saturating_sub(now).saturating_add(1))
            });
            after.or(reset).map_or(Pause::Limited, Pause::Asked)
        }
        500 | 502..=504 => after.map_or(Pause::Failed, Pause::Asked),
        _ => Pause::Final,
    }
}

fn until(pause: Duration) -> String {
    format!(" for another {} s", pause.as_secs())
}

/// Up to a quarter, so that not all ask again at once.
fn jitter(wait: Duration) -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    wait / 4 * (nanos % 16) / 16
}

/// What an error and its causes say.
fn reason(error: &octocrab::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        cause = error.source();
    }
    if parts.is_empty() { "the client cannot be set up".to_owned() } else { parts.join(": ") }
}

/// A part of a path, in which only letters, digits and `-._~` stand for themselves.
pub(super) fn part(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("writing to a String"),
        }
    }
    out
}

/// Several parts of a path, with the slashes between them.
pub(super) fn parts(text: &str) -> String {
    text.split('/').map(part).collect::<Vec<_>>().join("/")
}
