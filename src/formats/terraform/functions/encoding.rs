//! Encodings, digests and files (functions: encoding, hash and crypto, filesystem functions).

use super::{Arguments, Found, Stop, text, truth};
use crate::formats::data::value::{Entry, Object, Unknown, Value, What};
use crate::formats::data::{Json, Kind, Node, Number};
use crate::text::{Span, hex};
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt::Write as _;
use std::sync::Arc;

/// The functions that read files.
pub(super) const READERS: &[&str] = &[
    "file",
    "filebase64",
    "filebase64sha256",
    "filebase64sha512",
    "fileexists",
    "filemd5",
    "fileset",
    "filesha1",
    "filesha256",
    "filesha512",
];

pub(super) fn call(name: &str, arguments: &Arguments<'_, '_, '_>) -> Option<Found> {
    Some(match name {
        "jsonencode" => encode(arguments),
        "jsondecode" => decode(arguments),
        "base64encode" => base64(arguments),
        "urlencode" => url(arguments),
        "sha256" => digest(arguments, |bytes| hex(&Sha256::digest(bytes))),
        "sha512" => digest(arguments, |bytes| hex(&Sha512::digest(bytes))),
        "basename" => last_part(arguments),
        "dirname" => first_parts(arguments),
        "file" => file(arguments),
        "fileexists" => exists(arguments),
        "filebase64" => content(arguments).and_then(|found| text(base64_of(found.as_bytes()))),
        "filesha256" => content(arguments).and_then(|found| text(hex(&Sha256::digest(found)))),
        "filesha512" => content(arguments).and_then(|found| text(hex(&Sha512::digest(found)))),
        "filebase64sha256" => content(arguments).and_then(|found| text(base64_of(&Sha256::digest(found)))),
        "filebase64sha512" => content(arguments).and_then(|found| text(base64_of(&Sha512::digest(found)))),
        "filemd5" | "filesha1" => content(arguments).map(|found| {
            // It is told apart from that of every other content.
            What::Unknown(Unknown(format!("{name} of #{}", hex(&Sha256::digest(found)[..8])).into()))
        }),
        "fileset" => Err(Stop::Unknown),
        _ => return None,
    })
}

fn encode(arguments: &Arguments<'_, '_, '_>) -> Found {
    text(json(arguments.one()?).ok_or(Stop::Unknown)?)
}

/// A value as Go writes it in JSON; `None`: it is not known as a whole.
pub(super) fn json(value: &Value) -> Option<String> {
    let mut out = String::new();
    write_json(value, &mut out)?;
    Some(out)
}

fn write_json(value: &Value, out: &mut String) -> Option<()> {
    match &value.what {
        What::Null => out.push_str("null"),
        What::Truth(true) => out.push_str("true"),
        What::Truth(false) => out.push_str("false"),
        What::Number(number) => out.push_str(&number.decimal()?),
        What::Text(text) => out.push_str(&json_text(text)),
        What::List(list) => {
            if !list.more.is_empty() {
                return None;
            }
            out.push('[');
            for (n, item) in list.items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_json(item, out)?;
            }
            out.push(']');
        }
        What::Object(object) => {
            if !object.more.is_empty() {
                return None;
            }
            let mut entries: Vec<&Entry> = object.entries.iter().collect();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            out.push('{');
            for (n, entry) in entries.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&json_text(&entry.name));
                out.push(':');
                write_json(&entry.value, out)?;
            }
            out.push('}');
        }
        What::Unknown(_) => return None,
    }
    Some(())
}

/// A text in JSON as Go writes it: what HTML has a meaning for is escaped.
pub(super) fn json_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String");
            }
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn decode(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let written = arguments.text(0)?;
    match Json::read(written.as_bytes()) {
        Ok(json) => Ok(value_of(json.root(), arguments.at).what),
        // That a key stands twice is no mistake there, and deep nesting neither.
        Err(_) => Err(Stop::Unknown),
    }
}

fn value_of(node: Node<'_>, at: Span) -> Value {
    let what = match node.kind() {
        Kind::Null => What::Null,
        Kind::Truth => What::Truth(node.truth() == Some(true)),
        Kind::Number => match Number::parse(node.written()) {
            Some(number) => What::Number(number),
            None => return Value::unknown(node.written(), at),
        },
        Kind::Text => What::Text(node.text().unwrap_or_default().into()),
        Kind::List => {
            return Value::of_list(node.list().into_iter().flatten().map(|item| value_of(item, at)).collect(), at);
        }
        Kind::Object => {
            let mut object = Object::default();
            if let Some(fields) = node.object() {
                for field in fields.close() {
                    let (name, value) = (field.name.into(), value_of(field.value, at));
                    object.entries.push(Entry { name, at, value });
                }
            }
            What::Object(Arc::new(object))
        }
    };
    Value::new(what, at)
}

fn base64(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    text(base64_of(arguments.text(0)?.as_bytes()))
}

fn base64_of(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let at = |n: usize| chunk.get(n).copied().map_or(0, u32::from);
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * n) & 63) as usize];
            out.push(if n <= u32::try_from(chunk.len()).unwrap_or(3) { char::from(letter) } else { '=' });
        }
    }
    out
}

fn url(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let mut out = String::new();
    for byte in arguments.text(0)?.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("writing to a String"),
        }
    }
    text(out)
}

fn digest(arguments: &Arguments<'_, '_, '_>, compute: impl Fn(&[u8]) -> String) -> Found {
    arguments.at_most(1)?;
    text(compute(arguments.text(0)?.as_bytes()))
}

fn last_part(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let path = arguments.text(0)?;
    let part = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    text(if part.is_empty() { "." } else { part })
}

fn first_parts(arguments: &Arguments<'_, '_, '_>) -> Found {
    arguments.at_most(1)?;
    let path = arguments.text(0)?;
    match path.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() && !folder.contains("//") && !folder.contains("./") => text(folder),
        Some(_) => Err(Stop::Unknown),
        None => text("."),
    }
}

/// A file of the side, if it is at hand.
fn file(arguments: &Arguments<'_, '_, '_>) -> Found {
    text(content(arguments)?)
}

fn content(arguments: &Arguments<'_, '_, '_>) -> Result<String, Stop> {
    arguments.at_most(1)?;
    match arguments.context.file(&arguments.text(0)?) {
        Some(found) => Ok(found.text.to_owned()),
        None => Err(Stop::Unknown),
    }
}

fn exists(arguments: &Arguments<'_, '_, '_>) -> Found {
    match file(arguments) {
        Ok(_) => truth(true),
        Err(stop) => Err(stop),
    }
}
