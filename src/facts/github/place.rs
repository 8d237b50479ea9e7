use std::fmt;
use std::time::Duration;

/// How long and how much is asked. What needs more stays unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a connection may take to come about.
    pub connect: Duration,
    /// How long an answer may be silent.
    pub read: Duration,
    /// How long everything may take.
    pub run: Duration,
    /// How long is waited before a request is made again, the first time; then twice as long each time.
    pub backoff: Duration,
    /// How often one request is made at most.
    pub attempts: u32,
    /// How many requests are made at most.
    pub requests: u32,
    /// How many pages a list may have.
    pub pages: u32,
    /// How many bytes an answer may have.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(10),
            run: Duration::from_secs(60),
            backoff: Duration::from_millis(500),
            attempts: 4,
            requests: 200,
            pages: 100,
            bytes: 16 << 20,
        }
    }
}

/// Where GitHub's REST interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// `https`, or `http` on this machine.
    pub(super) scheme: String,
    /// Host and port.
    pub(super) authority: String,
    /// What every path begins with: nothing, or `/api/v3`.
    pub(super) path: String,
}

/// An address that nothing is asked of. Whoever configured it has to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadApi {
    /// It is no address of that form.
    #[error("the address of GitHub's interface must be like https://api.github.com or https://HOST/api/v3")]
    Form,
    /// What is sent there can be read and changed on the way.
    #[error("the address of GitHub's interface must begin with https:// (http:// is for this machine alone)")]
    Plain,
    /// It names a user.
    #[error("the address of GitHub's interface must not hold a user or a password; tokens come from GITHUB_TOKEN")]
    User,
}

impl Api {
    /// That of github.com.
    pub const GITHUB: &'static str = "https://api.github.com";

    /// Reads an address.
    ///
    /// # Errors
    /// It is none, or nothing may be asked of it.
    pub fn parse(text: &str) -> Result<Self, BadApi> {
        let (scheme, rest) = text.split_once("://").ok_or(BadApi::Form)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(BadApi::User);
        }
        let plain = |text: &str, more: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.as_bytes().contains(&byte))
        };
        let host = host(authority).ok_or(BadApi::Form)?;
        if host.is_empty() || !plain(authority, "-._:[]") || !plain(path, "-._/") || path.contains("//") {
            return Err(BadApi::Form);
        }
        match scheme {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(BadApi::Plain),
            _ => return Err(BadApi::Form),
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { scheme: scheme.to_owned(), authority: authority.to_ascii_lowercase(), path })
    }

    /// The domain of addresses that stand for accounts there: `users.noreply.github.com`.
    #[cfg(feature = "github")]
    pub(super) fn noreply(&self) -> String {
        let host = host(&self.authority).unwrap_or_default();
        let host = if host == "api.github.com" { "github.com" } else { host };
        format!("users.noreply.{host}")
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, authority, path } = self;
        write!(f, "{scheme}://{authority}{path}")
    }
}

/// The host of an authority, without the port.
fn host(authority: &str) -> Option<&str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return port.strip_prefix(':').map_or(port.is_empty(), is_port).then_some(host);
    }
    match authority.split_once(':') {
        Some((host, port)) => is_port(port).then_some(host),
        None => Some(authority),
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A secret that stands for somebody at the forge. It is sent to one place, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A text that is no token. It is not shown: it may be one with something before or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token has characters that no token has; look for a line break or a blank in the secret")]
pub struct BadToken;

impl Token {
    /// Takes a token.
    ///
    /// # Errors
    /// It cannot be one.
    pub fn new(text: &str) -> Result<Self, BadToken> {
        let right = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if right { Ok(Self(text.to_owned())) } else { Err(BadToken) }
    }

    #[cfg(feature = "github")]
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// The text without the token, should it be in it: whoever answers knows it and may say it.
    #[cfg(feature = "github")]
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "(the token)")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_but_on_this_machine() {
        let shown = |text: &str| Api::parse(text).map(|api| api.to_string());
        assert_eq!(shown("https://api.github.com/"), Ok("https://api.github.com".to_owned()));
        assert_eq!(shown("https://git.example.org/api/v3"), Ok("https://git.example.org/api/v3".to_owned()));
        assert_eq!(shown("http://127.0.0.1:81/api/v3/"), Ok("http://127.0.0.1:81/api/v3".to_owned()));
        assert_eq!(shown("http://[::1]:81"), Ok("http://[::1]:81".to_owned()));
        assert_eq!(shown("http://api.github.com"), Err(BadApi::Plain));
        assert_eq!(shown("http://127.0.0.1.example.org"), Err(BadApi::Plain));
        assert_eq!(shown("https://me:secret@api.github.com"), Err(BadApi::User));
        for wrong in ["api.github.com", "https://", "ftp://localhost", "https://a/b?c", "https://a:b", "https://a#b"] {
            assert_eq!(shown(wrong), Err(BadApi::Form), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let token = Token::new("ghp_secret").expect("a token");
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(Token::new("ghp_secret\n"), Err(BadToken));
        assert_eq!(Token::new(""), Err(BadToken));
    }

    #[cfg(feature = "github")]
    #[test]
    fn accounts_have_addresses_of_their_own() {
        let of = |text: &str| Api::parse(text).expect("an address").noreply();
        assert_eq!(of(Api::GITHUB), "users.noreply.github.com");
        assert_eq!(of("https://git.example.org/api/v3"), "users.noreply.git.example.org");
    }
}
