//! Makes a failing case small: fewer packets, fewer rules, fewer words in them.

use crate::case::{Case, Outcome};
use crate::compare::Mismatch;
use crate::world::World;
use std::time::{Duration, Instant};

/// The smallest case found in `limit` in which kernel and model still differ in the same way, with its mismatch.
pub(crate) fn shrink(world: &mut World, case: &Case, mismatch: &Mismatch, limit: Duration) -> (Case, Mismatch) {
    let end = Instant::now() + limit;
    let mut shrinker = Shrinker { world, best: (case.clone(), mismatch.clone()), end };
    shrinker.packets();
    shrinker.lines();
    shrinker.words();
    shrinker.lines();
    shrinker.best
}

struct Shrinker<'w> {
    world: &'w mut World,
    best: (Case, Mismatch),
    end: Instant,
}

impl Shrinker<'_> {
    /// Keeps the candidate if its last packet still fails in the same way.
    fn try_case(&mut self, candidate: Case) -> bool {
        if Instant::now() > self.end || candidate.probes.is_empty() {
            return false;
        }
        let Ok(Outcome::Compared(comparison)) = candidate.run(self.world) else { return false };
        let last = candidate.probes.len() - 1;
        let (_, old) = &self.best;
        let same = |new: &&Mismatch| new.probe == last && new.hook == old.hook && new.passed == old.passed;
        let Some(found) = comparison.mismatches.iter().find(same) else { return false };
        self.best = (candidate, found.clone());
        true
    }

    fn packets(&mut self) {
        let (case, mismatch) = self.best.clone();
        let Some(culprit) = case.probes.get(mismatch.probe).cloned() else { return };
        let alone = Case { probes: vec![culprit], seeds: Vec::new(), ..case.clone() };
        let until = case.probes.iter().take(mismatch.probe + 1).cloned().collect();
        if self.try_case(alone) || !self.try_case(Case { probes: until, ..case }) {
            return;
        }
        let mut size = self.best.0.probes.len();
        while size > 0 {
            let mut at = 0;
            while at + 1 < self.best.0.probes.len() {
                let mut candidate = self.best.0.clone();
                let end = (at + size).min(candidate.probes.len() - 1);
                candidate.probes.drain(at..end);
                if !self.try_case(candidate) {
                    at += size;
                }
            }
            size /= 2;
        }
        for at in (0..self.best.0.seeds.len()).rev() {
            let mut candidate = self.best.0.clone();
            candidate.seeds.remove(at);
            self.try_case(candidate);
        }
    }

    fn lines(&mut self) {
        let mut size = self.best.0.rules.lines().count();
        while size > 0 {
            let mut at = 0;
            loop {
                let lines: Vec<_> = self.best.0.rules.lines().map(str::to_owned).collect();
                if at >= lines.len() {
                    break;
                }
                let end = (at + size).min(lines.len());
                let kept = lines.iter().enumerate().filter(|(n, _)| !(at..end).contains(n)).map(|(_, line)| line);
                if !self.try_rules(kept.flat_map(|line| [line.as_str(), "\n"]).collect()) {
                    at += size;
                }
            }
            size /= 2;
        }
    }

    /// Takes one to four neighbouring words out of each line, wherever it still fails.
    fn words(&mut self) {
        for line in 0..self.best.0.rules.lines().count() {
            for size in [4, 3, 2, 1] {
                let mut at = 0;
                loop {
                    let lines: Vec<_> = self.best.0.rules.lines().map(str::to_owned).collect();
                    let Some(text) = lines.get(line) else { break };
                    let words: Vec<_> = text.split(' ').collect();
                    if at + size > words.len() || !text.starts_with("-A") {
                        break;
                    }
                    let shorter: Vec<_> = words[..at].iter().chain(&words[at + size..]).copied().collect();
                    let shorter = shorter.join(" ");
                    let changed = lines.iter().enumerate().map(|(n, old)| if n == line { &shorter } else { old });
                    if !self.try_rules(changed.flat_map(|line| [line.as_str(), "\n"]).collect()) {
                        at += 1;
                    }
                }
            }
        }
    }

    fn try_rules(&mut self, rules: String) -> bool {
        let candidate = Case { rules, ..self.best.0.clone() };
        self.try_case(candidate)
    }
}
