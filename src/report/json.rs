//! The report as JSON, version 1: every field is described in `policies/report.schema.json`.

use super::escaping;
use crate::decision::{Comparison, Report, Verification, Walk};
use crate::text::hex;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The report, indented, with a line break at its end. One on a part of the configurations holds its own digest.
#[must_use]
pub fn render(report: &Report) -> String {
    let text = pretty(report);
    if report.shard.is_none() {
        return text;
    }
    // Quotes of texts are escaped, so that this is the key.
    text.replacen(UNSEALED, &format!("\"digest\": \"{}\"", hex(&Sha256::digest(&text))), 1)
}

const UNSEALED: &str = "\"digest\": \"\"";

/// Reads back what [`render`] wrote of a part of the configurations.
///
/// # Errors
/// Why it is nothing that this version wrote.
pub fn read(text: &[u8]) -> Result<Report, String> {
    let mut report: Report = serde_json::from_slice(text).map_err(|why| format!("it is not a whole report: {why}"))?;
    let shard = report.shard.as_mut().ok_or("it is not the report of a part (`check --shard`), or a minimal one, of which nothing can be joined (`--full-output json=FILE` writes all)")?;
    let (mine, program) = (env!("CARGO_PKG_VERSION"), &shard.program);
    if program != mine {
        return Err(format!("version {program} wrote it, and this is {mine}"));
    }
    shard.digest = String::new();
    if render(&report).as_bytes() == text { Ok(report) } else { Err("it was changed after it was written".to_owned()) }
}

/// A difference without a policy.
#[must_use]
pub fn render_comparison(comparison: &Comparison) -> String {
    pretty(comparison)
}

/// The way of a packet.
#[must_use]
pub fn render_walk(walk: &Walk) -> String {
    pretty(walk)
}

/// Whether hosts are what they should be.
#[must_use]
pub fn render_verification(verification: &Verification) -> String {
    pretty(verification)
}

/// The JSON Schema of the report, `policies/report.schema.json`.
#[must_use]
pub fn schema() -> String {
    pretty(&schemars::schema_for!(Report))
}

/// JSON, indented, with a line break at its end, in which nothing is hidden or obeyed.
pub(super) fn pretty<T: Serialize>(value: &T) -> String {
    let mut out = serde_json::to_string_pretty(value).expect("strings, numbers and lists have a JSON form");
    out.push('\n');
    escaping::json(&out)
}
