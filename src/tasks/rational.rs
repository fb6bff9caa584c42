//! Exact fractions for the numbers in tasks.
//!
//! Tasks are small: what a level may draw keeps every value far below the range of `i128`. Where that could
//! fail the operations say so with `None`, and the generator draws again.

use std::fmt;

/// A fraction in lowest terms with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rational {
    numerator: i128,
    denominator: i128,
}

impl Rational {
    pub(crate) const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// `numerator / denominator`; `None` for a denominator of 0.
    pub(crate) fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 || numerator == i128::MIN || denominator == i128::MIN {
            return None;
        }
        let divisor =
            gcd(numerator.unsigned_abs(), denominator.unsigned_abs()).cast_signed() * denominator.signum();
        Some(Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    /// Reads `12`, `-7.50` or `3/4`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some((numerator, denominator)) = text.split_once('/') {
            return Self::new(numerator.parse().ok()?, denominator.parse().ok()?);
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let scale = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
        Self::new(format!("{whole}{part}").parse().ok()?, scale)
    }

    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::new(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { numerator: other.numerator.checked_neg()?, ..other })
    }

    pub(crate) fn times(self, other: Self) -> Option<Self> {
        Self::new(
            self.numerator.checked_mul(other.numerator)?,
            self.denominator.checked_mul(other.denominator)?,
        )
    }

    pub(crate) fn over(self, other: Self) -> Option<Self> {
        Self::new(
            self.numerator.checked_mul(other.denominator)?,
            self.denominator.checked_mul(other.numerator)?,
        )
    }

    pub(crate) const fn is_whole(self) -> bool {
        self.denominator == 1
    }

    pub(crate) const fn is_positive(self) -> bool {
        self.numerator > 0
    }

    pub(crate) const fn is_negative(self) -> bool {
        self.numerator < 0
    }

    /// The value, when it is whole and fits.
    pub(crate) fn whole(self) -> Option<i64> {
        self.is_whole().then(|| i64::try_from(self.numerator).ok()).flatten()
    }

    /// Whether it is a whole number of hundredths, as money is.
    pub(crate) const fn is_hundredths(self) -> bool {
        100 % self.denominator == 0
    }

    /// The decimal digits after the point that write it exactly; `None` when no number of digits does.
    fn decimal_places(self) -> Option<usize> {
        let mut rest = self.denominator;
        let (mut twos, mut fives) = (0, 0);
        while rest % 2 == 0 {
            rest /= 2;
            twos += 1;
        }
        while rest % 5 == 0 {
            rest /= 5;
            fives += 1;
        }
        (rest == 1).then_some(twos.max(fives))
    }

    /// As a decimal where one is exact and short, else as `a/b`.
    pub(crate) fn decimal(self) -> String {
        match self.decimal_places() {
            Some(places) if places <= MAX_PLACES => self.fixed(places).unwrap_or_else(|| self.to_string()),
            _ => self.to_string(),
        }
    }

    /// As an amount of money: whole, or with two places.
    pub(crate) fn money(self) -> String {
        if self.is_whole() || !self.is_hundredths() {
            return self.decimal();
        }
        self.fixed(2).unwrap_or_else(|| self.to_string())
    }

    /// With exactly `places` digits after the point, when these write it exactly.
    pub(crate) fn fixed(self, places: usize) -> Option<String> {
        let scale = 10_i128.checked_pow(u32::try_from(places).ok()?)?;
        let scaled = self.times(Self { numerator: scale, denominator: 1 })?;
        if !scaled.is_whole() {
            return None;
        }
        let sign = if self.numerator < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", scaled.numerator.unsigned_abs(), width = places + 1);
        let (whole, part) = digits.split_at(digits.len() - places);
        Some(if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
    }
}

/// More places than any level's decimals have.
const MAX_PLACES: usize = 12;

impl From<i64> for Rational {
    fn from(whole: i64) -> Self {
        Self { numerator: i128::from(whole), denominator: 1 }
    }
}

impl fmt::Display for Rational {
    /// As `a`, or `a/b` in lowest terms.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole() {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::Rational;

    fn of(numerator: i128, denominator: i128) -> Rational {
        Rational::new(numerator, denominator).unwrap()
    }

    #[test]
    fn lowest_terms_with_the_sign_above() {
        for (value, text) in
            [(of(6, 4), "3/2"), (of(6, -4), "-3/2"), (of(-6, -3), "2"), (of(0, -7), "0"), (of(0, 5), "0")]
        {
            assert_eq!(value.to_string(), text);
        }
        assert!(Rational::new(1, 0).is_none());
    }

    #[test]
    fn operations() {
        assert_eq!(of(1, 2).plus(of(1, 3)), Some(of(5, 6)));
        assert_eq!(of(1, 2).minus(of(1, 3)), Some(of(1, 6)));
        assert_eq!(of(2, 3).times(of(3, 4)), Some(of(1, 2)));
        assert_eq!(of(2, 3).over(of(4, 3)), Some(of(1, 2)));
        assert_eq!(of(2, 3).over(Rational::ZERO), None);
        assert_eq!(of(i128::MAX, 1).plus(of(1, 1)), None, "an overflow is no value");
    }

    #[test]
    fn reading() {
        assert_eq!(Rational::parse("-7.50"), Some(of(-15, 2)));
        assert_eq!(Rational::parse("3/4"), Some(of(3, 4)));
        assert_eq!(Rational::parse("12"), Some(of(12, 1)));
        for text in ["", "a", "1/0", "1.2.3", "1/2/3", "999999999999999999999999999999999999999999"] {
            assert_eq!(Rational::parse(text), None, "{text}");
        }
    }

    #[test]
    fn written_forms() {
        for (value, decimal, money) in [
            (of(15, 2), "7.5", "7.50"),
            (of(-1, 20), "-0.05", "-0.05"),
            (of(8, 1), "8", "8"),
            (of(1, 3), "1/3", "1/3"),
            (of(1, 8), "0.125", "0.125"),
            (of(0, 1), "0", "0"),
        ] {
            assert_eq!(value.decimal(), decimal);
            assert_eq!(value.money(), money);
        }
        assert_eq!(of(1, 8).fixed(2), None);
        assert_eq!(of(3, 1).fixed(2).as_deref(), Some("3.00"));
    }
}
