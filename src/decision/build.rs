use super::join::Piece;
use super::report::{
    Answer, AnswerReport, Approvals, Causes, Certainty, ChangeKind, Comparison, ConfigurationReport, Consequence,
    DoubtReport, ElementsReport, FilterReport, FindingReport, GapReport, Level, Location, LocationSide, ObjectReport,
    ObjectsReport, Origin, Outcome, RelatedReport, Report, Stats, VERSION, WitnessReport,
};
use super::shard::{Matter, Order};
use super::waived::Waived;
use super::{Case, Cause, Doubt, flows};
use crate::checks::{self, Finding};
use crate::diff::{self, Change, Delta, Difference, FilterPair, Found, Question, Side, Witness};
use crate::facts::{Facts, Reviewed, show_instant};
use crate::model::{Literal, Snapshot, Store};
use crate::net::{Naming, NoNames, show_packet};
use crate::policy::Policy;
use crate::text::{SourceMap, Span, escape, hex};
use sha2::{Digest, Sha256};

/// How many rules of one filter and side are listed as causes.
const CAUSES: usize = 100;
/// How many other places of a finding are listed.
const RELATED: usize = 20;
/// How many characters of a gap are quoted.
const QUOTED: usize = 200;

/// The report of a case; its decision is still to be set, and its findings are in the order of the checks.
pub(super) fn piece(case: Case<'_>, sources: &SourceMap) -> Piece {
    let Case { change, difference, findings, doubts, base, head, policy, names, judging, spanning, proposed } = case;
    let mut builder = Builder::new(change, names, sources, judging);
    let mut waived = Waived::of(judging, proposed);
    if policy.is_none() && doubts.is_empty() && !change.is_alone() {
        builder.doubt(Doubt {
            cause: Cause::Policy,
            message: "there is no policy to hold the change against".to_owned(),
            help: "add a portcullis.yaml to the target branch, or name one with --policy".to_owned(),
            at: None,
        });
    }
    for doubt in doubts {
        builder.doubt(doubt);
    }
    let pretended = judging.map(|(_, facts)| facts).filter(|facts| facts.pretended);
    if pretended.is_some_and(|facts| !matches!(facts.reviewed, Reviewed::Unasked)) {
        builder.doubt(Doubt {
            cause: Cause::MissingFact,
            message: "the present time is not known: another one was given, and a pull request is judged".to_owned(),
            help: "leave --now out: it is for tests of a policy".to_owned(),
            at: None,
        });
    }
    let configurations = builder.configurations(difference);
    let mut reports = Vec::new();
    for finding in findings {
        let own = !spanning.contains(&finding.entry);
        builder.order = Order {
            of: Matter::Check,
            entry: Some(finding.entry),
            configuration: finding.configuration.clone().filter(|_| own),
            everywhere: own && finding.everywhere(),
        };
        match finding.undecided {
            Some(why) => builder.unanswered(why, finding),
            None => reports.push((builder.order.clone(), builder.finding(finding, &mut waived))),
        }
    }
    builder.uncomputed(difference);
    let gaps = builder.gaps();
    let stats = builder.stats(&configurations);
    let (findings_order, findings) = reports.into_iter().unzip();
    let (doubts_order, doubts) = builder.doubts.into_iter().unzip();
    let (decision, waivers) = (Outcome::Undecided, waived.report());
    let pretended = pretended.map(|facts| facts.now.map_or_else(|| "another time".to_owned(), show_instant));
    let (expectations, shard) = (None, None);
    let report = Report {
        version: VERSION,
        decision,
        pretended,
        withheld: None,
        base,
        head,
        policy,
        configurations,
        findings,
        waivers,
        gaps,
        doubts,
        expectations,
        stats,
        shard,
    };
    Piece { report, findings: findings_order, doubts: doubts_order }
}

pub(super) fn comparison(
    change: &Change,
    difference: &Difference,
    base: Origin,
    head: Origin,
    names: &dyn Naming,
    doubts: Vec<Doubt>,
    sources: &SourceMap,
) -> Comparison {
    let mut builder = Builder::new(change, names, sources, None);
    for doubt in doubts {
        builder.doubt(doubt);
    }
    let configurations = builder.configurations(difference);
    builder.uncomputed(difference);
    let gaps = builder.gaps();
    let stats = builder.stats(&configurations);
    let doubts = builder.doubts.into_iter().map(|(_, doubt)| doubt).collect();
    Comparison { version: VERSION, base, head, configurations, gaps, doubts, stats }
}

pub(super) struct Builder<'c> {
    pub(super) change: &'c Change,
    names: &'c dyn Naming,
    sources: &'c SourceMap,
    /// Sorted by configuration and id.
    pairs: Vec<FilterPair<'c>>,
    /// Each with where it belongs.
    pub(super) doubts: Vec<(Order, DoubtReport)>,
    /// Where a doubt belongs that is added now.
    pub(super) order: Order,
    pub(super) judging: Option<(&'c Policy, &'c Facts)>,
}

impl<'c> Builder<'c> {
    fn new(
        change: &'c Change,
        names: &'c dyn Naming,
        sources: &'c SourceMap,
        judging: Option<(&'c Policy, &'c Facts)>,
    ) -> Self {
        Self { change, names, sources, pairs: change.filters(), doubts: Vec::new(), order: Order::RUN, judging }
    }

    fn configurations(&mut self, difference: &Difference) -> Vec<ConfigurationReport> {
        difference.configurations.iter().map(|configuration| self.configuration(configuration)).collect()
    }

    fn configuration(&mut self, configuration: &diff::ConfigurationDifference) -> ConfigurationReport {
        let diff::ConfigurationDifference { name, format, change, filters, balancers, objects } = configuration;
        self.order = Order::of(Matter::Difference, name);
        let change = match change {
            diff::ChangeKind::Unchanged => ChangeKind::Unchanged,
            diff::ChangeKind::Equivalent => ChangeKind::Equivalent,
            diff::ChangeKind::Changed => ChangeKind::Changed,
            diff::ChangeKind::Added => ChangeKind::Added,
            diff::ChangeKind::Removed => ChangeKind::Removed,
        };
        let filters = filters.iter().map(|filter| self.filter(name, filter)).collect();
        let balancers = self.balancers(name, balancers);
        let diff::ObjectsDifference { added, removed, modified } = objects;
        let list = |objects: &[diff::ObjectChange]| objects.iter().map(|object| self.object(object)).collect();
        ConfigurationReport {
            name: name.clone(),
            format: (*format).to_owned(),
            change,
            filters,
            balancers,
            objects: ObjectsReport { added: list(added), removed: list(removed), modified: list(modified) },
            withheld: None,
        }
    }

    fn filter(&mut self, configuration: &str, filter: &diff::FilterDifference) -> FilterReport {
        let diff::FilterDifference { id, newly_allowed, newly_denied, removed_rules, added_rules, moved_rules } =
            filter;
        for (found, what) in [(newly_allowed, "allows"), (newly_denied, "denies")] {
            if !found.complete && found.deltas.is_empty() {
                self.doubt(Doubt {
                    cause: Cause::TooHard,
                    message: format!("what `{id}` newly {what} could not be computed within its budget"),
                    help: "split the change into smaller ones".to_owned(),
                    at: None,
                });
            }
        }
        let deltas = || newly_allowed.deltas.iter().chain(&newly_denied.deltas);
        let certain = deltas().any(|delta| delta.conditions.is_empty());
        let plain_allowed = self.plain(configuration, id, newly_allowed);
        let plain_denied = self.plain(configuration, id, newly_denied);
        let list = |found| flows::list(found, &self.change.store, self.names);
        let (allowed, newly_allowed_total) = list(&plain_allowed);
        let (denied, newly_denied_total) = list(&plain_denied);
        let newly_allowed_witness = self.first(configuration, id, newly_allowed, Question::NewlyAllowed);
        let newly_denied_witness = self.first(configuration, id, newly_denied, Question::NewlyDenied);
        FilterReport {
            id: id.clone(),
            certainty: if certain { Certainty::Certain } else { Certainty::Possible },
            newly_allowed: allowed,
            newly_denied: denied,
            newly_allowed_total,
            newly_denied_total,
            complete: newly_allowed.complete && newly_denied.complete,
            newly_allowed_summary: flows::summary(&plain_allowed, self.names),
            newly_denied_summary: flows::summary(&plain_denied, self.names),
            newly_allowed_witness,
            newly_denied_witness,
            removed_rules: self.causes(LocationSide::Base, removed_rules),
            added_rules: self.causes(LocationSide::Head, added_rules),
            moved_rules: self.causes(LocationSide::Head, moved_rules),
        }
    }

    /// The flows without what is true of every packet that comes to the filter.
    fn plain(&self, configuration: &str, id: &str, found: &Found) -> Found {
        let Some(pair) = self.pair(configuration, id) else { return found.clone() };
        let plain = |delta: &Delta| Delta { region: pair.plainly(&delta.region), conditions: delta.conditions.clone() };
        Found { deltas: found.deltas.iter().map(plain).collect(), complete: found.complete }
    }

    fn pair(&self, configuration: &str, id: &str) -> Option<&FilterPair<'c>> {
        let found = self.pairs.binary_search_by_key(&(configuration, id), |pair| (pair.configuration, pair.id));
        self.pairs.get(found.ok()?)
    }

    /// A packet of the largest flow, walked through both sides.
    fn first(&mut self, configuration: &str, id: &str, found: &Found, question: Question) -> Option<WitnessReport> {
        let delta = found.deltas.first()?;
        let witness = self.pair(configuration, id).and_then(|pair| diff::witness(self.change, pair, delta, question));
        if witness.is_none() {
            self.doubt(Doubt {
                cause: Cause::Internal,
                message: format!("no packet shows the difference that was computed for `{id}`"),
                help: "this is a bug of portcullis: please report it with both files".to_owned(),
                at: None,
            });
        }
        witness.map(|witness| self.witness(&witness))
    }

    fn causes(&self, side: LocationSide, rules: &[Span]) -> Causes {
        let locations = rules.iter().take(CAUSES).map(|span| self.location(side, *span)).collect();
        Causes { total: rules.len(), locations }
    }

    fn object(&self, object: &diff::ObjectChange) -> ObjectReport {
        let diff::ObjectChange { kind, address, base, head, uncomputed, elements } = object;
        ObjectReport {
            kind: (*kind).to_owned(),
            address: escape(address.as_bytes()),
            base: base.map(|span| self.location(LocationSide::Base, span)),
            head: head.map(|span| self.location(LocationSide::Head, span)),
            uncomputed: uncomputed.map(str::to_owned),
            elements: elements.as_ref().map(|elements| {
                let diff::ElementsChange { added: (added, added_total), removed: (removed, removed_total) } = elements;
                let list = |elements: &[String]| elements.iter().map(|one| escape(one.as_bytes())).collect();
                ElementsReport {
                    added: list(added),
                    added_total: *added_total,
                    removed: list(removed),
                    removed_total: *removed_total,
                }
            }),
        }
    }

    fn finding(&mut self, finding: Finding, waived: &mut Waived<'_>) -> FindingReport {
        let fingerprint = fingerprint(&finding, &self.change.store);
        let waiver = waived.accept(&finding, &fingerprint);
        let (asked, approvals) = match (finding.level, &waiver) {
            (checks::Level::Approve, None) => self.approvals(&finding),
            (checks::Level::Block | checks::Level::Approve | checks::Level::Warn | checks::Level::Off, _) => {
                (Consequence::NeedsApproval, Approvals::default())
            }
        };
        let Finding {
            entry: _,
            check,
            name,
            level,
            idle: _,
            undecided: _,
            message,
            help,
            configuration,
            filter,
            flow,
            witness,
            unlisted: _,
            removes: _,
            request,
            location,
            related,
            policy,
            approvals: _,
        } = finding;
        let (level, outcome) = match level {
            checks::Level::Block => (Level::Block, Consequence::Blocked),
            checks::Level::Approve => (Level::Approve, asked),
            checks::Level::Warn => (Level::Warn, Consequence::Warned),
            checks::Level::Off => (Level::Off, Consequence::Warned),
        };
        let outcome = if waiver.is_some() { Consequence::Waived } else { outcome };
        let flow = flow.map(|(region, conditions)| flows::show(&region, &conditions, &self.change.store, self.names));
        FindingReport {
            check: check.to_owned(),
            name,
            level,
            outcome,
            message,
            help,
            configuration,
            filter,
            flow,
            witness: witness.map(|witness| self.witness(&witness)),
            request: request.map(|request| self.request(&request)),
            location: location.map(|(side, span)| self.location(self::side(side), span)),
            related: related.iter().take(RELATED).map(|related| self.related(*related)).collect(),
            policy_location: policy.map(|span| self.location(LocationSide::Policy, span)),
            fingerprint,
            approvals,
            waiver,
        }
    }

    fn related(&self, (what, side, span): (&'static str, Side, Span)) -> RelatedReport {
        RelatedReport { what: what.to_owned(), location: self.location(self::side(side), span) }
    }

    fn witness(&self, witness: &Witness) -> WitnessReport {
        let Witness { packet, assumed, base, head } = witness;
        WitnessReport {
            packet: show_packet(packet),
            assumed: assumptions(&self.change.store, assumed),
            base: (!self.change.is_alone()).then(|| self.answer(base)),
            head: self.answer(head),
        }
    }

    fn answer(&self, answer: &diff::Answer) -> AnswerReport {
        let diff::Answer { allowed, by, path } = answer;
        let place = by.map(|span| self.sources.locate(span));
        AnswerReport {
            answer: if *allowed { Answer::Allow } else { Answer::Deny },
            line: place.as_ref().map(|place| place.line),
            column: place.as_ref().map(|place| place.column),
            path: place.map(|place| place.path),
            chains: path.clone(),
            span: *by,
        }
    }

    pub(super) fn location(&self, side: LocationSide, span: Span) -> Location {
        location(self.sources, side, span)
    }

    fn gaps(&self) -> Vec<GapReport> {
        let sides = [(LocationSide::Base, &self.change.base), (LocationSide::Head, &self.change.head)];
        let of = |(side, snapshot): (LocationSide, &Snapshot)| -> Vec<GapReport> {
            let gap = |gap: &crate::model::Gap| GapReport {
                configuration: gap.configuration.clone(),
                side,
                location: self.location(side, gap.origin),
                text: quote(self.sources, gap.origin),
                reason: gap.reason.clone(),
            };
            snapshot.gaps().iter().map(gap).collect()
        };
        sides.into_iter().flat_map(of).collect()
    }

    pub(super) fn doubt(&mut self, doubt: Doubt) {
        let Doubt { cause, message, help, at } = doubt;
        let location = at.map(|(side, span)| self.location(side, span));
        let doubt = DoubtReport { cause, check: None, message, help, location, policy_location: None };
        self.doubts.push((self.order.clone(), doubt));
    }

    /// What a check could not find out, whatever its level.
    fn unanswered(&mut self, why: checks::Undecided, finding: Finding) {
        let cause = match why {
            checks::Undecided::TooHard => Cause::TooHard,
            checks::Undecided::MissingFact => Cause::MissingFact,
            checks::Undecided::MatchesNothing => Cause::MatchesNothing,
            checks::Undecided::Unreadable => Cause::Source,
            checks::Undecided::Internal => Cause::Internal,
        };
        let doubt = DoubtReport {
            cause,
            check: Some(finding.check.to_owned()),
            location: finding.location.map(|(side, span)| self.location(self::side(side), span)),
            policy_location: finding.policy.map(|span| self.location(LocationSide::Policy, span)),
            message: finding.message,
            help: finding.help,
        };
        self.doubts.push((self.order.clone(), doubt));
    }

    /// Objects that differ with an effect that is not computed, unless a check has said so already.
    fn uncomputed(&mut self, difference: &Difference) {
        for configuration in &difference.configurations {
            self.order = Order::of(Matter::Uncomputed, &configuration.name);
            let diff::ObjectsDifference { added, removed, modified } = &configuration.objects;
            for object in added.iter().chain(removed).chain(modified) {
                let Some(effect) = object.uncomputed else { continue };
                let places = [(LocationSide::Head, object.head), (LocationSide::Base, object.base)];
                let at = places.into_iter().find_map(|(side, span)| span.map(|span| (side, span)));
                let known = |(_, doubt): &(Order, DoubtReport)| {
                    doubt.location.as_ref().and_then(|l| l.span) == at.map(|(_, span)| span)
                };
                if at.is_some() && self.doubts.iter().any(known) {
                    continue;
                }
                let address = escape(object.address.as_bytes());
                self.doubt(Doubt {
                    cause: Cause::NotComputed,
                    message: format!(
                        "{} `{address}` differs, and what that does is not computed: {effect}",
                        object.kind
                    ),
                    help: "have somebody look who knows what it does".to_owned(),
                    at,
                });
            }
        }
    }

    fn stats(&self, configurations: &[ConfigurationReport]) -> Stats {
        let rules = |snapshot: &Snapshot| snapshot.configurations().iter().map(|c| c.rule_count()).sum();
        let filters = || configurations.iter().flat_map(|c| &c.filters);
        Stats {
            configurations: self.change.pairs().len(),
            changed: configurations.iter().filter(|c| c.change != ChangeKind::Unchanged).count(),
            filters: self.pairs.len(),
            base_rules: rules(&self.change.base),
            head_rules: rules(&self.change.head),
            newly_allowed: filters().map(|f| f.newly_allowed_total).sum(),
            newly_denied: filters().map(|f| f.newly_denied_total).sum(),
        }
    }
}

/// The same for the same check, configuration, filter and packets, wherever the lines stand and whatever the
/// policy calls the networks. A finding that is not about packets is told apart by its message.
#[must_use]
pub fn fingerprint(finding: &Finding, store: &Store) -> String {
    let what = match (&finding.flow, &finding.request) {
        (Some((region, conditions)), _) => flows::show(region, conditions, store, &NoNames),
        (None, Some(request)) => format!("{}\n{:?}", request.what.join("\n"), request.effect()),
        (None, None) => finding.message.clone(),
    };
    let mut hash = Sha256::new();
    let parts = [Some(finding.check), finding.configuration.as_deref(), finding.filter.as_deref(), Some(&what)];
    for part in parts {
        hash.update(part.unwrap_or_default());
        hash.update([0]);
    }
    hex(&hash.finalize())
}

/// What was assumed of opaque conditions, readable.
pub(super) fn assumptions(store: &Store, literals: &[Literal]) -> Vec<String> {
    let word = |literal: &Literal| if literal.holds { "if" } else { "unless" };
    literals.iter().map(|l| format!("{} {}", word(l), escape(store.opaque_text(l.opaque).as_bytes()))).collect()
}

pub(super) fn location(sources: &SourceMap, side: LocationSide, span: Span) -> Location {
    let place = sources.locate(span);
    Location {
        side,
        path: place.path,
        line: place.line,
        column: place.column,
        end_line: place.end_line,
        end_column: place.end_column,
        span: Some(span),
    }
}

pub(super) const fn side(side: Side) -> LocationSide {
    match side {
        Side::Base => LocationSide::Base,
        Side::Head => LocationSide::Head,
    }
}

/// The text of a span, cut: a gap may be a whole file.
fn quote(sources: &SourceMap, span: Span) -> String {
    let end = span.end.min(span.start.saturating_add(u32::try_from(QUOTED).expect("small")));
    let mut text = sources.show(Span { end, ..span });
    if end < span.end {
        text.push('…');
    }
    text
}
