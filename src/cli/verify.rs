use super::arguments::{Verify, VerifyOutput};
use super::closure;
use super::dumps;
use super::gate::{self, Stop};
use super::judge;
use super::output::Streams;
use super::surroundings::Surroundings;
use super::wanted::Everything;
use crate::decision::{self, Cause, Doubt, ForeignReport, Held, HostReport, Origin, Verification};
use crate::formats::{self, FORMATS, Input};
use crate::live::{self, Boot, Expected, Foreign, Live, Named, NotSplit, Ruleset, Scope, Scratch};
use crate::net::NoNames;
use crate::policy::ForeignTable;
use crate::report::{json, text};
use crate::source::{File, Side};
use crate::text::{SourceMap, escape};
use std::path::{Path, PathBuf};

pub(super) fn run(arguments: &Verify, surroundings: &Surroundings, streams: &mut Streams<'_>) -> u8 {
    let mut sources = SourceMap::default();
    let scope = match scope(arguments, surroundings, &mut sources) {
        Ok(scope) => scope,
        Err(doubts) => return streams.doubts(&doubts, &sources),
    };
    let job = Job { arguments, surroundings, scope };
    let hosts = match (&arguments.live, &arguments.fleet, &arguments.inventory) {
        (Some(live), _, _) => {
            let mut layers = vec![job.host("host", None, Ok(live.clone()), &mut sources)];
            if arguments.persisted {
                layers.extend(job.persisted(live, &mut sources));
            }
            layers
        }
        (None, Some(fleet), Some(inventory)) => {
            let (fleet, inventory) = (surroundings.folder.join(fleet), surroundings.folder.join(inventory));
            match dumps::of_fleet(&fleet, &inventory) {
                Ok(dumps) => {
                    let dumps = dumps.into_iter();
                    dumps.map(|dump| job.host(&dump.host, Some(&dump.host), dump.path, &mut sources)).collect()
                }
                Err((message, help)) => return streams.error(&message, Some(&help), 2),
            }
        }
        (None, _, _) => {
            let help =
                "name a host with --live live:nft, a dump with --live PATH, or dumps with --fleet and --inventory";
            return streams.error("it is not said what is to be verified", Some(help), 2);
        }
    };
    let verification = Verification::new(hosts);
    let code = verification.exit_code();
    let text = match arguments.output {
        VerifyOutput::Text => text::render_verification(&verification, &sources, streams.style),
        VerifyOutput::Json => json::render_verification(&verification),
    };
    streams.data(&text, code)
}

/// What is to be done with each host.
struct Job<'a> {
    arguments: &'a Verify,
    surroundings: &'a Surroundings,
    scope: Scope,
}

/// Whose tables are whose: what the arguments say, and the policy that they name.
fn scope(arguments: &Verify, surroundings: &Surroundings, sources: &mut SourceMap) -> Result<Scope, Vec<Doubt>> {
    let Verify { owned, foreign, foreign_first, .. } = arguments;
    let mut scope = Scope { owned: owned.clone(), foreign: foreign.clone(), first: foreign_first.clone() };
    let Some(policy) = &arguments.policy else { return Ok(scope) };
    let side = Side::named(&surroundings.place(), policy).map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
    let mut files = side.files(&Everything).map_err(judge::source_doubts)?;
    let (Some(file), None) = (files.pop(), files.pop()) else {
        let message = format!("`{policy}` is not one file, so it is no policy");
        let help = "name the policy file itself, such as HEAD:portcullis.yaml".to_owned();
        return Err(vec![Doubt { cause: Cause::Policy, message, help, at: None }]);
    };
    for ForeignTable { table, owner: _, first } in judge::load(file, sources)?.foreign_tables {
        if first { scope.first.push(table) } else { scope.foreign.push(table) }
    }
    Ok(scope)
}

/// What is in force as it was read.
struct Read {
    origin: Origin,
    ruleset: Ruleset,
}

impl Job<'_> {
    /// Verifies a host. `own`: in a folder, what is expected of it is called after it.
    fn host(&self, name: &str, own: Option<&str>, live: Result<String, Doubt>, sources: &mut SourceMap) -> HostReport {
        let expected_origin = Origin { source: "files".to_owned(), revision: Some(self.arguments.expected.join(", ")) };
        let mut live_origin = Origin { source: "files".to_owned(), revision: live.as_ref().ok().cloned() };
        let held = live.map_err(|doubt| vec![doubt]).and_then(|live| {
            let Read { origin, ruleset } = self.live(&live)?;
            live_origin = origin;
            let (origin, expected) = self.expected(name, own, sources)?;
            hold(name, &expected, origin, &ruleset, live_origin.clone(), &self.scope, sources)
        });
        match held {
            Ok(held) => HostReport::of(name.to_owned(), held),
            Err(doubts) => not_verified(name.to_owned(), &doubts, expected_origin, live_origin),
        }
    }

    /// Verifies what a reboot would load, and that something does.
    fn persisted(&self, live: &str, sources: &mut SourceMap) -> [HostReport; 2] {
        let root =
            self.arguments.root.as_ref().map_or_else(|| PathBuf::from("/"), |root| self.surroundings.folder.join(root));
        // The programs that load what is below it run elsewhere.
        let root = std::path::absolute(&root).unwrap_or(root);
        let (name, unit) = ("after a reboot", "unit");
        let expected = Origin { source: "files".to_owned(), revision: Some(self.arguments.expected.join(", ")) };
        let files = Origin { source: "files".to_owned(), revision: Some(root.display().to_string()) };
        let target = match Named::of(live) {
            Some(Ok(Named::Rules(target))) => target,
            Some(Ok(Named::Haproxy(_)) | Err(_)) | None => {
                let message = format!("what is kept for the next boot of `{live}` is not known");
                let help = "use --persisted with --live live:nft or --live live:iptables".to_owned();
                let none = |name: &str| {
                    let (message, help) = (message.clone(), help.clone());
                    HostReport::not_verified(name.to_owned(), message, help, expected.clone(), files.clone())
                };
                return [none(name), none(unit)];
            }
        };
        let held = self.expected("host", None, sources).and_then(|(origin, wanted)| {
            let booted = Scratch::new().and_then(|scratch| {
                scratch.load(target, &root)?;
                scratch.host().examine(target)
            });
            let booted = booted.map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
            hold("host", &wanted, origin, &booted, files.clone(), &self.scope, sources)
        });
        let boot = match held {
            Ok(held) => HostReport::of(name.to_owned(), held),
            Err(doubts) => not_verified(name.to_owned(), &doubts, expected.clone(), files.clone()),
        };
        let unit = match live::boot(target, &root) {
            Boot::Loaded(by) => {
                HostReport::loaded(unit.to_owned(), format!("{by} loads them before the network"), expected, files)
            }
            Boot::Not(message, help) => HostReport::not_loaded(unit.to_owned(), message, help, expected, files),
            Boot::Unknown(message, help) => HostReport::not_verified(unit.to_owned(), message, help, expected, files),
        };
        [boot, unit]
    }

    /// Reads what is expected.
    fn expected(
        &self,
        name: &str,
        own: Option<&str>,
        sources: &mut SourceMap,
    ) -> Result<(Origin, Expected), Vec<Doubt>> {
        if let Some(record) = &self.arguments.record {
            return self.reviewed(record, sources);
        }
        let format = self.arguments.format.as_ref().and_then(|id| formats::format(id.0));
        let (mut files, mut origins) = (Vec::new(), Vec::new());
        for text in &self.arguments.expected {
            let side =
                Side::named(&self.surroundings.place(), text).map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
            let mut found = side.files(&Everything).map_err(judge::source_doubts)?;
            if !side.is_file() {
                let known = |file: &File| {
                    format.is_some() || FORMATS.iter().any(|format| format.recognises(&escape(&file.path), &file.bytes))
                };
                found.retain(|file| known(file) && own.is_none_or(|host| dumps::belongs(host, &file.path)));
            }
            let mut inputs = Vec::new();
            for file in found {
                let bytes = self.scope.owned(&file.bytes).map_err(|why| vec![not_split(&file, &why)])?;
                let id = judge::add(sources, File { bytes, ..file })?;
                inputs.push(Input { name: name.to_owned(), format, files: vec![id] });
            }
            closure::of_side(&side, &mut inputs, sources)?;
            files.extend(inputs.into_iter().flat_map(|input| input.files));
            origins.push(judge::origin(&side));
        }
        if files.is_empty() {
            let message =
                format!("there is nothing in `{}` that is expected of `{name}`", self.arguments.expected.join(", "));
            let help = "name a file of a known format; in a folder, for several hosts, HOST.nft or HOST.rules";
            return Err(vec![Doubt { cause: Cause::Source, message, help: help.to_owned(), at: None }]);
        }
        let source = origins.first().map(|origin| origin.source.clone()).unwrap_or_default();
        let revisions: Vec<String> = origins.into_iter().filter_map(|origin| origin.revision).collect();
        Ok((Origin { source, revision: Some(revisions.join(", ")) }, Expected { files, format }))
    }

    /// The files that a record is of.
    fn reviewed(&self, record: &Path, sources: &mut SourceMap) -> Result<(Origin, Expected), Vec<Doubt>> {
        let subject = gate::Subject { record, tree: self.arguments.tree.as_deref(), plan: None };
        let tree = gate::reviewed(subject, &self.arguments.whom, self.surroundings, sources).map_err(Stop::doubts)?;
        let files = tree.mains(&self.arguments.expected, sources)?;
        let format = tree.inputs.iter().find(|input| input.files.iter().any(|file| files.contains(file)));
        let format = format.and_then(|input| input.format);
        let revision = Some(format!("{} of {}", self.arguments.expected.join(", "), record.display()));
        Ok((Origin { source: "record".to_owned(), revision }, Expected { files, format }))
    }

    /// Reads what is in force.
    fn live(&self, text: &str) -> Result<Read, Vec<Doubt>> {
        let one = |why: &dyn miette::Diagnostic| vec![judge::doubt(Cause::Source, why)];
        if let Some(named) = Named::of(text) {
            let folder = &self.surroundings.folder;
            let started_with: Vec<PathBuf> = self.arguments.started_with.iter().map(|path| folder.join(path)).collect();
            let read = named.and_then(|named| named.read(self.arguments.netns.as_deref(), &started_with));
            let ruleset = read.map_err(|why| one(&why))?;
            let origin = Origin { source: "live".to_owned(), revision: Some(text.to_owned()) };
            return Ok(Read { origin, ruleset });
        }
        let side = Side::named(&self.surroundings.place(), text).map_err(|why| one(&why))?;
        let files = side.files(&Everything).map_err(judge::source_doubts)?;
        if let Some(most) = self.arguments.max_age {
            dumps::young(&self.surroundings.folder.join(text), &files, most).map_err(|doubt| vec![doubt])?;
        }
        let empty = files.iter().find(|file| file.bytes.trim_ascii().is_empty());
        if files.is_empty() || empty.is_some() {
            let name = empty.map_or_else(|| text.to_owned(), |file| escape(&file.name));
            let message = format!("the dump `{name}` is empty: a command that failed leaves such a file behind");
            let help = "take it again and look at the exit code; `nft -j list ruleset` says something even where there \
                        is no rule";
            return Err(vec![Doubt { cause: Cause::Source, message, help: help.to_owned(), at: None }]);
        }
        Ok(Read { origin: judge::origin(&side), ruleset: Ruleset { files, ..Ruleset::default() } })
    }
}

/// Holds what was read of a host against what is expected of it.
pub(super) fn hold(
    name: &str,
    expected: &Expected,
    base: Origin,
    Ruleset { files, beside, included, unseen, rest_as_expected }: &Ruleset,
    head: Origin,
    scope: &Scope,
    sources: &mut SourceMap,
) -> Result<Held, Vec<Doubt>> {
    let live = Live { files, beside, included, rest_as_expected: *rest_as_expected };
    let verified = live::verify(name, expected, live, scope, sources).map_err(|why| {
        let message = format!("whose tables are whose cannot be told: {why}");
        let help = "take the dump with `nft -s list ruleset`, `nft -j list ruleset` or `iptables-save`".to_owned();
        vec![Doubt { cause: Cause::Source, message, help, at: None }]
    })?;
    let live::Verified {
        change,
        difference,
        expected_rules,
        live_rules,
        nothing,
        elsewhere,
        unexpected,
        runtime,
        foreign,
    } = verified;
    let unseen = unseen.iter().cloned().chain(unexpected).collect();
    let without = |tables: &str| Origin { source: "live".to_owned(), revision: Some(format!("without {tables}")) };
    let foreign = foreign.into_iter().map(|foreign| {
        let Foreign { tables, may_decide_first, decides_first, writes, unread, change, difference } = foreign;
        let base = without(&tables.join(", "));
        let comparison = decision::compare(&change, &difference, base, head.clone(), &NoNames, sources);
        ForeignReport { tables, may_decide_first, decides_first, writes, unread, comparison }
    });
    let foreign = foreign.collect();
    let comparison = decision::compare(&change, &difference, base, head.clone(), &NoNames, sources);
    Ok(Held { comparison, expected_rules, live_rules, nothing, elsewhere, unseen, runtime, foreign })
}

/// What is said of a host of which something could not be read.
pub(super) fn not_verified(host: String, doubts: &[Doubt], expected: Origin, live: Origin) -> HostReport {
    let messages: Vec<&str> = doubts.iter().map(|doubt| doubt.message.as_str()).collect();
    let help = doubts.iter().map(|doubt| doubt.help.as_str()).find(|help| !help.is_empty());
    let help = help.unwrap_or("nothing is known until it can be read").to_owned();
    HostReport::not_verified(host, messages.join("; "), help, expected, live)
}

fn not_split(file: &File, why: &NotSplit) -> Doubt {
    let message = format!("the tables of `{}` cannot be told apart: {why}", escape(&file.name));
    let help = "leave --owned out, or keep the tables in files of their own".to_owned();
    Doubt { cause: Cause::Source, message, help, at: None }
}
