//! Syntax to meaning: what the arguments of one line demand of a packet and do with it, as iptables(8) and
//! iptables-extensions(8) say. Every arm is written out.
//!
//! Packets are whole datagrams here: where connection tracking is loaded Linux puts fragments together before any hook. Only
//! `-f` speaks of later fragments; where a configuration uses it, matches on ports, flags and ICMP types demand that the packet is
//! not one (their headers are not in it).

use super::extensions::{Demands, Effect, Meaning, Spec, Target, Truth};
use super::meaning::{Claim, Meant, Order, Term, Unknown, Verdict};
use super::normal;
use super::refusals::{
    self, Extension, Given, check_condition, check_target_option, fits, has_ports, is_invertible, is_mac, is_same,
    is_told, limits, may_be_negated, never_native,
};
use super::ruleset::{Hook, TableKind};
use super::syntax::{Command, Kind, Match, Part};
use super::values::{self, Addresses};
use super::words::Word;
use crate::model::Action;
use crate::net::{Family, Field, Set, State};
use std::ops::Range;

/// Understands a line of a table for one family. `fragments`: the configuration asks for fragments somewhere.
pub(super) fn lower<'t>(command: Command<'t>, table: TableKind, family: Family, fragments: bool) -> Meant<'t> {
    let Command { parts, matches } = command;
    let mut lowering = Lowering {
        table,
        family,
        fragments,
        protocol: None,
        hook: None,
        told: String::new(),
        named: 0,
        negated: false,
        several: false,
        matches,
        conditions: Vec::with_capacity(parts.len()),
        unknowns: Vec::new(),
        given: Vec::new(),
        seen: Vec::with_capacity(parts.len()),
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
            hooks: Vec::new(),
            placed: false,
            refused: false,
        },
    };
    lowering.look_ahead(&parts);
    for part in parts {
        lowering.part(part);
    }
    lowering.finish()
}

/// A line in the course of being understood.
pub(super) struct Lowering<'t> {
    pub(super) table: TableKind,
    pub(super) family: Family,
    pub(super) fragments: bool,
    /// The one protocol the rule is about, if it is one.
    pub(super) protocol: Option<u8>,
    /// Where the chain stands, if the table has it by itself.
    pub(super) hook: Option<Hook>,
    /// The target and its options, where somebody else decides by them.
    pub(super) told: String,
    /// The protocol of a `-p` before this point, negated or not; 0: none.
    pub(super) named: u8,
    /// An address option before this point is negated; one lists several addresses.
    pub(super) negated: bool,
    pub(super) several: bool,
    pub(super) matches: Vec<Match<'t>>,
    pub(super) conditions: Vec<Vec<Term>>,
    /// The opaque options of each match, by its index.
    pub(super) unknowns: Vec<(usize, Part<'t>)>,
    /// The options that stand there, with the match that each belongs to.
    pub(super) given: Vec<(usize, &'static Spec)>,
    /// What may stand once only.
    pub(super) seen: Vec<&'static str>,
    pub(super) target_options: Vec<&'static Spec>,
    pub(super) meant: Meant<'t>,
}

type Lowered = Result<Claim, String>;

impl<'t> Lowering<'t> {
    /// Notes what the parts before it depend on.
    fn look_ahead(&mut self, parts: &[Part<'t>]) {
        for Part { at: _, negated, kind } in parts {
            match kind {
                Kind::Protocol(word) if self.protocol.is_none() && !negated => {
                    self.protocol = values::protocol(word).ok().filter(|number| *number != 0);
                }
                Kind::Append(chain) | Kind::Insert(chain, _) => self.hook = self.table.hook(&chain.text),
                Kind::TargetOption { spec, .. } => self.target_options.push(spec),
                Kind::Jump(_, Some(Target { effect: Effect::Elsewhere { .. } | Effect::Any, .. })) => {
                    self.told = normal::target(parts, self.family);
                }
                Kind::Counters
                | Kind::Family(_)
                | Kind::New(_)
                | Kind::Policy(_, _)
                | Kind::OtherCommand(_)
                | Kind::Source(_)
                | Kind::Destination(_)
                | Kind::Protocol(_)
                | Kind::Input(_)
                | Kind::Output(_)
                | Kind::Fragment
                | Kind::Manner
                | Kind::Match(_)
                | Kind::Option { .. }
                | Kind::Jump(_, _)
                | Kind::Goto(_)
                | Kind::Unknown { .. }
                | Kind::Refused(_) => {}
            }
        }
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
                        let Target { name, effect, options: _, demands } = target;
                        let what = Extension("-j", name);
                        self.place(what, demands, &self.target_options.clone());
                        let (table, hook) = (self.table, self.hook);
                        refusals::check(demands, &Given { what, options: &self.target_options, table, hook })?;
                        fits(what, demands, self.protocol, self.family)?;
                        self.target(*effect)
                    }
                    None => {
                        self.not_builtin(&name)?;
                        self.meant.verdict = Verdict::Jump(name);
                        Ok(Claim::Modelled)
                    }
                }
            }
            Kind::Goto(name) => {
                self.once("-j")?;
                self.not_builtin(&name)?;
                self.meant.verdict = Verdict::Goto(name);
                Ok(Claim::Modelled)
            }
            Kind::TargetOption { spec, values } => self.target_option(spec, &values),
            Kind::Unknown { values } => {
                let text = normal::words(&values);
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

    /// Notes in which chains an extension may stand.
    pub(super) fn place(&mut self, what: Extension<'_>, demands: &Demands, options: &[&'static Spec]) {
        // Of MAC addresses there are too many to follow each into the chains that lead to it.
        let follows = limits(self.table, demands.hooks) && self.hook.is_none() && what != Extension("-m", "mac");
        if follows {
            self.meant.hooks.push((what.to_string(), demands.hooks));
        }
        let is_told = |hooks| is_told(self.table, hooks);
        self.meant.placed |= follows || !is_told(demands.hooks) || options.iter().any(|spec| !is_told(spec.hooks));
    }

    fn not_builtin(&self, chain: &Word<'t>) -> Result<(), String> {
        match self.table.hook(&chain.text) {
            Some(hook) => {
                Err(format!("no rule leads to `{}`, which packets meet by themselves: it is refused", hook.chain()))
            }
            None => Ok(()),
        }
    }

    pub(super) fn field(&mut self, field: Field, set: Set) {
        self.conditions.push(vec![Term::Field(field, set)]);
    }

    pub(super) fn unknown(&mut self, text: String, holds: bool, truth: Truth, of: Vec<String>, at: Range<usize>) {
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
            let (name, at) = (name.show().into_owned(), name.at());
            self.unknown(format!("-m {name}"), true, Truth::Packet, Vec::new(), at);
            return Ok(Claim::Gap(format!("the match `{name}` is not known here")));
        };
        let module = *module;
        fits(Extension("-m", module.name), &module.demands, self.protocol, self.family)?;
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
                    check_condition(spec, word, self.family)?;
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

    fn target(&mut self, effect: Effect) -> Lowered {
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
                (Verdict::Elsewhere(std::mem::take(&mut self.told)), Claim::Opaque("decided elsewhere"))
            }
            Effect::Any => (Verdict::Any(std::mem::take(&mut self.told)), Claim::Opaque("decided elsewhere")),
        };
        self.meant.beside = effect.beside();
        self.meant.verdict = verdict;
        Ok(claim)
    }

    fn target_option(&mut self, spec: &'static Spec, words: &[Word<'t>]) -> Lowered {
        if self.target_options.iter().filter(|other| other.name == spec.name).count() > 1 {
            return Err(format!("`--{}` stands twice: iptables-restore refuses the line", spec.name));
        }
        for word in words {
            if spec.name != "log-prefix" && spec.name != "nflog-prefix" && values::is_template(&word.text) {
                return Err(values::refuse(word, "a value"));
            }
        }
        if let ("add-set" | "del-set" | "map-set", [name, _]) = (spec.name, words) {
            self.meant.writes.push((Truth::Sets, name.show().into_owned()));
            self.meant.sets.push((name.show().into_owned(), name.at()));
        }
        if let ("rateest-name", [name]) = (spec.name, words) {
            self.meant.writes.push((Truth::Counters, name.show().into_owned()));
        }
        if let [word] = words {
            check_target_option(spec, word, self.family, self.protocol, self.named)?;
        }
        if spec.name == "tproxy-mark" || spec.name == "map-mark" {
            self.meant.writes.push((Truth::Marks, String::new()));
        }
        Ok(match &self.meant.verdict {
            Verdict::Action(Action::Deny) => Claim::Inert("what the sender is told"),
            Verdict::Action(_) if self.meant.beside.is_some() => Claim::Modelled,
            Verdict::Action(_) if self.meant.writes.is_empty() => {
                Claim::Inert("option of a target that decides nothing")
            }
            Verdict::Action(_) => Claim::Inert("read by other rules, which notice it"),
            Verdict::Jump(_) | Verdict::Goto(_) => Claim::Modelled,
            Verdict::Elsewhere(_) | Verdict::Any(_) => Claim::Opaque("decided elsewhere"),
        })
    }
}
