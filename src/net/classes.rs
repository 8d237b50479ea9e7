//! Which answers a text can give to several tests at once.

use super::pattern::Pattern;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, MatchKind, util::start};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Texts that answer some tests alike, and one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// The numbers of the tests that hold, in order; the others do not.
    pub holds: Vec<u32>,
    /// One of the texts.
    pub witness: Vec<u8>,
}

/// Which texts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Texts {
    /// Names of hosts, which may be empty.
    Hosts,
    /// Paths of requests, decoded or not: they begin with a slash. Those with a line end (`%0A`) are left out.
    Paths,
    /// Paths of requests as they are sent.
    SentPaths {
        /// Whether none has a part `.` or `..`.
        resolved: bool,
        /// Whether none has two slashes in a row.
        merged: bool,
    },
    /// Paths of requests with nothing encoded any more and no part `.` or `..`, those with a line end left out.
    DecodedPaths {
        /// Whether none has two slashes in a row.
        merged: bool,
    },
    /// Methods: not empty.
    Methods,
    /// Any, without a line end.
    Any,
}

impl Texts {
    /// Texts that people expect, in the order in which they are offered.
    const fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Hosts => &["www.example.com", "example.net", "host.invalid"],
            Self::Paths | Self::SentPaths { .. } | Self::DecodedPaths { .. } => &["/", "/index.html", "/other"],
            Self::Methods => &["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"],
            Self::Any => &["", "x"],
        }
    }

    /// Bytes that people expect in them, the first ones first.
    const fn nice(self) -> &'static [u8] {
        match self {
            Self::Hosts => b"abcdefghijklmnopqrstuvwxyz0123456789.-",
            Self::Paths | Self::SentPaths { .. } | Self::DecodedPaths { .. } => {
                b"abcdefghijklmnopqrstuvwxyz0123456789/.-_ABCDEFGHIJKLMNOPQRSTUVWXYZ~+=,:;@!$&'()*%"
            }
            Self::Methods => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            Self::Any => b"abcdefghijklmnopqrstuvwxyz0123456789/.-_ABCDEFGHIJKLMNOPQRSTUVWXYZ~+=,:;@!$&'()*% ",
        }
    }

    /// Whether they may hold a byte at all.
    const fn may_hold(self, byte: u8) -> bool {
        match self {
            Self::Hosts | Self::Methods => byte > b' ' && byte != 0x7f,
            Self::Paths | Self::DecodedPaths { .. } => byte != 0 && byte != b'\n',
            Self::SentPaths { .. } => byte.is_ascii_graphic() && byte != b'?' && byte != b'#',
            Self::Any => byte != 0 && byte != b'\n' && byte != b'\r',
        }
    }

    /// With what they begin.
    const fn start(self) -> &'static [u8] {
        match self {
            Self::Paths | Self::SentPaths { .. } | Self::DecodedPaths { .. } => b"/",
            Self::Hosts | Self::Methods | Self::Any => b"",
        }
    }

    const fn may_be_empty(self) -> bool {
        match self {
            Self::Hosts | Self::Any => true,
            Self::Paths | Self::SentPaths { .. } | Self::DecodedPaths { .. } | Self::Methods => false,
        }
    }

    /// Where a text stands with one more byte; `None`: no such text goes on like that.
    const fn after(self, place: Part, byte: u8) -> Option<Part> {
        let (resolved, merged) = match self {
            Self::SentPaths { resolved, merged } => (resolved, merged),
            Self::DecodedPaths { merged } => (true, merged),
            Self::Hosts | Self::Paths | Self::Methods | Self::Any => return Some(Part::Other),
        };
        match (place, byte) {
            (Part::Slash, b'/') if merged => None,
            (Part::Dot | Part::DotDot, b'/') if resolved => None,
            (_, b'/') if merged || resolved => Some(Part::Slash),
            (Part::Slash, b'.') if resolved => Some(Part::Dot),
            (Part::Dot, b'.') => Some(Part::DotDot),
            (_, _) => Some(Part::Other),
        }
    }
}

/// What stands behind the last slash of a path so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Slash,
    Dot,
    DotDot,
    Other,
}

impl Part {
    /// Whether a text may end there.
    const fn may_end(self) -> bool {
        matches!(self, Self::Slash | Self::Other)
    }
}

/// Every combination of answers that a text can give to some tests, each test being some patterns of which one has to
/// match. `None`: there are too many to find out.
#[must_use]
pub fn classes(texts: Texts, tests: &[&[Pattern]]) -> Option<Vec<Class>> {
    let automaton = Numbered::new(tests)?;
    let mut found: BTreeMap<Vec<u32>, Vec<u8>> = BTreeMap::new();
    for text in texts.usual() {
        let state = text.bytes().fold(automaton.start, |state, byte| automaton.dfa.next_state(state, byte));
        found.entry(automaton.answers(state)).or_insert_with(|| text.as_bytes().to_vec());
    }
    let all: Vec<u8> = (0..=u8::MAX).filter(|byte| texts.may_hold(*byte)).collect();
    automaton.walk(texts, texts.nice(), false, &mut found);
    automaton.walk(texts, &all, texts.may_be_empty(), &mut found);
    if found.len() > MOST_CLASSES {
        return None;
    }
    Some(found.into_iter().map(|(holds, witness)| Class { holds, witness }).collect())
}

/// One automaton for many tests, whose states know which of them hold.
struct Numbered {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// The test that a pattern of the automaton belongs to.
    test: Vec<u32>,
}

/// An automaton larger than this many bytes is not built: one that is many times larger than the patterns are grows with
/// the product of them.
const LARGEST: usize = 1 << 28;
const LARGE: usize = 1 << 25;
/// How many bytes there may be for each state that a pattern asks for.
const BYTES: usize = 1 << 11;
/// More classes than this are not gone through.
const MOST_CLASSES: usize = 1 << 17;

impl Numbered {
    fn new(tests: &[&[Pattern]]) -> Option<Self> {
        let (mut expressions, mut test) = (Vec::new(), Vec::new());
        for (number, patterns) in tests.iter().enumerate() {
            for pattern in *patterns {
                expressions.push(pattern.parsed()?);
                test.push(u32::try_from(number).ok()?);
            }
        }
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .shrink(false)
                    .which_captures(thompson::WhichCaptures::None)
                    .nfa_size_limit(Some(LARGEST)),
            )
            .build_many_from_hir(&expressions)
            .ok()?;
        let limit = nfa.states().len().saturating_mul(BYTES).clamp(LARGE, LARGEST);
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .match_kind(MatchKind::All)
                    .dfa_size_limit(Some(limit))
                    .determinize_size_limit(Some(limit.saturating_mul(2))),
            )
            .build_from_nfa(&nfa)
            .ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        Some(Self { dfa, start, test })
    }

    /// The tests that hold of the text that leads to a state.
    fn answers(&self, state: StateID) -> Vec<u32> {
        let end = self.dfa.next_eoi_state(state);
        if !self.dfa.is_match_state(end) {
            return Vec::new();
        }
        let matching = (0..self.dfa.match_len(end)).map(|index| self.dfa.match_pattern(end, index));
        let mut holds: Vec<u32> = matching.map(|pattern| self.test[pattern.as_usize()]).collect();
        holds.sort_unstable();
        holds.dedup();
        holds
    }

    /// Adds what texts of these bytes answer, the shortest text first.
    fn walk(&self, texts: Texts, bytes: &[u8], empty: bool, found: &mut BTreeMap<Vec<u32>, Vec<u8>>) {
        // Bytes that the automaton does not tell apart count once, but for those that texts tell apart themselves.
        let mut seen_class = [false; 256];
        let classes = self.dfa.byte_classes();
        let fresh = |byte: &&u8| {
            matches!(byte, b'/' | b'.') || !std::mem::replace(&mut seen_class[usize::from(classes.get(**byte))], true)
        };
        let bytes: Vec<u8> = bytes.iter().filter(fresh).copied().collect();
        let begin = texts.start().iter().try_fold((self.start, Part::Other), |(state, part), byte| {
            Some((self.dfa.next_state(state, *byte), texts.after(part, *byte)?))
        });
        let Some(first) = begin else { return };
        type Place = (StateID, Part);
        let mut from: HashMap<Place, Option<(Place, u8)>, foldhash::quality::RandomState> = HashMap::default();
        from.insert(first, None);
        let mut queue = VecDeque::from([first]);
        if empty || !texts.start().is_empty() {
            found.entry(self.answers(first.0)).or_insert_with(|| texts.start().to_vec());
        }
        while let Some(place) = queue.pop_front().filter(|_| found.len() <= MOST_CLASSES) {
            for byte in &bytes {
                let Some(part) = texts.after(place.1, *byte) else { continue };
                let next = (self.dfa.next_state(place.0, *byte), part);
                match from.entry(next) {
                    // The way back to the first state is no text of its own, but may be the only one that is not empty.
                    Entry::Occupied(_) if next != first || empty => continue,
                    Entry::Occupied(_) => {}
                    Entry::Vacant(new) => {
                        new.insert(Some((place, *byte)));
                        queue.push_back(next);
                    }
                }
                if !part.may_end() {
                    continue;
                }
                found.entry(self.answers(next.0)).or_insert_with(|| {
                    let mut text = vec![*byte];
                    let mut at = place;
                    while let Some(Some((before, byte))) = from.get(&at) {
                        text.push(*byte);
                        at = *before;
                    }
                    text.extend(texts.start().iter().rev());
                    text.reverse();
                    text
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(texts: Texts, tests: &[&[Pattern]]) -> Vec<(Vec<u32>, String)> {
        let classes = classes(texts, tests).expect("small");
        classes.into_iter().map(|class| (class.holds, String::from_utf8(class.witness).expect("text"))).collect()
    }

    #[test]
    fn every_combination_of_answers_has_a_text() {
        let tests: [&[Pattern]; 3] = [
            &[Pattern::prefix("/api/")],
            &[Pattern::regex(r"\.php$").expect("regular")],
            &[Pattern::exact("/api/v1"), Pattern::exact("/")],
        ];
        let expected = [
            (vec![], "/index.html"),
            (vec![0], "/api/"),
            (vec![0, 1], "/api/.php"),
            (vec![0, 2], "/api/v1"),
            (vec![1], "/.php"),
            (vec![2], "/"),
        ];
        let expected: Vec<(Vec<u32>, String)> = expected.into_iter().map(|(n, text)| (n, text.to_owned())).collect();
        assert_eq!(shown(Texts::Paths, &tests), expected);
    }

    #[test]
    fn what_is_covered_by_others_leaves_no_text() {
        let tests: [&[Pattern]; 2] = [
            &[Pattern::regex("^(a|b)$").expect("regular")],
            &[Pattern::exact("a"), Pattern::exact("b").ignoring_case()],
        ];
        assert_eq!(
            shown(Texts::Hosts, &tests),
            [(vec![], "www.example.com".to_owned()), (vec![0, 1], "a".to_owned()), (vec![1], "B".to_owned())]
        );
    }

    proptest! {
        /// Every text falls into the class whose tests hold of it.
        #[test]
        fn each_text_is_in_a_class(
            words in prop::collection::vec(("[ab/.]{0,3}", 0_u8..5, any::<bool>()), 1..6),
            text in "[abAB/.]{0,6}",
        ) {
            let patterns: Vec<Vec<Pattern>> = words.iter().map(|(word, kind, fold)| {
                let pattern = match kind {
                    0 => Pattern::exact(word.as_str()),
                    1 => Pattern::prefix(word.as_str()),
                    2 => Pattern::suffix(word.as_str()),
                    3 => Pattern::contains(word.as_str()),
                    _ => Pattern::glob(format!("{word}*?")),
                };
                vec![if *fold { pattern.ignoring_case() } else { pattern }]
            }).collect();
            let tests: Vec<&[Pattern]> = patterns.iter().map(Vec::as_slice).collect();
            let classes = classes(Texts::Any, &tests).expect("small");
            let holding = |text: &[u8]| -> Vec<u32> {
                (0..).zip(&patterns).filter(|(_, test)| test[0].matches(text)).map(|(n, _)| n).collect()
            };
            prop_assert!(classes.iter().any(|class| class.holds == holding(text.as_bytes())));
            for class in &classes {
                prop_assert_eq!(&class.holds, &holding(&class.witness));
            }
        }
    }
}
