//! Base chains that are never without their policy.
//!
//! The rules of a transaction take effect all at once, but the policy to drop of a base chain that it makes anew does so a
//! moment later (seen with Linux 6.18): in between, what no rule decides passes. So such a chain gets a last rule that says the
//! same, and loses it in a second transaction, in which the chain stays. What iptables restores through nftables is such a
//! transaction.

/// A text that loads, and the commands that take away what was added to it; `None`: nothing was.
pub(super) type Guarded = (Vec<u8>, Option<Vec<u8>>);

/// A listing of nftables with `drop` at the end of each base chain whose policy that is.
pub(super) fn nftables(listing: &[u8]) -> Guarded {
    let (mut all, mut settle) = (Vec::with_capacity(listing.len()), Vec::new());
    let (mut table, mut chain): (&[u8], Option<Chain<'_>>) = (b"", None);
    for line in listing.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.trim_ascii_end();
        if let Some(name) = bare.strip_prefix(b"table ").and_then(|rest| rest.strip_suffix(b" {")) {
            table = name;
        } else if let Some(name) = bare.strip_prefix(b"\tchain ").and_then(|rest| rest.strip_suffix(b" {")) {
            chain = Some(Chain { name, rules: None });
        } else if bare == b"\t}" {
            let rules = chain.take().and_then(|Chain { name, rules }| Some((name, rules?)));
            if let Some((name, rules)) = rules.filter(|(_, rules)| rules.last().is_none_or(|last| *last != b"drop")) {
                all.extend_from_slice(b"\t\tdrop\n");
                settle.extend(
                    [b"flush chain ", table, b" ", name, b"\ntable ", table, b" {\nchain ", name, b" {\n"].concat(),
                );
                settle.extend(rules.join(&b'\n'));
                settle.extend_from_slice(b"\n}\n}\n");
            }
        } else if let Some(Chain { name: _, rules }) = &mut chain {
            let line = bare.trim_ascii_start();
            match rules {
                Some(rules) if !line.starts_with(b"flags ") => rules.push(line),
                None if line.starts_with(b"type ") && line.ends_with(b" policy drop;") => *rules = Some(Vec::new()),
                Some(_) | None => {}
            }
        }
        all.extend_from_slice(line);
    }
    (all, (!settle.is_empty()).then_some(settle))
}

/// The same of a text for iptables-restore; the commands are for `iptables-restore --noflush`.
pub(super) fn iptables(saved: &[u8]) -> Guarded {
    let (mut all, mut settle) = (Vec::with_capacity(saved.len()), Vec::new());
    let mut table: &[u8] = b"";
    // Each with how many rules it has, and the last of them.
    let mut chains: Vec<(&[u8], u64, &[u8])> = Vec::new();
    for line in saved.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.trim_ascii_end();
        let mut words = bare.split(|byte| *byte == b' ');
        match (words.next(), words.next()) {
            (Some(b"-A"), Some(to)) => {
                if let Some((_, rules, last)) = chains.iter_mut().find(|(name, ..)| *name == to) {
                    (*rules, *last) = (*rules + 1, bare);
                }
            }
            (Some(b"COMMIT"), None) => {
                let mut gone = Vec::new();
                for (name, rules, last) in chains.drain(..) {
                    let drop = [b"-A ", name, b" -j DROP"].concat();
                    if last != drop {
                        gone.extend([b"-D ", name, format!(" {}\n", rules + 1).as_bytes()].concat());
                        all.extend([drop.as_slice(), b"\n"].concat());
                    }
                }
                if !gone.is_empty() {
                    settle.extend([table, b"\n", &gone, b"COMMIT\n"].concat());
                }
            }
            (Some(first), None) if first.starts_with(b"*") => table = first,
            (Some(first), Some(b"DROP")) => chains.extend(first.strip_prefix(b":").map(|name| (name, 0, &b""[..]))),
            _ => {}
        }
        all.extend_from_slice(line);
    }
    (all, (!settle.is_empty()).then_some(settle))
}

/// A chain, and what stands in it where it is a base chain whose policy is to drop.
struct Chain<'l> {
    name: &'l [u8],
    rules: Option<Vec<&'l [u8]>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_end_with_their_policy_until_it_is_in_force() {
        let listing = "table inet filter {
\tset office {
\t\ttype ipv4_addr
\t}

\tchain input {
\t\tcomment \"what comes in\"
\t\ttype filter hook input priority filter; policy drop;
\t\tip saddr { 192.0.2.1, 192.0.2.2,
\t\t\t     192.0.2.3 } accept
\t\tjump web
\t}

\tchain web {
\t\ttcp dport 80 accept
\t}

\tchain forward {
\t\ttype filter hook forward priority filter; policy drop;
\t\tdrop
\t}

\tchain output {
\t\ttype filter hook output priority filter; policy accept;
\t}
}
";
        let (all, settle) = nftables(listing.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        assert_eq!(text(&all), listing.replace("jump web\n", "jump web\n\t\tdrop\n"));
        let expected = "flush chain inet filter input\ntable inet filter {\nchain input {\nip saddr { 192.0.2.1, 192.0.2.2,\n\
                        192.0.2.3 } accept\njump web\n}\n}\n";
        assert_eq!(text(&settle.expect("a chain")), expected);
        let listing = listing.replace("policy drop", "policy accept").into_bytes();
        assert_eq!(nftables(&listing), (listing, None));
    }

    #[test]
    fn chains_of_iptables_end_with_their_policy_until_it_is_in_force() {
        let saved = "# Generated by iptables-save
*nat
:PREROUTING ACCEPT [0:0]
COMMIT
*filter
:INPUT DROP [12:34]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
:web - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -j web
-A OUTPUT -j DROP
-A web -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
";
        let (all, settle) = iptables(saved.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let guard = "--dport 80 -j ACCEPT\n-A INPUT -j DROP\n-A FORWARD -j DROP\n";
        assert_eq!(text(&all), saved.replace("--dport 80 -j ACCEPT\n", guard));
        assert_eq!(text(&settle.expect("a chain")), "*filter\n-D INPUT 3\n-D FORWARD 1\nCOMMIT\n");
        let saved = saved.replace(" DROP [", " ACCEPT [").into_bytes();
        assert_eq!(iptables(&saved), (saved, None));
    }
}
