use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long ago something was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// So long.
    Past(Duration),
    /// It is yet to come, by more than clocks may differ.
    Future,
}

/// How far two clocks may be apart.
const SKEW: u64 = 300;

/// How long ago an instant was that is written in UTC as RFC 3339 has it: `2026-11-20T08:00:00Z`. `None`: it is not.
#[must_use]
pub fn age(instant: &str) -> Option<Age> {
    let then = seconds(instant)?;
    Some(since(then, SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()))
}

const fn since(then: u64, now: u64) -> Age {
    match now.checked_sub(then) {
        Some(past) => Age::Past(Duration::from_secs(past)),
        None if then - now <= SKEW => Age::Past(Duration::ZERO),
        None => Age::Future,
    }
}

/// How long ago an instant was, in seconds since 1970 as file systems count them. `None`: no clock can be read.
#[must_use]
pub fn age_at(then: i64) -> Option<Age> {
    let then = u64::try_from(then).ok()?;
    Some(since(then, SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()))
}

/// A length of time in the largest unit that says it roughly: `3 hours`.
#[must_use]
pub fn show_age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7200 => (seconds / 60, "minutes"),
        7200..172_800 => (seconds / 3600, "hours"),
        _ => (seconds / 86400, "days"),
    };
    format!("{number} {unit}")
}

/// The present instant, in seconds since 1970. A clock that stands before that is taken to stand there.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Seconds since 1970 as RFC 3339 writes them, in UTC: `2026-11-20T08:00:00Z`.
#[must_use]
pub fn show_instant(seconds: u64) -> String {
    let (days, time) = (seconds / 86400 + 719_468, seconds % 86400);
    // Eras of 400 years and years that begin in March, so that the leap day is the last of its year.
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, year) = (day - (153 * month + 2) / 5 + 1, era * 400 + year);
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
}

/// Seconds since 1970 of an instant that is written in UTC as RFC 3339 has it. `None`: it is not.
#[must_use]
pub fn seconds(instant: &str) -> Option<u64> {
    let (date, time) = instant.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, separator: char| -> Option<[u64; 3]> {
        let parts: Vec<u64> = text.split(separator).map(|part| part.parse().ok()).collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time.split('.').next()?, ':')?;
    let right = (1970..10000).contains(&year) && (1..13).contains(&month) && (1..32).contains(&day);
    if !right || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years begin in March here, so that the leap day is their last.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let since = days.checked_sub(719_468)?;
    Some(since * 86400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_seconds_since_1970() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T12:00:00Z"), Some(951_825_600));
        assert_eq!(seconds("2026-11-20T08:00:01.5Z"), Some(1_795_161_601));
        assert_eq!(seconds("2026-11-20T08:00:00+01:00"), None);
        assert_eq!(seconds("2026-13-20T08:00:00Z"), None);
    }

    #[test]
    fn instants_are_written_as_they_are_read() {
        for day in 0..60_000 {
            let instant = show_instant(day * 86400 + day % 86400);
            assert_eq!(seconds(&instant), Some(day * 86400 + day % 86400), "{instant}");
        }
        assert_eq!(show_instant(951_825_600), "2000-02-29T12:00:00Z");
        assert_eq!(show_instant(1_795_161_601), "2026-11-20T08:00:01Z");
    }

    #[test]
    fn ages_are_shown() {
        assert_eq!(show_age(Duration::from_secs(5400)), "90 minutes");
        assert_eq!(age("9999-01-01T00:00:00Z"), Some(Age::Future));
    }
}
