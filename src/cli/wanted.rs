use crate::policy::Policy;
use crate::source::Claims;

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
