//! What is left when a line has been gone through: whether its matches may stand there, and one condition for each.

use super::extensions::{Meaning, Spec, Truth};
use super::lower::Lowering;
use super::meaning::{Claim, Meant, Term, Verdict};
use super::normal;
use super::refusals::{self, Extension, Given, check_together, has_ports};
use super::ruleset::TableKind;
use super::syntax::{Kind, Match, Part};
use crate::net::{Field, Set, State};

impl<'t> Lowering<'t> {
    /// Turns the opaque options of each match into one condition a match, and closes the account.
    pub(super) fn finish(mut self) -> Meant<'t> {
        let mut unknowns = std::mem::take(&mut self.unknowns);
        unknowns.sort_by_key(|(of, _)| *of);
        for group in unknowns.chunk_by(|(a, _), (b, _)| a == b) {
            self.condition(group);
        }
        if !self.meant.refused {
            self.check_matches(&unknowns);
        }
        if self.meant.refused {
            self.conditions.clear();
            self.meant.verdict = Verdict::Any(String::new());
        }
        self.meant.conditions = self.conditions;
        self.meant
    }

    /// Whether each match may stand here, with its options. Of those without one some are conditions by themselves.
    fn check_matches(&mut self, unknowns: &[(usize, Part<'t>)]) {
        for of in 0..self.matches.len() {
            let Match { module: Some(module), name } = &self.matches[of] else { continue };
            let (module, name) = (*module, name.clone());
            let options: Vec<&'static Spec> =
                self.given.iter().filter(|(given, _)| *given == of).map(|(_, spec)| *spec).collect();
            let shown = name.show();
            let what = Extension("-m", &shown);
            self.place(what, &module.demands, &options);
            self.meant.placed |= matches!(module.name, "policy" | "physdev");
            let given = Given { what, options: &options, table: self.table, hook: self.hook };
            let modelled = module.options.iter().any(|spec| spec.meaning != Meaning::Condition);
            let bare = modelled && options.is_empty() && !has_ports(module);
            if let Err(reason) = refusals::check(&module.demands, &given) {
                self.refuse(of, reason);
            } else if bare {
                self.refuse(of, format!("`{what}` lacks an option: iptables-restore refuses the line"));
            } else if !modelled && unknowns.iter().all(|(used, _)| *used != of) {
                self.unknown(format!("-m {}", module.name), true, module.truth, vec![String::new()], name.at());
            }
        }
    }

    /// The real program would not take the line, for what its match says.
    fn refuse(&mut self, of: usize, reason: String) {
        self.meant.refused = true;
        let end = self.matches[of].name.end;
        if let Some((_, claim)) = self.meant.claims.iter_mut().find(|(claimed, _)| claimed.end == end) {
            *claim = Claim::Gap(reason);
        }
    }

    fn condition(&mut self, group: &[(usize, Part<'t>)]) {
        let Some((number, first)) = group.first() else { return };
        let Some(module) = self.matches[*number].module else { return };
        let parts = || group.iter().map(|(_, part)| part);
        let word = |name: &str| {
            parts().find_map(|part| {
                let Kind::Option { of: _, spec, values } = &part.kind else { return None };
                if spec.name == name { values.first().map(|word| word.show().into_owned()) } else { None }
            })
        };
        let has = |name: &str| parts().any(|part| matches!(&part.kind, Kind::Option { spec, .. } if spec.name == name));
        // The mark is read by two matches of other names too (libxt_rpfilter, libxt_socket writes it).
        let truth = if has("validmark") {
            Truth::Marks
        } else if has("tcp-option") {
            Truth::Bytes
        } else {
            module.truth
        };
        let of: Vec<String> = match truth {
            Truth::Recent => vec![word("name").unwrap_or_else(|| "DEFAULT".to_owned())],
            Truth::Sets => ["match-set", "set"].into_iter().filter_map(word).collect(),
            Truth::Buckets => word("hashlimit-name").into_iter().collect(),
            Truth::Counters => {
                ["rateest", "rateest1", "rateest2", "nfacct-name"].into_iter().filter_map(word).collect()
            }
            Truth::Packet | Truth::Occurrence | Truth::Marks | Truth::Hops | Truth::Service | Truth::Bytes => {
                vec![String::new()]
            }
        };
        if truth == Truth::Sets {
            self.meant.sets.extend(of.iter().map(|of| (of.clone(), first.at.clone())));
        }
        let writes = match truth {
            Truth::Recent => has("set") || has("update") || has("remove"),
            Truth::Buckets => true,
            Truth::Counters => has("nfacct-name"),
            Truth::Packet
            | Truth::Occurrence
            | Truth::Marks
            | Truth::Sets
            | Truth::Hops
            | Truth::Service
            | Truth::Bytes => false,
        };
        if writes {
            self.meant.writes.extend(of.iter().map(|of| (truth, of.clone())));
        }
        if has("restore-skmark") || (module.name == "connlabel" && has("set")) {
            self.meant.writes.push((Truth::Marks, String::new()));
        }
        if module.name == "recent" && has("set") {
            // xt_recent.c: `--set` notes the address and is true, `! --set` notes it and is not.
            if parts().any(|part| part.negated) {
                self.conditions.push(Vec::new());
            }
            let named = self.matches[*number].name.at();
            for (at, claim) in &mut self.meant.claims {
                if at.end == named.end || parts().any(|part| part.at == *at) {
                    *claim = Claim::Inert("always true; what it notes is read by other rules, which notice it");
                }
            }
            return;
        }
        // Before tracking there are connections of which the state that the model has says nothing.
        let of_connection = module.needs_connection() && self.table != TableKind::Raw;
        let said = normal::said(module, parts(), self.family);
        let refused = check_together(module, &said, self.hook, self.protocol).err();
        let (text, holds) = normal::condition(module, said, module.is_total() || of_connection);
        self.unknown(text, holds, truth, of, first.at.clone());
        if let Some(reason) = refused {
            self.refuse(*number, reason);
        }
        if of_connection {
            let tracked: Set = [State::New, State::Established, State::Related].map(State::value).into_iter().collect();
            let number = *number;
            let with_state = self.given.iter().any(|(of, spec)| *of == number && spec.meaning == Meaning::States);
            let untracked = tracked.complement(State::ALL.len() as u128 - 1);
            let asked = |terms: &Vec<Term>| !matches!(&terms[..], [Term::Field(Field::State, set)] if !set.overlaps(&untracked));
            if !with_state {
                self.field(Field::State, tracked);
            } else if self.conditions.iter().all(asked)
                && let Some(terms) = self.conditions.last_mut()
            {
                // `conntrack_mt` looks at the state first, and at nothing else where there is no connection.
                terms.push(Term::Field(Field::State, untracked));
            }
        }
    }
}
