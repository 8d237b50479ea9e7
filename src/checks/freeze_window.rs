use super::{Check, Context, Report, declare_check};
use crate::facts::MissingFact;
use crate::policy::{Planned, keys};
use crate::text::{SourceId, SourceMap};

declare_check! { id: "freeze-window", since: "0.1.0", level: Block, settings: FreezeWindow, always: true }

keys! {
    struct FreezeWindow {}
}

impl Check for FreezeWindow {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self {} = self;
        let Some(freeze) = &cx.policy.freeze else { return Ok(()) };
        let changed: Vec<&str> = cx
            .plan
            .configurations
            .iter()
            .filter(|planned| differs(planned, cx.sources))
            .map(|planned| planned.name.as_str())
            .collect();
        let Some(first) = changed.first() else { return Ok(()) };
        let more = match changed.len() - 1 {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let reason = freeze.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let message = format!("nothing may change for now{reason}; `{first}`{more} would");
        let help = "wait, or have the freeze lifted by a change of the policy, which is approved by itself";
        report.finding(message, help).policy = Some(freeze.at);
        Ok(())
    }
}

/// Whether a byte of a configuration differs, or a file came or went.
fn differs(planned: &Planned, sources: &SourceMap) -> bool {
    let texts = |files: &'_ Option<Vec<SourceId>>| -> Option<Vec<Vec<u8>>> {
        files.as_ref().map(|files| files.iter().map(|file| sources.bytes(*file).to_vec()).collect())
    };
    texts(&planned.base) != texts(&planned.head)
}
