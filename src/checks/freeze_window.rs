use super::{Check, Context, Report, Spans, declare_check};
use crate::facts::MissingFact;
use crate::policy::{Freeze, FreezeWindow as Window, Policy, keys};
use crate::text::Span;

declare_check! { id: "freeze-window", since: "0.1.0", level: Block, settings: FreezeWindow, always: true, waivable: false }

keys! {
    struct FreezeWindow {}
}

impl Check for FreezeWindow {
    fn spans(&self, _: &Policy) -> Spans {
        Spans::Files
    }

    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self {} = self;
        let changed: Vec<&str> = cx
            .plan
            .configurations
            .iter()
            .filter(|planned| planned.differs(cx.sources))
            .map(|planned| planned.name.as_str())
            .collect();
        match &cx.policy.freeze {
            Freeze::Never => {}
            Freeze::Now { reason, at } => {
                let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                frozen(&changed, *at, |who| format!("nothing may change for now{reason}; {who} would"), report);
            }
            Freeze::Windows(windows) => {
                for window in windows {
                    windowed(window, &changed, cx.facts.now, report)?;
                }
            }
        }
        Ok(())
    }
}

/// Reports those of the configurations that change and that a window holds for.
fn windowed(window: &Window, changed: &[&str], now: Option<u64>, report: &mut Report<'_>) -> Result<(), MissingFact> {
    let mine: Vec<&str> = changed.iter().copied().filter(|name| window.covers(name)).collect();
    if mine.is_empty() {
        return Ok(());
    }
    let now = now.ok_or_else(|| MissingFact {
        what: "the present time".to_owned(),
        help: format!("the freeze `{}` may hold: set the clock of this machine", window.name),
    })?;
    if window.holds(now) {
        let until = window.end();
        let say = |who: &str| format!("nothing may change until {until} ({}); {who} would", window.name);
        frozen(&mine, window.at, say, report);
    }
    Ok(())
}

fn frozen(changed: &[&str], at: Span, say: impl Fn(&str) -> String, report: &mut Report<'_>) {
    let Some(first) = changed.first() else { return };
    let who = match changed.len() - 1 {
        0 => format!("`{first}`"),
        n => format!("`{first}` and {n} more"),
    };
    let help = "wait, or have the freeze lifted by a change of the policy, which is approved by itself";
    report.finding(say(&who), help).policy = Some(at);
}
