use super::arguments::{Doctor, DoctorOutput};
use super::output::Streams;
use super::review::{Forge, forge};
use super::surroundings::Surroundings;
use crate::facts::MissingFact;
use crate::facts::github::{Condition, Holds, Protection, ProtectionQuestion, protection};
use crate::text::escape;
use serde_json::json;
use std::fmt::Write as _;

pub(super) fn run(doctor: &Doctor, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    match examined(doctor, surroundings) {
        Ok(found) => {
            let text = match doctor.output {
                DoctorOutput::Text => text(&found),
                DoctorOutput::Json => json(&found),
            };
            let any = |holds| found.conditions.iter().any(|condition| condition.holds == holds);
            let code = if any(Holds::No) {
                1
            } else if any(Holds::Unknown) {
                3
            } else {
                0
            };
            streams.data(&text, code)
        }
        Err(missing) => streams.error(&missing.to_string(), Some(&missing.help), 3),
    }
}

fn examined(doctor: &Doctor, surroundings: &Surroundings) -> Result<Protection, MissingFact> {
    let Forge { api, token, repository } = forge(&doctor.forge, surroundings);
    protection(&ProtectionQuestion {
        api: api?,
        token: token?,
        limits: surroundings.limits,
        repository: repository?,
        branch: doctor.branch.clone(),
        context: doctor.check_name.clone(),
    })
}

fn text(Protection { repository, branch, conditions }: &Protection) -> String {
    let shown = |text: &str| escape(text.as_bytes());
    let mut out = format!("{}, branch {}\n", shown(repository), shown(branch));
    for Condition { id, sentence, holds, seen, help } in conditions {
        let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("writing to a String");
        line(format_args!("\n{:<14} {}", word(*holds), shown(sentence)));
        line(format_args!("{:<14} {id}: {}", "", shown(seen)));
        if *holds != Holds::Yes {
            line(format_args!("{:<14} help: {help}", ""));
        }
    }
    let count = |wanted| conditions.iter().filter(|condition| condition.holds == wanted).count();
    let (yes, no, unknown) = (count(Holds::Yes), count(Holds::No), count(Holds::Unknown));
    writeln!(out, "\n{yes} hold, {no} do not, {unknown} unknown").expect("writing to a String");
    out
}

fn json(Protection { repository, branch, conditions }: &Protection) -> String {
    let condition = |Condition { id, sentence, holds, seen, help }: &Condition| json!({"id": id, "sentence": sentence, "holds": word(*holds), "seen": seen, "help": help});
    let conditions: Vec<_> = conditions.iter().map(condition).collect();
    let report = json!({"version": 1, "repository": repository, "branch": branch, "conditions": conditions});
    format!("{report:#}\n")
}

const fn word(holds: Holds) -> &'static str {
    match holds {
        Holds::Yes => "holds",
        Holds::No => "does not hold",
        Holds::Unknown => "unknown",
    }
}
