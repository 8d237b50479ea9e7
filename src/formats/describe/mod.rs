//! A snapshot as text: everything that was understood of the input, and how the rest was accounted for.

mod balancers;

use super::{Disposition, Note};
use crate::model::{
    Action, Chain, Configuration, Families, Filter, Flush, Gap, Object, Pick, Reference, Refill, RuleId, Snapshot,
    Stage, Store, Table,
};
use crate::net::{Family, NoNames, Region, Set, show_conditions, show_region};
use crate::text::{SourceMap, Span, escape};
use std::fmt::Write as _;

/// The model of one side, rule by rule, then what of its text is not in it and why, then the gaps.
#[must_use]
pub fn describe(snapshot: &Snapshot, notes: &[Note], sources: &SourceMap, store: &Store) -> String {
    let mut page = Page { out: String::new(), sources, store };
    for configuration in snapshot.configurations() {
        page.configuration(configuration);
    }
    page.notes(notes);
    page.gaps(snapshot.gaps());
    page.out
}

/// How much of what is not understood is shown, in bytes.
const EXCERPT: u32 = 400;

struct Page<'s> {
    out: String,
    sources: &'s SourceMap,
    store: &'s Store,
}

impl Page<'_> {
    fn line(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref());
        self.out.push('\n');
    }

    fn place(&self, at: Span) -> String {
        let place = self.sources.locate(at);
        format!("{}:{}", place.path, place.line)
    }

    fn configuration(&mut self, configuration: &Configuration) {
        let Configuration {
            name,
            format,
            tables,
            filters,
            objects,
            listeners,
            backends,
            opaques: _,
            flushes,
            undefined,
            picks,
            declarations: _,
            declares: _,
        } = configuration;
        let format = if format.is_empty() { "no known format" } else { format };
        self.line(format!("configuration {} ({format})", escape(name.as_bytes())));
        for filter in filters {
            self.filter(configuration, filter);
        }
        for table in tables {
            for chain in &table.chains {
                self.chain(table, chain);
            }
        }
        for listener in listeners {
            self.listener(listener);
        }
        for backend in backends {
            self.backend(backend);
        }
        if !objects.is_empty() {
            self.line("\nobjects");
        }
        for object in objects {
            self.object(object);
        }
        for Flush { kind, address, origin, refill } in flushes {
            let refill = match refill {
                Refill::Here => "and fills it again".to_owned(),
                Refill::Elsewhere(at) => format!("which {} fills again", self.place(*at)),
                Refill::Nowhere => "which nothing fills again".to_owned(),
            };
            let place = self.place(*origin);
            let gap = if address.is_empty() { "" } else { " " };
            self.line(format!("\n{place} flushes the {kind}{gap}{address}, {refill}"));
        }
        for Pick { list, part, origin } in picks {
            self.line(format!("takes {part} of {list} ({})", self.place(*origin)));
        }
        for Reference { kind, address, origin } in undefined {
            let place = self.place(*origin);
            self.line(format!("\n{place} uses the {kind} {address}, which nothing declares"));
        }
    }

    fn filter(&mut self, configuration: &Configuration, filter: &Filter) {
        let Filter { id, domain, stages, absent } = filter;
        self.line(format!("\nfilter {}, without it {}", escape(id.as_bytes()), if *absent { "allow" } else { "deny" }));
        for region in domain {
            self.line(format!("  packets  {}", show_region(region, &NoNames)));
        }
        for Stage { table, chain, families, otherwise, otherwise_at } in stages {
            let path = format!(
                "{}/{}",
                configuration.table(*table).name,
                configuration.chain_name(self.store, *table, *chain)
            );
            let said = otherwise_at.map_or_else(String::new, |at| format!(" ({})", self.place(at)));
            let families = self.families(*families);
            let otherwise = self.action(*otherwise);
            self.line(format!("  stage    {path} for {families}, otherwise {otherwise}{said}"));
        }
    }

    fn chain(&mut self, table: &Table, chain: &Chain) {
        let Chain { name, declared, rules, origins } = chain;
        let declared = declared.map_or_else(|| "not declared".to_owned(), |at| self.place(at));
        self.line(format!("\nchain {}/{} ({declared})", table.name, escape(self.store.name(*name))));
        for (rule, origin) in rules.iter().zip(origins.iter()) {
            self.rule(*rule, origin);
        }
    }

    fn rule(&mut self, id: RuleId, origin: Span) {
        let rule = self.store.get(id);
        let place = self.place(origin);
        let action = self.action(rule.action());
        let literals = self.store.literals(id).iter();
        let mut conditions: Vec<_> = literals.map(|l| (l.holds, self.store.opaque_text(l.opaque))).collect();
        conditions.sort_by_key(|(_, text)| *text);
        let conditions = show_conditions(conditions);
        let comment = self.store.comment(id).map_or_else(String::new, |text| format!("  # {}", escape(text)));
        let families: Vec<Family> =
            Family::ALL.into_iter().filter(|family| rule.families().contains(*family)).collect();
        if families.is_empty() {
            self.line(format!("  {place}  {action}  never{conditions}{comment}"));
        }
        for family in families {
            let mut region = Region::all(family);
            for (field, ranges) in self.store.ranges(id, family) {
                region.restrict(field, &Set::from_ranges(ranges.iter()));
            }
            let flow = show_region(&region, &NoNames);
            self.line(format!("  {place}  {action}  {flow}{conditions}{comment}"));
        }
    }

    fn families(&self, families: Families) -> &'static str {
        match (families.contains(Family::Ipv4), families.contains(Family::Ipv6)) {
            (true, true) => "IPv4 and IPv6",
            (true, false) => "IPv4",
            (false, true) => "IPv6",
            (false, false) => "no family",
        }
    }

    fn action(&self, action: Action) -> String {
        match action {
            Action::Accept => "accept".to_owned(),
            Action::Deny => "deny".to_owned(),
            Action::Return => "return".to_owned(),
            Action::Jump(chain) => format!("jump {}", escape(self.store.name(chain))),
            Action::Goto(chain) => format!("goto {}", escape(self.store.name(chain))),
            Action::Continue => "continue".to_owned(),
        }
    }

    fn object(&mut self, object: &Object) {
        let Object { kind, address, content, elements, members: _, owner: _, origin, uncomputed, stays, rewritten } =
            object;
        let place = self.place(*origin);
        let mut text = format!("  {place}  {kind} {address}");
        if let Some(count) = elements {
            write!(text, ", {count} elements").expect("writing to a String");
        }
        if !content.is_empty() {
            write!(text, ": {content}").expect("writing to a String");
        }
        if let Some(uncomputed) = uncomputed {
            write!(text, "; if it changes, {uncomputed}").expect("writing to a String");
        }
        if let Some(rewritten) = rewritten {
            write!(text, "; if it says something else, {rewritten}").expect("writing to a String");
        }
        if let Some(stays) = stays {
            write!(text, "; if it goes, {stays}").expect("writing to a String");
        }
        self.line(text);
    }

    fn notes(&mut self, notes: &[Note]) {
        if !notes.is_empty() {
            self.line("\nnot in the model");
        }
        for Note { origin, disposition } in notes {
            let (place, text) = (self.place(*origin), self.sources.show(*origin));
            let what = match disposition {
                Disposition::Modelled => "modelled".to_owned(),
                Disposition::Inert(why) => format!("inert ({why})"),
                Disposition::Opaque(what) => format!("opaque ({what})"),
            };
            self.line(format!("  {place}  {what}  `{text}`"));
        }
    }

    fn gaps(&mut self, gaps: &[Gap]) {
        if !gaps.is_empty() {
            self.line("\ngaps");
        }
        for Gap { configuration: _, origin, reason } in gaps {
            let end = origin.end.min(origin.start.saturating_add(EXCERPT));
            let more = if end < origin.end { "…" } else { "" };
            let (place, text) = (self.place(*origin), self.sources.show(Span { end, ..*origin }));
            self.line(format!("  {place}  {reason}  `{text}`{more}"));
        }
    }
}
