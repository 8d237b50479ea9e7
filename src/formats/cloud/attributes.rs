//! The arguments of a resource or of a block in it: each is taken, named as inert, or left and then a gap.

use super::line::{Condition, Peer, Service};
use crate::formats::Disposition;
use crate::formats::account::Account;
use crate::formats::data::Pick;
use crate::formats::data::value::{Entry, Object, Value, What};
use crate::net::{Family, Set, parse_address, parse_addresses};
use crate::text::{Span, escape};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What readers have accounted for, and is kept because it is another resource without it.
const TOLD: &[&str] = &["deletion_policy", "replace_policy"];

/// A value that is known, or what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known<T> {
    /// It is this.
    Is(T),
    /// It is not known; its name.
    Not(String),
}

/// An object that is being emptied.
#[derive(Debug)]
pub(super) struct Attributes<'v> {
    object: &'v Object,
    taken: BTreeSet<&'v str>,
    /// Where the whole stands.
    pub(super) at: Span,
}

impl<'v> Attributes<'v> {
    /// The arguments of a value that is an object; otherwise a gap.
    pub(super) fn open(value: &'v Value, account: &mut Account) -> Option<Self> {
        match &value.what {
            What::Object(object) => Some(Self { object, taken: BTreeSet::new(), at: value.at }),
            What::Unknown(_) => {
                let name = name(value);
                account.gap(value.at, format!("all of it is unknown: `{name}`"));
                None
            }
            What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::List(_) => {
                account.gap(value.at, "a block of arguments is expected");
                None
            }
        }
    }

    /// Takes an argument out, unless it is null.
    pub(super) fn take(&mut self, name: &str) -> Option<&'v Entry> {
        let entry = self.object.entry(name)?;
        self.taken.insert(&entry.name);
        (!entry.value.is_null()).then_some(entry)
    }

    /// Whether an argument was taken out.
    pub(super) fn took(&self, name: &str) -> bool {
        self.taken.contains(name)
    }

    /// The value of an argument that stays there, unless it is null.
    pub(super) fn value(&self, name: &str) -> Option<&'v Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Takes a text out.
    pub(super) fn text(&mut self, name: &str, account: &mut Account) -> Option<Known<Arc<str>>> {
        self.take(name).map(|entry| text(entry, account))
    }

    /// Takes a whole number out.
    pub(super) fn number(&mut self, name: &str, account: &mut Account) -> Option<Known<i128>> {
        let entry = self.take(name)?;
        Some(match (entry.value.as_integer(), entry.value.sensitive, entry.value.name_of_unknown()) {
            (Some(number), false, _) => Known::Is(number),
            (Some(number), true, _) => Known::Not(sensitive(name, &number.to_string())),
            (None, _, Some(unknown)) => Known::Not(unknown.to_owned()),
            (None, _, None) => wrong(entry, "a whole number is expected", account),
        })
    }

    /// Takes a truth out; `None`: it is not there.
    pub(super) fn truth(&mut self, name: &str, account: &mut Account) -> Option<Known<bool>> {
        let entry = self.take(name)?;
        Some(match (entry.value.as_truth(), entry.value.sensitive, entry.value.name_of_unknown()) {
            (Some(truth), false, _) => Known::Is(truth),
            (Some(truth), true, _) => Known::Not(sensitive(name, &truth.to_string())),
            (None, _, Some(unknown)) => Known::Not(unknown.to_owned()),
            (None, _, None) => wrong(entry, "`true` or `false` is expected", account),
        })
    }

    /// Takes the items of a list out: a single value counts as a list of it, what is not known as a further one.
    pub(super) fn items(&mut self, name: &str) -> Items<'v> {
        self.take(name).map_or_else(Items::default, |entry| Items::of(&entry.value))
    }

    /// Takes a description out, and notes that it changes nothing.
    pub(super) fn comment(&mut self, name: &str, account: &mut Account) -> Option<Arc<str>> {
        let entry = self.take(name)?;
        if super::content::says(&entry.value) {
            account.claim(whole(entry), Disposition::Inert("a description"));
        }
        let shown = !entry.value.sensitive;
        entry.value.as_text().filter(|text| shown && !text.is_empty())
    }

    /// What of these is given changes nothing, for that reason.
    pub(super) fn inert(&mut self, names: &[&str], why: &'static str, account: &mut Account) {
        for name in names {
            if let Some(entry) = self.object.entry(name) {
                self.taken.insert(&entry.name);
                if super::content::says(&entry.value) {
                    account.claim(whole(entry), Disposition::Inert(why));
                }
            }
        }
    }

    /// What of these is given is compared beside.
    pub(super) fn apart(&mut self, names: &[&str]) {
        let given = names.iter().filter_map(|name| self.object.entry(name));
        self.taken.extend(given.map(|entry| &*entry.name));
    }

    /// What nobody took is not known to change nothing.
    pub(super) fn close(self, account: &mut Account) {
        let Self { object, taken, at } = self;
        for entry in object.entries.iter().filter(|entry| taken.contains(&*entry.name)) {
            if !super::content::says(&entry.value) {
                account.claim(whole(entry), Disposition::Inert("it says nothing"));
            }
        }
        let left = |entry: &&Entry| !taken.contains(&*entry.name) && !TOLD.contains(&&*entry.name);
        for entry in object.entries.iter().filter(left) {
            if entry.value.is_null() {
                account.claim(whole(entry), Disposition::Inert("it says nothing"));
                continue;
            }
            account.gap(whole(entry), format!("the argument `{}` is not known here", escape(entry.name.as_bytes())));
        }
        if let Some(more) = object.more.first() {
            let name = escape(more.name.0.as_bytes());
            account.gap(at, format!("it has arguments whose names are not known: `{name}`"));
        }
    }
}

/// The items of a list: those that are there, and those of which there may be any number.
#[derive(Debug, Default, Clone)]
pub(super) struct Items<'v> {
    /// Surely there.
    pub(super) there: Vec<&'v Value>,
    /// Any number, none among them: what they are called together, and what is known of each.
    pub(super) perhaps: Vec<(&'v str, &'v Value)>,
    /// The fixed parts of lists that grow that the whole list was computed from.
    pub(super) picks: &'v [Pick],
}

impl<'v> Items<'v> {
    /// The items of a value.
    pub(super) fn of(value: &'v Value) -> Self {
        match &value.what {
            What::Null => Self::default(),
            // As providers write a text that is not given.
            What::Text(text) if text.is_empty() && !value.sensitive => Self::default(),
            What::List(list) => {
                let there = list.items.iter().filter(|item| !item.is_null()).collect();
                Self {
                    there,
                    perhaps: list.more.iter().map(|more| (&*more.name.0, &more.like)).collect(),
                    picks: value.picks(),
                }
            }
            What::Unknown(unknown) => Self { perhaps: vec![(&unknown.0, value)], ..Self::default() },
            What::Truth(_) | What::Number(_) | What::Text(_) | What::Object(_) => {
                Self { there: vec![value], ..Self::default() }
            }
        }
    }

    /// Notes which of them are fixed parts of lists that grow.
    pub(super) fn tell_picks(&self, account: &mut Account) {
        let perhaps = self.perhaps.iter().map(|(_, value)| *value);
        account.picks.extend(self.picks.iter().cloned());
        account.picks.extend(self.there.iter().copied().chain(perhaps).flat_map(Value::picks).cloned());
    }

    /// Whether there surely are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.there.is_empty() && self.perhaps.is_empty()
    }

    /// Those that are there, and the names of the others as values that are not known.
    pub(super) fn all(&self) -> Vec<Value> {
        let perhaps = self.perhaps.iter().map(|(name, like)| Value::unknown(name, like.at));
        self.there.iter().map(|value| (*value).clone()).chain(perhaps).collect()
    }

    /// Each with the condition under which it is there.
    pub(super) fn with_conditions(&self, of: &str) -> Vec<(&'v Value, Option<Condition>)> {
        let surely = self.there.iter().map(|value| (*value, None));
        let perhaps =
            self.perhaps.iter().map(|(name, value)| (*value, Some(Condition::new(format!("{of} has one of {name}")))));
        surely.chain(perhaps).collect()
    }
}

/// A text that an argument is.
pub(super) fn text(entry: &Entry, account: &mut Account) -> Known<Arc<str>> {
    match (entry.value.as_text(), entry.value.sensitive, entry.value.name_of_unknown()) {
        (Some(text), false, _) => Known::Is(text),
        (Some(text), true, _) => Known::Not(sensitive(&entry.name, &text)),
        (None, _, Some(unknown)) => Known::Not(unknown.to_owned()),
        (None, _, None) => wrong(entry, "a text is expected", account),
    }
}

/// A text that an item of a list is, `what` in words; `None`: it is none, which is told.
pub(super) fn text_of(item: &Value, what: &str, account: &mut Account) -> Option<Known<Arc<str>>> {
    match (item.as_text(), item.sensitive, item.name_of_unknown()) {
        (Some(text), false, _) => Some(Known::Is(text)),
        (Some(text), true, _) => Some(Known::Not(sensitive(what, &text))),
        (None, _, Some(name)) => Some(Known::Not(name.to_owned())),
        (None, _, None) => {
            account.gap(item.at, format!("a {what} is expected"));
            None
        }
    }
}

/// A port or range of ports that an item of a list is; `None`: it is none, which is told.
pub(super) fn port_of(item: &Value, account: &mut Account) -> Option<Known<Arc<str>>> {
    text_of(item, "port or range of ports", account)
}

fn wrong<T>(entry: &Entry, reason: &str, account: &mut Account) -> Known<T> {
    account.gap(whole(entry), reason);
    Known::Not(format!("`{}`, which is not understood", entry.name))
}

/// The name of a value for conditions: of an unknown one its own, of a known one what it says.
pub(super) fn name(value: &Value) -> String {
    if value.sensitive {
        return "a sensitive value".to_owned();
    }
    match &value.what {
        What::Unknown(unknown) => unknown.0.to_string(),
        What::Null | What::Truth(_) | What::Number(_) | What::Text(_) | What::List(_) | What::Object(_) => {
            super::content::show(value)
        }
    }
}

/// Where an argument stands: its name and, if it stands behind it, its value.
pub(super) fn whole(entry: &Entry) -> Span {
    let Entry { name: _, at, value } = entry;
    if value.at.source == at.source && value.at.start >= at.end { Span { end: value.at.end, ..*at } } else { *at }
}

/// The addresses of one end: texts of addresses, prefixes or ranges, and what is not known.
///
/// `end` is `source` or `destination`, for conditions; `family` the only one that may be written, if there is one.
pub(super) fn peers(items: &Items<'_>, end: &str, family: Option<Family>, account: &mut Account) -> Vec<Peer> {
    let known = |value: &Value| {
        let (of, set) = addresses(value.text()?)?;
        family.is_none_or(|family| family == of).then_some((of, set))
    };
    let perhaps = items.perhaps.iter().map(|(name, value)| match known(value) {
        _ if value.sensitive => hidden(end, value),
        Some((of, set)) => Peer::KnownIf(of, set, Condition::new(format!("a {end} is {name}"))),
        None => Peer::If(Condition::new(format!("{end} is in {name}"))),
    });
    let mut out: Vec<Peer> = perhaps.collect();
    items.tell_picks(account);
    for item in &items.there {
        let Some(text) = item.as_text() else {
            let either = item.either.as_deref().filter(|_| !item.sensitive);
            if let Some((condition, [then, otherwise])) = either
                && let (Some((of, set)), Some((other, rest))) = (known(then), known(otherwise))
            {
                let condition = Condition::new(condition);
                out.push(Peer::KnownIf(of, set, condition.clone()));
                out.push(Peer::KnownIf(other, rest, condition.negated()));
                continue;
            }
            match item.name_of_unknown() {
                Some(unknown) => out.push(Peer::If(Condition::new(format!("{end} is in {unknown}")))),
                None => account.gap(item.at, "an address is expected"),
            }
            continue;
        };
        if item.sensitive {
            out.push(hidden(end, item));
            continue;
        }
        match addresses(&text) {
            Some((of, _)) if family.is_some_and(|family| family != of) => {
                let wanted = if of == Family::Ipv4 { "IPv6" } else { "IPv4" };
                account.gap(
                    item.at,
                    format!("`{}` is not an {wanted} prefix: the provider refuses it", escape(text.as_bytes())),
                );
            }
            Some((of, set)) => out.push(Peer::Known(of, set)),
            None => {
                let reason =
                    format!("`{}` is not an address or prefix: the provider refuses it", escape(text.as_bytes()));
                account.gap(item.at, reason);
            }
        }
    }
    out
}

fn hidden(end: &str, value: &Value) -> Peer {
    let shown = format!("{end} is in a sensitive value");
    let text = value.as_text().map_or_else(|| super::content::show(value), |text| text.to_string());
    Peer::If(Condition::hidden(shown, &text))
}

/// Addresses as the providers' interfaces take them: `10.0.0.0/8`, an address, a range. Stricter than numbers are read
/// elsewhere: `/00`, `/+8` and `010.0.0.0/8` are refused by them, and so here.
pub(super) fn addresses(text: &str) -> Option<(Family, Set)> {
    if let Some((address, length)) = text.split_once('/') {
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || length.len() > 1 && length.starts_with('0') || parse_address(address).is_none() {
            return None;
        }
    }
    parse_addresses(text)
}

/// The name of a value that must not be printed. It tells different values apart and says nothing of them: it is another one
/// in every run.
pub(super) fn sensitive(what: &str, value: &str) -> String {
    use std::hash::BuildHasher as _;
    static SEED: std::sync::OnceLock<std::hash::RandomState> = std::sync::OnceLock::new();
    let seed = SEED.get_or_init(std::hash::RandomState::new);
    format!("a sensitive {what} #{:08x}", seed.hash_one(value) >> 32)
}

/// The packets of ICMP with a type and a code; -1 and what is not given are any.
pub(super) fn messages(
    service: Service,
    kind: Option<&Known<i128>>,
    code: Option<&Known<i128>>,
    at: Span,
    account: &mut Account,
) -> Service {
    let number = |known: Option<&Known<i128>>| match known {
        None | Some(Known::Is(-1)) => Ok((0, 255)),
        Some(Known::Is(number)) if (0..256).contains(number) => {
            let number = number.unsigned_abs();
            Ok((number, number))
        }
        Some(Known::Is(number)) => Err(Some(*number)),
        Some(Known::Not(_)) => Err(None),
    };
    match (number(kind), number(code)) {
        (Ok((0, 255)), Ok((0, 255))) => service,
        (Ok((first, last)), Ok((low, high))) => {
            service.to(Set::from_ranges((first..=last).map(|kind| (kind << 8 | low, kind << 8 | high))))
        }
        (a, b) => {
            let mut service = service;
            for (wrong, known, what) in [(a, kind, "type"), (b, code, "code")] {
                match (wrong, known) {
                    (Err(Some(number)), _) => account.gap(at, format!("{number} is not an ICMP {what}")),
                    (Err(None), Some(Known::Not(name))) => {
                        service = service.given(Condition::new(format!("the ICMP {what} is {name}")));
                    }
                    (Ok(_) | Err(None), _) => {}
                }
            }
            service
        }
    }
}

/// A port or a range of them: `443`, `8000-8099`.
pub(super) fn port_range(text: &str) -> Option<(u128, u128)> {
    let port = |text: &str| {
        let digits = text.trim();
        let number = digits.parse::<u16>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        Some(u128::from(number))
    };
    match text.split_once('-') {
        Some((first, last)) => Some((port(first)?, port(last)?)).filter(|(first, last)| first <= last),
        None => port(text).map(|port| (port, port)),
    }
}
