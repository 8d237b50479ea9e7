//! Decimal numbers at the beginning of a text, read eight bytes at once: large lists of rules hold little else.

/// The IPv4 address with which a text begins, and how many bytes it has: four numbers up to 255 without needless zeros, as
/// `inet_pton(3)` takes them. What follows is no digit.
#[must_use]
#[inline]
pub fn leading_ipv4(text: &[u8]) -> Option<(u32, usize)> {
    let window: [u8; ADDRESS] = window(text);
    let (words, _) = window.as_chunks();
    let mut left = no_digits(u64::from_le_bytes(words[0])) | no_digits(u64::from_le_bytes(words[1])) << 8;
    let ends = [(); 4].map(|()| {
        let end = left.trailing_zeros();
        left &= left.wrapping_sub(1);
        end
    });
    let starts = [0, ends[0] + 1, ends[1] + 1, ends[2] + 1];
    let has_digits = |part: usize| (1..=3).contains(&ends[part].wrapping_sub(starts[part]));
    if !(has_digits(0) && has_digits(1) && has_digits(2) && has_digits(3)) {
        return None;
    }
    let byte = |at: u32| window[at as usize % ADDRESS];
    if byte(ends[0]) != b'.' || byte(ends[1]) != b'.' || byte(ends[2]) != b'.' {
        return None;
    }
    // The digits of a number, the last of them in the third byte, and zeros before the first.
    let digits = |part: usize| {
        let four = window[starts[part] as usize % ADDRESS..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
        u64::from(four << (24 - 8 * (ends[part] - starts[part])))
    };
    // Two numbers at once, each in its half.
    let value = |two: u64| {
        let digit = |n: u32| (two >> (8 * n)) & (HALVES * 0xf);
        digit(0) * 100 + digit(1) * 10 + digit(2)
    };
    let (first, last) = (value(digits(0) | digits(1) << 32), value(digits(2) | digits(3) << 32));
    let above = |two: u64, most: u64| (two + HALVES * ((1 << 31) - 1 - most)) >> 31 & HALVES;
    let more = above(first, 9) + above(first, 99) + above(last, 9) + above(last, 99);
    let without_needless_zeros = 7 + (more + (more >> 32)) as u32 % 16;
    let too_much = (first | last) & (HALVES * 0xffff_ff00);
    let pair = |two: u64| (two << 8 | two >> 32) as u32 & 0xffff;
    let address = pair(first) << 16 | pair(last);
    (too_much == 0 && ends[3] == without_needless_zeros).then_some((address, ends[3] as usize))
}

/// The port with which a text begins, and how many bytes it has: a number without needless zeros. What follows is no digit.
#[must_use]
#[inline]
pub fn leading_port(text: &[u8]) -> Option<(u16, usize)> {
    let word = u64::from_le_bytes(window(text));
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
/// One in each byte, or in each half.
const BYTES: u64 = 0x0101_0101_0101_0101;
const HALVES: u64 = 0x0000_0001_0000_0001;

/// The first bytes of a text, and zeros behind its end.
#[inline]
fn window<const LENGTH: usize>(text: &[u8]) -> [u8; LENGTH] {
    text.first_chunk().copied().unwrap_or_else(|| {
        let mut window = [0; LENGTH];
        window[..text.len()].copy_from_slice(text);
        window
    })
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
