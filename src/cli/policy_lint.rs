use super::judge;
use super::output::Streams;
use super::present::{self, Present, Unknown};
use super::start_arguments::{PolicyLint, PolicyOutput};
use super::surroundings::Surroundings;
use crate::checks::{self, Described, Remark};
use crate::decision::{Cause, Doubt, PolicyOrigin};
use crate::policy::PolicyError;
use crate::report::{Style, problem};
use crate::text::{Place, SourceMap, Span, escape};
use miette::Diagnostic;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What is known of a policy.
#[derive(Default)]
pub(super) struct Looked {
    origin: Option<PolicyOrigin>,
    pub(super) errors: Vec<PolicyError>,
    pub(super) remarks: Vec<Remark>,
    pub(super) doubts: Vec<Doubt>,
    configurations: Vec<Told>,
    checks: Vec<Described>,
}

/// A configuration in words.
struct Told {
    name: String,
    format: &'static str,
    files: Vec<String>,
    filters: Vec<String>,
    balancers: Vec<String>,
}

pub(super) fn run(PolicyLint { subject }: &PolicyLint, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let mut sources = SourceMap::default();
    let mut looked = Looked::default();
    let found = present::side(subject, surroundings).and_then(|(side, path)| {
        let (file, origin) = present::policy_of(&side, &path)?;
        looked.origin = Some(origin);
        let id = judge::add(&mut sources, file)?;
        looked.look(&present::read(&side, id, &mut sources)?, &sources)
    });
    looked.unknown(found);
    let text = match subject.output {
        PolicyOutput::Text => looked.text(&sources, streams.style),
        PolicyOutput::Json => looked.json(&sources),
    };
    streams.data(&text, looked.code())
}

impl Looked {
    /// Looks at a policy and the present state.
    pub(super) fn look(&mut self, present: &Present, sources: &SourceMap) -> Result<(), Unknown> {
        let context = present.context(sources);
        let findings = present.findings(sources);
        let accepted = present.accepted(sources)?;
        self.remarks = checks::remarks(&present.checks, &context, &findings, &accepted, &present.expected);
        self.checks = present.checks.iter().map(checks::described).collect();
        self.configurations = told(present, sources);
        for gap in present.change.head.gaps() {
            let at = sources.locate(gap.origin);
            let message = format!("{}:{}:{}: {}", at.path, at.line, at.column, gap.reason);
            let help = "what is not understood is judged by nobody: correct it, or leave the file out of `files`";
            self.doubts.push(Doubt { cause: Cause::Source, message, help: help.to_owned(), at: None });
        }
        for finding in findings.iter().filter(|finding| finding.undecided == Some(checks::Undecided::MissingFact)) {
            let (message, help) = (finding.message.clone(), finding.help.clone());
            self.doubts.push(Doubt { cause: Cause::MissingFact, message, help, at: None });
        }
        Ok(())
    }

    /// Notes why nothing more is known.
    pub(super) fn unknown(&mut self, found: Result<(), Unknown>) {
        match found {
            Ok(()) => {}
            Err(Unknown::Policy(errors)) => self.errors.extend(errors),
            Err(Unknown::Doubts(doubts)) => self.doubts.extend(doubts),
        }
    }

    pub(super) fn code(&self) -> u8 {
        if !self.errors.is_empty() || self.doubts.iter().any(|doubt| doubt.cause == Cause::Policy) {
            2
        } else if !self.doubts.is_empty() {
            3
        } else {
            u8::from(!self.remarks.is_empty())
        }
    }

    fn text(&self, sources: &SourceMap, style: Style) -> String {
        let mut out = String::new();
        let problems = self.errors.iter().map(|error| (error as &dyn Diagnostic, error.at()));
        let remarks = self.remarks.iter().map(|remark| (remark as &dyn Diagnostic, remark.at));
        for (problem, at) in problems.chain(remarks) {
            out.push_str(&problem::render(problem, &[(at, "")], sources, style));
            out.push('\n');
        }
        let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("writing to a String");
        for Doubt { cause: _, message, help, at: _ } in &self.doubts {
            line(format_args!("not known: {}\n  help: {}\n", escape(message.as_bytes()), escape(help.as_bytes())));
        }
        if !self.configurations.is_empty() {
            line(format_args!("Configurations"));
        }
        for Told { name, format, files, filters, balancers } in &self.configurations {
            let s = if files.len() == 1 { "" } else { "s" };
            line(format_args!("  {}  {format}, {} file{s}", escape(name.as_bytes()), files.len()));
            for (what, names) in [("filters", filters), ("listeners", balancers)] {
                if !names.is_empty() {
                    line(format_args!("    {what}  {}", few(names)));
                }
            }
        }
        if !self.checks.is_empty() {
            line(format_args!("Checks"));
        }
        for check in &self.checks {
            let within = if check.within.is_empty() { "everything".to_owned() } else { check.within.join(", ") };
            let place = check.at.map_or_else(|| "always runs".to_owned(), |at| place(&sources.locate(at)));
            let (title, level) = (check.title(), check.level.to_string());
            line(format_args!(
                "  {level:<8} {:<32} {}  ({place})",
                escape(title.as_bytes()),
                escape(within.as_bytes())
            ));
        }
        let policy = self.origin.as_ref().map_or("no policy", |origin| origin.path.as_str());
        let (errors, warnings, doubts) = (self.errors.len(), self.remarks.len(), self.doubts.len());
        let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let unknown = if doubts == 0 { String::new() } else { format!(", {doubts} not known") };
        line(format_args!("{policy}: {}, {}{unknown}", counted(errors, "error"), counted(warnings, "warning")));
        out
    }

    fn json(&self, sources: &SourceMap) -> String {
        let problem = |problem: &dyn Diagnostic, at: Span| {
            json!({
                "code": problem.code().map(|code| code.to_string()),
                "message": problem.to_string(),
                "help": problem.help().map(|help| help.to_string()),
                "location": location(&sources.locate(at)),
            })
        };
        let errors: Vec<Value> = self.errors.iter().map(|error| problem(error, error.at())).collect();
        let warnings: Vec<Value> = self.remarks.iter().map(|remark| problem(remark, remark.at)).collect();
        let unknown: Vec<Value> =
            self.doubts.iter().map(|doubt| json!({"message": doubt.message, "help": doubt.help})).collect();
        let configuration = |Told { name, format, files, filters, balancers }: &Told| json!({"name": name, "format": format, "files": files, "filters": filters, "listeners": balancers});
        let configurations: Vec<Value> = self.configurations.iter().map(configuration).collect();
        let check = |check: &Described| {
            json!({
                "check": check.check,
                "name": check.name,
                "level": check.level.to_string(),
                "in": check.within,
                "location": check.at.map(|at| location(&sources.locate(at))),
            })
        };
        let checks: Vec<Value> = self.checks.iter().map(check).collect();
        let report = json!({
            "version": 1,
            "policy": self.origin,
            "errors": errors,
            "warnings": warnings,
            "unknown": unknown,
            "configurations": configurations,
            "checks": checks,
        });
        format!("{report:#}\n")
    }
}

fn told(present: &Present, sources: &SourceMap) -> Vec<Told> {
    let all = present.change.head.configurations().iter();
    let one = |configuration: &crate::model::Configuration| {
        let mine = present.inputs.iter().filter(|input| input.name == configuration.name);
        Told {
            name: configuration.name.clone(),
            format: configuration.format,
            files: mine.flat_map(|input| &input.files).map(|file| sources.name(*file).to_owned()).collect(),
            filters: configuration.filters.iter().map(|filter| escape(filter.id.as_bytes())).collect(),
            balancers: configuration.listeners.iter().map(|listener| escape(listener.name.as_bytes())).collect(),
        }
    };
    all.map(|configuration| one(configuration)).collect()
}

/// The first names of many.
fn few(names: &[String]) -> String {
    const FEW: usize = 6;
    let first: Vec<&str> = names.iter().take(FEW).map(String::as_str).collect();
    let more = names.len().saturating_sub(FEW);
    if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
}

fn place(Place { path, line, column, .. }: &Place) -> String {
    format!("{path}:{line}:{column}")
}

fn location(Place { path, line, column, end_line, end_column }: &Place) -> Value {
    json!({"path": path, "line": line, "column": column, "end_line": end_line, "end_column": end_column})
}
