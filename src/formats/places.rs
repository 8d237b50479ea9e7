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
