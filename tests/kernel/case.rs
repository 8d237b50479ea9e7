//! One ruleset with packets, loaded, sent and compared.

use crate::aim::{Aimer, conversations};
use crate::compare::{Comparison, Mismatch, Model};
use crate::probe::{Body, Probe};
use crate::random::Random;
use crate::rules::Writer;
use crate::world::{Backend, INTERFACES, NAMES, World};
use portcullis::net::Family;

/// Everything that a run depends on.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// How to make it again, or the name of its file.
    pub(crate) name: String,
    pub(crate) loader: Loader,
    pub(crate) tracking: bool,
    /// Of the interfaces.
    pub(crate) names: Vec<String>,
    pub(crate) rules: String,
    /// Sent before the rules are loaded, so that there are connections.
    pub(crate) seeds: Vec<Probe>,
    pub(crate) probes: Vec<Probe>,
}

/// In which language the rules are, and what takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loader {
    Iptables(Family, Backend),
    Nftables,
}

impl Loader {
    /// The id of the format.
    pub(crate) const fn format(self) -> &'static str {
        match self {
            Self::Iptables(..) => "iptables-save",
            Self::Nftables => "nftables",
        }
    }
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
        let loader = Loader::Iptables(family, backend);
        let fragments = fragments(backend, tracking);
        let aimer = Aimer::new(family, &names, fragments, &rules);
        let case = Self {
            name,
            loader,
            tracking,
            names: names.clone(),
            rules: rules.clone(),
            seeds: Vec::new(),
            probes: Vec::new(),
        };
        case.aimed(&mut random, packets, |random| aimer.probe(random))
    }

    /// The case with packets that `probe` makes, and what belongs to some of them.
    pub(crate) fn aimed(mut self, random: &mut Random, packets: usize, probe: impl Fn(&mut Random) -> Probe) -> Self {
        self.probes = (0..packets).map(|_| probe(random)).collect();
        if self.tracking {
            self.seeds = (0..packets / 5).map(|_| probe(random)).collect();
            let mut belonging = conversations(random, &self.seeds);
            if self.loader == Loader::Nftables {
                // Where there is a chain of type `nat`, the kernel itself drops errors whose checksums are wrong.
                belonging
                    .iter_mut()
                    .for_each(|probe| probe.sound |= matches!(probe.body, Body::Icmp { about: Some(_), .. }));
            }
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
        let model = Model::read(&self.rules, self.loader.format());
        let gaps = model.gaps();
        world.rename(&self.names)?;
        if let Err(message) = self.load(world)? {
            return Ok(Outcome::Refused(message));
        }
        if !gaps.is_empty() {
            return Ok(Outcome::Unread(
                gaps.into_iter().map(|(_, reason, text)| format!("{reason}: {text}")).collect(),
            ));
        }
        world.send(&self.probes, 1)?;
        let seen = match self.loader {
            Loader::Iptables(family, _) => world.sightings(&[family]),
            Loader::Nftables => world.sightings(&Family::ALL),
        };
        Ok(Outcome::Compared(model.compare(&self.probes, &seen?, &self.names)))
    }

    /// Sends what makes connections and loads the rules; the inner error is what refuses them.
    fn load(&self, world: &mut World) -> Result<Result<(), String>, String> {
        match self.loader {
            Loader::Iptables(family, backend) => {
                world.reset(family, self.tracking)?;
                world.send(&self.seeds, SEEDS)?;
                Ok(world.restore(family, backend, &without_translation(&self.rules)))
            }
            // The rules may begin with removing all others, so the watching ones come after them.
            Loader::Nftables => {
                world.clear()?;
                if !self.seeds.is_empty() {
                    world.watch(self.tracking)?;
                    world.send(&self.seeds, SEEDS)?;
                    world.clear()?;
                }
                let loaded = world.load(&self.rules);
                if loaded.is_ok() {
                    world.watch(self.tracking)?;
                }
                Ok(loaded)
            }
        }
    }

    /// The case and one of its mismatches, for a person.
    pub(crate) fn show(&self, mismatch: &Mismatch) -> String {
        let Self { name, loader, tracking, names, rules, seeds, probes } = self;
        let mut out = format!("{name}: {loader:?} tracking {tracking} interfaces {}\n", names.join(" "));
        out += rules;
        let seeds = seeds.iter().map(|probe| format!("sent before loading: {probe}\n"));
        let before = probes.iter().take(mismatch.probe).map(|probe| format!("sent before: {probe}\n"));
        out.extend(seeds.chain(before));
        let Mismatch { probe, hook, state, passed } = *mismatch;
        if let Some(probe) = probes.get(probe) {
            let kernel = if passed { "passes" } else { "is dropped" };
            out += &format!("packet: {probe}\nkernel: {kernel} at {} in state {}\n", hook.name(), state.name());
            for line in Model::read(rules, loader.format()).explain(hook, &probe.point(hook, state, names)) {
                out += &format!("  {line}\n");
            }
        }
        out
    }
}

/// Connection tracking puts fragments together. What iptables-nft loads takes the first bytes of a later fragment
/// for ports (Linux 6.18), of which the model knows nothing: it speaks of iptables as documented.
pub(crate) fn fragments(backend: Backend, tracking: bool) -> bool {
    !tracking && backend == Backend::Legacy
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
