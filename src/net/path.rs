//! Paths of requests, as balancers read them.

/// Why a balancer does not take a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRefused(pub &'static str);

/// What nginx makes of the path of a request: its `$uri` (`ngx_http_parse_request_line`, `ngx_http_parse_complex_uri`).
///
/// What is decoded counts like what is written so, for slashes and dots as well, but not for `%`, `#` and `?`. What begins
/// with `?` or `#` does not belong to it.
///
/// # Errors
/// nginx answers 400.
pub fn nginx_path(sent: &[u8], merge_slashes: bool) -> Result<Vec<u8>, PathRefused> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut part = Vec::new();
    // Ends a part at a slash, or at the end of the path.
    let close = |parts: &mut Vec<Vec<u8>>, part: &mut Vec<u8>, last: bool| {
        match &part[..] {
            b"." => {}
            b".." if parts.pop().is_none() => return Err(PathRefused("the path leads above the root")),
            b".." => {}
            b"" if merge_slashes && !last => {}
            _ if last => return Ok(()),
            _ => parts.push(std::mem::take(part)),
        }
        part.clear();
        Ok(())
    };
    let mut rest = sent.strip_prefix(b"/").unwrap_or(sent);
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let byte = match byte {
            b'?' | b'#' => break,
            0..0x20 | 0x7f => return Err(PathRefused("a control character in the path")),
            b'%' => {
                let decoded = rest.split_first_chunk().and_then(|([high, low], behind)| {
                    rest = behind;
                    Some(digit(*high)? << 4 | digit(*low)?)
                });
                match decoded {
                    Some(0) => return Err(PathRefused("%00 in the path")),
                    Some(byte) => byte,
                    None => return Err(PathRefused("% without two digits in the path")),
                }
            }
            byte => byte,
        };
        if byte == b'/' {
            close(&mut parts, &mut part, false)?;
        } else {
            part.push(byte);
        }
    }
    close(&mut parts, &mut part, true)?;
    parts.push(part);
    Ok(parts.into_iter().flat_map(|part| [b"/".to_vec(), part].concat()).collect())
}

/// A path that nginx reads as this one, as it is written in a URL.
#[must_use]
pub fn encoded_path(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(byte) {
            out.push(*byte);
        } else {
            out.extend(format!("%{byte:02X}").into_bytes());
        }
    }
    out
}

/// What Envoy does with `%2F` and `%5C` in paths (`HttpConnectionManager.PathWithEscapedSlashesAction`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EscapedSlashes {
    /// They stay.
    Kept,
    /// Requests with them are refused.
    Refused,
    /// They are decoded, and the client is sent to that path.
    Redirected,
    /// They are decoded.
    Decoded,
}

/// How Envoy reads paths (`HttpConnectionManager`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvoyPaths {
    /// `path_with_escaped_slashes_action`.
    pub escaped: EscapedSlashes,
    /// `normalize_path`.
    pub normalized: bool,
    /// `merge_slashes`.
    pub merged: bool,
}

/// What Envoy makes of a path, and whether the client is sent there (`ConnectionManagerUtility::maybeNormalizePath`).
///
/// `normalize_path` is the canonical path of a URL (`url::CanonicalizePath`): dots are resolved, a backslash is a slash, what
/// needs no percent sign has none.
///
/// # Errors
/// Envoy answers 400.
pub fn envoy_path(sent: &[u8], how: EnvoyPaths) -> Result<(Vec<u8>, bool), PathRefused> {
    let EnvoyPaths { escaped, normalized, merged } = how;
    let mut path = sent.to_vec();
    let mut redirected = false;
    if escaped != EscapedSlashes::Kept {
        let decoded = slashes(&path);
        let found = decoded != path;
        if found && escaped == EscapedSlashes::Refused {
            return Err(PathRefused("%2F or %5C in the path"));
        }
        redirected = found && escaped == EscapedSlashes::Redirected;
        path = decoded;
    }
    if normalized {
        path = canonical(&path)?;
    }
    if merged {
        path.dedup_by(|second, first| *first == b'/' && *second == b'/');
    }
    Ok((path, redirected))
}

/// A path with `%2F` and `%5C` decoded.
fn slashes(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, behind)) = rest.split_first() {
        let decoded = match rest {
            [b'%', b'2', b'f' | b'F', behind @ ..] => Some((b'/', behind)),
            [b'%', b'5', b'c' | b'C', behind @ ..] => Some((b'\\', behind)),
            _ => None,
        };
        let (byte, behind) = decoded.unwrap_or((*byte, behind));
        out.push(byte);
        rest = behind;
    }
    out
}

/// The canonical path of a URL.
fn canonical(path: &[u8]) -> Result<Vec<u8>, PathRefused> {
    let mut text = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let decoded = match behind {
            [high, low, ..] if byte == b'%' => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        match (byte, decoded) {
            (_, Some(0)) => return Err(PathRefused("%00 in the path")),
            (_, Some(plain)) if plain.is_ascii_alphanumeric() || b"-._~".contains(&plain) => {
                text.push(plain);
                rest = rest.get(2..).unwrap_or_default();
            }
            (b'\\', _) => text.push(b'/'),
            (0..=b' ' | b'"' | b'<' | b'>' | b'`' | b'{' | b'}' | 0x7f.., _) => {
                text.extend(format!("%{byte:02X}").into_bytes());
            }
            (_, _) => text.push(byte),
        }
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut split = text.strip_prefix(b"/").unwrap_or(&text).split(|byte| *byte == b'/').peekable();
    while let Some(part) = split.next() {
        match part {
            b"." | b".." => {
                if part == b".." {
                    parts.pop();
                }
                if split.peek().is_none() {
                    parts.push(b"");
                }
            }
            part => parts.push(part),
        }
    }
    Ok(parts.into_iter().flat_map(|part| [b"/", part].concat()).collect())
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nginx_reads_paths_decoded_and_resolved() {
        let read = |path: &str| match nginx_path(path.as_bytes(), true) {
            Ok(path) => String::from_utf8(path).expect("text"),
            Err(PathRefused(why)) => format!("400: {why}"),
        };
        for (sent, expected) in [
            ("/", "/"),
            ("//a/../b%2Fc", "/b/c"),
            ("/a%2f%2e%2E/b", "/b"),
            ("/a/./b/.", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("/a/..b/.c/...", "/a/..b/.c/..."),
            ("/%25%32%46%3F%23", "/%2F?#"),
            ("/a#b", "/a"),
            ("/..", "400: the path leads above the root"),
            ("/a//../../b", "400: the path leads above the root"),
            ("/a%00", "400: %00 in the path"),
            ("/a%2", "400: % without two digits in the path"),
            ("/a%zz", "400: % without two digits in the path"),
        ] {
            assert_eq!(read(sent), expected, "{sent}");
        }
        assert_eq!(nginx_path(b"//a//../b//", false), Ok(b"//a/b//".to_vec()));
    }

    #[test]
    fn envoy_reads_paths_as_it_is_told_to() {
        let all = EnvoyPaths { escaped: EscapedSlashes::Decoded, normalized: true, merged: true };
        let read = |path: &str, how| {
            envoy_path(path.as_bytes(), how).map(|(path, away)| (String::from_utf8(path).expect("text"), away))
        };
        let told = |path: &str| (path.to_owned(), false);
        assert_eq!(read("//a/%2e%2E/b%2Fc/%7e%c3", all), Ok(told("/b/c/~%c3")));
        assert_eq!(read("/../a/..", all), Ok(told("/")));
        let kept = EnvoyPaths { escaped: EscapedSlashes::Kept, ..all };
        assert_eq!(read("/a%2F..\\b", kept), Ok(told("/a%2F../b")));
        assert_eq!(read("//a/%2e", EnvoyPaths { normalized: false, ..kept }), Ok(told("/a/%2e")));
        assert_eq!(read("/a%00", kept), Err(PathRefused("%00 in the path")));
        let refused = EnvoyPaths { escaped: EscapedSlashes::Refused, ..all };
        assert_eq!(read("/a%5cb", refused), Err(PathRefused("%2F or %5C in the path")));
        let sent = EnvoyPaths { escaped: EscapedSlashes::Redirected, ..all };
        assert_eq!(read("/a%2Fb", sent), Ok(("/a/b".to_owned(), true)));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_as_what_it_was(path in "(/[a.%?#é ]{1,4}){0,4}/?") {
            if let Ok(read) = nginx_path(encoded_path(path.as_bytes()).as_slice(), true) {
                prop_assert_eq!(nginx_path(&encoded_path(&read), true), Ok(read));
            }
        }
    }
}
