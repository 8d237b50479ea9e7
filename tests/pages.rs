//! Runs every example of every page in `policies/`: what the page says a user would see is what a user sees.
//!
//! `BLESS=1` writes the settings and the reports into the pages; read them in `git diff`.

use portcullis::checks::{self, CHECKS, Context, Declaration};
use portcullis::decision::{self, Case, Origin, PolicyOrigin};
use portcullis::diff::{self, Change};
use portcullis::facts::{
    Account, AccountKind, Commit, Facts, PullRequest, Review, ReviewState, Reviewed, Role, Seen, Sightings,
};
use portcullis::formats::{self, Input};
use portcullis::model::Store;
use portcullis::policy::{self, Feeds, Plan, Proposal};
use portcullis::report::{Style, text};
use portcullis::text::{SourceId, SourceMap};
use serde::Deserialize;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

type Result<T> = std::result::Result<T, String>;

/// A fenced block: the words behind the fence, and where its text is in the page.
struct Block {
    words: Vec<String>,
    body: Range<usize>,
}

/// What an example says, and what it should print.
struct Example<'p> {
    title: &'p str,
    page: &'p str,
    blocks: Vec<Block>,
}

fn page(path: &Path, content: String) -> datatest_stable::Result<()> {
    let id = path.file_stem().ok_or("a page has a name")?.to_string_lossy().into_owned();
    let declaration = checks::find(&id).ok_or_else(|| format!("no check is called `{id}`"))?;
    if declaration.page != content {
        return Err("the page in the binary is not the page in the folder".into());
    }
    let mut edits = vec![settings(declaration, &content)?];
    let (mut passing, mut stopped) = (0, 0);
    for example in examples(&content)? {
        let (exit, actual) = example.run().map_err(|e| format!("{}: {e}", example.title))?;
        if exit == 0 {
            passing += 1
        } else {
            stopped += 1
        }
        edits.push((example.one("report")?.body.clone(), actual));
    }
    if passing == 0 || stopped == 0 {
        return Err("a page shows at least one change that passes and one that does not".into());
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut blessed = content.clone();
    for (range, text) in edits.iter().rev() {
        blessed.replace_range(range.clone(), text);
    }
    if blessed == content {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, blessed)?;
        return Ok(());
    }
    let differs = edits.iter().filter(|(range, text)| content[range.clone()] != **text);
    let shown: Vec<_> =
        differs.map(|(range, text)| format!("--- expected\n{}--- actual\n{text}", &content[range.clone()])).collect();
    Err(format!("{}(BLESS=1 rewrites the page)", shown.join("\n")).into())
}

/// Where the settings stand, and what should stand there.
fn settings(declaration: &Declaration, content: &str) -> Result<(Range<usize>, String)> {
    let start = content.find("## Settings\n").ok_or("no section `Settings`")? + "## Settings\n".len();
    let end = start + content[start..].find("\n## ").ok_or("no section after `Settings`")?;
    let mut table = format!("\nLevel, where the policy gives none: `{}`.\n", declaration.level);
    let rows = checks::settings(declaration);
    if rows.is_empty() {
        table.push_str("It has no settings of its own.\n");
    } else {
        table.push_str("\n| setting | |\n|---|---|\n");
    }
    for (key, required, doc) in rows {
        let needed = if required { " Must be given." } else { "" };
        table.push_str(&format!("| `{key}` | {doc}{needed} |\n"));
    }
    Ok((start..end, table))
}

fn examples(content: &str) -> Result<Vec<Example<'_>>> {
    let start = content.find("## Examples\n").ok_or("no section `Examples`")?;
    let end = content[start..].find("\n## Limits").map_or(content.len(), |n| start + n);
    let mut at = start;
    let mut out: Vec<Example<'_>> = Vec::new();
    let mut open: Option<(Vec<String>, usize)> = None;
    for line in content[start..end].split_inclusive('\n') {
        let text = line.trim_end();
        match (&open, text.strip_prefix("```")) {
            (None, Some(words)) => {
                open = Some((words.split(' ').map(str::to_owned).collect(), at + line.len()));
            }
            (Some(_), Some("")) => {
                let (words, from) = open.take().ok_or("a fence is open")?;
                let example = out.last_mut().ok_or("a block before the first example")?;
                example.blocks.push(Block { words, body: from..at });
            }
            (None, None) => {
                if let Some(title) = text.strip_prefix("### ") {
                    out.push(Example { title, page: content, blocks: Vec::new() });
                }
            }
            (Some(_), _) => {}
        }
        at += line.len();
    }
    match open {
        Some(_) => Err("a block is not closed".to_owned()),
        None => Ok(out),
    }
}

impl Example<'_> {
    fn of(&self, kind: &str) -> Vec<&Block> {
        self.blocks.iter().filter(|block| block.words.get(1).is_some_and(|word| word == kind)).collect()
    }

    fn one(&self, kind: &str) -> Result<&Block> {
        match self.of(kind).as_slice() {
            [block] => Ok(block),
            _ => Err(format!("one block `{kind}` is needed")),
        }
    }

    fn text(&self, block: &Block) -> &str {
        &self.page[block.body.clone()]
    }

    /// The files of a side: `iptables-save base edge/input.rules`; without a name it is `edge.rules`.
    fn files(&self, side: &str, sources: &mut SourceMap) -> Result<Vec<(Vec<u8>, SourceId)>> {
        self.of(side)
            .into_iter()
            .map(|block| {
                let name = block.words.get(2).map_or("edge.rules", String::as_str).as_bytes().to_vec();
                let id = sources.add(&name, self.text(block).into()).map_err(|_| "too large")?;
                Ok((name, id))
            })
            .collect()
    }

    fn facts(&self, policy: &policy::Policy) -> Result<(Facts, Option<SeenBefore>)> {
        let Some(block) = self.of("facts").first().copied() else { return Ok((Facts::default(), None)) };
        let Told { now, pull, seen } = serde_yaml::from_str(self.text(block)).map_err(|e| e.to_string())?;
        let now = now.map(|now| portcullis::facts::seconds(&now).ok_or("`now` is no instant")).transpose()?;
        let reviewed = pull.map_or(Reviewed::Unasked, |pull| Reviewed::Known(vec![pull.told(policy)]));
        Ok((Facts { reviewed, now, ..Facts::default() }, seen))
    }

    /// Judges the example: the exit code, and the report as text.
    fn run(&self) -> Result<(u8, String)> {
        let formats: Vec<&str> = formats::FORMATS.iter().map(|format| format.id()).collect();
        let mut sources = SourceMap::default();
        let policy = sources.add(b"portcullis.yaml", self.text(self.one("policy")?).into()).map_err(|_| "too large")?;
        let (base, head) = (self.files("base", &mut sources)?, self.files("head", &mut sources)?);
        let feeds = feeds(&base, &head, &sources);
        let policy = policy::load(policy::parse(policy, &sources), &mut sources, &formats, &feeds)
            .map_err(|e| format!("{e:?}"))?;
        let proposal = match self.of("proposed").first() {
            None => Proposal::Unchanged,
            Some(block) => {
                let text = self.text(block);
                let head = (!text.is_empty()).then(|| sources.add(b"portcullis.yaml", text.into()));
                let head = head.transpose().map_err(|_| "too large")?.map(|id| policy::parse(id, &sources));
                Proposal::read(&policy, head, &mut sources, &formats, &feeds)
            }
        };
        let authors = self.of("authors").first().map(|block| self.text(block).lines().map(str::to_owned).collect());
        let (facts, seen) = self.facts(&policy)?;
        let mut facts = Facts { authors, ..facts };
        let plan = policy.plan(&by_name(&base), &by_name(&head));
        let change = change(&plan, &sources);
        let difference = diff::compare(&change);
        let checks = checks::configure(&policy).map_err(|e| format!("{e:?}"))?;
        let before = facts.clone();
        let cx = Context {
            change: &change,
            difference: &difference,
            policy: &policy,
            proposal: &proposal,
            plan: &plan,
            facts: &before,
            sources: &sources,
        };
        if let Some(SeenBefore { observations, minutes }) = seen {
            let sightings = Sightings { observations, over: Duration::from_secs(minutes * 60) };
            let removals =
                checks::watched(&checks, &cx).into_iter().map(|watched| (watched.removal, sightings)).collect();
            facts.seen = Seen::Known { removals, begun: None };
        }
        let findings = checks::run(&checks, &Context { facts: &facts, ..cx });
        let case = Case {
            change: &change,
            difference: &difference,
            findings,
            doubts: Vec::new(),
            base: Origin { source: "files".to_owned(), revision: None },
            head: Origin { source: "files".to_owned(), revision: None },
            policy: Some(PolicyOrigin {
                path: "portcullis.yaml".to_owned(),
                revision: None,
                sha256: String::new(),
                feeds: Vec::new(),
            }),
            names: &policy,
            judging: Some((&policy, &facts)),
            proposed: None,
            spanning: &[],
        };
        let decision = decision::decide(case, &sources);
        Ok((decision.exit_code(), text::render(decision.report(), &sources, Style::PLAIN)))
    }
}

/// A block `facts`: what is true outside the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    /// The present instant.
    now: Option<String>,
    pull: Option<Pull>,
    /// How often the removal was seen.
    seen: Option<SeenBefore>,
}

/// How often, and for how many minutes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenBefore {
    observations: usize,
    minutes: u64,
}

/// A pull request. Whoever is not named as a reader may write.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pull {
    author: String,
    /// Who made its commits, one each. Default: its author made the only one.
    #[serde(default)]
    commits: Vec<String>,
    #[serde(default)]
    approved: Vec<String>,
    /// Who asks for changes.
    #[serde(default)]
    asked: Vec<String>,
    /// Who may only read.
    #[serde(default)]
    readers: Vec<String>,
}

impl Pull {
    fn told(self, policy: &policy::Policy) -> PullRequest {
        let Self { author, mut commits, approved, asked, readers } = self;
        let account = |login: &str| {
            let id =
                policy.roster().person(login).and_then(|person| person.github.as_ref()).map(|github| github.id.value);
            let number = || login.bytes().fold(1000, |number, byte| number * 31 + u64::from(byte));
            Account { id: id.unwrap_or_else(number), login: login.to_owned(), kind: AccountKind::User }
        };
        if commits.is_empty() {
            commits.push(author.clone());
        }
        let ids: Vec<String> = (0..commits.len()).map(|n| format!("{n}").repeat(40)).collect();
        let made = |(id, by): (&String, &String)| Commit {
            id: id.clone(),
            author: Some(account(by)),
            committer: Some(account(by)),
            co_authors: Vec::new(),
        };
        let head = ids.last().cloned().unwrap_or_default();
        let said = approved.iter().map(|who| (who, ReviewState::Approved));
        let said = said.chain(asked.iter().map(|who| (who, ReviewState::ChangesRequested)));
        let review = |(n, (who, state)): (usize, (&String, ReviewState))| Review {
            id: n as u64,
            by: Some(account(who)),
            state,
            commit: Some(head.clone()),
            base_ref: Some("main".to_owned()),
            submitted: "2026-11-20T08:00:00Z".to_owned(),
        };
        let may = |who: &String| (account(who).id, Ok(if readers.contains(who) { Role::Read } else { Role::Write }));
        PullRequest {
            repository: 1,
            number: 7,
            base_ref: "main".to_owned(),
            base: "f".repeat(40),
            head: head.clone(),
            draft: false,
            author: account(&author),
            last_pusher: Ok(account(&author)),
            commits: ids.iter().zip(&commits).map(made).collect(),
            reviews: said.enumerate().map(review).collect(),
            same_result: [].into(),
            roles: approved.iter().chain(&asked).map(may).collect(),
            teams: [].into(),
        }
    }
}

/// Every file, since the policy may refer to it as a feed.
fn feeds(base: &[(Vec<u8>, SourceId)], head: &[(Vec<u8>, SourceId)], sources: &SourceMap) -> Feeds {
    let mut feeds = Feeds::default();
    for (name, _) in base.iter().chain(head) {
        let of = |side: &[(Vec<u8>, SourceId)]| {
            side.iter().find(|(other, _)| other == name).map(|(_, id)| sources.bytes(*id).to_vec())
        };
        feeds.add(&String::from_utf8_lossy(name), of(base).as_deref(), of(head).as_deref());
    }
    feeds
}

fn by_name(files: &[(Vec<u8>, SourceId)]) -> Vec<(&[u8], SourceId)> {
    files.iter().map(|(name, id)| (name.as_slice(), *id)).collect()
}

/// Reads both sides of a plan.
fn change(plan: &Plan, sources: &SourceMap) -> Change {
    let inputs = |side: fn(&policy::Planned) -> Option<&Vec<SourceId>>| -> Vec<Input> {
        plan.configurations
            .iter()
            .filter_map(|planned| {
                let files = side(planned)?.clone();
                let format = planned.format.as_deref().and_then(formats::format);
                Some(Input { name: planned.name.clone(), format, files })
            })
            .collect()
    };
    let mut store = Store::default();
    let (base, memo, _) = formats::read(&inputs(|planned| planned.base.as_ref()), sources, &mut store, None);
    let (head, _, _) = formats::read(&inputs(|planned| planned.head.as_ref()), sources, &mut store, Some(&memo));
    Change::new(base, head, store)
}

/// Pages and checks are one to one; the rest of this binary would not see a check without a page.
fn registry(path: &Path) -> datatest_stable::Result<()> {
    let pages = std::fs::read_dir(path.parent().and_then(Path::parent).ok_or("policies/presets/…")?)?;
    let mut pages: Vec<String> = pages
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    pages.retain(|name| name.ends_with(".md"));
    pages.sort();
    let checks: Vec<String> = CHECKS.iter().map(|declaration| format!("{}.md", declaration.id)).collect();
    if pages == checks { Ok(()) } else { Err(format!("pages {pages:?}, checks {checks:?}").into()) }
}

datatest_stable::harness! {
    { test = page, root = "policies", pattern = r"^[^/]*\.md$" },
    { test = registry, root = "policies", pattern = r"presets/baseline\.yaml$" },
}
