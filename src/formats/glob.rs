//! Paths by patterns as glob(7) has them: a part of a path at a time, hidden files only by name.

/// Whether a path is the place, or one that the pattern stands for.
pub(super) fn matches(place: &[u8], path: &[u8], pattern: bool) -> bool {
    if !pattern {
        return place == path;
    }
    let (mut wanted, mut parts) = (place.split(is_slash), path.split(is_slash));
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if part_matches(wanted, part) => {}
            _ => return false,
        }
    }
}

/// Whether something below the folder can be at the place.
pub(super) fn is_below(place: &[u8], folder: &[u8], pattern: bool) -> bool {
    let mut wanted = place.split(is_slash);
    let fits = |wanted: &[u8], part: &[u8]| if pattern { part_matches(wanted, part) } else { wanted == part };
    folder.split(is_slash).all(|part| wanted.next().is_some_and(|wanted| fits(wanted, part))) && wanted.next().is_some()
}

fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}

/// `*`, `?` and `[…]`; a point at the beginning has to be written.
fn part_matches(pattern: &[u8], part: &[u8]) -> bool {
    if part.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    // Where to go on if the text behind the last asterisk does not fit.
    let mut retry: Option<(usize, usize)> = None;
    let (mut wanted, mut at) = (0, 0);
    loop {
        let fits = match pattern.get(wanted) {
            None if at == part.len() => return true,
            None => None,
            Some(b'*') => {
                retry = Some((wanted + 1, at));
                wanted += 1;
                continue;
            }
            Some(_) => part.get(at).and_then(|byte| one(&pattern[wanted..], *byte)),
        };
        match (fits, retry) {
            (Some(length), _) => {
                wanted += length;
                at += 1;
            }
            (None, Some((behind, from))) if from < part.len() => {
                retry = Some((behind, from + 1));
                (wanted, at) = (behind, from + 1);
            }
            _ => return false,
        }
    }
}

/// Whether the byte fits what the pattern begins with, and how long that is.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((fits, length)) => fits.then_some(length + 1),
            None => (byte == b'[').then_some(1),
        },
        [wanted, ..] => (*wanted == byte).then_some(1),
        [] => None,
    }
}

/// Whether the byte is in the class, and where that ends; `None`: it does not end, so the bracket is one.
fn class(rest: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        let low = *rest.get(at)?;
        if low == b']' && at > first {
            return Some((found != negated, at + 1));
        }
        match (rest.get(at + 1), rest.get(at + 2)) {
            (Some(b'-'), Some(high)) if *high != b']' => {
                found |= (low..=*high).contains(&byte);
                at += 3;
            }
            _ => {
                found |= low == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_what_glob_finds() {
        let fits = |pattern: &str, path: &str| matches(pattern.as_bytes(), path.as_bytes(), true);
        for (pattern, path) in [
            ("a/*.nft", "a/b.nft"),
            ("a/*", "a/b"),
            ("*/x?z", "q/xyz"),
            ("a/[0-9]*.nft", "a/10-x.nft"),
            ("a/[!b]c", "a/dc"),
            ("a/.*", "a/.b"),
            ("a*b*c", "aXbYbZc"),
            ("a[b", "a[b"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("a/*.nft", "a/.b.nft"), ("a/*", "a/b/c"), ("*", "a/b"), ("a/[!b]c", "a/bc"), ("a?", "a")]
        {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
        assert!(is_below(b"etc/*.d/x", b"etc/nft.d", true));
        assert!(!is_below(b"etc/x", b"etc/x", false));
    }
}
