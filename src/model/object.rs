use crate::text::Span;

/// Something a configuration declares besides the rules of its filters: a chain, a set, a translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is: `chain`, `set`, `translation` … the word that `deletion-limit` counts by.
    pub kind: &'static str,
    /// Its name within the configuration, the same on both sides: `filter/LOG_DROP`.
    pub address: Address,
    /// Everything it says, normalised; equal exactly when nothing about it changed.
    pub content: String,
    /// How many elements it holds, for objects that are collections.
    pub elements: Option<usize>,
    /// Where it stands.
    pub origin: Span,
    /// Set when a change of the object has an effect that is not computed: what to say then
    /// ("translated packets meet later filters with other addresses").
    pub uncomputed: Option<&'static str>,
}

/// The address of an object, unique in its configuration and kind.
pub type Address = String;
