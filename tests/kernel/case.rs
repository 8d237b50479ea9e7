//! One ruleset with packets, loaded, sent and compared.

use crate::aim::{Aimer, conversations};
use crate::compare::{Comparison, Mismatch, Model};
use crate::probe::Probe;
use crate::random::Random;
use crate::rules::Writer;
use crate::world::{Backend, INTERFACES, World};
use portcullis::net::Family;

/// Everything that a run depends on.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// How to make it again, or the name of its file.
    pub(crate) name: String,
    pub(crate) family: Family,
    pub(crate) backend: Backend,
    pub(crate) tracking: bool,
    /// Of the interfaces.
    pub(crate) names: Vec<String>,
    pub(crate) rules: String,
    /// Sent before the rules are loaded, so that there are connections.
    pub(crate) seeds: Vec<Probe>,
    pub(crate) probes: Vec<Probe>,
}

pub(crate) enum Outcome {
    /// The kernel's tool does not load the rules; what it says.
    Refused(String),
    /// The reader does not claim to understand all of it; why not.
    Unread(Vec<String>),
    Compared(Comparison),
}

/// The id of the first seed; ids below are those of probes.
const SEEDS: u16 = 60_000;

const NAMES: [&str; 16] = [
    "eth0", "eth1", "eth10", "eth1.110", "br-lan", "wan", "wan6", "tun0", "tun1", "wg0", "ppp0", "lan", "vif1.0",
    "docker0", "e", "enp3s0f1",
];

impl Case {
    /// The random case of that seed.
    pub(crate) fn generate(seed: u64, packets: usize) -> Self {
        // Neighbours share their interfaces, since giving names takes time.
        let mut random = Random::new(seed / 16);
        let mut pool = NAMES.to_vec();
        let names: Vec<String> =
            (0..INTERFACES).map(|_| pool.swap_remove(random.below(pool.len())).to_owned()).collect();
        let mut random = Random::new(seed);
        let family = *random.pick(&Family::ALL);
        let backend = *random.pick(&[Backend::Nft, Backend::Nft, Backend::Legacy]);
        let tracking = random.chance(75);
        let rules = Writer::new(&mut random, family, backend, tracking, &names).ruleset();
        let name = format!("--seed {seed} --runs 1");
        let case = Self { name, family, backend, tracking, names, rules, seeds: Vec::new(), probes: Vec::new() };
        case.aimed(&mut random, packets)
    }

    /// The case with packets aimed at its rules.
    pub(crate) fn aimed(mut self, random: &mut Random, packets: usize) -> Self {
        // Connection tracking puts fragments together. What iptables-nft loads takes the first bytes of a later
        // fragment for ports (Linux 6.18), of which the model knows nothing: it speaks of iptables as documented.
        let fragments = !self.tracking && self.backend == Backend::Legacy;
        let aimer = Aimer::new(self.family, &self.names, fragments, &self.rules);
        self.probes = (0..packets).map(|_| aimer.probe(random)).collect();
        if self.tracking {
            self.seeds = (0..packets / 5).map(|_| aimer.probe(random)).collect();
            let belonging = conversations(random, &self.seeds);
            // Among the others, so that what these do to connections is seen too.
            for probe in belonging {
                let at = random.below(self.probes.len());
                if let Some(place) = self.probes.get_mut(at) {
                    *place = probe;
                }
            }
        }
        self
    }

    /// Loads and sends it, and holds the outcome against the model.
    ///
    /// # Errors
    /// When the world does not work: the test's fault, not the model's.
    pub(crate) fn run(&self, world: &mut World) -> Result<Outcome, String> {
        let model = Model::read(&self.rules);
        let gaps = model.gaps();
        world.rename(&self.names)?;
        world.reset(self.family, self.tracking)?;
        world.send(&self.seeds, SEEDS)?;
        if let Err(message) = world.restore(self.family, self.backend, &without_translation(&self.rules)) {
            return Ok(Outcome::Refused(message));
        }
        if !gaps.is_empty() {
            return Ok(Outcome::Unread(
                gaps.into_iter().map(|(_, reason, text)| format!("{reason}: {text}")).collect(),
            ));
        }
        world.send(&self.probes, 1)?;
        let seen = world.sightings(self.family)?;
        Ok(Outcome::Compared(model.compare(&self.probes, &seen, &self.names)))
    }

    /// The case and one of its mismatches, for a person.
    pub(crate) fn show(&self, mismatch: &Mismatch) -> String {
        let Self { name, family, backend, tracking, names, rules, seeds, probes } = self;
        let mut out = format!("{name}: {family:?} {backend:?} tracking {tracking} interfaces {}\n", names.join(" "));
        out += rules;
        let seeds = seeds.iter().map(|probe| format!("sent before loading: {probe}\n"));
        let before = probes.iter().take(mismatch.probe).map(|probe| format!("sent before: {probe}\n"));
        out.extend(seeds.chain(before));
        let Mismatch { probe, hook, state, passed } = *mismatch;
        if let Some(probe) = probes.get(probe) {
            let kernel = if passed { "passes" } else { "is dropped" };
            out += &format!("packet: {probe}\nkernel: {kernel} at {} in state {}\n", hook.name(), state.name());
            for line in Model::read(rules).explain(hook, &probe.point(hook, state, names)) {
                out += &format!("  {line}\n");
            }
        }
        out
    }
}

/// The rules without the `nat` table: what it does to packets is not modelled. It would change the addresses
/// that later chains see, and drop errors about connections whose checksums are wrong.
pub(crate) fn without_translation(rules: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for line in rules.split_inclusive('\n') {
        if let Some(table) = line.strip_prefix('*') {
            inside = table.trim() == "nat";
        }
        if !inside {
            out += line;
        }
    }
    out
}
