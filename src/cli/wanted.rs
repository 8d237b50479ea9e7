use crate::policy::Policy;
use crate::source::Claims;
use std::collections::BTreeSet;

/// The files that a policy is about.
pub(super) struct Policed<'p>(pub(super) &'p Policy);

impl Claims for Policed<'_> {
    fn file(&self, path: &[u8]) -> bool {
        self.0.claims(path) || self.0.attributes(path)
    }
    fn below(&self, folder: &[u8]) -> bool {
        self.0.reaches(folder)
    }
}

/// Every file.
pub(super) struct Everything;

impl Claims for Everything {
    fn file(&self, _: &[u8]) -> bool {
        true
    }
    fn below(&self, _: &[u8]) -> bool {
        true
    }
}

/// The files that git knows, and those that a policy is about.
pub(super) struct Tracked<'p> {
    /// `None`: every file.
    pub(super) paths: Option<&'p BTreeSet<Vec<u8>>>,
    pub(super) policy: &'p Policy,
}

impl Claims for Tracked<'_> {
    fn file(&self, path: &[u8]) -> bool {
        self.paths.is_none_or(|paths| Known(paths).file(path)) || Policed(self.policy).file(path)
    }
    fn below(&self, folder: &[u8]) -> bool {
        self.paths.is_none_or(|paths| Known(paths).below(folder)) || Policed(self.policy).below(folder)
    }
}

/// The files of these paths.
pub(super) struct Known<'p>(pub(super) &'p BTreeSet<Vec<u8>>);

impl Claims for Known<'_> {
    fn file(&self, path: &[u8]) -> bool {
        self.0.contains(path)
    }
    fn below(&self, folder: &[u8]) -> bool {
        let within = [folder, b"/"].concat();
        self.0.range(within.clone()..).next().is_some_and(|path| path.starts_with(&within))
    }
}
