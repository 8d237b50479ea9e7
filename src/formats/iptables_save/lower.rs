//! Syntax to meaning: what the arguments of one line demand of a packet and do with it, as iptables(8) and
//! iptables-extensions(8) say. Every arm is written out.
//!
//! Packets are whole datagrams here: where connection tracking is loaded Linux puts fragments together before any hook. Only
//! `-f` speaks of later fragments; where a configuration uses it, matches on ports, flags and ICMP types demand that the packet is
//! not one (their headers are not in it).

use super::extensions::{Effect, Meaning, Spec, Truth};
use super::meaning::{Claim, Meant, Order, Term, Unknown, Verdict};
use super::normal;
use super::refusals::{
    check_condition, check_table, check_target, check_target_option, has_ports, is_invertible, is_mac, is_same,
    may_be_negated, needed, needs_protocol, never_native,
};
use super::ruleset::TableKind;
use super::syntax::{Command, Kind, Match, Part};
use super::values::{self, Addresses};
use super::words::Word;
use crate::model::Action;
use crate::net::{Family, Field, Set, State};
use std::fmt::Write as _;
use std::ops::Range;

/// Understands a line of a table for one family. `fragments`: the configuration asks for fragments somewhere.
pub(super) fn lower<'t>(command: Command<'t>, table: TableKind, family: Family, fragments: bool) -> Meant<'t> {
    let Command { parts, matches } = command;
    let mut lowering = Lowering {
        table,
        family,
        fragments,
        protocol: None,
        named: 0,
        negated: false,
        several: false,
        matches,
        conditions: Vec::new(),
        unknowns: Vec::new(),
        given: Vec::new(),
        seen: Vec::new(),
        target_options: Vec::new(),
        meant: Meant {
            order: None,
            only: None,
            conditions: Vec::new(),
            verdict: Verdict::Action(Action::Continue),
            comment: None,
            writes: Vec::new(),
            sets: Vec::new(),
            beside: None,
            fragments: false,
            no_mac: false,
            claims: Vec::with_capacity(parts.len()),
            refused: false,
        },
    };
    lowering.protocol = lowering.find_protocol(&parts);
    let option =
        |part: &Part<'t>| if let Kind::TargetOption { spec, .. } = &part.kind { Some(spec.name) } else { None };
    lowering.target_options.extend(parts.iter().filter_map(option));
    for part in parts {
        lowering.part(part);
    }
    lowering.finish()
}

struct Lowering<'t> {
    table: TableKind,
    family: Family,
    fragments: bool,
    /// The one protocol the rule is about, if it is one.
    protocol: Option<u8>,
    /// The protocol of a `-p` before this point, negated or not; 0: none.
    named: u8,
    /// An address option before this point is negated; one lists several addresses.
    negated: bool,
    several: bool,
    matches: Vec<Match<'t>>,
    conditions: Vec<Vec<Term>>,
    /// The opaque options of each match, by its index.
    unknowns: Vec<(usize, Part<'t>)>,
    /// The options that stand there, with the match that each belongs to.
    given: Vec<(usize, &'static Spec)>,
    /// What may stand once only.
    seen: Vec<&'static str>,
    target_options: Vec<&'static str>,
    meant: Meant<'t>,
}

type Lowered = Result<Claim, String>;

impl<'t> Lowering<'t> {
    fn find_protocol(&self, parts: &[Part<'t>]) -> Option<u8> {
        parts.iter().find_map(|part| {
            let Kind::Protocol(word) = &part.kind else { return None };
            values::protocol(word).ok().filter(|number| *number != 0 && !part.negated)
        })
    }

    fn part(&mut self, part: Part<'t>) {
        let at = part.at.clone();
        let claim = self.kind(part).unwrap_or_else(|reason| {
            self.meant.refused = true;
            Claim::Gap(reason)
        });
        self.meant.claims.push((at, claim));
    }

    fn kind(&mut self, part: Part<'t>) -> Lowered {
        let Part { at, negated, kind } = part;
        if negated && !may_be_negated(&kind) {
            return Err("`!` cannot stand before this option: iptables-restore refuses the line".to_owned());
        }
        match kind {
            Kind::Counters => Ok(Claim::Inert("counters")),
            Kind::Family(family) => {
                self.meant.only = Some(family);
                Ok(Claim::Modelled)
            }
            Kind::Append(chain) => self.order(Order::Append(chain)),
            Kind::Insert(chain, number) => {
                let position = match &number {
                    None => Some(1),
                    Some(word) => word.ascii().and_then(values::number).and_then(|n| usize::try_from(n).ok()),
                };
                match position.filter(|n| *n > 0) {
                    Some(position) => self.order(Order::Insert(chain, position)),
                    None => Err("the position of `-I` is not a number from 1 on".to_owned()),
                }
            }
            Kind::New(chain) => self.order(Order::New(chain)),
            Kind::Policy(chain, policy) => self.order(Order::Policy(chain, policy)),
            Kind::OtherCommand(what) => {
                Err(format!("the command {what}; what earlier rules it concerns is not followed"))
            }
            Kind::Source(word) => self.addresses("-s", Field::Source, negated, &word, at),
            Kind::Destination(word) => self.addresses("-d", Field::Destination, negated, &word, at),
            Kind::Protocol(word) => self.protocol(negated, &word),
            Kind::Input(word) => self.interface("-i", Field::Input, negated, &word),
            Kind::Output(word) => self.interface("-o", Field::Output, negated, &word),
            Kind::Fragment => {
                self.once("-f")?;
                if self.family == Family::Ipv6 {
                    return Err("`-f` is not known to ip6tables (it has `-m frag`)".to_owned());
                }
                self.meant.fragments = true;
                self.field(Field::LaterFragment, Set::point(u128::from(!negated)));
                Ok(Claim::Modelled)
            }
            Kind::Manner => Ok(Claim::Inert("manner of loading")),
            Kind::Match(of) => self.match_named(of),
            Kind::Option { of, spec, values } => self.option(of, spec, negated, values, at),
            Kind::Jump(name, target) => {
                self.once("-j")?;
                match target {
                    Some(target) => {
                        check_table(target.name, self.table)?;
                        check_target(target.name, &self.target_options)?;
                        self.target(target.effect, &name)
                    }
                    None => {
                        self.meant.verdict = Verdict::Jump(name);
                        Ok(Claim::Modelled)
                    }
                }
            }
            Kind::Goto(name) => {
                self.once("-j")?;
                self.meant.verdict = Verdict::Goto(name);
                Ok(Claim::Modelled)
            }
            Kind::TargetOption { spec, values } => self.target_option(spec, &values),
            Kind::Unknown { values } => {
                let text = values.iter().map(normal::quote).collect::<Vec<_>>().join(" ");
                let name = values.first().map(Word::show).unwrap_or_default();
                let reason = format!("the option `{name}` is not known here");
                self.unknown(text, !negated, Truth::Packet, Vec::new(), at);
                Ok(Claim::Gap(reason))
            }
            Kind::Refused(reason) => Err(reason),
        }
    }

    fn order(&mut self, order: Order<'t>) -> Lowered {
        if self.meant.order.is_some() {
            return Err("two commands stand on one line".to_owned());
        }
        self.meant.order = Some(order);
        Ok(Claim::Modelled)
    }

    fn once(&mut self, what: &'static str) -> Result<(), String> {
        if self.seen.contains(&what) {
            return Err(format!("`{what}` stands twice: iptables-restore refuses the line"));
        }
        self.seen.push(what);
        Ok(())
    }

    fn field(&mut self, field: Field, set: Set) {
        self.conditions.push(vec![Term::Field(field, set)]);
    }

    fn unknown(&mut self, text: String, holds: bool, truth: Truth, of: Vec<String>, at: Range<usize>) {
        self.conditions.push(vec![Term::Opaque(Unknown { text, holds, truth, of, place: String::new(), at })]);
    }

    fn addresses(
        &mut self,
        option: &'static str,
        field: Field,
        negated: bool,
        word: &Word<'t>,
        at: Range<usize>,
    ) -> Lowered {
        self.once(option)?;
        let found = values::addresses(word, self.family)?;
        self.negated |= negated;
        self.several |= word.text.contains(&b',');
        if self.negated && self.several {
            return Err("`!` with several addresses: iptables-restore refuses the line".to_owned());
        }
        match found {
            Addresses::Set(set) => {
                let set = if negated { set.complement(field.max(self.family)) } else { set };
                self.conditions.push(vec![Term::Address(field, self.family, set)]);
                Ok(Claim::Modelled)
            }
            Addresses::Name => {
                self.unknown(format!("{option} {}", word.show()), !negated, Truth::Packet, Vec::new(), at);
                Ok(Claim::Opaque("host name"))
            }
            Addresses::Scattered => {
                self.unknown(format!("{option} {}", word.show()), !negated, Truth::Packet, Vec::new(), at);
                Ok(Claim::Opaque("mask with holes"))
            }
        }
    }

    fn protocol(&mut self, negated: bool, word: &Word<'t>) -> Lowered {
        self.once("-p")?;
        self.named = values::protocol(word)?;
        match (self.named, negated) {
            (0, true) => Err("`! -p all` never matches: iptables-restore refuses the line".to_owned()),
            (0, false) => Ok(Claim::Modelled),
            (number, negated) => {
                let set = Set::point(number.into());
                self.field(Field::Protocol, if negated { set.complement(255) } else { set });
                Ok(Claim::Modelled)
            }
        }
    }

    fn interface(&mut self, option: &'static str, field: Field, negated: bool, word: &Word<'t>) -> Lowered {
        self.once(option)?;
        let chain = match &self.meant.order {
            Some(Order::Append(chain) | Order::Insert(chain, _)) => &*chain.text,
            Some(Order::New(_) | Order::Policy(_, _)) | None => b"",
        };
        let impossible = if field == Field::Input {
            matches!(chain, b"OUTPUT" | b"POSTROUTING")
        } else {
            matches!(chain, b"INPUT" | b"PREROUTING")
        };
        if impossible {
            return Err(format!(
                "`{option}` cannot stand in {}: iptables-restore refuses it",
                crate::text::escape(chain)
            ));
        }
        let set = values::interfaces(word)?;
        self.field(field, if negated { set.complement(u128::MAX) } else { set });
        Ok(Claim::Modelled)
    }

    fn match_named(&mut self, of: usize) -> Lowered {
        let Match { module, name } = &self.matches[of];
        let Some(module) = module else {
            let (name, at) = (name.show(), name.at());
            self.unknown(format!("-m {name}"), true, Truth::Packet, Vec::new(), at);
            return Ok(Claim::Gap(format!("the match `{name}` is not known here")));
        };
        needs_protocol(module, self.protocol, self.family)?;
        let module = *module;
        if self.fragments && has_ports(module) {
            // tcp_mt and its like match no later fragment, even if nothing is asked of the ports (xt_tcpudp.c).
            self.field(Field::LaterFragment, Set::point(0));
        }
        Ok(match module.name {
            "comment" => Claim::Inert("comment"),
            _ if module.options.iter().any(|spec| spec.meaning != Meaning::Condition) => Claim::Modelled,
            _ => Claim::Opaque(module.name),
        })
    }

    fn option(
        &mut self,
        of: usize,
        spec: &'static Spec,
        negated: bool,
        words: Vec<Word<'t>>,
        at: Range<usize>,
    ) -> Lowered {
        let Some(module) = self.matches[of].module else { return Err("an option of no match".to_owned()) };
        needs_protocol(module, self.protocol, self.family)?;
        if self.given.iter().any(|(other, same)| *other == of && is_same(module, same, spec)) {
            return Err(format!("`--{}` stands twice: iptables-restore refuses the line", spec.name));
        }
        self.given.push((of, spec));
        let protocol = self.protocol.unwrap_or(0);
        let flip = |set: Set, max: u128| if negated { set.complement(max) } else { set };
        let ports = |set: Set| flip(set, 65535);
        match (spec.meaning, words.as_slice()) {
            (Meaning::SourcePort, [word]) => {
                let set = never_native(module, ports(values::port_range(word, protocol)?))?;
                self.in_header(vec![Term::Field(Field::SourcePort, set)])
            }
            (Meaning::DestinationPort, [word]) => {
                let set = never_native(module, ports(values::port_range(word, protocol)?))?;
                self.in_header(vec![Term::Field(Field::DestinationPort, set)])
            }
            (Meaning::SourcePorts, [word]) => {
                let set = ports(values::port_list(word, protocol)?);
                self.in_header(vec![Term::Field(Field::SourcePort, set)])
            }
            (Meaning::DestinationPorts, [word]) => {
                let set = ports(values::port_list(word, protocol)?);
                self.in_header(vec![Term::Field(Field::DestinationPort, set)])
            }
            (Meaning::EitherPorts, [word]) => {
                let set = values::port_list(word, protocol)?;
                let [source, destination] = [Field::SourcePort, Field::DestinationPort];
                if negated {
                    self.in_header(vec![Term::Field(source, set.complement(65535))])?;
                    self.in_header(vec![Term::Field(destination, set.complement(65535))])
                } else {
                    self.in_header(vec![Term::Field(source, set.clone()), Term::Field(destination, set)])
                }
            }
            (Meaning::TcpFlags, [mask, wanted]) => {
                let set = flip(values::tcp_flags(mask, wanted)?, 255);
                let asks = values::flags(mask)? != 0;
                let set = if asks { set } else { never_native(module, set)? };
                self.in_header(vec![Term::Field(Field::TcpFlags, set)])
            }
            (Meaning::Syn, []) => {
                const RELEVANT: u8 = 0b1_0111;
                let syn: Set = (0..=255u8).filter(|byte| byte & RELEVANT == 2).map(u128::from).collect();
                self.in_header(vec![Term::Field(Field::TcpFlags, flip(syn, 255))])
            }
            (Meaning::Icmp, [word]) => {
                let set = ports(values::icmp(word, protocol)?);
                self.in_header(vec![Term::Field(Field::DestinationPort, set)])
            }
            (Meaning::States, [word]) => {
                let states = values::states(word, spec.name == "ctstate")?;
                Ok(self.states(&states, negated, &at))
            }
            (Meaning::SourceRange, [word]) => self.range(Field::Source, negated, word),
            (Meaning::DestinationRange, [word]) => self.range(Field::Destination, negated, word),
            (Meaning::Comment, [word]) => {
                self.meant.comment = Some(word.text.to_vec());
                Ok(Claim::Inert("comment"))
            }
            (Meaning::Condition, _) => {
                if negated && !is_invertible(module, spec) {
                    return Err(format!("`! --{}`: iptables-restore does not take the option so", spec.name));
                }
                for word in &words {
                    check_condition(module, spec, word)?;
                    self.meant.no_mac |= module.name == "mac" && !is_mac(&word.text);
                }
                let kind = Kind::Option { of, spec, values: words };
                self.unknowns.push((of, Part { at, negated, kind }));
                Ok(Claim::Opaque(module.name))
            }
            (
                Meaning::SourcePort
                | Meaning::DestinationPort
                | Meaning::SourcePorts
                | Meaning::DestinationPorts
                | Meaning::EitherPorts
                | Meaning::TcpFlags
                | Meaning::Syn
                | Meaning::Icmp
                | Meaning::States
                | Meaning::SourceRange
                | Meaning::DestinationRange
                | Meaning::Comment
                | Meaning::OfTarget,
                _,
            ) => Err(format!("`--{}` has another number of arguments", spec.name)),
        }
    }

    /// A condition on the header behind the IP header, which later fragments do not have.
    fn in_header(&mut self, terms: Vec<Term>) -> Lowered {
        self.conditions.push(terms);
        if self.fragments {
            self.field(Field::LaterFragment, Set::point(0));
        }
        Ok(Claim::Modelled)
    }

    fn range(&mut self, field: Field, negated: bool, word: &Word<'t>) -> Lowered {
        let set = values::address_range(word, self.family)?;
        let set = if negated { set.complement(field.max(self.family)) } else { set };
        self.conditions.push(vec![Term::Address(field, self.family, set)]);
        Ok(Claim::Modelled)
    }

    /// `--ctstate NEW,DNAT` holds in one of the states or if the connection is translated (xt_conntrack.c, `conntrack_mt`).
    fn states(&mut self, states: &values::States, negated: bool, at: &Range<usize>) -> Claim {
        if self.table == TableKind::Raw {
            return self.states_before_tracking(states, negated, at);
        }
        let values::States { states, source_translated, destination_translated } = states;
        let set: Set = states.iter().map(|state| state.value()).collect();
        let bits = [("SNAT", source_translated), ("DNAT", destination_translated)];
        let bits = bits.into_iter().filter(|(_, asked)| **asked);
        let bits = bits.map(|(name, _)| {
            let text = format!("-m conntrack --ctstate {name}");
            Term::Opaque(Unknown {
                text,
                holds: !negated,
                truth: Truth::Packet,
                of: Vec::new(),
                place: String::new(),
                at: at.clone(),
            })
        });
        let bits: Vec<_> = bits.collect();
        let claim = if bits.is_empty() { Claim::Modelled } else { Claim::Opaque("conntrack") };
        if negated {
            self.field(Field::State, set.complement(State::ALL.len() as u128 - 1));
            self.conditions.extend(bits.into_iter().map(|term| vec![term]));
        } else {
            let states = (!set.is_empty()).then_some(Term::Field(Field::State, set));
            self.conditions.push(states.into_iter().chain(bits).collect());
        }
        claim
    }

    /// In `raw` a packet has no connection yet: it is invalid, unless an earlier rule there has exempted it or it has
    /// come back by `lo` with the state it got on its way out. The state of later tables says nothing about that.
    fn states_before_tracking(&mut self, states: &values::States, negated: bool, at: &Range<usize>) -> Claim {
        let values::States { states, source_translated, destination_translated } = states;
        let bits = [("snat", source_translated), ("dnat", destination_translated)];
        let bits = bits.into_iter().filter(|(_, asked)| **asked).map(|(name, _)| name);
        let names: Vec<_> = State::ALL.iter().filter(|s| states.contains(s)).map(|s| s.name()).chain(bits).collect();
        let text = format!("-m conntrack --ctstate {} before tracking", names.join(",").to_ascii_uppercase());
        self.unknown(text, !negated, Truth::Occurrence, Vec::new(), at.clone());
        Claim::Opaque("state before tracking")
    }

    fn target(&mut self, effect: Effect, name: &Word<'t>) -> Lowered {
        let (verdict, claim) = match effect {
            Effect::Accept => (Verdict::Action(Action::Accept), Claim::Modelled),
            Effect::Deny => (Verdict::Action(Action::Deny), Claim::Modelled),
            Effect::Return => (Verdict::Action(Action::Return), Claim::Modelled),
            Effect::Inert(why) => (Verdict::Action(Action::Continue), Claim::Inert(why)),
            Effect::Writes(Truth::Hops) => {
                self.meant.writes.extend([Truth::Hops, Truth::Bytes].map(|truth| (truth, String::new())));
                (Verdict::Action(Action::Continue), Claim::Modelled)
            }
            Effect::Writes(truth) => {
                self.meant.writes.push((truth, String::new()));
                if truth == Truth::Service {
                    self.meant.writes.push((Truth::Bytes, String::new()));
                }
                (Verdict::Action(Action::Continue), Claim::Inert("read by other rules, which notice it"))
            }
            Effect::Tracking | Effect::Translation { early: _ } | Effect::Copy => {
                (Verdict::Action(Action::Continue), Claim::Modelled)
            }
            Effect::Elsewhere { proxy: _ } => {
                (Verdict::Elsewhere(format!("-j {}", name.show())), Claim::Opaque("decided elsewhere"))
            }
            Effect::Any => (Verdict::Any(format!("-j {}", name.show())), Claim::Opaque("decided elsewhere")),
        };
        self.meant.beside = effect.beside();
        self.meant.verdict = verdict;
        Ok(claim)
    }

    fn target_option(&mut self, spec: &'static Spec, words: &[Word<'t>]) -> Lowered {
        for word in words {
            if spec.name != "log-prefix" && spec.name != "nflog-prefix" && values::is_template(&word.text) {
                return Err(values::refuse(word, "a value"));
            }
        }
        if let ("add-set" | "del-set" | "map-set", [name, _]) = (spec.name, words) {
            self.meant.writes.push((Truth::Sets, name.show()));
            self.meant.sets.push((name.show(), name.at()));
        }
        if let ("rateest-name", [name]) = (spec.name, words) {
            self.meant.writes.push((Truth::Counters, name.show()));
        }
        if let [word] = words {
            check_target_option(spec, word, self.family, self.protocol, self.named)?;
        }
        if spec.name == "tproxy-mark" || spec.name == "map-mark" {
            self.meant.writes.push((Truth::Marks, String::new()));
        }
        Ok(match &mut self.meant.verdict {
            Verdict::Action(Action::Deny) => Claim::Inert("what the sender is told"),
            Verdict::Action(_) if self.meant.beside.is_some() => Claim::Modelled,
            Verdict::Action(_) if self.meant.writes.is_empty() => {
                Claim::Inert("option of a target that decides nothing")
            }
            Verdict::Action(_) => Claim::Inert("read by other rules, which notice it"),
            Verdict::Jump(_) | Verdict::Goto(_) => Claim::Modelled,
            Verdict::Elsewhere(text) | Verdict::Any(text) => {
                write!(text, " --{}", spec.name).expect("writing to a String");
                for word in words {
                    write!(text, " {}", normal::quote(word)).expect("writing to a String");
                }
                Claim::Opaque("decided elsewhere")
            }
        })
    }

    /// Turns the opaque options of each match into one condition a match, and closes the account.
    fn finish(mut self) -> Meant<'t> {
        let mut unknowns = std::mem::take(&mut self.unknowns);
        unknowns.sort_by_key(|(of, _)| *of);
        for group in unknowns.chunk_by(|(a, _), (b, _)| a == b) {
            self.condition(group);
        }
        if !self.meant.refused {
            self.bare_matches(&unknowns);
        }
        if self.meant.refused {
            self.conditions.clear();
            self.meant.verdict = Verdict::Any(String::new());
        }
        self.meant.conditions = self.conditions;
        self.meant
    }

    /// Matches without an option: some are conditions by themselves, others are refused so.
    fn bare_matches(&mut self, unknowns: &[(usize, Part<'t>)]) {
        for of in 0..self.matches.len() {
            let Match { module: Some(module), name } = &self.matches[of] else { continue };
            let (name, at) = (name.show(), name.at());
            let has = |option: &&str| self.given.iter().any(|(given, spec)| *given == of && spec.name == *option);
            let alone = self.given.iter().all(|(given, _)| *given != of);
            let modelled = module.options.iter().any(|spec| spec.meaning != Meaning::Condition);
            let lacking = needed(module).iter().find(|options| !options.iter().any(&has));
            if modelled || lacking.is_some() {
                if lacking.is_some() || (alone && !has_ports(module)) {
                    self.meant.refused = true;
                    let what =
                        lacking.map_or_else(|| "an option".to_owned(), |o| format!("`--{}`", o.join("` or `--")));
                    let reason = format!("`-m {name}` lacks {what}: iptables-restore refuses the line");
                    let named = self.meant.claims.iter_mut().find(|(claimed, _)| claimed.end == at.end);
                    if let Some((_, claim)) = named {
                        *claim = Claim::Gap(reason);
                    }
                }
            } else if unknowns.iter().all(|(used, _)| *used != of) {
                self.unknown(format!("-m {}", module.name), true, module.truth, vec![String::new()], at);
            }
        }
    }

    fn condition(&mut self, group: &[(usize, Part<'t>)]) {
        let Some((number, first)) = group.first() else { return };
        let Some(module) = self.matches[*number].module else { return };
        let parts = || group.iter().map(|(_, part)| part);
        let word = |name: &str| {
            parts().find_map(|part| {
                let Kind::Option { of: _, spec, values } = &part.kind else { return None };
                if spec.name == name { values.first().map(Word::show) } else { None }
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
        let negated = parts().filter(|part| part.negated).count();
        // Before tracking there are connections of which the state that the model has says nothing.
        let of_connection = module.needs_connection() && self.table != TableKind::Raw;
        let total = module.is_total() || of_connection;
        let holds = !(negated == 1 && group.len() == 1 && total);
        let text = normal::condition(module, parts(), holds);
        self.unknown(text, holds, truth, of, first.at.clone());
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
