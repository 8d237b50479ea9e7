use super::arguments::Trace;
use super::check::POLICY;
use super::closure;
use super::judge::{self, PolicyPath};
use super::output::Streams;
use super::sided;
use super::surroundings::Surroundings;
use super::wanted::{Everything, Policed};
use crate::decision::{self, Cause, Doubt, Walk};
use crate::diff::balancers::{meeting, route};
use crate::diff::{self, Change, FilterPair, Side};
use crate::formats;
use crate::model::{Configuration, Listener, Literal, OpaqueId, Snapshot};
use crate::net::{FlowError, Naming, NoNames, Request, RequestError, looks_like_request, parse_packet, parse_request};
use crate::policy::Policy;
use crate::source::{self, Place, Sides, SourceError};
use crate::text::{SourceMap, suggest};

pub(super) fn run(arguments: &Trace, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    if let Some(code) = streams.refused(&arguments.outputs, "the way of a packet", &|output| output.walk.is_some()) {
        return code;
    }
    let mut sources = SourceMap::default();
    match trace(arguments, surroundings, &mut sources) {
        Ok((walk, code)) => {
            let unknown = walk.sides.iter().any(|side| !side.unknown.is_empty());
            let code = streams.answer(&arguments.outputs, code, &|output, style| {
                output.walk.map(|write| write(&walk, &sources, style)).unwrap_or_default()
            });
            if unknown {
                streams
                    .say("note: --assume TEXT and --assume-not TEXT say what holds of what the file does not decide");
            }
            code
        }
        Err(Stop::Usage { message, help }) => streams.error(&message, Some(&help), 2),
        Err(Stop::Doubts(doubts)) => streams.doubts(&doubts, &sources),
    }
}

/// Why there is no way to show.
enum Stop {
    /// The caller asks for what is not there.
    Usage { message: String, help: String },
    /// Something cannot be read.
    Doubts(Vec<Doubt>),
}

impl From<Vec<Doubt>> for Stop {
    fn from(doubts: Vec<Doubt>) -> Self {
        Self::Doubts(doubts)
    }
}

impl From<SourceError> for Stop {
    fn from(why: SourceError) -> Self {
        Self::Doubts(vec![judge::doubt(Cause::Source, &why)])
    }
}

/// What is traced in: both sides where base was asked for, else head on both.
struct Ground {
    change: Change,
    policy: Option<Policy>,
    /// The configuration, and the filter if the argument names it.
    configuration: String,
    filter: Option<String>,
}

fn trace(arguments: &Trace, surroundings: &Surroundings, sources: &mut SourceMap) -> Result<(Walk, u8), Stop> {
    let ground = ground(arguments, surroundings, sources)?;
    if looks_like_request(&arguments.packet) {
        return request(arguments, &ground, sources);
    }
    let names: &dyn Naming = match &ground.policy {
        Some(policy) => policy,
        None => &NoNames,
    };
    let packet = parse_packet(&arguments.packet, names).map_err(|error| {
        let FlowError { message, at, help } = error;
        let part = arguments.packet.get(at).filter(|part| !part.is_empty());
        let part = part.map(|part| format!(" at `{part}`")).unwrap_or_default();
        Stop::Usage { message: format!("`{}` is not a packet{part}: {message}", arguments.packet), help }
    })?;
    let pair = pair(&ground, arguments)?;
    let sided = pair.head.or(pair.base).expect("a pair has a side");
    let packet = packet.within(&sided.filter.domain).ok_or_else(|| Stop::Usage {
        message: format!("that packet cannot come to `{}`", pair.id),
        help: "leave out what does not occur there: a packet that comes in has no outgoing interface, one that is \
               sent no incoming one, one that is forwarded has both"
            .to_owned(),
    })?;
    let assumed = assumptions(&ground.change, &pair, arguments)?;
    let sides: &[Side] = if arguments.base.is_some() { &[Side::Base, Side::Head] } else { &[Side::Head] };
    let store = &ground.change.store;
    let walk =
        decision::walk(&packet, &pair, sides, |sided| diff::trace(store, sided, &packet, &assumed), store, sources);
    let gaps = [(Side::Base, &ground.change.base), (Side::Head, &ground.change.head)];
    let unsure = gaps.into_iter().filter(|(side, _)| sides.contains(side));
    let unsure = unsure.flat_map(|(_, snapshot)| snapshot.gaps()).any(|gap| gap.configuration == pair.configuration);
    Ok((walk, if unsure { 3 } else { 0 }))
}

/// The way of a request through a listener of a balancer.
fn request(arguments: &Trace, ground: &Ground, sources: &SourceMap) -> Result<(Walk, u8), Stop> {
    let request = parse_request(&arguments.packet).map_err(|RequestError { message, help }| Stop::Usage {
        message: format!("`{}` is not a request: {message}", arguments.packet),
        help,
    })?;
    let change = &ground.change;
    let find = |snapshot: &'_ Snapshot| snapshot.configurations().iter().position(|c| c.name == ground.configuration);
    let configuration = |side: Side| match side {
        Side::Base => find(&change.base).and_then(|at| change.base.configurations().get(at)),
        Side::Head => find(&change.head).and_then(|at| change.head.configurations().get(at)),
    };
    let wanted = arguments.filter.as_deref().or(ground.filter.as_deref());
    let named = |side| listener(configuration(side)?, wanted, &request);
    let sides: &[Side] = if arguments.base.is_some() { &[Side::Base, Side::Head] } else { &[Side::Head] };
    let Some(name) = sides.iter().rev().find_map(|side| named(*side)).map(|found| found.name.clone()) else {
        let all = sides.iter().filter_map(|side| configuration(*side)).flat_map(|c| &c.listeners);
        let known: Vec<&str> = all.map(|listener| listener.name.as_str()).collect();
        let help = match &known[..] {
            [] => "see `portcullis parse` for how the file is understood".to_owned(),
            known => format!("there are {}; name one with --filter, or its port with `via :443`", known.join(", ")),
        };
        return Err(Stop::Usage { message: format!("`{}` has no listener for that", ground.configuration), help });
    };
    let opaques = sides.iter().filter_map(|side| configuration(*side)).flat_map(|c| &c.listeners);
    let mut known = Vec::new();
    for route in opaques.flat_map(|listener| &listener.routes) {
        route.condition.visit(&mut |_| {}, &mut |opaque| known.push(opaque));
    }
    let assumed = assumed(change, &known, arguments)?;
    let walked: Vec<_> =
        sides.iter().map(|side| (*side, named(*side).map(|l| route(&change.store, l, &request, &assumed)))).collect();
    let walk = decision::walk_request(&request, &name, &walked, &change.store, sources);
    let gaps = [(Side::Base, &change.base), (Side::Head, &change.head)];
    let unsure = gaps.into_iter().filter(|(side, _)| sides.contains(side));
    let unsure = unsure.flat_map(|(_, snapshot)| snapshot.gaps()).any(|gap| gap.configuration == ground.configuration);
    Ok((walk, if unsure { 3 } else { 0 }))
}

/// The listener of that name, or else the one that the request meets by where it goes, or the only one.
fn listener<'c>(configuration: &'c Configuration, name: Option<&str>, request: &Request) -> Option<&'c Listener> {
    let all = &configuration.listeners;
    if let Some(name) = name {
        return all.iter().find(|listener| listener.name == name);
    }
    meeting(&all.iter().collect::<Vec<_>>(), request)
}

/// Reads what the argument names: a file, `REV:PATH`, or a configuration of the policy, each with or without a
/// filter after it.
fn ground(arguments: &Trace, surroundings: &Surroundings, sources: &mut SourceMap) -> Result<Ground, Stop> {
    let place = &surroundings.place();
    let whole = arguments.configuration.as_str();
    let split = whole.rsplit_once('/').map(|(file, filter)| (file, Some(filter)));
    let mut missing = None;
    for (file, filter) in [(whole, None)].into_iter().chain(split) {
        match sided::side(surroundings, file, arguments.netns.as_deref()) {
            Ok(side) if side.kind() == "live" => return live(&side, file, filter, arguments, sources),
            Ok(side) if side.is_file() => return of_file(side, file, filter, arguments, place, sources),
            Ok(_) => {}
            Err(why) => missing = missing.or(Some(why)),
        }
    }
    match missing {
        Some(why) if whole.contains(':') => Err(Stop::Doubts(vec![why])),
        Some(_) | None => of_policy(whole, arguments, place, sources),
    }
}

/// What is in force on the host, all of it one configuration.
fn live(
    head: &source::Side,
    name: &str,
    filter: Option<&str>,
    arguments: &Trace,
    sources: &mut SourceMap,
) -> Result<Ground, Stop> {
    if arguments.base.is_some() {
        let message = format!("`{name}` is on no other revision");
        let help = "leave --base out; `portcullis diff REV:PATH live:nft` compares".to_owned();
        return Err(Stop::Usage { message, help });
    }
    let files = head.files(&Everything).map_err(judge::source_doubts)?;
    let ids = files.into_iter().map(|file| judge::add(sources, file)).collect::<Result<Vec<_>, _>>()?;
    let input = formats::Input { name: name.to_owned(), format: None, files: ids };
    let change = judge::both(&(vec![input.clone()], vec![input]), sources);
    Ok(Ground { change, policy: None, configuration: name.to_owned(), filter: filter.map(ToOwned::to_owned) })
}

fn of_file(
    head: source::Side,
    file: &str,
    filter: Option<&str>,
    arguments: &Trace,
    place: &Place,
    sources: &mut SourceMap,
) -> Result<Ground, Stop> {
    let sides = match &arguments.base {
        Some(base) => {
            let path = if head.kind() == "git" { file.split_once(':').map(|(_, path)| path.to_owned()) } else { None };
            let old = format!("{base}:{}", path.unwrap_or_else(|| format!("./{file}")));
            Sides::of(source::Side::named(place, &old)?, head)?
        }
        None => Sides { base: source::Side::given(Vec::new()), head, authors: None },
    };
    let files = sides.files(&Everything).map_err(judge::source_doubts)?;
    let (mut inputs, _) = judge::by_file(files, arguments.format.clone(), sources)?;
    closure::of_sides(&sides, &mut inputs, sources)?;
    let configuration = inputs.1.first().map(|input| input.name.clone()).unwrap_or_default();
    let change = judge::both(&inputs, sources);
    Ok(Ground { change, policy: None, configuration, filter: filter.map(ToOwned::to_owned) })
}

fn of_policy(whole: &str, arguments: &Trace, place: &Place, sources: &mut SourceMap) -> Result<Ground, Stop> {
    let sides = Sides::work_tree(place, arguments.base.as_deref().unwrap_or("HEAD")).map_err(|why| Stop::Usage {
        message: format!("there is no file `{whole}`, and no policy that could have such a configuration: {why}"),
        help: "name a file such as rules.v4, with the filter after it: rules.v4/input".to_owned(),
    })?;
    let file = judge::policy_file(&sides.base, &PolicyPath::InBase(POLICY.to_owned()))?;
    let policy = judge::load(file, sources)?;
    let files = sides.files(&Policed(&policy)).map_err(judge::source_doubts)?;
    let plan = judge::plan(&policy, files.base, files.head, sources)?;
    let known: Vec<&str> = plan.configurations.iter().map(|planned| planned.name.as_str()).collect();
    let split = whole.rsplit_once('/').map(|(name, filter)| (name, Some(filter)));
    let mut ways = [(whole, None)].into_iter().chain(split);
    let Some((name, filter)) = ways.find(|(name, _)| known.contains(name)) else {
        return Err(Stop::Usage {
            message: format!("there is neither a file nor a configuration `{whole}`"),
            help: suggest(whole, &known),
        });
    };
    let (mut base, mut head) = judge::inputs(&plan);
    base.retain(|input| input.name == name);
    head.retain(|input| input.name == name);
    let mut inputs = (base, head);
    closure::of_sides(&sides, &mut inputs, sources)?;
    let change = judge::both(&inputs, sources);
    let (configuration, filter) = (name.to_owned(), filter.map(ToOwned::to_owned));
    Ok(Ground { change, policy: Some(policy), configuration, filter })
}

/// The filter that is asked for, or the only one.
fn pair<'g>(ground: &'g Ground, arguments: &Trace) -> Result<FilterPair<'g>, Stop> {
    let Ground { change, policy: _, configuration, filter } = ground;
    let mut mine: Vec<FilterPair<'g>> =
        change.filters().into_iter().filter(|pair| pair.configuration == configuration).collect();
    let short = |pair: &FilterPair<'g>| {
        let name = pair.id.strip_prefix(configuration.as_str()).and_then(|rest| rest.strip_prefix('/'));
        name.unwrap_or(pair.id)
    };
    let known: Vec<&str> = mine.iter().map(short).collect();
    let Some(wanted) = arguments.filter.as_deref().or(filter.as_deref()) else {
        let help = format!("add one of them, such as {configuration}/{}", known.first().unwrap_or(&"input"));
        return match mine.pop() {
            Some(only) if mine.is_empty() => Ok(only),
            Some(_) => Err(Stop::Usage { message: format!("which filter? there are {}", known.join(", ")), help }),
            None => {
                let help = "see `portcullis parse` for how the file is understood".to_owned();
                Err(Stop::Usage { message: format!("`{configuration}` has no filter"), help })
            }
        };
    };
    let wanted = wanted.to_lowercase();
    let found = mine.into_iter().find(|pair| short(pair).to_lowercase() == wanted || pair.id == wanted);
    found.ok_or_else(|| Stop::Usage {
        message: format!("`{configuration}` has no filter `{wanted}`"),
        help: suggest(&wanted, &known),
    })
}

/// The truths that the caller gives to conditions that the files do not decide.
fn assumptions(change: &Change, pair: &FilterPair<'_>, arguments: &Trace) -> Result<Vec<Literal>, Stop> {
    let sides = [pair.base, pair.head].into_iter().flatten();
    let conditions = |configuration: &Configuration| -> Vec<OpaqueId> {
        configuration.opaques.iter().map(|(opaque, _)| *opaque).collect()
    };
    let known: Vec<OpaqueId> = sides.flat_map(|sided| conditions(sided.configuration)).collect();
    assumed(change, &known, arguments)
}

fn assumed(change: &Change, known: &[OpaqueId], arguments: &Trace) -> Result<Vec<Literal>, Stop> {
    let texts: Vec<&str> = known.iter().map(|opaque| change.store.opaque_text(*opaque)).collect();
    let given = arguments.assume.iter().map(|text| (text, true));
    let given = given.chain(arguments.assume_not.iter().map(|text| (text, false)));
    let mut assumed = Vec::new();
    for (text, holds) in given {
        let found = known.iter().zip(&texts).find(|(_, known)| *known == text).map(|(opaque, _)| *opaque);
        let opaque = found.ok_or_else(|| Stop::Usage {
            message: format!("there is no undecided condition `{text}`"),
            help: suggest(text, &texts),
        })?;
        if assumed.iter().any(|literal: &Literal| literal.opaque == opaque && literal.holds != holds) {
            let help = "give it with --assume or with --assume-not".to_owned();
            return Err(Stop::Usage { message: format!("`{text}` cannot hold and not hold"), help });
        }
        assumed.push(Literal { opaque, holds });
    }
    assumed.sort_unstable();
    assumed.dedup();
    Ok(assumed)
}
