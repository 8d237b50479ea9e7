use std::fmt::{self, Display};

/// A number as a fraction of whole numbers: `65535`, `-0.5`, `1/3`. Nothing is ever rounded; what does not fit is not a
/// number of ours, and those who compute with it must say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::formats) struct Number {
    numerator: i128,
    /// Above zero, without a common divisor.
    denominator: i128,
}

impl Number {
    /// A whole number.
    pub(in crate::formats) const fn whole(value: i128) -> Self {
        Self { numerator: value, denominator: 1 }
    }

    /// A fraction; `None`: division by zero, or out of range.
    pub(in crate::formats) fn fraction(numerator: i128, denominator: i128) -> Option<Self> {
        let divisor = i128::try_from(divisor(numerator.unsigned_abs(), denominator.unsigned_abs())).ok()?;
        let sign = denominator.signum();
        if divisor == 0 || sign == 0 {
            return None;
        }
        Some(Self {
            numerator: (numerator / divisor).checked_mul(sign)?,
            denominator: (denominator / divisor).checked_mul(sign)?,
        })
    }

    /// A number as JSON and HCL write it: `12`, `-0.5`, `1e3`. `None`: it is not written so, or out of range.
    pub(in crate::formats) fn parse(text: &str) -> Option<Self> {
        let (text, negative) = text.strip_prefix('-').map_or((text, false), |rest| (rest, true));
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.strip_prefix('+').unwrap_or(exponent).parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, after) = digits.split_once('.').unwrap_or((digits, ""));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !are_digits(whole) || !are_digits(after) || digits.ends_with('.') {
            return None;
        }
        let after = after.trim_end_matches('0');
        let value: i128 = [whole, after].concat().parse().ok()?;
        let value = if negative { -value } else { value };
        let exponent = exponent.checked_sub(i32::try_from(after.len()).ok()?)?;
        let power = 10_i128.checked_pow(exponent.unsigned_abs());
        match (value, power) {
            (0, _) => Some(Self::whole(0)),
            (value, Some(power)) if exponent >= 0 => Some(Self::whole(value.checked_mul(power)?)),
            (value, Some(power)) => Self::fraction(value, power),
            (_, None) => None,
        }
    }

    /// The whole number that it is.
    pub(in crate::formats) const fn integer(self) -> Option<i128> {
        if self.denominator == 1 { Some(self.numerator) } else { None }
    }

    /// The sum, if it is in range; likewise the others.
    pub(in crate::formats) fn plus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::fraction(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    pub(in crate::formats) fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negative()?)
    }

    pub(in crate::formats) fn times(self, other: Self) -> Option<Self> {
        let numerator = self.numerator.checked_mul(other.numerator)?;
        Self::fraction(numerator, self.denominator.checked_mul(other.denominator)?)
    }

    pub(in crate::formats) fn over(self, other: Self) -> Option<Self> {
        let numerator = self.numerator.checked_mul(other.denominator)?;
        Self::fraction(numerator, self.denominator.checked_mul(other.numerator)?)
    }

    pub(in crate::formats) fn negative(self) -> Option<Self> {
        Some(Self { numerator: self.numerator.checked_neg()?, ..self })
    }

    /// The largest whole number that is not above it.
    pub(in crate::formats) const fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }

    /// The smallest whole number that is not below it.
    pub(in crate::formats) const fn ceil(self) -> i128 {
        let floor = self.floor();
        if self.denominator == 1 { floor } else { floor + 1 }
    }

    /// Which is larger, if that can be computed.
    pub(in crate::formats) fn compare(self, other: Self) -> Option<std::cmp::Ordering> {
        let left = self.numerator.checked_mul(other.denominator)?;
        Some(left.cmp(&other.numerator.checked_mul(self.denominator)?))
    }

    /// The decimal digits, if they end.
    pub(in crate::formats) fn decimal(self) -> Option<String> {
        let mut places = 0_u32;
        let mut power = 1_i128;
        while power % self.denominator != 0 {
            power = power.checked_mul(10)?;
            places += 1;
        }
        let digits = self.numerator.checked_mul(power / self.denominator)?;
        if places == 0 {
            return Some(digits.to_string());
        }
        let (sign, digits) = (if digits < 0 { "-" } else { "" }, digits.unsigned_abs());
        let power = power.unsigned_abs();
        let places = usize::try_from(places).ok()?;
        Some(format!("{sign}{}.{:0places$}", digits / power, digits % power))
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decimal() {
            Some(digits) => f.write_str(&digits),
            None => write!(f, "{}/{}", self.numerator, self.denominator),
        }
    }
}

fn divisor(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::Number;

    fn shown(text: &str) -> Option<String> {
        Number::parse(text).map(|number| number.to_string())
    }

    #[test]
    fn numbers_are_what_they_are_written_as() {
        assert_eq!(shown("65535").as_deref(), Some("65535"));
        assert_eq!(shown("-0.50").as_deref(), Some("-0.5"));
        assert_eq!(shown("1.25e3").as_deref(), Some("1250"));
        assert_eq!(shown("5E-2").as_deref(), Some("0.05"));
        assert_eq!(shown("80.0").as_deref(), Some("80"));
        assert_eq!(shown("170141183460469231731687303715884105727").map(|text| text.len()), Some(39));
        for wrong in ["", "-", "1.", ".5", "0x10", "1_000", " 1", "+1", "1e", "1e999", &"9".repeat(40)] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_third_three_times_is_one() {
        let third = Number::fraction(1, 3).expect("a number");
        assert_eq!(third.to_string(), "1/3");
        assert_eq!(third.times(Number::whole(3)), Some(Number::whole(1)));
        assert_eq!((third.floor(), third.ceil()), (0, 1));
        let below = third.minus(Number::whole(1)).expect("a number");
        assert_eq!((below.floor(), below.ceil()), (-1, 0));
        assert_eq!(Number::whole(1).over(Number::whole(0)), None);
        assert_eq!(Number::whole(i128::MAX).plus(Number::whole(1)), None);
    }
}
