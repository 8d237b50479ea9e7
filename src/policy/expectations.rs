//! Files of expectations: what packets and requests are to meet, whatever a change does. Each is the check
//! `expected-flows`, written without the words around it.

use super::error::PolicyError;
use super::file::{COMMON_KEYS, Entry};
use super::node::{Kind, Node, Spanned};
use super::reader::{Object, Read, Reader};
use super::{Names, Parsed, sorted, version};

/// The check that an expectation is.
pub const EXPECTED: &str = "expected-flows";

/// A file of expectations as a tree.
#[derive(Debug, Clone)]
pub struct Expected(pub(super) Node);

/// The keys of an expectation that are no settings of the check.
const OWN: [&str; 2] = ["name", "in"];

/// Reads a file of expectations, each of which may use the names of a policy.
///
/// # Errors
/// Everything that is wrong with it, but for the settings of the check, which the check reads.
pub fn expectations(parsed: Parsed, names: &Names) -> Result<Vec<Entry>, Vec<PolicyError>> {
    listed(parsed, names, "expectations", |items: Vec<Node>, reader| {
        items.iter().filter_map(|item| entry(item, reader)).collect()
    })
}

/// Reads entries of `checks` that stand in a file of their own, each of which may use the names of a policy.
///
/// # Errors
/// Everything that is wrong with it, but for the settings of the checks, which they read.
pub fn more_checks(parsed: Parsed, names: &Names) -> Result<Vec<Entry>, Vec<PolicyError>> {
    listed(parsed, names, "checks", |entries: Vec<Entry>, _| entries)
}

/// Reads a file that is its version and one list.
fn listed<T: Read>(
    parsed: Parsed,
    names: &Names,
    key: &'static str,
    read: impl FnOnce(T, &mut Reader<'_>) -> Vec<Entry>,
) -> Result<Vec<Entry>, Vec<PolicyError>> {
    let Parsed { source: _, root, mut problems } = parsed;
    let Some(root) = root else { return Err(sorted(problems)) };
    if version(&root, &mut problems).is_none() {
        return Err(sorted(problems));
    }
    let mut reader = Reader::new(names);
    let items = Object::open(&root, &mut reader).and_then(|mut object| {
        object.node("version");
        let items: Option<T> = object.take(key, &mut reader);
        object.close(&mut reader);
        items
    });
    let entries = items.map(|items| read(items, &mut reader)).unwrap_or_default();
    problems.append(&mut reader.problems);
    if problems.is_empty() { Ok(entries) } else { Err(sorted(problems)) }
}

fn entry(item: &Node, reader: &mut Reader<'_>) -> Option<Entry> {
    let mut object = Object::open(item, reader)?;
    let name: Option<Option<Spanned<String>>> = object.take("name", reader);
    let within = object.take("in", reader);
    // The rest are settings of the check, which it reads and closes.
    let mut settings = item.clone();
    if let Kind::Map(entries) = &mut settings.kind {
        entries.retain(|(key, _)| !OWN.contains(&key.value.as_str()));
        for (key, _) in entries.iter().filter(|(key, _)| COMMON_KEYS.contains(&key.value.as_str())) {
            let help =
                "an expectation holds or blocks: what weighs less is an entry of the policy's `checks`".to_owned();
            reader.problems.push(PolicyError::UnknownKey { key: key.value.clone(), help, at: key.span });
        }
    }
    let at = name.iter().flatten().next().map_or(item.span, |name| name.span);
    let check = Spanned { value: EXPECTED.to_owned(), span: at };
    Some(Entry { check, name: name?, level: None, within: within?, approvals: None, node: settings })
}
