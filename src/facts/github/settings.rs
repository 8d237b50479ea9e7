use super::{Protection, ProtectionQuestion};
use crate::facts::MissingFact;

pub(super) fn protection(question: &ProtectionQuestion) -> Result<Protection, MissingFact> {
    let _ = question;
    Ok(Protection { repository: String::new(), branch: String::new(), conditions: Vec::new() })
}
