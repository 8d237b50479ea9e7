//! What would change if a published list were replaced by a newer one.

use super::arguments::{FeedCommand, FeedPart, FeedUpdate};
use super::check::POLICY;
use super::closure;
use super::judge::{self, PolicyPath};
use super::output::Streams;
use super::surroundings::Surroundings;
use super::wanted::{Everything, Policed};
use crate::checks::{self, Configured, Context};
use crate::decision::{Case, Cause, Consequence, Doubt, Origin, decide};
use crate::diff::{Change, Difference};
use crate::facts::Facts;
use crate::formats;
use crate::model::Store;
use crate::net::{Family, blocks, format_address};
use crate::policy::{self, FeedDoubt, FeedFile, FeedUse, Feeds, Policy, Proposal, Publication};
use crate::report;
use crate::source::{File, Side};
use crate::text::{SourceMap, escape, hex, suggest};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

/// The check that says which filters lack prefixes of a list.
const COVERAGE: &str = "required-coverage";
/// How many prefixes are named on each side of a difference.
const NAMED: usize = 50;

pub(super) fn run(command: &FeedCommand, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let FeedCommand::Update(update) = command;
    let mut sources = SourceMap::default();
    match answer(update, surroundings, &mut sources, streams) {
        Ok((text, code)) => streams.data(&text, code),
        Err(doubts) => streams.doubts(&doubts, &sources),
    }
}

/// The policy, and the list as it is and as it would be.
struct Update {
    /// The policy with the new digest where it pins one.
    policy: Policy,
    /// Those that ask for it.
    checks: Vec<Configured>,
    policy_file: File,
    /// The text of it with the new digest, if that differs.
    pinned: Option<Vec<u8>>,
    path: String,
    /// The networks that the list is part of.
    networks: BTreeSet<String>,
    feeds: Feeds,
    new: Vec<u8>,
}

fn answer(
    update: &FeedUpdate,
    surroundings: &Surroundings,
    sources: &mut SourceMap,
    streams: &Streams<'_>,
) -> Result<(String, u8), Vec<Doubt>> {
    let root = match &update.path {
        Some(path) => surroundings.folder.join(path),
        None => surroundings.folder.clone(),
    };
    let side = if update.path.is_some() { Side::path(&root) } else { Side::work_tree(&surroundings.place()) };
    let side = side.map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
    let read = self::read(update, surroundings, &side, sources)?;
    let networks = read.networks.iter().filter_map(|name| read.policy.names.find_network(name));
    let doubt = |FeedDoubt { message, help, at: _ }: &FeedDoubt| refuse(Cause::Source, message.clone(), help);
    let doubts: Vec<Doubt> = networks.flat_map(|networks| networks.doubts().iter().flat_map(doubt)).collect();
    if !doubts.is_empty() {
        return Err(doubts);
    }
    let mut out = difference(&read);
    let code = coverage(&read, &side, sources, streams, &mut out)?;
    if code < 2 {
        written(update, &read, &side, &mut out)?;
    }
    Ok((out, code))
}

fn read(
    update: &FeedUpdate,
    surroundings: &Surroundings,
    side: &Side,
    sources: &mut SourceMap,
) -> Result<Update, Vec<Doubt>> {
    let FeedUpdate { name, from, policy, path: _, write: _ } = update;
    let named = policy.as_deref().map_or_else(|| POLICY.to_owned(), |path| path.display().to_string());
    let policy_file = judge::policy_file(side, &PolicyPath::InBase(named))?;
    let id = judge::add(sources, policy_file.clone())?;
    let uses = policy::parse(id, sources).feeds();
    let mine: Vec<&FeedUse> =
        uses.iter().filter(|feed| feed.network.as_ref() == Some(name) || feed.path == *name).collect();
    let paths: BTreeSet<&str> = mine.iter().map(|feed| feed.path.as_str()).collect();
    let path = match paths.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => (*one).to_owned(),
        [] => {
            let known: Vec<&str> = uses.iter().flat_map(|feed| feed.network.as_deref()).collect();
            let message = format!("the policy has no feed `{}`", escape(name.as_bytes()));
            return Err(refuse(Cause::Policy, message, &suggest(name, &known)));
        }
        several => {
            let message = format!("`{}` is of several lists: {}", escape(name.as_bytes()), several.join(", "));
            return Err(refuse(Cause::Policy, message, "name the file instead"));
        }
    };
    let new = bytes_of(&surroundings.folder.join(from))?;
    let mut feeds = Feeds::default();
    for other in uses.iter().map(|feed| feed.path.as_str()).collect::<BTreeSet<_>>() {
        let file = side.file(other).map_err(judge::source_doubts)?;
        let present = file.as_ref().map(|file| file.bytes.as_slice());
        feeds.add(other, present, if other == path { Some(&new) } else { present });
    }
    let pinned = pinned(&policy_file.bytes, &uses, &path, &new);
    let text = pinned.clone().unwrap_or_else(|| policy_file.bytes.clone());
    let id = judge::add(sources, File { bytes: text, ..policy_file.clone() })?;
    let parsed = policy::parse(id, sources);
    let (policy, checks) = checks::load(parsed, sources, &judge::format_ids(), &feeds).map_err(judge::policy_doubts)?;
    let networks = uses.iter().filter(|feed| feed.path == path).filter_map(|feed| feed.network.clone()).collect();
    let checks = checks::only(checks, COVERAGE);
    Ok(Update { policy, checks, policy_file, pinned, path, networks, feeds, new })
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Vec<Doubt>> {
    let side = Side::path(path).map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
    let mut files = side.files(&Everything).map_err(judge::source_doubts)?;
    match (files.pop(), files.pop()) {
        (Some(file), None) => Ok(file.bytes),
        _ => Err(refuse(Cause::Source, format!("`{}` is not a file", path.display()), "name the list itself")),
    }
}

/// The text of the policy with the digest of the new list in the place of those that it pins of that file.
fn pinned(text: &[u8], uses: &[FeedUse], path: &str, new: &[u8]) -> Option<Vec<u8>> {
    let digest = hex(&Sha256::digest(new));
    let mut pins: Vec<_> = uses.iter().filter(|feed| feed.path == path).flat_map(|feed| &feed.sha256).collect();
    pins.retain(|pin| !pin.value.eq_ignore_ascii_case(&digest));
    pins.sort_by_key(|pin| std::cmp::Reverse(pin.span.start));
    let mut out = text.to_vec();
    for pin in &pins {
        let (start, end) = (pin.span.start as usize, pin.span.end as usize);
        let written = text.get(start..end)?;
        // Quotes stay as they are.
        let at = memchr::memmem::find(written, pin.value.as_bytes())?;
        out.splice(start + at..start + at + pin.value.len(), digest.bytes());
    }
    (!pins.is_empty()).then_some(out)
}

/// What becomes of the list, and of each network that it is part of.
fn difference(read: &Update) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("writing to a String");
    let files = read.feeds.files();
    let Some(FeedFile { path, base, head }) = files.into_iter().find(|file| file.path == read.path) else { return out };
    line(escape(path.as_bytes()));
    let show = |side: Option<&Publication>, what: fn(&Publication) -> Option<&str>| {
        side.and_then(what).unwrap_or("-").to_owned()
    };
    if [&base, &head].into_iter().flatten().any(|side| side.made.is_some()) {
        let made: fn(&Publication) -> Option<&str> = |publication| publication.made.as_deref();
        line(format!("  made    {} -> {}", show(base.as_ref(), made), show(head.as_ref(), made)));
    }
    let digest: fn(&Publication) -> Option<&str> = |publication| Some(&publication.sha256);
    line(format!("  sha256  {}", show(base.as_ref(), digest)));
    line(format!("       -> {}", show(head.as_ref(), digest)));
    for name in &read.networks {
        let Some(networks) = read.policy.names.find_network(name) else { continue };
        let (old, new) = (prefixes(networks.in_force()), prefixes(networks.published()));
        line(format!("network `{name}`: {} -> {} prefixes", old.len(), new.len()));
        for (sign, these, others) in [("+", &new, &old), ("-", &old, &new)] {
            let differ: Vec<&String> = these.iter().filter(|prefix| !others.contains(prefix)).collect();
            differ.iter().take(NAMED).for_each(|prefix| line(format!("  {sign} {prefix}")));
            if differ.len() > NAMED {
                line(format!("  {sign} {} more", differ.len() - NAMED));
            }
        }
        if old == new {
            line("  the same prefixes".to_owned());
        }
    }
    out
}

fn prefixes(ranges: impl Iterator<Item = (Family, u128, u128)>) -> Vec<String> {
    let ranges: BTreeSet<_> = ranges.collect();
    let each = ranges
        .into_iter()
        .flat_map(|(family, first, last)| blocks(family, first, last).map(move |(at, length)| (family, at, length)));
    each.map(|(family, at, length)| format!("{}/{length}", format_address(family, at))).collect()
}

/// Which filters would lack prefixes of the new list.
fn coverage(
    read: &Update,
    side: &Side,
    sources: &mut SourceMap,
    streams: &Streams<'_>,
    out: &mut String,
) -> Result<u8, Vec<Doubt>> {
    let files = side.files(&Policed(&read.policy)).map_err(judge::source_doubts)?;
    let plan = judge::plan(&read.policy, Vec::new(), files, sources)?;
    let (_, mut inputs) = judge::inputs(&plan);
    closure::of_side(side, &mut inputs, sources)?;
    let mut store = Store::default();
    let (head, _, _) = formats::read(&inputs, sources, &mut store, None);
    let change = Change::alone(head, store);
    let context = Context {
        change: &change,
        difference: &Difference::default(),
        policy: &read.policy,
        proposal: &Proposal::Outside,
        plan: &plan,
        facts: &Facts::default(),
        sources,
    };
    let findings = checks::run(&read.checks, &context);
    let case = Case {
        change: &change,
        difference: &Difference::default(),
        findings,
        doubts: Vec::new(),
        base: Origin::none(),
        head: judge::origin(side),
        policy: None,
        names: &read.policy,
        judging: None,
        spanning: &[],
        proposed: None,
    };
    let decision = decide(case, sources);
    let report = decision.report();
    writeln!(out, "\nWhat `{COVERAGE}` says with that list\n").expect("writing to a String");
    out.push_str(&report::text::render(report, sources, streams.style));
    let lacks = report.findings.iter().any(|finding| finding.outcome != Consequence::Warned);
    Ok(if lacks { decision.exit_code().max(1) } else { decision.exit_code() })
}

/// Writes what is asked for into the work tree.
fn written(update: &FeedUpdate, read: &Update, side: &Side, out: &mut String) -> Result<(), Vec<Doubt>> {
    let digest = hex(&Sha256::digest(&read.new));
    let mut say = |text: String| writeln!(out, "{text}").expect("writing to a String");
    for part in &update.write {
        match part {
            FeedPart::Feed => {
                write(side, &read.path, &read.new)?;
                say(format!("written: {}", escape(read.path.as_bytes())));
            }
            FeedPart::Policy => match &read.pinned {
                Some(text) => {
                    let path = String::from_utf8_lossy(&read.policy_file.path).into_owned();
                    write(side, &path, text)?;
                    say(format!("written: {}", escape(path.as_bytes())));
                }
                None => say("the policy pins no other digest: nothing written there".to_owned()),
            },
        }
    }
    if update.write.is_empty() {
        say("Nothing is written without --write feed or --write policy.".to_owned());
        if read.pinned.is_some() {
            say(format!(
                "The policy pins another digest: let it pin {digest} first, in a change before that of the list."
            ));
        }
    }
    Ok(())
}

fn write(side: &Side, path: &str, bytes: &[u8]) -> Result<(), Vec<Doubt>> {
    let refused =
        |why: String| refuse(Cause::Source, format!("`{}` is not written: {why}", escape(path.as_bytes())), "");
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let root: PathBuf = side.folder().ok_or_else(|| refused("there is no folder to write to".to_owned()))?;
    let file = root.join(path);
    if !plain || file.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        return Err(refused("it is not a plain file of the work tree".to_owned()));
    }
    std::fs::write(&file, bytes).map_err(|why| refused(why.to_string()))
}

fn refuse(cause: Cause, message: String, help: &str) -> Vec<Doubt> {
    vec![Doubt { cause, message, help: help.to_owned(), at: None }]
}
