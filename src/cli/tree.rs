//! A tree from which something is put into force, read by the policy that it was reviewed with.

use super::closure;
use super::judge;
use super::surroundings::Surroundings;
use super::wanted::Policed;
use crate::decision::{Cause, Doubt};
use crate::formats::Input;
use crate::policy::Plan;
use crate::source::{File, Side};
use crate::text::{SourceId, SourceMap};

/// The files of a tree that a policy is about.
pub(super) struct Tree {
    pub(super) side: Side,
    /// The policy as a file.
    pub(super) file: File,
    /// The configurations, those of the tree as head.
    pub(super) plan: Plan,
    /// The same as they are read.
    pub(super) inputs: Vec<Input>,
}

impl Tree {
    /// Reads a folder, or a revision.
    pub(super) fn read(
        surroundings: &Surroundings,
        name: &str,
        file: File,
        sources: &mut SourceMap,
    ) -> Result<Self, Vec<Doubt>> {
        let path = surroundings.folder.join(name);
        let side = if path.symlink_metadata().is_ok() {
            Side::path(&path)
        } else {
            Side::revision_of(&surroundings.place(), name)
        };
        let side = side.map_err(|why| vec![judge::doubt(Cause::Source, &why)])?;
        if side.is_file() {
            let message = format!("`{name}` is a file, and what is put into force is part of a tree");
            let help = "name the folder that the files are in".to_owned();
            return Err(vec![Doubt { cause: Cause::Source, message, help, at: None }]);
        }
        let policy = judge::load(file.clone(), sources)?;
        let files = side.files(&Policed(&policy)).map_err(judge::source_doubts)?;
        let plan = judge::plan(&policy, Vec::new(), files, sources)?;
        let (_, mut inputs) = judge::inputs(&plan);
        closure::of_side(&side, &mut inputs, sources)?;
        Ok(Self { side, file, plan, inputs })
    }

    /// The main files of those paths.
    pub(super) fn mains(&self, paths: &[String], sources: &SourceMap) -> Result<Vec<SourceId>, Vec<Doubt>> {
        let known = || self.inputs.iter().flat_map(|input| input.files.iter().copied());
        let find = |path: &String| {
            let name = path.strip_prefix("./").unwrap_or(path);
            known().find(|file| sources.name(*file) == name).ok_or_else(|| {
                let message = format!("`{name}` is no main file of a configuration of the tree");
                let help = "name it by its path below --tree; the policy has to claim it".to_owned();
                vec![Doubt { cause: Cause::Source, message, help, at: None }]
            })
        };
        paths.iter().map(find).collect()
    }
}
