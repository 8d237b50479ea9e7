use super::{Check, Context, Report, declare_check};
use crate::diff::{FilterPair, Question, Side};
use crate::facts::MissingFact;
use crate::net::{Field, Region, Set, State};
use crate::policy::{Flows, Networks, Services, keys};

declare_check! { id: "critical-ports", since: "0.1.0", level: Block, settings: CriticalPorts }

keys! {
    struct CriticalPorts {
        /// Where the packets come from. Default: anywhere.
        from: Option<Networks>,
        /// Where they go. Default: anywhere.
        to: Option<Networks>,
        /// The services that must stay reachable.
        services: Services,
        /// Whether it must hold on head even where base did not allow it. Default: false.
        always: Option<bool>,
    }
}

/// The flags of a packet that opens a TCP connection: SYN, with or without ECN's (RFC 3168).
const OPENING: [u128; 2] = [0x02, 0xc2];

impl Check for CriticalPorts {
    fn run(&self, cx: &Context<'_>, report: &mut Report<'_>) -> Result<(), MissingFact> {
        let Self { from, to, services, always } = self;
        let flows = Flows { from: from.as_ref(), to: to.as_ref(), services: Some(services) };
        let question = if always.unwrap_or(false) { Question::Denied(Side::Head) } else { Question::NewlyDenied };
        for pair in report.scope().filters(cx) {
            let mut demanded: Vec<Region> = flows.regions().into_iter().flat_map(|region| opening(region, cx, &pair)).collect();
            demanded.extend(flows.regions().into_iter().map(|region| in_state(region, &[State::Established])));
            let said = super::ask(cx, report, &pair, &demanded, question, |certain, flow| {
                let verb = match (always.unwrap_or(false), certain) {
                    (false, true) => "can no longer pass",
                    (false, false) => "may no longer pass",
                    (true, true) => "cannot pass",
                    (true, false) => "may not pass",
                };
                let message = format!("critical: {flow} {verb} {}", pair.id);
                let help = "restore the rule that allowed it, or place the new rule below it; if the service has moved, change the policy first";
                (message, help.to_owned())
            });
            if said == 0 && question == Question::NewlyDenied {
                super::ask(cx, report, &pair, &flows.replies(), question, |certain, flow| {
                    let verb = if certain { "can no longer pass" } else { "may no longer pass" };
                    let message = format!("critical: {flow}, the replies of the service, {verb} {}", pair.id);
                    let help = "restore the rule that lets established connections pass";
                    (message, help.to_owned())
                });
            }
        }
        Ok(())
    }
}

/// The packets that open connections: new ones, and untracked ones where something is exempt from tracking.
fn opening(region: Region, cx: &Context<'_>, pair: &FilterPair<'_>) -> Vec<Region> {
    let sides = [&cx.change.base, &cx.change.head];
    let mut configurations = sides.iter().flat_map(|side| side.configurations());
    let untracked = configurations
        .any(|configuration| configuration.name == pair.configuration && configuration.objects.iter().any(|object| object.kind == "tracking"));
    let states: &[State] = if untracked { &[State::New, State::Untracked] } else { &[State::New] };
    let region = in_state(region, states).with(Field::LaterFragment, &Set::point(0));
    let tcp = Set::point(6);
    let all = Field::Protocol.all(region.family());
    let protocols = region.get(Field::Protocol).unwrap_or(&all).clone();
    let parts = [
        region.clone().with(Field::Protocol, &tcp).with(Field::TcpFlags, &Set::from_iter(OPENING)),
        region.with(Field::Protocol, &protocols.difference(&tcp)),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

fn in_state(region: Region, states: &[State]) -> Region {
    region.with(Field::State, &states.iter().map(|state| state.value()).collect())
}
