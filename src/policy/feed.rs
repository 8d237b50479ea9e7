//! Published lists of prefixes that a policy refers to: files of the sides that are judged.

use super::node::{Kind, Node, Spanned};
use super::reader::{Reader, keys, words};
use crate::net::{Family, Set, parse_addresses};
use crate::text::{Span, escape, hex, suggest};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

keys! {
    /// The prefixes of a published list, as far as they are wanted.
    pub(super) struct FeedKeys {
        /// The file, relative to the root of the side that is judged.
        feed: String,
        /// Of AWS `ip-ranges.json`: only the prefixes of this service, e.g. `S3`.
        service: Option<String>,
        /// Of AWS `ip-ranges.json`: only the prefixes of this region, e.g. `us-gov-west-1`.
        region: Option<String>,
        /// Of any other JSON: where the list of prefixes stands (RFC 6901), e.g. `/data/prefixes`.
        pointer: Option<String>,
        /// Of AWS `ip-ranges.json`: the day (`2024-08-29`) before which the list must not have been made.
        since: Option<String>,
        /// Only the prefixes of `ipv4` or of `ipv6`. Default: both.
        family: Option<OneFamily>,
        /// What Terraform configurations call this list where they look it up themselves, as reports show it, e.g.
        /// `data.aws_prefix_list.s3.cidr_blocks`: rules for all of that are rules for all of this.
        known_as: Option<Vec<String>>,
        /// The SHA-256 that the proposed file must have, in hexadecimal.
        sha256: Option<String>,
    }
}

words! {
    /// A version of the Internet Protocol.
    pub(super) enum OneFamily as "family" {
        /// IPv4.
        Ipv4 = "ipv4",
        /// IPv6.
        Ipv6 = "ipv6",
    }
}

/// The files that a policy refers to as feeds, as both sides have them.
#[derive(Debug, Clone, Default)]
pub struct Feeds(BTreeMap<String, Both>);

#[derive(Debug, Clone)]
struct Both {
    base: Published,
    head: Published,
}

/// A closed range of addresses.
pub(super) type Range = (Family, u128, u128);

/// What is wrong, and what to do.
type Wrong = (String, String);

/// A file, and what it says or why it says nothing.
type Published = Option<Arc<(String, Result<List, String>)>>;

#[derive(Debug)]
enum List {
    /// AWS, "AWS IP address ranges" (VPC user guide).
    Aws { made: u64, day: String, prefixes: Vec<Prefix> },
    /// Any other JSON.
    Json(Value),
    /// One prefix a line; after a comma, anything (RFC 8805); after `#`, a comment.
    Lines(Vec<Range>),
}

#[derive(Debug)]
struct Prefix {
    family: Family,
    first: u128,
    last: u128,
    service: String,
    region: String,
}

/// The addresses of a feed, as far as they are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    /// What is in force.
    pub(super) base: Vec<Range>,
    /// What is proposed.
    pub(super) head: Vec<Range>,
    /// What configurations call the whole of it.
    pub(super) known_as: Vec<String>,
}

/// Why it is not known what a feed says. Nobody can be judged by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedDoubt {
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Where the policy refers to it.
    pub at: Span,
}

/// A place in which a policy refers to a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedUse {
    /// The network that it is part of, if it has a name.
    pub network: Option<String>,
    /// The file, relative to the root of the side that is judged.
    pub path: String,
    /// The digest that is pinned, and where.
    pub sha256: Option<Spanned<String>>,
}

/// A file that a policy refers to as a feed, as both sides have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedFile {
    /// Its path, relative to the root of the sides; not escaped.
    pub path: String,
    /// What is in force.
    pub base: Option<Publication>,
    /// What is proposed.
    pub head: Option<Publication>,
}

/// A published list on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The day on which it was made, if it says so.
    pub made: Option<String>,
}

/// Every place of a policy in which it refers to a feed.
pub(super) fn uses(root: &Node) -> Vec<FeedUse> {
    fn walk(node: &Node, network: Option<&str>, out: &mut Vec<FeedUse>) {
        match &node.kind {
            Kind::Map(entries) => {
                let text = |key: &str| match node.get(key).map(|node| (&node.kind, node.span)) {
                    Some((Kind::Scalar { text, plain: _ }, span)) => Some(Spanned { value: text.clone(), span }),
                    Some((Kind::List(_) | Kind::Map(_), _)) | None => None,
                };
                if let Some(Spanned { value: path, span: _ }) = text("feed") {
                    out.push(FeedUse { network: network.map(ToOwned::to_owned), path, sha256: text("sha256") });
                }
                entries.iter().for_each(|(_, node)| walk(node, network, out));
            }
            Kind::List(items) => items.iter().for_each(|item| walk(item, network, out)),
            Kind::Scalar { .. } => {}
        }
    }
    let mut out = Vec::new();
    let Kind::Map(entries) = &root.kind else { return out };
    for (key, node) in entries {
        match &node.kind {
            Kind::Map(networks) if key.value == "networks" => {
                networks.iter().for_each(|(name, node)| walk(node, Some(&name.value), &mut out));
            }
            Kind::Map(_) | Kind::List(_) | Kind::Scalar { .. } => walk(node, None, &mut out),
        }
    }
    out
}

impl Feeds {
    /// Adds a file as both sides have it; `None`: it is not there.
    pub fn add(&mut self, path: &str, base: Option<&[u8]>, head: Option<&[u8]>) {
        let published = |bytes: &[u8]| Arc::new((hex(&Sha256::digest(bytes)), List::read(path, bytes)));
        let same = base == head;
        let base = base.map(published);
        let head = if same { base.clone() } else { head.map(published) };
        self.0.insert(path.to_owned(), Both { base, head });
    }

    /// The files, by their paths.
    #[must_use]
    pub fn files(&self) -> Vec<FeedFile> {
        let publication = |published: &Published| {
            let (sha256, list) = &**published.as_ref()?;
            let made = match list {
                Ok(List::Aws { day, .. }) => Some(day.clone()),
                Ok(List::Json(_) | List::Lines(_)) | Err(_) => None,
            };
            Some(Publication { sha256: sha256.clone(), made })
        };
        let file = |(path, Both { base, head }): (&String, &Both)| FeedFile {
            path: path.clone(),
            base: publication(base),
            head: publication(head),
        };
        self.0.iter().map(file).collect()
    }

    /// The addresses that are wanted of a feed. `None`: the policy asks for what cannot be.
    pub(super) fn select(
        &self,
        keys: &FeedKeys,
        at: Span,
        reader: &mut Reader<'_>,
    ) -> Option<Result<Selected, FeedDoubt>> {
        let FeedKeys { feed: _, service, region, pointer, since, family: _, known_as: _, sha256 } = keys;
        if pointer.is_some() && (service.is_some() || region.is_some() || since.is_some()) {
            let help = "`service`, `region` and `since` are of AWS ip-ranges.json, `pointer` is of other JSON";
            reader.refuse(at, "`pointer` cannot stand beside them", help);
            return None;
        }
        let is_day = |text: &str| text.len() == 10 && parse_day(text).is_some();
        if since.as_ref().is_some_and(|since| !is_day(since)) {
            reader.refuse(at, "`since` is not a day", "write it as \"2024-08-29\"");
            return None;
        }
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if sha256.as_ref().is_some_and(|digest| !is_digest(digest)) {
            reader.refuse(at, "`sha256` is not a SHA-256", "write 64 hexadecimal digits, as sha256sum prints them");
            return None;
        }
        Some(self.selected(keys).map_err(|(message, help)| FeedDoubt { message, help, at }))
    }

    fn selected(&self, keys: &FeedKeys) -> Result<Selected, Wrong> {
        let path = escape(keys.feed.as_bytes());
        let none = || (format!("the feed `{path}` has not been read"), "it is read by `check` and `lint`".to_owned());
        let Both { base, head } = self.0.get(&keys.feed).ok_or_else(none)?;
        let Some(head) = head else {
            let help = "a feed is a file of the side that is judged, relative to its root: restore it, or change the \
                        policy first";
            return Err((format!("head has no feed `{path}`"), help.to_owned()));
        };
        let known_as = keys.known_as.clone().unwrap_or_default();
        let proposed = side(head, keys).map_err(|(message, help)| (format!("the feed `{path}` {message}"), help))?;
        let (digest, list) = &**head;
        if keys.sha256.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(digest)) {
            let help = "compare the two files, then pin the new digest in the policy, in a change before this one";
            return Err((
                format!("the feed `{path}` has the SHA-256 {digest}, and the policy pins another"),
                help.into(),
            ));
        }
        if let Some(since) = &keys.since
            && let Ok(List::Aws { day, .. }) = list
            && day < since
        {
            let help = "take the present list from https://ip-ranges.amazonaws.com/ip-ranges.json";
            return Err((format!("the feed `{path}` was made on {day}, before {since}"), help.into()));
        }
        let Some(base) = base else { return Ok(Selected { base: proposed.clone(), head: proposed, known_as }) };
        if let (Ok(List::Aws { made: before, day: was, .. }), Ok(List::Aws { made, day, .. })) = (&base.1, list)
            && made < before
        {
            let message = format!("the feed `{path}` is older than the one in force: of {day}, not of {was}");
            return Err((message, "take the present list; an older one lacks what was added since".to_owned()));
        }
        // What is in force and cannot be read is what this change may be about to mend.
        let present = side(base, keys).unwrap_or_else(|_| proposed.clone());
        if keys.sha256.is_none()
            && let Some(lost) = cut_short(&present, &proposed, matches!(list, Ok(List::Lines(_))))
        {
            let of = present.len();
            let message = format!(
                "the feed `{path}` lacks {lost} of the {of} prefixes that the one in force has: it may be cut short"
            );
            let help = "fetch it again and compare the two; if the publisher has withdrawn them, pin the new list's \
                        `sha256` in the policy, in a change before this one";
            return Err((message, help.to_owned()));
        }
        Ok(Selected { base: present, head: proposed, known_as })
    }
}

/// How many prefixes a list has lost, if it is probably cut short: it lost more than a third of them, or it is the beginning
/// of the one before, in a form that does not tell where it ends.
fn cut_short(base: &[Range], head: &[Range], endless: bool) -> Option<usize> {
    let gone = Family::ALL.map(|family| of_family(base, family).difference(&of_family(head, family)));
    let is_lost = |(family, first, last): &&Range| {
        let [ipv4, ipv6] = &gone;
        let gone = if *family == Family::Ipv4 { ipv4 } else { ipv6 };
        gone.overlaps(&Set::range(*first, *last))
    };
    let lost = base.iter().filter(is_lost).count();
    let beginning = endless && base.starts_with(head);
    (lost > 0 && (beginning || lost * 3 > base.len())).then_some(lost)
}

/// What is wanted of a file.
fn side(published: &(String, Result<List, String>), keys: &FeedKeys) -> Result<Vec<Range>, Wrong> {
    let FeedKeys { feed: _, service, region, pointer, since, family, known_as: _, sha256: _ } = keys;
    let again = || "fetch it again: nothing is judged by half a list".to_owned();
    let list = published.1.as_ref().map_err(|why| (why.clone(), again()))?;
    let mut found: Vec<_> = match (list, pointer) {
        (List::Aws { prefixes, .. }, None) => {
            let asked = |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted == has);
            let mine =
                prefixes.iter().filter(|prefix| asked(service, &prefix.service) && asked(region, &prefix.region));
            mine.map(|prefix| (prefix.family, prefix.first, prefix.last)).collect()
        }
        (List::Aws { .. } | List::Lines(_), Some(_)) => {
            return Err(("is no JSON for a `pointer`".to_owned(), "remove `pointer`".to_owned()));
        }
        (List::Json(_) | List::Lines(_), None) if service.is_some() || region.is_some() || since.is_some() => {
            let help = "`service`, `region` and `since` are of AWS ip-ranges.json".to_owned();
            return Err(("is not AWS ip-ranges.json".to_owned(), help));
        }
        (List::Json(json), pointer) => pointed(json, pointer.as_deref().unwrap_or(""))?,
        (List::Lines(prefixes), None) => prefixes.clone(),
    };
    found.retain(|(of, ..)| match family {
        None => true,
        Some(OneFamily::Ipv4) => *of == Family::Ipv4,
        Some(OneFamily::Ipv6) => *of == Family::Ipv6,
    });
    if found.is_empty() {
        let wanted: Vec<String> = [("service", service), ("region", region)]
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key} `{}`", value.as_ref()?)))
            .collect();
        let what = if wanted.is_empty() { String::new() } else { format!(" of {}", wanted.join(" in ")) };
        return Err((format!("has no prefix{what}"), near(list, service.as_deref(), region.as_deref())));
    }
    Ok(found)
}

/// What may have been meant where nothing was found.
fn near(list: &List, service: Option<&str>, region: Option<&str>) -> String {
    let List::Aws { prefixes, .. } = list else { return "correct the policy, or fetch the list again".to_owned() };
    let services: BTreeSet<&str> = prefixes.iter().map(|prefix| &*prefix.service).collect();
    let regions: BTreeSet<&str> = prefixes.iter().map(|prefix| &*prefix.region).collect();
    for (wanted, known) in [(service, services), (region, regions)] {
        if let Some(wanted) = wanted.filter(|wanted| !known.contains(wanted)) {
            return suggest(wanted, &known.into_iter().collect::<Vec<_>>());
        }
    }
    "the service is not in that region, or the list is cut short".to_owned()
}

/// The list of prefixes at that place.
fn pointed(json: &Value, pointer: &str) -> Result<Vec<Range>, Wrong> {
    let help = || "say where the list of prefixes stands: `pointer: /data/prefixes` (RFC 6901)".to_owned();
    let shown = || if pointer.is_empty() { "as a whole".to_owned() } else { format!("at `{pointer}`") };
    let Some(Value::Array(items)) = json.pointer(pointer) else {
        return Err((format!("is no list {}", shown()), help()));
    };
    let read = |item: &Value| item.as_str().and_then(prefix);
    items
        .iter()
        .map(|item| read(item).ok_or_else(|| (format!("holds {item} {}, no prefix", shown()), help())))
        .collect()
}

impl List {
    fn read(path: &str, bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        if !path.ends_with(".json") && !text.trim_start().starts_with(['{', '[']) {
            return lines(text);
        }
        let has = |key: &str| memchr::memmem::find(bytes, key.as_bytes()).is_some();
        if has("\"syncToken\"") && has("\"prefixes\"") {
            return aws(text);
        }
        serde_json::from_str(text).map(|Unique(json)| Self::Json(json)).map_err(|why| format!("is not JSON: {why}"))
    }
}

/// JSON in which no key stands twice: which of two counts is up to the reader, and readers differ.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Unique(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(Value::Array(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut map = serde_json::Map::new();
                while let Some((key, Unique(value))) = entries.next_entry::<String, Unique>()? {
                    if map.contains_key(&key) {
                        return Err(A::Error::custom(format_args!(
                            "the key `{}` stands twice",
                            escape(key.as_bytes())
                        )));
                    }
                    map.insert(key, value);
                }
                Ok(Value::Object(map))
            }
        }
        deserializer.deserialize_any(Any).map(Unique)
    }
}

fn lines(text: &str) -> Result<List, String> {
    let mut out = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let said = line.split(['#', ',']).next().unwrap_or_default().trim();
        if said.is_empty() && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        out.push(prefix(said).ok_or_else(|| format!("has no prefix on line {}", n + 1))?);
    }
    Ok(List::Lines(out))
}

fn aws(text: &str) -> Result<List, String> {
    #[derive(Deserialize)]
    struct Ranges {
        #[serde(rename = "syncToken")]
        sync_token: String,
        #[serde(rename = "createDate")]
        create_date: String,
        prefixes: Vec<Ipv4>,
        ipv6_prefixes: Option<Vec<Ipv6>>,
    }
    #[derive(Deserialize)]
    struct Ipv4 {
        ip_prefix: String,
        service: String,
        region: String,
    }
    #[derive(Deserialize)]
    struct Ipv6 {
        ipv6_prefix: String,
        service: String,
        region: String,
    }
    let Ranges { sync_token, create_date, prefixes, ipv6_prefixes } =
        serde_json::from_str(text).map_err(|why| format!("is not AWS ip-ranges.json: {why}"))?;
    let made = sync_token.parse().map_err(|_| format!("has the syncToken `{sync_token}`, which is no time"))?;
    let day = create_date.get(..10).filter(|day| parse_day(day).is_some());
    let day = day.ok_or_else(|| format!("has the createDate `{create_date}`, which is no time"))?.to_owned();
    let ipv4 = prefixes.into_iter().map(|Ipv4 { ip_prefix, service, region }| (ip_prefix, service, region));
    let ipv6 = ipv6_prefixes.into_iter().flatten();
    let ipv6 = ipv6.map(|Ipv6 { ipv6_prefix, service, region }| (ipv6_prefix, service, region));
    let mut out = Vec::new();
    for (text, service, region) in ipv4.chain(ipv6) {
        let (family, first, last) = prefix(&text).ok_or_else(|| format!("holds `{text}`, which is no prefix"))?;
        out.push(Prefix { family, first, last, service, region });
    }
    Ok(List::Aws { made, day, prefixes: out })
}

/// `2024-08-29`.
fn parse_day(text: &str) -> Option<()> {
    let [year, month, day] = text.split('-').collect::<Vec<_>>().try_into().ok()?;
    let number = |text: &str, digits: usize| -> Option<u32> {
        (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
    };
    number(year, 4)?;
    let fits = (1..=12).contains(&number(month, 2)?) && (1..=31).contains(&number(day, 2)?);
    fits.then_some(())
}

/// A prefix or a single address, without bits behind the length.
fn prefix(text: &str) -> Option<Range> {
    let (family, set) = parse_addresses(text).filter(|_| !text.contains('-'))?;
    let (first, last) = set.ranges().single()?;
    let written = crate::net::parse_address(text.split('/').next()?)?.1;
    (written == first).then_some((family, first, last))
}

/// The addresses of one family.
pub(super) fn of_family(prefixes: &[Range], family: Family) -> Set {
    let mine = prefixes.iter().filter(|(of, ..)| *of == family);
    Set::from_ranges(mine.map(|(_, first, last)| (*first, *last)))
}
