//! Base chains of nftables that are never without their policy.
//!
//! The rules of a transaction take effect all at once, but `policy drop` of a base chain that it makes anew does so a moment
//! later (seen with Linux 6.18): in between, what no rule decides passes. So such a chain gets a last rule that says the same,
//! and loses it in a second transaction, in which the chain stays.

/// A listing of nftables with `drop` at the end of each base chain whose policy that is, and the commands that take these rules
/// away again; `None`: there are no such chains.
pub(super) fn guarded(listing: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
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
    (!settle.is_empty()).then_some((all, settle))
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
        let (all, settle) = guarded(listing.as_bytes()).expect("a chain");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        assert_eq!(text(&all), listing.replace("jump web\n", "jump web\n\t\tdrop\n"));
        let expected = "flush chain inet filter input\ntable inet filter {\nchain input {\nip saddr { 192.0.2.1, 192.0.2.2,\n\
                        192.0.2.3 } accept\njump web\n}\n}\n";
        assert_eq!(text(&settle), expected);
        assert_eq!(guarded(listing.replace("policy drop", "policy accept").as_bytes()), None);
    }
}
