//! Numbers as programs print them: ASCII digits, a point, an exponent, and nothing else.
//!
//! `１２`, `1_2`, `0x1`, `nan` and `inf` are words here, not numbers.

/// How far a floating-point number may be from the expected one: the wider of the two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tolerance {
    pub(super) absolute: f64,
    /// A fraction of the expected number.
    pub(super) relative: f64,
}

impl Tolerance {
    /// Whether `got` is near enough. Infinity and not-a-number are near nothing, not even themselves.
    pub(super) fn allows(self, got: f64, expected: f64) -> bool {
        let most = self.absolute.max(self.relative * expected.abs());
        got.is_finite() && expected.is_finite() && (got - expected).abs() <= most
    }
}

/// A number in the decimal system.
pub(super) struct Decimal<'t> {
    text: &'t str,
    is_negative: bool,
    /// The digits without zeros at either end; empty for zero.
    digits: Vec<u8>,
    /// The power of ten that `0.digits` is multiplied by; 0 for zero.
    exponent: i64,
    /// Whether it was written with neither point nor exponent.
    pub(super) is_whole: bool,
}

impl<'t> Decimal<'t> {
    pub(super) fn read(text: &'t str) -> Option<Self> {
        let is_negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, Some(power)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits: Vec<u8> = whole.bytes().chain(fraction.unwrap_or("").bytes()).collect();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let power_value: i64 = match power {
            // `parse` takes a sign and ASCII digits; more than fit are no number that anyone prints.
            Some(power) => power.parse::<i32>().ok()?.into(),
            None => 0,
        };
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        let end = digits.iter().rposition(|digit| *digit != b'0').map_or(leading, |last| last + 1);
        let is_zero = leading == digits.len();
        let before_point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self {
            text,
            is_negative: is_negative && !is_zero,
            digits: digits[leading..end.max(leading)].to_vec(),
            exponent: if is_zero { 0 } else { power_value + before_point },
            is_whole: fraction.is_none() && power.is_none(),
        })
    }

    /// Whether both are exactly the same number, however they are written.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.is_negative == other.is_negative
            && self.exponent == other.exponent
            && self.digits == other.digits
    }

    /// The nearest float; infinite beyond the range.
    pub(super) fn nearest(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_and_others() {
        for (a, b, same) in [
            ("1", "1.0", true),
            ("10", "1e1", true),
            ("-0", "0.00", true),
            ("0", "0e5", true),
            ("+7", "007", true),
            (".5", "0.5", true),
            ("5.", "5", true),
            ("100", "1E+2", true),
            ("0.001", "1e-3", true),
            ("1000000007", "1000000008", false),
            ("1", "-1", false),
            ("1", "10", false),
            ("123456789012345678901234567890", "123456789012345678901234567891", false),
        ] {
            let read = |text| Decimal::read(text).unwrap();
            assert_eq!(read(a).is_same(&read(b)), same, "{a} {b}");
            assert!((read(a).nearest() == read(b).nearest()) || !same);
        }
    }

    #[test]
    fn words_are_no_numbers() {
        for text in [
            "",
            "-",
            ".",
            "e1",
            "1e",
            "1e1.5",
            "1_2",
            "１２",
            "٣",
            "nan",
            "inf",
            "0x1",
            "--1",
            "+-1",
            "1 ",
            "1.2.3",
            "1e99999999999",
        ] {
            assert!(Decimal::read(text).is_none(), "{text}");
        }
    }
}
