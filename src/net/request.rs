use super::{Family, format_address, parse_address};
use std::fmt;

/// A request or connection to a balancer, as far as balancers look at it.
///
/// It is written as people write it: `GET https://example.org/api/x?y from 203.0.113.9 via :443`, and for one that is
/// not HTTP `tcp from 203.0.113.9 via :443`; where the server name of the TLS handshake is not the host, `sni NAME` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is spoken.
    pub what: Spoken,
    /// `GET`.
    pub method: Vec<u8>,
    /// The host, without a port that goes without saying; may be empty.
    pub host: Vec<u8>,
    /// The path.
    pub path: Vec<u8>,
    /// What follows the question mark, if there is one.
    pub query: Vec<u8>,
    /// The server name of the TLS handshake, where it is not the host.
    pub server_name: Option<Vec<u8>>,
    /// The address that it comes from.
    pub source: (Family, u128),
    /// The address, if it matters, and port that it goes to.
    pub via: Option<(String, u16)>,
}

/// What a client speaks with a balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spoken {
    /// HTTP in the clear.
    Http,
    /// HTTP in TLS.
    Https,
    /// Something in TCP, TLS or not.
    Tcp,
    /// Something in UDP.
    Udp,
}

impl Spoken {
    /// Whether requests are decided, not connections.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// The port that goes without saying.
    const fn port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Tcp | Self::Udp => None,
        }
    }
}

/// A text that is not a request. Its writer's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            what: Spoken::Http,
            method: b"GET".to_vec(),
            host: b"www.example.com".to_vec(),
            path: b"/".to_vec(),
            query: Vec::new(),
            server_name: None,
            source: (Family::Ipv4, 0xcb00_7109),
            via: None,
        }
    }
}

impl Request {
    /// The host without port and last dot.
    #[must_use]
    pub fn host_name(&self) -> &[u8] {
        let end = match (self.host.iter().rposition(|byte| *byte == b':'), self.host.last()) {
            (Some(colon), Some(last)) if *last != b']' => colon,
            (Some(_) | None, _) => self.host.len(),
        };
        let name = &self.host[..end];
        name.strip_suffix(b".").unwrap_or(name)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, method, host, path, query, server_name, source, via } = self;
        match what {
            Spoken::Http | Spoken::Https => {
                let scheme = if *what == Spoken::Https { "https" } else { "http" };
                write!(f, "{} {scheme}://{}{}", coded(method, false), coded(host, false), coded(path, true))?;
                if !query.is_empty() {
                    write!(f, "?{}", coded(query, true))?;
                }
            }
            Spoken::Tcp => f.write_str("tcp")?,
            Spoken::Udp => f.write_str("udp")?,
        }
        if let Some(name) = server_name {
            write!(f, " sni {}", coded(name, false))?;
        }
        write!(f, " from {}", format_address(source.0, source.1))?;
        match via {
            Some((address, port)) if address.contains(':') => write!(f, " via [{address}]:{port}"),
            Some((address, port)) => write!(f, " via {address}:{port}"),
            None => Ok(()),
        }
    }
}

/// Bytes of a URL; `%` itself is kept in paths and queries, where balancers differ on whether it is decoded.
fn coded(text: &[u8], percent: bool) -> String {
    let mut out = String::new();
    for byte in text {
        if byte.is_ascii_graphic() && (percent || *byte != b'%') {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Whether a text is meant as a request, not as a packet.
#[must_use]
pub fn looks_like_request(text: &str) -> bool {
    text.contains("://") || text.starts_with("tcp from ") || text.starts_with("tcp sni ")
}

/// Reads a request. What may be left out: the method (`GET`), `from` (203.0.113.9) and `via` (the port of the URL).
///
/// # Errors
/// The text is not one.
pub fn parse_request(text: &str) -> Result<Request, RequestError> {
    let fail = |message: String| RequestError {
        message,
        help: "write it like `GET https://example.org/path from 203.0.113.9 via :443`".to_owned(),
    };
    let mut request = Request::default();
    let mut words = text.split_ascii_whitespace().peekable();
    let first = words.next().ok_or_else(|| fail("there is no request".to_owned()))?;
    match first {
        "tcp" => request.what = Spoken::Tcp,
        "udp" => request.what = Spoken::Udp,
        _ => {
            let url = if first.contains("://") {
                first
            } else {
                request.method = first.as_bytes().to_vec();
                words.next().ok_or_else(|| fail(format!("`{first}` is followed by no URL")))?
            };
            url_of(url, &mut request).map_err(fail)?;
        }
    }
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| fail(format!("`{word}` is followed by nothing")))?;
        match word {
            "from" => request.source = parse_address(value).ok_or_else(|| fail(format!("`{value}` is no address")))?,
            "via" => {
                let port = value.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
                let (host, port) = port.ok_or_else(|| fail(format!("`{value}` has no port")))?;
                request.via = Some((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port));
            }
            "sni" => request.server_name = Some(value.as_bytes().to_vec()),
            other => return Err(fail(format!("`{other}` is not `from`, `via` or `sni`"))),
        }
    }
    Ok(request)
}

fn url_of(url: &str, request: &mut Request) -> Result<(), String> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("`{url}` is no URL"))?;
    request.what = match scheme {
        "http" => Spoken::Http,
        "https" => Spoken::Https,
        other => return Err(format!("`{other}` is not `http` or `https`")),
    };
    let rest = rest.split('#').next().unwrap_or(rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.find('/').map_or((place, "/"), |at| place.split_at(at));
    if !path.starts_with('/') {
        return Err(format!("`{path}` does not begin with a slash"));
    }
    let named = host.rsplit_once(':').filter(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    let port = match named {
        Some((_, port)) => Some(port.parse::<u16>().map_err(|_| format!("`{port}` is no port"))?),
        None => request.what.port(),
    };
    let said = named.filter(|_| port == request.what.port()).map(|(host, _)| host);
    request.host = said.unwrap_or(host).as_bytes().to_vec();
    request.path = path.as_bytes().to_vec();
    request.query = query.as_bytes().to_vec();
    request.via = port.map(|port| (String::new(), port));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for text in [
            "GET https://example.org/api/x?y=1 from 203.0.113.9 via :443",
            "POST http://example.org:8080/ from 2001:db8::1 via :8080",
            "GET https://a.example/ sni b.example from 203.0.113.9 via 192.0.2.1:443",
            "tcp sni b.example from 203.0.113.9 via [2001:db8::7]:6443",
            "udp from 203.0.113.9 via :53",
        ] {
            assert_eq!(parse_request(text).map(|request| request.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn much_may_be_left_out() {
        let shown = |text| parse_request(text).map(|request| request.to_string());
        assert_eq!(shown("http://example.org"), Ok("GET http://example.org/ from 203.0.113.9 via :80".to_owned()));
    }

    #[test]
    fn what_is_no_request_is_said() {
        let message = |text| parse_request(text).map_err(|error| error.message);
        assert_eq!(message("GET"), Err("`GET` is followed by no URL".to_owned()));
        assert_eq!(message("GET ftp://x/"), Err("`ftp` is not `http` or `https`".to_owned()));
        assert_eq!(message("http://x/ from y"), Err("`y` is no address".to_owned()));
        assert_eq!(message("http://x/ to y"), Err("`to` is not `from`, `via` or `sni`".to_owned()));
    }
}
