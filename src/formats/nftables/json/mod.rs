//! `nft -j list ruleset`, and command documents for `nft -j -f`, as the commands that text becomes.
//!
//! libnftables-json(5). What nft itself passes over, a key that it does not know, is a gap at its place here. Strings
//! among statements are text, which nft prints where it has no JSON for a statement.

mod declarations;
mod expressions;
mod statements;
#[cfg(test)]
mod tests;

use super::account::Account;
use super::syntax::{Command, Declaration, Family, Found, Listed, Name, ObjectKind, Path, Place, Verb};
use crate::formats::Disposition;
use crate::formats::data::{Entry, Json, Kind, Node, Object};
use crate::text::{SourceId, Span};

/// The newest notation that is known.
const SCHEMA: u64 = 1;
/// What lists things or empties counters.
const SHOWING: &[&str] = &["list", "describe", "export"];

/// Whether a text is probably such a document.
pub(super) fn recognises(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    text.first() == Some(&b'{') && memchr::memmem::find(text, b"\"nftables\"").is_some()
}

/// Reads a document, and accounts for all of it but statements and elements, which are accounted for where their
/// meaning is found.
pub(super) fn read<'j>(source: SourceId, json: &'j Json<'j>, account: &mut Account) -> Vec<Command<'j>> {
    let mut reader = Reader { source, account, known: Vec::new(), commands: Vec::new(), listed: None };
    reader.document(json.root());
    let Reader { source: _, account, mut known, mut commands, listed } = reader;
    // Maps are listed before the chains to which their elements lead.
    commands[listed.unwrap_or_default()..].sort_by_key(|command| {
        let table = matches!(command.verb, Verb::Add(Declaration::Table(_)));
        let chain = matches!(command.verb, Verb::Add(Declaration::Chain(_)));
        (!table, !chain)
    });
    known.sort_unstable_by_key(|(at, _)| (at.start, std::cmp::Reverse(at.end)));
    let Span { source, start: mut done, end } = span(source, json.root());
    for (at, disposition) in known {
        if at.start < done {
            continue;
        }
        if at.start > done {
            account.claim(Span { source, start: done, end: at.start }, Disposition::Modelled);
        }
        if let Some(disposition) = disposition {
            account.claim(at, disposition);
        }
        done = at.end;
    }
    if done < end {
        account.claim(Span { source, start: done, end }, Disposition::Modelled);
    }
    commands
}

/// What the handle of a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handle {
    /// In a listing: what the kernel gave.
    Own,
    /// Of a rule that is inserted or replaced: where it goes.
    Place,
    /// Of a rule that is added: nothing. (nft passes over it.)
    Nothing,
}

struct Reader<'j, 'a> {
    source: SourceId,
    account: &'a mut Account,
    /// What is inert, and (`None`) what is accounted for elsewhere. The rest of the document is syntax.
    known: Vec<(Span, Option<Disposition>)>,
    commands: Vec<Command<'j>>,
    /// The first command that `list` printed.
    listed: Option<usize>,
}

impl<'j> Reader<'j, '_> {
    fn document(&mut self, root: Node<'j>) {
        let Some(mut document) = self.object(root) else { return };
        let Some(list) = self.required(&mut document, "nftables") else { return };
        self.close(document);
        let Some(items) = list.list() else { return self.gap(list, "a list of objects is expected") };
        for item in items {
            match item.only() {
                Some((key, value)) => self.item(item, key, value),
                None => self.gap(item, "an object with one key, which says what it is, is expected"),
            }
        }
    }

    fn item(&mut self, item: Node<'j>, key: &'j str, value: Node<'j>) {
        match key {
            "metainfo" => self.metainfo(item, value),
            "add" => self.verb(item, value, Self::add),
            "create" => self.verb(item, value, Self::create),
            "insert" => self.verb(item, value, Self::insert),
            "replace" => self.verb(item, value, Self::replace),
            "delete" => self.verb(item, value, |r, k, v| r.delete(k, v, true)),
            "destroy" => self.verb(item, value, |r, k, v| r.delete(k, v, false)),
            "flush" => self.verb(item, value, |r, k, v| r.listed(k, v).map(Verb::Flush)),
            "reset" => self.verb(item, value, Self::reset),
            "rename" => self.verb(item, value, Self::rename),
            _ if SHOWING.contains(&key) => {
                self.inert(item, "it only shows something");
                self.command(item, Some(Verb::Show));
            }
            // What `list` prints is taken as if it were added.
            _ => {
                let verb = self.added(key, value, Handle::Own);
                let before = self.commands.len();
                self.command(item, verb);
                self.listed.get_or_insert(before);
            }
        }
    }

    fn verb(
        &mut self,
        item: Node<'j>,
        value: Node<'j>,
        read: impl FnOnce(&mut Self, &'j str, Node<'j>) -> Option<Verb<'j>>,
    ) {
        match value.only() {
            Some((key, value)) => {
                let verb = read(self, key, value);
                self.command(item, verb);
            }
            None => self.gap(value, "an object with one key, which says what it is about, is expected"),
        }
    }

    fn command(&mut self, item: Node<'j>, verb: Option<Verb<'j>>) {
        let at = self.span(item);
        self.commands.extend(verb.map(|verb| Command { at, verb }));
    }

    fn metainfo(&mut self, item: Node<'j>, value: Node<'j>) {
        let Some(mut object) = self.object(value) else { return };
        let schema = object.take("json_schema_version");
        if let Some(schema) = schema
            && schema.natural().is_none_or(|version| version > SCHEMA)
        {
            self.gap(schema, format!("only version {SCHEMA} of the notation is known"));
        }
        for key in ["version", "release_name"] {
            object.take(key);
        }
        self.close(object);
        self.inert(item, "which program wrote it");
    }

    fn add(&mut self, key: &'j str, value: Node<'j>) -> Option<Verb<'j>> {
        self.added(key, value, Handle::Nothing)
    }

    fn create(&mut self, key: &'j str, value: Node<'j>) -> Option<Verb<'j>> {
        if let Verb::Add(declaration) = self.added(key, value, Handle::Nothing)? {
            return Some(Verb::Create(declaration));
        }
        self.gap(value, "rules are added, not created");
        None
    }

    fn added(&mut self, key: &'j str, value: Node<'j>, says: Handle) -> Option<Verb<'j>> {
        if key == "rule" {
            let (path, place, rule) = self.rule(value, says)?;
            return Some(Verb::AddRule(path, place, rule));
        }
        self.declaration(key, value).map(Verb::Add)
    }

    fn declaration(&mut self, key: &'j str, value: Node<'j>) -> Option<Declaration<'j>> {
        match key {
            "table" => self.table(value).map(Declaration::Table),
            "chain" => self.chain(value).map(Declaration::Chain),
            "set" => self.set(value, false),
            "map" => self.set(value, true),
            "element" => self.elements_of(value),
            "flowtable" => self.flowtable(value).map(Declaration::Flowtable),
            _ => match ObjectKind::from_keyword(key.as_bytes()) {
                Some(kind) => self.named(kind, value).map(Declaration::Object),
                None => {
                    self.gap(value, format!("`{}` is not known here", escape(key)));
                    None
                }
            },
        }
    }

    fn insert(&mut self, key: &'j str, value: Node<'j>) -> Option<Verb<'j>> {
        self.only_rules(key, value)?;
        let (path, place, rule) = self.rule(value, Handle::Place)?;
        Some(Verb::InsertRule(path, place, rule))
    }

    fn replace(&mut self, key: &'j str, value: Node<'j>) -> Option<Verb<'j>> {
        self.only_rules(key, value)?;
        let (path, place, rule) = self.rule(value, Handle::Place)?;
        match place {
            Some(Place::Handle(handle)) => Some(Verb::ReplaceRule(path, handle, rule)),
            Some(Place::Index(_)) | None => {
                self.gap(value, "the `handle` of the rule to be replaced is missing");
                None
            }
        }
    }

    fn only_rules(&mut self, key: &'j str, value: Node<'j>) -> Option<()> {
        if key != "rule" {
            self.gap(value, "only rules can be inserted or replaced");
            return None;
        }
        Some(())
    }

    fn delete(&mut self, key: &'j str, value: Node<'j>, must_exist: bool) -> Option<Verb<'j>> {
        if key == "element" {
            let Declaration::Elements { set, elements, elements_at } = self.elements_of(value)? else { return None };
            return Some(Verb::DeleteElements { set, elements, elements_at, must_exist });
        }
        let found = self.found(key, value)?;
        Some(Verb::Delete { found, must_exist })
    }

    fn found(&mut self, key: &'j str, value: Node<'j>) -> Option<Found<'j>> {
        match key {
            "rule" => return self.found_rule(value),
            "chain" | "flowtable" if self.has(value, "dev") => return self.found_devices(key, value),
            _ => {}
        }
        let mut object = self.object(value)?;
        let family = self.family(&mut object)?;
        let name = object.take("name");
        let handle = object.take("handle");
        let table = if key == "table" { None } else { self.required(&mut object, "table").and_then(|t| self.name(t)) };
        // What else describes it need not be right, and nft does not look at it.
        for entry in object.close() {
            self.inert_entry(&entry, "not needed to find it");
        }
        let found = match (key, name, handle) {
            ("table", Some(name), _) => Found::Table(family, self.name(name)?),
            ("table", None, Some(handle)) => Found::TableHandle(family, self.natural(handle)?),
            (_, Some(name), _) => {
                let path = Path { family, table: table?, name: self.name(name)? };
                match key {
                    "chain" => Found::Chain(path),
                    "set" | "map" | "meter" => Found::Set(path),
                    "flowtable" => Found::Flowtable(path),
                    _ => Found::Object(self.object_kind(key, value)?, path),
                }
            }
            (_, None, Some(handle)) => {
                let (table, handle) = (table?, self.natural(handle)?);
                match key {
                    "chain" => Found::ChainHandle(family, table, handle),
                    "set" | "map" | "meter" => Found::SetHandle(family, table, handle),
                    "flowtable" => Found::FlowtableHandle(family, table, handle),
                    _ => Found::ObjectHandle(self.object_kind(key, value)?, family, table, handle),
                }
            }
            (_, None, None) => {
                self.gap(value, "the `name` or the `handle` of what goes is missing");
                return None;
            }
        };
        Some(found)
    }

    fn found_rule(&mut self, value: Node<'j>) -> Option<Found<'j>> {
        let mut object = self.object(value)?;
        let path = self.path(&mut object, "chain")?;
        let place = match (object.take("handle"), object.take("index")) {
            (Some(handle), _) => Place::Handle(self.natural(handle)?),
            (None, Some(index)) => Place::Index(self.natural(index)?),
            (None, None) => {
                self.gap(value, "the `handle` of the rule that goes is missing");
                return None;
            }
        };
        for entry in object.close() {
            self.inert_entry(&entry, "not needed to find it");
        }
        Some(Found::Rule(path, place))
    }

    /// With devices, those go and the rest stays.
    fn found_devices(&mut self, key: &'j str, value: Node<'j>) -> Option<Found<'j>> {
        if key == "chain" {
            self.chain(value).map(Found::ChainDevices)
        } else {
            self.flowtable(value).map(Found::FlowtableDevices)
        }
    }

    fn object_kind(&mut self, key: &'j str, value: Node<'j>) -> Option<ObjectKind> {
        let kind = ObjectKind::from_keyword(key.as_bytes());
        if kind.is_none() {
            self.gap(value, format!("`{}` is not known here", escape(key)));
        }
        kind
    }

    fn reset(&mut self, key: &'j str, value: Node<'j>) -> Option<Verb<'j>> {
        match key {
            "table" | "chain" | "set" | "map" => self.listed(key, value).map(Verb::Reset),
            _ => {
                self.inert(value, "counters and quotas begin anew");
                Some(Verb::Reset(Listed::Other))
            }
        }
    }

    fn listed(&mut self, key: &'j str, value: Node<'j>) -> Option<Listed<'j>> {
        if key == "ruleset" && value.kind() == Kind::Null {
            return Some(Listed::Ruleset(None));
        }
        let mut object = self.object(value)?;
        let listed = match key {
            "ruleset" => Listed::Ruleset(match object.take("family") {
                Some(family) => Some(self.family_of(family)?),
                None => None,
            }),
            "table" => {
                let family = self.family(&mut object)?;
                let name = self.required(&mut object, "name")?;
                Listed::Table(family, self.name(name)?)
            }
            "chain" => Listed::Chain(self.path(&mut object, "name")?),
            "set" | "map" | "meter" => Listed::Set(self.path(&mut object, "name")?),
            _ => {
                self.gap(value, format!("`{}` cannot be flushed", escape(key)));
                return None;
            }
        };
        self.handle(&mut object);
        self.close(object);
        Some(listed)
    }

    fn rename(&mut self, key: &'j str, value: Node<'j>) -> Option<Verb<'j>> {
        if key != "chain" {
            self.gap(value, "only chains can be renamed");
            return None;
        }
        let mut object = self.object(value)?;
        let path = self.path(&mut object, "name")?;
        let new = self.required(&mut object, "newname")?;
        let new = self.name(new)?;
        self.close(object);
        Some(Verb::RenameChain(path, new))
    }
}

/// What all of it is made of. Each says itself what is wrong, and gives nothing then.
impl<'j> Reader<'j, '_> {
    fn object(&mut self, node: Node<'j>) -> Option<Object<'j>> {
        let object = node.object();
        if object.is_none() {
            self.gap(node, "an object is expected");
        }
        object
    }

    fn has(&self, node: Node<'j>, key: &str) -> bool {
        node.object().is_some_and(|mut object| object.take(key).is_some())
    }

    fn required(&mut self, object: &mut Object<'j>, key: &str) -> Option<Node<'j>> {
        let value = object.take(key);
        if value.is_none() {
            self.gap(object.at, format!("the key `{key}` is missing"));
        }
        value
    }

    /// What is left of an object is not known.
    fn close(&mut self, object: Object<'j>) {
        for entry in object.close() {
            let reason = format!("the key `{}` is not known here", escape(entry.name));
            let at = self.entry(&entry);
            self.account.gap(at, reason);
        }
    }

    /// The family, table and name of something; `name` is the key that has it.
    fn path(&mut self, object: &mut Object<'j>, name: &str) -> Option<Path<'j>> {
        let family = self.family(object);
        let table = self.required(object, "table");
        let name = self.required(object, name);
        Some(Path { family: family?, table: self.name(table?)?, name: self.name(name?)? })
    }

    fn family(&mut self, object: &mut Object<'j>) -> Option<Family> {
        let node = self.required(object, "family")?;
        self.family_of(node)
    }

    fn family_of(&mut self, node: Node<'j>) -> Option<Family> {
        self.keyword(node, Family::from_keyword)
    }

    /// A text that is one of some words.
    fn keyword<T>(&mut self, node: Node<'j>, find: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let word = self.text(node)?;
        let found = find(word.as_bytes());
        if found.is_none() {
            self.gap(node, format!("`{}` is not known here", escape(word)));
        }
        found
    }

    fn name(&mut self, node: Node<'j>) -> Option<Name<'j>> {
        let at = self.span(node);
        self.text(node).map(|text| Name { text: text.as_bytes().into(), at })
    }

    fn text(&mut self, node: Node<'j>) -> Option<&'j str> {
        let text = node.text();
        if text.is_none() {
            self.gap(node, "a text is expected");
        }
        text
    }

    fn natural(&mut self, node: Node<'j>) -> Option<u64> {
        let number = node.natural();
        if number.is_none() {
            self.gap(node, "a whole number is expected");
        }
        number
    }

    fn narrow(&mut self, node: Node<'j>) -> Option<u32> {
        let number = self.natural(node)?;
        let narrow = u32::try_from(number).ok();
        if narrow.is_none() {
            self.gap(node, "the number is too large");
        }
        narrow
    }

    fn truth(&mut self, node: Node<'j>) -> Option<bool> {
        let truth = node.truth();
        if truth.is_none() {
            self.gap(node, "`true` or `false` is expected");
        }
        truth
    }

    /// The values of a list, or the one value that stands in place of it.
    #[expect(clippy::unused_self, reason = "reads as the others do")]
    fn several(&self, node: Node<'j>) -> Vec<Node<'j>> {
        node.list().map_or_else(|| vec![node], Iterator::collect)
    }

    fn flags<T>(&mut self, object: &mut Object<'j>, key: &str, find: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
        let Some(node) = object.take(key) else { return Vec::new() };
        self.several(node).into_iter().filter_map(|flag| self.keyword(flag, &find)).collect()
    }

    /// The handle that a listing gives; it names things only while the ruleset lives.
    fn handle(&mut self, object: &mut Object<'j>) -> Option<u64> {
        let entry = object.take_entry("handle")?;
        self.inert_entry(&entry, "the number that the kernel gave");
        self.natural(entry.value)
    }

    fn comment(&mut self, object: &mut Object<'j>) -> Option<Name<'j>> {
        let entry = object.take_entry("comment")?;
        self.inert_entry(&entry, "comment");
        self.name(entry.value)
    }

    /// `key` in seconds, as milliseconds.
    fn seconds(&mut self, object: &mut Object<'j>, key: &str) -> Option<u64> {
        object.take(key).and_then(|node| self.milliseconds(node))
    }

    /// A number of seconds, as milliseconds.
    fn milliseconds(&mut self, node: Node<'j>) -> Option<u64> {
        let milliseconds = self.natural(node)?.checked_mul(1000);
        if milliseconds.is_none() {
            self.gap(node, "the number is too large");
        }
        milliseconds
    }

    fn gap(&mut self, node: Node<'j>, reason: impl Into<String>) {
        let at = self.span(node);
        self.account.gap(at, reason);
    }

    fn inert(&mut self, node: Node<'j>, why: &'static str) {
        let at = self.span(node);
        self.known.push((at, Some(Disposition::Inert(why))));
    }

    fn inert_entry(&mut self, entry: &Entry<'j>, why: &'static str) {
        let at = self.entry(entry);
        self.known.push((at, Some(Disposition::Inert(why))));
    }

    /// Its bytes are accounted for where its meaning is found.
    fn left_to_meaning(&mut self, node: Node<'j>) {
        let at = self.span(node);
        self.known.push((at, None));
    }

    fn entry(&self, entry: &Entry<'j>) -> Span {
        Span { end: self.span(entry.value).end, ..self.span(entry.key) }
    }

    fn span(&self, node: Node<'j>) -> Span {
        span(self.source, node)
    }
}

fn span(source: SourceId, node: Node<'_>) -> Span {
    let (start, end) = node.place();
    Span { source, start, end }
}

fn escape(text: &str) -> String {
    crate::text::escape(text.as_bytes())
}
