use super::node::Node;
use super::reader::{Read, Reader};
use std::time::Duration;

/// Reads a length of time: `90m`, `24h`, `7d`, `30s`.
///
/// # Errors
/// A sentence that says how it is written.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a length of time: write 90m, 24h or 7d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// A length of time in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(pub Duration);

impl Read for Age {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match parse_age(reader.text(node, "a length of time")?) {
            Ok(age) => Some(Self(age)),
            Err(why) => {
                reader.refuse(node.span, why, "a number and its unit: s, m, h or d");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_age;
    use std::time::Duration;

    #[test]
    fn ages_are_read() {
        assert_eq!(parse_age("90m"), Ok(Duration::from_secs(5400)));
        assert!(parse_age("7").is_err() && parse_age("d").is_err() && parse_age("-1h").is_err());
    }
}
