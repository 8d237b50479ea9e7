//! Where the names of included files lead, from the root of a side.

/// The folders of the side that may be the root of the host: that of the main file, those above it, and the root of the side
/// itself; the nearest first.
pub(super) fn roots(folder: &[u8]) -> Vec<&[u8]> {
    let mut roots = vec![folder];
    while let Some(slash) = roots.last().and_then(|root| root.iter().rposition(|byte| *byte == b'/')) {
        roots.push(&folder[..slash]);
    }
    if !folder.is_empty() {
        roots.push(b"");
    }
    roots
}

/// The folder of the side that is the root of the host, if the path of a file tells: it is in an `etc` of it.
pub(super) fn told_root(path: &[u8]) -> Option<&[u8]> {
    let folder = folder_of(path);
    let end = memchr::memmem::rfind(&[b"/", folder, b"/"].concat(), b"/etc/")?;
    let root = folder.get(..end)?;
    let whole = |root: &[u8]| root.is_empty() || root.ends_with(b"/");
    let root = root.strip_suffix(b"usr/local/").filter(|root| whole(root)).unwrap_or(root);
    Some(root.strip_suffix(b"/").unwrap_or(root))
}

/// The folder of a file.
pub(super) fn folder_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(b"", |slash| &path[..slash])
}

/// The path without `.` and `..`; `None`: it leads out of the side.
pub(super) fn joined(root: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = root.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// Whether a name is a pattern of names, glob(7).
pub(super) fn is_pattern(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

#[cfg(test)]
mod tests {
    use super::told_root;

    #[test]
    fn the_root_of_the_host_is_what_holds_etc() {
        let told = |path: &str| told_root(path.as_bytes()).map(|root| String::from_utf8_lossy(root).into_owned());
        for (path, root) in [
            ("etc/nftables.conf", Some("")),
            ("hosts/web1/etc/nftables.conf", Some("hosts/web1")),
            ("hosts/web1/etc/nftables/main.nft", Some("hosts/web1")),
            ("etc/hosts/web1/etc/x", Some("etc/hosts/web1")),
            ("hosts/web1/usr/local/etc/x", Some("hosts/web1")),
            ("usr/local/etc/x", Some("")),
            ("hosts/web1/nftables.conf", None),
            ("hosts/web1/etc", None),
            ("hosts/fetc/x", None),
        ] {
            assert_eq!(told(path).as_deref(), root, "{path}");
        }
    }
}
