//! The keys of a policy file.

use super::age::Age;
use super::foreign::ForeignTable;
use super::freeze::Freeze;
use super::names::Raw;
use super::node::{Kind, Node, Spanned};
use super::pattern::Pattern;
use super::people::{ApprovalKeys, PersonKeys, TeamKeys};
use super::reader::{Named, Object, Read, Reader, keys, words};

words! {
    /// How much a finding weighs.
    pub enum Level as "level" {
        /// Not run.
        Off = "off",
        /// Shown, never decides.
        Warn = "warn",
        /// Needs approvals.
        Approve = "approve",
        /// Blocks.
        Block = "block",
    }
}

keys! {
    /// A named set of files that is evaluated together.
    pub struct ConfigurationKeys {
        /// Patterns of file names, anchored at the root: `*` within a folder, `**` across folders.
        files: Vec<Pattern>,
        /// Every file is a configuration of its own, called after it: `hosts/web1`. Default: false.
        each: Option<bool>,
        /// Files with the values of variables (Terraform), of which later ones count more: patterns as in `files`.
        variables: Option<Vec<Pattern>>,
        /// The format, where the files do not show it: `iptables-save` …
        format: Option<Spanned<String>>,
    }
}

keys! {
    /// What a Terraform plan that is judged has to be like.
    pub(super) struct PlanKeys {
        /// How old it may be: 90m, 24h, 7d. An older one, or one that does not say, is undecided. Default: of any age.
        max_age: Option<Age>,
    }
}

words! {
    /// How much a report tells.
    pub enum Visibility as "visibility" {
        /// Everything, whoever reads it.
        Full = "full",
        /// The decision, checks, counts, files and lines, and nothing of what the network is made of.
        Minimal = "minimal",
    }
}

keys! {
    /// What reports tell.
    pub(super) struct ReportKeys {
        /// `full`: everything, whoever reads it. `minimal`: the decision, checks, counts, files and lines, but no packets,
        /// addresses, names and texts. Default: minimal where strangers read it, as far as the job tells (a public repository,
        /// a pull request of a fork, or it is not known who), else full. The decision is the same.
        visibility: Option<Visibility>,
    }
}

/// One entry of `checks` as it stands: what all checks have in common, and the rest.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The id of the check.
    pub check: Spanned<String>,
    /// The name of this instance.
    pub name: Option<Spanned<String>>,
    /// Its level, if it is given.
    pub level: Option<Spanned<Level>>,
    /// Which configurations and filters it is about; `None`: all.
    pub within: Option<Vec<Pattern>>,
    /// What its findings need where the level is [`Level::Approve`].
    pub approvals: Option<ApprovalKeys>,
    /// The whole entry.
    pub node: Node,
}

/// The keys that every check has.
pub const COMMON_KEYS: &[&str] = &["check", "name", "level", "in", "approvals"];

impl Entry {
    /// The settings of the check itself.
    #[must_use]
    pub fn settings(&self) -> Node {
        let mut node = self.node.clone();
        if let Kind::Map(entries) = &mut node.kind {
            entries.retain(|(key, _)| !COMMON_KEYS.contains(&key.value.as_str()));
        }
        node
    }
}

impl Read for Entry {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let mut object = Object::open(node, reader)?;
        let check = object.take("check", reader);
        let name = object.take("name", reader);
        let level = object.take("level", reader);
        let within = object.take("in", reader);
        let approvals = object.take("approvals", reader);
        if check.is_none() {
            object.mistyped("check", reader);
        }
        // The rest is read, and closed, by the check.
        Some(Self {
            check: check?,
            name: name?,
            level: level?,
            within: within?,
            approvals: approvals?,
            node: node.clone(),
        })
    }
}

/// A policy file as it stands.
pub(super) struct File {
    pub(super) extends: Option<Vec<Spanned<String>>>,
    /// `None`: they are reported already.
    pub(super) configurations: Option<Named<ConfigurationKeys>>,
    pub(super) networks: Named<Raw>,
    pub(super) services: Named<Raw>,
    pub(super) checks: Option<Vec<Node>>,
    /// Whether `checks` and `extends` are well-formed, so that it can be said whether there are any.
    pub(super) checked: bool,
    pub(super) people: Named<PersonKeys>,
    pub(super) teams: Named<TeamKeys>,
    pub(super) bots: Option<Vec<String>>,
    /// Read when people and names are known.
    pub(super) approvals: Option<Node>,
    pub(super) policy_owners: Option<Vec<Spanned<String>>>,
    pub(super) environments: Named<Vec<Pattern>>,
    pub(super) epoch: Option<u64>,
    /// Read when people and names are known.
    pub(super) waivers: Option<Node>,
    pub(super) max_waiver_days: Option<Spanned<usize>>,
    pub(super) plan: Option<PlanKeys>,
    pub(super) freeze: Freeze,
    pub(super) foreign_tables: Vec<ForeignTable>,
    pub(super) report: Option<ReportKeys>,
}

impl Read for Node {
    fn read(node: &Self, _: &mut Reader<'_>) -> Option<Self> {
        Some(node.clone())
    }
}

impl File {
    /// Reads the map; `version` is read already. What is wrong is left out and reported.
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let mut object = Object::open(node, reader)?;
        object.node("version");
        object.node("min_version");
        let extends = object.take("extends", reader);
        let configurations = object.take("configurations", reader);
        let networks = object.take("networks", reader);
        let services = object.take("services", reader);
        let checks = object.take("checks", reader);
        let people = object.take("people", reader);
        let teams = object.take("teams", reader);
        let bots = object.take("bots", reader);
        let approvals = object.node("approvals").cloned();
        let policy_owners = object.take("policy_owners", reader);
        let environments = object.take("environments", reader);
        let waivers = object.node("waivers").cloned();
        let max_waiver_days = object.take("max_waiver_days", reader);
        let plan = object.take("plan", reader);
        let epoch = object.take("epoch", reader);
        let freeze = object.take::<Option<Freeze>>("freeze", reader);
        let foreign_tables = object.take::<Option<Vec<ForeignTable>>>("foreign_tables", reader);
        let report = object.take::<Option<ReportKeys>>("report", reader);
        object.close(reader);
        let none = || Named(Vec::new());
        Some(Self {
            configurations,
            networks: networks.unwrap_or_else(none),
            services: services.unwrap_or_else(none),
            checked: checks.is_some() && extends.is_some(),
            checks: checks.flatten(),
            extends: extends.flatten(),
            people: people.unwrap_or(Named(Vec::new())),
            teams: teams.unwrap_or(Named(Vec::new())),
            bots: bots.flatten(),
            approvals,
            policy_owners: policy_owners.flatten(),
            environments: environments.unwrap_or(Named(Vec::new())),
            epoch: epoch.flatten(),
            waivers,
            max_waiver_days: max_waiver_days.flatten(),
            plan: plan.flatten(),
            freeze: freeze.flatten().unwrap_or_default(),
            foreign_tables: foreign_tables.flatten().unwrap_or_default(),
            report: report.flatten(),
        })
    }
}
