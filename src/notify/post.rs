use super::message::Message;
use super::transport;
use miette::Diagnostic;
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use thiserror::Error;

/// Where messages are sent, and how patiently.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    address: String,
    host: String,
    /// How often it is tried.
    pub attempts: u32,
    /// How long one attempt may take.
    pub limit: Duration,
    /// How long it is waited before the second attempt; before each later one twice as long.
    pub pause: Duration,
}

/// The address cannot be used. It is not shown: whoever knows it can post there.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("this is not the address of a webhook: {why}")]
#[diagnostic(code(portcullis::notify::address), help("give one such as https://hooks.example.org/services/…"))]
pub struct WebhookError {
    why: &'static str,
}

/// Nobody took the message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the webhook at {host} did not take the message, tried {attempts} times: {why}")]
pub struct Unheard {
    host: String,
    attempts: u32,
    why: String,
}

/// Why an attempt failed, and whether another one may help.
pub(super) enum Failed {
    #[cfg_attr(not(feature = "github"), expect(dead_code, reason = "without a client nothing is sent"))]
    ForNow(String),
    Finally(String),
}

impl Webhook {
    /// Three attempts of 5 seconds.
    ///
    /// # Errors
    /// It is no address, or one at which anybody on the way could read along.
    pub fn new(address: &str) -> Result<Self, WebhookError> {
        let refused = |why| WebhookError { why };
        let (scheme, rest) = address.split_once("://").ok_or(refused("it is no URL"))?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(inside) => inside.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        if host.is_empty() || authority.contains('@') || !address.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused("it names no host, or a user besides"));
        }
        let here = host == "localhost" || host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
        if scheme != "https" && !(scheme == "http" && here) {
            return Err(refused("it has to begin with https://"));
        }
        let (limit, pause) = (Duration::from_secs(5), Duration::from_millis(500));
        Ok(Self { address: address.to_owned(), host: host.to_owned(), attempts: 3, limit, pause })
    }

    /// Sends a message. Takes no longer than the attempts and the pauses between them.
    ///
    /// # Errors
    /// It was not taken.
    pub fn send(&self, message: &Message) -> Result<(), Unheard> {
        let body = serde_json::to_string(message).expect("texts and numbers have a JSON form");
        let mut pauses: VecDeque<Duration> =
            (1..self.attempts).map(|n| self.pause * 2_u32.saturating_pow(n - 1)).collect();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (why, pause) = match transport::post(&self.address, &body, self.limit) {
                Ok(()) => return Ok(()),
                Err(Failed::Finally(why)) => (why, None),
                Err(Failed::ForNow(why)) => (why, pauses.pop_front()),
            };
            match pause {
                Some(pause) => std::thread::sleep(pause),
                None => return Err(Unheard { host: self.host.clone(), attempts, why }),
            }
        }
    }
}

/// Only its host is shown: the rest is a secret.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.host)
    }
}
