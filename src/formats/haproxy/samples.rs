//! Expressions for what is looked at in a request: a fetch, and what its value is put through (manual, chapter 7).

use super::conditions::is_balanced;
use super::forms::CONDITIONS;
use super::words;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

/// A fetch with its converters: `req.hdr(host),lower`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) fetch: Call,
    pub(super) converters: Vec<Call>,
}

/// A name with arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Number,
    Text,
    Address,
    Method,
    /// Anything, or bytes: HAProxy wants to be told how it is compared.
    Shapeless,
    /// It is not known here.
    Unknown,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if !self.arguments.is_empty() {
            write!(f, "({})", self.arguments.join(","))?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.fetch)?;
        self.converters.iter().try_for_each(|converter| write!(f, ",{converter}"))
    }
}

impl Sample {
    /// Reads one from the beginning of a text, and says how much of it that was.
    ///
    /// # Errors
    /// Why HAProxy refuses it.
    pub(super) fn read(text: &str) -> Result<(Self, usize), String> {
        let (mut fetch, mut at) = Call::read(text)?;
        if fetch.name.is_empty() {
            return Err("missing fetch method".to_owned());
        }
        let known = fetches().get(fetch.name.as_str()).copied();
        let (least, most, _) = known.ok_or_else(|| format!("unknown fetch method `{}`", fetch.name))?;
        fetch.check(least, most)?;
        fetch.values()?;
        fetch.name = plain_name(&fetch.name).to_owned();
        let named = ["req.hdr", "req.fhdr", "req.hdr_ip", "req.hdr_val", "req.hdr_cnt", "req.fhdr_cnt"];
        if let Some(first) = fetch.arguments.first_mut().filter(|_| named.contains(&fetch.name.as_str())) {
            first.make_ascii_lowercase();
        }
        let mut converters = Vec::new();
        while text[at..].starts_with(',') {
            let (converter, more) = Call::read(&text[at + 1..])?;
            if converter.name.is_empty() {
                return Err("missing converter".to_owned());
            }
            let known = converters_known().get(converter.name.as_str()).copied();
            let (least, most, _) = known.ok_or_else(|| format!("unknown converter `{}`", converter.name))?;
            converter.check(least, most)?;
            converter.values()?;
            converters.push(converter);
            at += 1 + more;
        }
        Ok((Self { fetch, converters }, at))
    }

    /// Reads one that is a whole text.
    ///
    /// # Errors
    /// Why HAProxy refuses it.
    pub(super) fn whole(text: &str) -> Result<Self, String> {
        let (sample, end) = Self::read(text)?;
        match &text[end..] {
            "" => Ok(sample),
            rest => Err(format!("`{rest}` behind an expression")),
        }
    }

    /// Whether it looks at what is gone where rules of answers ask, or is not there yet where those of requests do.
    pub(super) fn is_absent(&self, moment: Moment) -> bool {
        let name = self.fetch.name.as_str();
        let among = |whole: &[&str], starts: &[&str]| {
            whole.contains(&name) || starts.iter().any(|start| name.starts_with(start))
        };
        let of_request = || {
            among(
                &[
                    "base",
                    "baseq",
                    "path",
                    "pathq",
                    "query",
                    "url",
                    "url_ip",
                    "url_port",
                    "url_param",
                    "urlp",
                    "urlp_val",
                ],
                &["req.hdr", "req.fhdr", "req.cook", "req.body"],
            )
        };
        let of_answer = || among(&["status"], &["res.hdr", "res.fhdr", "res.cook", "res.body", "shdr", "scook"]);
        let of_content = || among(&["method"], &["req."]);
        let of_client = || among(&["src", "src_port", "dst", "dst_port"], &["fc_", "ssl_"]);
        match moment {
            Moment::Start => of_client() || of_content() || of_request() || of_answer(),
            Moment::Connection => of_content() || of_request() || of_answer(),
            Moment::Request => of_answer(),
            Moment::Answer => of_request(),
        }
    }

    /// What its value is.
    pub(super) fn kind(&self) -> Kind {
        let known = match self.converters.last() {
            Some(last) => converters_known().get(last.name.as_str()),
            None => fetches().get(self.fetch.name.as_str()),
        };
        match known.map_or("?", |(_, _, kind)| *kind) {
            "bool" => Kind::Bool,
            "sint" => Kind::Number,
            "str" => Kind::Text,
            "ipv4" | "ipv6" | "addr" => Kind::Address,
            "meth" => Kind::Method,
            "any" | "bin" => Kind::Shapeless,
            _ => Kind::Unknown,
        }
    }
}

/// When something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before there are clients.
    Start,
    /// Before anything of a request is there.
    Connection,
    Request,
    Answer,
}

/// Names of variables begin with one of these and a dot.
const SCOPES: &[&str] = &["proc", "sess", "txn", "req", "res", "check", "psess", "ptxn", "preq", "pres"];

/// # Errors
/// Why HAProxy refuses the name of a variable.
pub(super) fn variable_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    match name.split_once('.') {
        Some((scope, rest)) if SCOPES.contains(&scope) && !rest.is_empty() && rest.chars().all(plain) => Ok(()),
        Some(_) | None => Err(format!("invalid variable name `{name}`: HAProxy refuses the file")),
    }
}

/// Arguments that are one of these words.
#[rustfmt::skip]
const CHOICES: &[(&str, usize, &str)] = &[
    ("aes_gcm_dec", 0, "128 192 256"), ("aes_gcm_enc", 0, "128 192 256"), ("bool", 0, "true false 0 1"), ("date", 1, "s ms us"),
    ("fc_rtt", 0, "ms us"), ("fc_rttvar", 0, "ms us"), ("http_date", 1, "s ms us"), ("json", 0, "ascii utf8 utf8p utf8ps utf8s"),
    ("json_query", 1, "int"), ("protobuf", 1, "int32 uint32 sint32 int64 uint64 sint64 bool enum fixed64 sfixed64 double string bytes \
        message embedded-messages fixed32 sfixed32 float varint 32bit 64bit"),
    ("regsub", 2, "g i gi ig"), ("set-var", 1, CONDITIONS), ("set-var", 2, CONDITIONS), ("sha2", 0, "224 256 384 512"),
    ("ssl_c_i_dn", 2, "rfc2253"), ("ssl_c_s_dn", 2, "rfc2253"), ("ssl_f_i_dn", 2, "rfc2253"), ("ssl_f_s_dn", 2, "rfc2253"),
    ("ungrpc", 1, "int32 uint32 sint32 int64 uint64 sint64 bool enum fixed64 sfixed64 double string bytes \
        message embedded-messages fixed32 sfixed32 float varint 32bit 64bit"),
    ("url_enc", 0, "query"), ("uuid", 0, "4 7"),
];

/// Arguments that are variables.
const VARIABLES: &[(&str, usize)] =
    &[("concat", 1), ("secure_memcmp", 0), ("set-var", 0), ("strcmp", 0), ("unset-var", 0), ("var", 0)];

/// Converters that take a number, or a variable that holds one.
const COUNTED: &[&str] = &["add", "and", "div", "mod", "mul", "or", "sub", "xor"];

/// What the arguments of a fetch or a converter are (`words::ARGUMENTS`).
pub(super) fn arguments_of(name: &str) -> &'static str {
    static TABLE: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    let table = TABLE
        .get_or_init(|| words::ARGUMENTS.split_ascii_whitespace().filter_map(|entry| entry.split_once('/')).collect());
    table.get(name).copied().unwrap_or_default()
}

/// Whether an argument is what such a letter says.
fn fits(letter: char, text: &str) -> bool {
    match letter {
        'i' => text.parse::<i64>().is_ok(),
        'r' => is_balanced(text),
        '4' => text.parse::<Ipv4Addr>().is_ok(),
        '6' => text.parse::<Ipv6Addr>().is_ok(),
        'm' => text.parse::<u8>().map_or_else(|_| text.parse::<Ipv4Addr>().is_ok(), |bits| bits <= 32),
        'M' => text.parse::<u8>().map_or_else(|_| text.parse::<Ipv6Addr>().is_ok(), |bits| bits <= 128),
        'p' => text.split('.').all(|part| part.parse::<u32>().is_ok()),
        // Texts, and names that are looked for elsewhere.
        _ => true,
    }
}

/// One name for fetches that have several.
fn plain_name(name: &str) -> &str {
    match name {
        "hdr" => "req.hdr",
        "hdr_ip" => "req.hdr_ip",
        "hdr_val" => "req.hdr_val",
        "hdr_cnt" => "req.hdr_cnt",
        "cook" | "cookie" => "req.cook",
        "cook_cnt" => "req.cook_cnt",
        "cook_val" => "req.cook_val",
        "req_ssl_sni" => "req.ssl_sni",
        "req_ssl_hello_type" => "req.ssl_hello_type",
        "req_ssl_ver" => "req.ssl_ver",
        "req_ver" => "req.ver",
        "req_len" => "req.len",
        "req_proto_http" => "req.proto_http",
        "payload" => "req.payload",
        "payload_lv" => "req.payload_lv",
        "rdp_cookie" => "req.rdp_cookie",
        other => other,
    }
}

impl Call {
    /// Reads a name, and arguments in parentheses, from the beginning of a text.
    fn read(text: &str) -> Result<(Self, usize), String> {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-+".contains(c))).unwrap_or(text.len());
        let name = text[..end].to_owned();
        if !text[end..].starts_with('(') {
            return Ok((Self { name, arguments: Vec::new() }, end));
        }
        let (mut arguments, mut argument, mut quote) = (Vec::new(), String::new(), None);
        let mut characters = text[end + 1..].char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' | '\'' if quote.is_none() => quote = Some(character),
                _ if quote == Some(character) => quote = None,
                '\\' if quote != Some('\'') => match characters.next() {
                    Some((_, next)) if " \\\"',)".contains(next) => argument.push(next),
                    Some((_, next)) => argument.extend(['\\', next]),
                    None => break,
                },
                ',' if quote.is_none() => arguments.push(std::mem::take(&mut argument)),
                ')' if quote.is_none() => {
                    if !(arguments.is_empty() && argument.is_empty()) {
                        arguments.push(argument);
                    }
                    return Ok((Self { name, arguments }, end + 1 + at + 1));
                }
                other => argument.push(other),
            }
        }
        Err(format!("the parenthesis behind `{name}` is not closed"))
    }

    /// Whether HAProxy takes its arguments.
    fn values(&self) -> Result<(), String> {
        let Self { name, arguments } = self;
        let known = |text: &&String| !text.contains('$');
        let refuse = |text: &str| Err(format!("`{text}` is nothing that `{name}` takes: HAProxy refuses the file"));
        let told = |text: &&String| !text.is_empty() && known(text);
        for (text, letter) in arguments.iter().zip(arguments_of(name).chars()).filter(|(text, _)| told(text)) {
            if !fits(letter, text) {
                return refuse(text);
            }
        }
        for (_, at, words) in CHOICES.iter().filter(|(known, ..)| known == name) {
            if let Some(text) = arguments.get(*at).filter(told)
                && !words.split_ascii_whitespace().any(|word| word == text)
            {
                return refuse(text);
            }
        }
        if let Some(text) = arguments.first().filter(|_| COUNTED.contains(&name.as_str())).filter(told)
            && text.parse::<i64>().is_err()
        {
            variable_name(text)?;
        }
        if matches!(name.as_str(), "field" | "word") && arguments.first().is_some_and(|number| number == "0") {
            return refuse("0");
        }
        for (_, at) in VARIABLES.iter().filter(|(known, _)| known == name) {
            if let Some(text) = arguments.get(*at).filter(told) {
                variable_name(text)?;
            }
        }
        let named = name.starts_with("map") || matches!(name.as_str(), "var" | "set-var" | "unset-var");
        if named && arguments.first().is_none_or(String::is_empty) {
            return Err(format!("`{name}` needs a name: HAProxy refuses the file"));
        }
        Ok(())
    }

    fn check(&self, least: usize, most: usize) -> Result<(), String> {
        let Self { name, arguments } = self;
        if arguments.len() < least {
            return Err(format!("missing arguments of `{name}` (got {} of {least})", arguments.len()));
        }
        if arguments.len() > most {
            return Err(format!("`{name}` takes at most {most} arguments"));
        }
        Ok(())
    }
}

/// What may stand behind `%` in such texts (manual, 8.2.6).
#[rustfmt::skip]
const ALIASES: &[&str] = &[
    "o", "ac", "B", "b", "bc", "bi", "bp", "bq", "ci", "cp", "CC", "CS", "f", "fc", "fi", "fp", "ft", "hr", "hrl", "hs", "hsl",
    "H", "HM", "HP", "HPO", "HQ", "HU", "HV", "ID", "lc", "ms", "OG", "pid", "r", "rc", "rt", "s", "sc", "si", "sp", "sq", "sslc",
    "sslv", "ST", "t", "T", "Ta", "Tc", "Td", "Th", "Ti", "Tl", "TR", "Tq", "Tr", "Ts", "Tt", "Tu", "Tw", "tr", "trg", "trl", "ts",
    "tsc", "U",
];

/// The samples in a text that is put together for each request: `a-%[path,lower]`.
///
/// # Errors
/// Why HAProxy refuses it.
pub(super) fn in_format(text: &str) -> Result<Vec<Sample>, String> {
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(found) = text[at..].find('%') {
        at += found + 1;
        if text[at..].starts_with('%') {
            at += 1;
            continue;
        }
        if text[at..].is_empty() {
            return Err("a text ends with `%`; `%%` is a percent sign: HAProxy refuses the file".to_owned());
        }
        // A name and a type, which later versions take: `%(name:str)ci`.
        if text[at..].starts_with('(') {
            at += text[at..].find(')').map_or(0, |end| end + 1);
        }
        if text[at..].starts_with('{') {
            let Some(end) = text[at..].find('}') else { return Err("a brace is not closed".to_owned()) };
            at += end + 1;
        }
        let alias = text[at..].split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if alias.starts_with(|c: char| c.is_ascii_alphabetic()) && !ALIASES.contains(&alias) {
            return Err(format!("no such format variable `{alias}`; `%%` is a percent sign: HAProxy refuses the file"));
        }
        if let Some(rest) = text[at..].strip_prefix('[') {
            let lead = rest.len() - rest.trim_start().len();
            let (sample, end) = Sample::read(rest.trim_start())?;
            let behind = at + 1 + lead + end;
            if !text[behind..].trim_start().starts_with(']') {
                return Err(format!("`{}` behind an expression", &text[behind..]));
            }
            out.push(sample);
            at = behind;
        }
    }
    Ok(out)
}

type Table = HashMap<&'static str, (usize, usize, &'static str)>;

fn fetches() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| table(&[words::FETCHES, words::NEWER_FETCHES]))
}

fn converters_known() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| table(&[words::CONVERTERS, words::NEWER_CONVERTERS]))
}

fn table(texts: &[&'static str]) -> Table {
    let entry = |word: &'static str| {
        let mut parts = word.split('/');
        let name = parts.next()?;
        Some((name, (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?)))
    };
    texts.iter().flat_map(|text| text.split_ascii_whitespace()).filter_map(entry).collect()
}

/// The fetch and the way to match that a word of an ACL stands for.
pub(super) fn alias(word: &str) -> Option<(&'static str, &'static str)> {
    static TABLE: OnceLock<HashMap<&'static str, (&'static str, &'static str)>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let entry = |word: &'static str| {
            let mut parts = word.split('/');
            Some((parts.next()?, (parts.next()?, parts.next()?)))
        };
        words::ALIASES.split_ascii_whitespace().filter_map(entry).collect()
    });
    table.get(word).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_with_their_arguments() {
        let shown = |text: &str| Sample::whole(text).map(|sample| sample.to_string());
        assert_eq!(shown("hdr(Host),lower,field(1,:)").as_deref(), Ok("req.hdr(host),lower,field(1,:)"));
        assert_eq!(shown("path,regsub(\"(a|b)\",x,g)").as_deref(), Ok("path,regsub((a|b),x,g)"));
        assert_eq!(shown("nope"), Err("unknown fetch method `nope`".to_owned()));
        assert_eq!(shown("path,nope"), Err("unknown converter `nope`".to_owned()));
        assert_eq!(shown("path)"), Err("`)` behind an expression".to_owned()));
        assert_eq!(in_format("a%%[x]%[path]b").map(|samples| samples.len()), Ok(1));
    }

    #[test]
    fn a_value_is_what_the_last_converter_gives() {
        let kind = |text: &str| Sample::whole(text).map(|sample| sample.kind());
        for (text, expected) in [
            ("path", Kind::Text),
            ("method", Kind::Method),
            ("path,length", Kind::Number),
            ("path,lower,crc32", Kind::Number),
            ("path,hex2i", Kind::Number),
            ("src,ipmask(24)", Kind::Address),
            ("path,map(m)", Kind::Text),
            ("path,map_str_int(m)", Kind::Number),
            ("path,map_beg_ip(m)", Kind::Address),
            ("path,base64", Kind::Text),
            ("path,b64dec", Kind::Shapeless),
            ("path,sha1,hex", Kind::Text),
            ("dst_port,even", Kind::Bool),
            ("src,in_table(t)", Kind::Bool),
            ("path,set-var(txn.x)", Kind::Shapeless),
            ("path,lower,reverse", Kind::Unknown),
        ] {
            assert_eq!(kind(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_word_of_the_tables_is_read() {
        for (texts, table) in [
            ([words::FETCHES, words::NEWER_FETCHES], fetches()),
            ([words::CONVERTERS, words::NEWER_CONVERTERS], converters_known()),
        ] {
            for word in texts.iter().flat_map(|text| text.split_ascii_whitespace()) {
                let name = word.split('/').next().unwrap_or(word);
                assert!(table.contains_key(name), "{word}");
            }
        }
        for word in words::ALIASES.split_ascii_whitespace() {
            let name = word.split('/').next().unwrap_or(word);
            let (fetch, _) = alias(name).expect("an alias");
            assert!(fetches().contains_key(fetch), "{word}");
        }
    }
}
