use super::{Family, Field};

/// One packet, with the circumstances a filter can look at: a value for each [`Field`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Its family.
    pub family: Family,
    values: [u128; Field::COUNT],
}

impl Packet {
    /// A packet whose fields are all 0.
    #[must_use]
    pub const fn new(family: Family) -> Self {
        Self { family, values: [0; Field::COUNT] }
    }

    /// The value of a field.
    #[must_use]
    pub const fn get(&self, field: Field) -> u128 {
        self.values[field.index()]
    }

    /// The same packet with another value.
    #[must_use]
    pub const fn with(mut self, field: Field, value: u128) -> Self {
        self.values[field.index()] = value;
        self
    }
}
