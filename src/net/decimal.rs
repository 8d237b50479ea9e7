//! Decimal numbers at the beginning of a text, read eight bytes at once: large lists of rules hold little else.

/// The IPv4 address with which a text begins, and how many bytes it has: four numbers up to 255 without needless zeros, as
/// `inet_pton(3)` takes them. What follows is no digit.
#[must_use]
#[inline]
pub fn leading_ipv4(text: &[u8]) -> Option<(u32, usize)> {
    match text.first_chunk() {
        Some(window) => ipv4(window),
        None => short_ipv4(text),
    }
}

/// Apart: it is hardly ever so near to the end of a text.
#[cold]
#[inline(never)]
fn short_ipv4(text: &[u8]) -> Option<(u32, usize)> {
    ipv4(&padded(text))
}

/// The address with which a window begins: each number as it would be written, or none.
#[inline(always)]
fn ipv4(window: &[u8; WINDOW]) -> Option<(u32, usize)> {
    let (words, _) = window.as_chunks();
    let mut marks = no_digits(u64::from_le_bytes(words[0])) | no_digits(u64::from_le_bytes(words[1])) << 8;
    let (mut address, mut start, mut end, mut wrong) = (0, 0, 0, 0);
    for part in 0..4 {
        end = marks.trailing_zeros();
        marks &= marks.wrapping_sub(1);
        let length = end.wrapping_sub(start);
        let at = start as usize % ADDRESS;
        let four = u32::from_le_bytes([window[at], window[at + 1], window[at + 2], window[at + 3]]);
        // The last digit in the third byte, zeros before the first, and what follows in the fourth.
        let digits = four.wrapping_shl(24_u32.wrapping_sub(length.wrapping_mul(8)));
        let number = ((digits & 0x000f_0f0f).wrapping_mul(1 | 10 << 8 | 100 << 16) >> 16) as u8;
        let compared = if part < 3 { 0xff0f_0f0f } else { 0x000f_0f0f } | u64::from(u32::MAX) << 32;
        wrong |= ((u64::from(digits) | u64::from(length) << 32) ^ WRITTEN[usize::from(number)]) & compared;
        address = address << 8 | u32::from(number);
        start = end + 1;
    }
    (wrong == 0).then_some((address, end as usize))
}

/// How each number is written before a dot: its digits (their lower halves) in three bytes, the dot, and above them how
/// many digits there are.
const WRITTEN: [u64; 256] = {
    let mut written = [0; 256];
    let mut number = 0;
    while number < 256 {
        let length = 1 + (number > 9) as u64 + (number > 99) as u64;
        let digits = (number / 100) | ((number / 10 % 10) << 8) | ((number % 10) << 16);
        written[number as usize] = digits | (b'.' as u64) << 24 | length << 32;
        number += 1;
    }
    written
};

/// The port with which a text begins, and how many bytes it has: a number without needless zeros. What follows is no digit.
#[must_use]
#[inline]
pub fn leading_port(text: &[u8]) -> Option<(u16, usize)> {
    let word = u64::from_le_bytes(text.first_chunk().copied().unwrap_or_else(|| padded(text)));
    let length = no_digits(word).trailing_zeros();
    if !(1..=5).contains(&length) || (length > 1 && word & 0xff == u64::from(b'0')) {
        return None;
    }
    // The last digit in the last byte, and zeros before the first; then two, four and eight digits together.
    let digits = (word ^ (BYTES * u64::from(b'0'))) << (64 - 8 * length);
    let twos = digits * 10 + (digits >> 8);
    let fours = |twos: u64| twos & 0x0000_00ff_0000_00ff;
    let first = fours(twos).wrapping_mul(100 + (1_000_000 << 32));
    let all = first.wrapping_add(fours(twos >> 16).wrapping_mul(1 + (10_000 << 32)));
    u16::try_from(all >> 32).ok().map(|port| (port, length as usize))
}

/// The longest address and the byte behind it.
const ADDRESS: usize = 16;
/// What is looked at: four bytes from the last of them on, too.
const WINDOW: usize = ADDRESS + 4;
/// One in each byte.
const BYTES: u64 = 0x0101_0101_0101_0101;

/// The first bytes of a text, and zeros behind its end.
#[cold]
#[inline(never)]
fn padded<const LENGTH: usize>(text: &[u8]) -> [u8; LENGTH] {
    let mut window = [0; LENGTH];
    window[..text.len()].copy_from_slice(text);
    window
}

/// Which of eight bytes are no digits: one bit each.
#[inline]
const fn no_digits(word: u64) -> u32 {
    let digits = word ^ (BYTES * b'0' as u64);
    let high = (((digits & (BYTES * 0x7f)) + BYTES * (0x80 - 10)) | digits) & (BYTES * 0x80);
    ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}

#[cfg(test)]
mod tests {
    use super::{leading_ipv4, leading_port};
    use std::net::Ipv4Addr;

    #[test]
    fn each_number_stands_at_each_place_of_an_address() {
        for number in 0..=300_u32 {
            for place in 0..4 {
                for others in [0, 7, 10, 99, 100, 255] {
                    let mut parts = [others; 4];
                    parts[place] = number;
                    let text = parts.map(|part| part.to_string()).join(".");
                    let expected = text.parse().ok().map(|address: Ipv4Addr| (u32::from(address), text.len()));
                    for end in ["", "/24 ", " -d 10.0.0.0/8", ".7", "\u{ff}0", "-", "\0"] {
                        assert_eq!(leading_ipv4(format!("{text}{end}").as_bytes()), expected, "{text}{end}");
                    }
                    assert_eq!(leading_ipv4(format!("{text}0000").as_bytes()), None, "{text}0000");
                    parts[place] = others;
                    let zero = format!("0{number}");
                    let text = parts
                        .iter()
                        .enumerate()
                        .map(|(n, part)| if n == place { zero.clone() } else { part.to_string() });
                    let text = text.collect::<Vec<_>>().join(".");
                    assert_eq!(leading_ipv4(format!("{text} ").as_bytes()), None, "{text}");
                }
            }
        }
    }

    #[test]
    fn numbers_that_do_not_end_are_no_address() {
        for marks in 0..4 {
            for length in 0..20 {
                let text = format!("{}{}", "1.".repeat(marks), "1".repeat(length));
                for end in ["", "11111111111111111111"] {
                    let text = format!("{text}{end}");
                    let expected = text.parse().ok().map(|address: Ipv4Addr| (u32::from(address), text.len()));
                    assert_eq!(leading_ipv4(text.as_bytes()), expected, "{text}");
                }
            }
        }
    }

    #[test]
    fn each_port_is_read() {
        for number in 0..=200_000_u32 {
            for end in ["", " -j DROP", ":", ",80", "\u{ff}"] {
                let text = number.to_string();
                let expected = text.parse().ok().map(|port: u16| (port, text.len()));
                assert_eq!(leading_port(format!("{text}{end}").as_bytes()), expected, "{text}{end}");
            }
            assert_eq!(leading_port(format!("0{number} ").as_bytes()), None, "0{number}");
        }
        assert_eq!(leading_port(b""), None);
        assert_eq!(leading_port(b":80"), None);
    }

    proptest::proptest! {
        #[test]
        fn an_address_is_what_the_standard_library_takes_for_one(text in "(0|[1-9]?[0-9]|[0-9]{3,4}|[0-9.:]{0,3}|[\\PC])([.](0|[1-9][0-9]?|[12][0-9]{2}|[0-9/]{0,4})){2,4}") {
            let end = text.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(text.len());
            // A dot behind four numbers is for those to see who look at what follows.
            let dots = text[..end].match_indices('.').map(|(at, _)| at).nth(3).unwrap_or(end);
            let expected = text[..dots].parse().ok().map(|address: Ipv4Addr| (u32::from(address), dots));
            proptest::prop_assert_eq!(leading_ipv4(text.as_bytes()), expected);
        }
    }
}
