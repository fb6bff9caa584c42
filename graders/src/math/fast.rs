//! Complex numbers of machine precision with a bound on their error.
//!
//! A [`Fast`] is a disc: a middle and a radius. Every operation adds what it rounds away, sixteen units in the
//! last place for a function of the standard library, which is several times what any of its platforms'
//! libraries admit. So two discs that lie apart prove a difference, at a thousandth of the cost of the balls
//! of [`super::ball`]. A number that leaves the range of `f64` is no number here.

use std::f64::consts::{FRAC_PI_2, PI};

/// Twice the largest relative error of one rounding.
const UNIT: f64 = f64::EPSILON;
/// The relative error that a function of the standard library is trusted with.
const LIBRARY: f64 = 16.0 * UNIT;
/// The largest whole exponent that is multiplied out.
const MAX_EXPONENT: u64 = 1 << 16;
/// The largest error of an argument at which a function is still worth its value.
const MAX_RADIUS: f64 = 0.5;

/// A disc that holds a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fast {
    pub(super) re: f64,
    pub(super) im: f64,
    radius: f64,
    /// Whether it is real by construction.
    real: bool,
}

impl Fast {
    fn new(re: f64, im: f64, radius: f64, real: bool) -> Option<Self> {
        // The radius itself is rounded, and what is too small for a float is lost.
        let radius = radius * (1.0 + 8.0 * UNIT) + 1e-290;
        let sound = re.is_finite() && im.is_finite() && radius.is_finite();
        sound.then_some(Self { re, im: if real { 0.0 } else { im }, radius, real })
    }

    fn of_real(re: f64, radius: f64) -> Option<Self> {
        Self::new(re, 0.0, radius, true)
    }

    /// A float that is the number itself.
    pub(super) const fn exact(re: f64) -> Self {
        Self { re, im: 0.0, radius: 0.0, real: true }
    }

    /// A float next to the number.
    pub(super) fn rounded(re: f64) -> Option<Self> {
        Self::of_real(re, re.abs() * UNIT)
    }

    pub(super) const IMAGINARY: Self = Self { re: 0.0, im: 1.0, radius: 0.0, real: false };

    pub(super) const fn is_real(self) -> bool {
        self.real
    }

    /// A bound on the magnitude of the middle from above, and one from below.
    fn size(self) -> (f64, f64) {
        let (a, b) = (self.re.abs(), self.im.abs());
        (a + b, a.max(b))
    }

    fn contains_zero(self) -> bool {
        self.size().1 <= self.radius
    }

    /// Whether the two cannot be the same number.
    pub(super) fn is_apart(self, other: Self) -> bool {
        let (re, im) = (self.re - other.re, self.im - other.im);
        let distance = re.abs().max(im.abs());
        let rounding = UNIT * (self.size().0 + other.size().0);
        distance > (self.radius + other.radius + rounding) * (1.0 + 1e-9)
    }

    /// The sign of a real number, if it is certain.
    pub(super) fn sign(self) -> Option<f64> {
        (self.real && !self.contains_zero()).then(|| self.re.signum())
    }

    pub(super) fn negated(self) -> Self {
        Self { re: -self.re, im: -self.im, ..self }
    }

    pub(super) fn conjugate(self) -> Self {
        Self { im: -self.im, ..self }
    }

    pub(super) fn real_part(self) -> Self {
        Self { im: 0.0, real: true, ..self }
    }

    pub(super) fn imaginary_part(self) -> Self {
        Self { re: self.im, im: 0.0, real: true, ..self }
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let (re, im) = (self.re + other.re, self.im + other.im);
        let radius = self.radius + other.radius + UNIT * (re.abs() + im.abs());
        Self::new(re, im, radius, self.real && other.real)
    }

    pub(super) fn sub(self, other: Self) -> Option<Self> {
        self.add(other.negated())
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        if self.real && other.real {
            let re = self.re * other.re;
            let radius = self.re.abs() * other.radius
                + other.re.abs() * self.radius
                + self.radius * other.radius
                + UNIT * re.abs();
            return Self::of_real(re, radius);
        }
        let (a, b) = (self.size().0, other.size().0);
        let radius = a * other.radius + b * self.radius + self.radius * other.radius + 4.0 * UNIT * a * b;
        let re = self.re * other.re - self.im * other.im;
        let im = self.re * other.im + self.im * other.re;
        Self::new(re, im, radius, false)
    }

    pub(super) fn inverse(self) -> Option<Self> {
        let below = self.size().1;
        if below <= 2.0 * self.radius || !(1e-140..=1e140).contains(&below) {
            return None;
        }
        let radius = self.radius / (below * (below - self.radius)) + 8.0 * UNIT / below;
        if self.real {
            return Self::of_real(1.0 / self.re, radius);
        }
        let norm = self.re * self.re + self.im * self.im;
        Self::new(self.re / norm, -self.im / norm, radius, false)
    }

    pub(super) fn div(self, other: Self) -> Option<Self> {
        self.mul(other.inverse()?)
    }

    pub(super) fn exp(self) -> Option<Self> {
        if self.radius > MAX_RADIUS || self.re > 700.0 || self.im.abs() > 1e12 {
            return None;
        }
        let scale = self.re.exp();
        let radius = scale * (2.0 * self.radius + LIBRARY);
        if self.real {
            return Self::of_real(scale, radius);
        }
        let (sin, cos) = self.im.sin_cos();
        Self::new(scale * cos, scale * sin, radius + scale * LIBRARY, false)
    }

    /// The principal logarithm; of a negative number only where complex numbers are meant.
    pub(super) fn ln(self, complex: bool) -> Option<Self> {
        let below = self.size().1;
        if below <= 2.0 * self.radius || below < 1e-280 {
            return None;
        }
        let spread = self.radius / (below - self.radius);
        if self.real && self.re > 0.0 {
            let ln = self.re.ln();
            return Self::of_real(ln, spread + LIBRARY * ln.abs() + 1e-300);
        }
        if !complex || (self.re < 0.0 && !self.real && self.im.abs() <= self.radius) {
            return None;
        }
        let ln = self.re.hypot(self.im).ln();
        let angle = if self.real { PI } else { self.im.atan2(self.re) };
        Self::new(ln, angle, spread + LIBRARY * (ln.abs() + angle.abs() + 1.0), false)
    }

    pub(super) fn abs(self) -> Option<Self> {
        let size = self.re.hypot(self.im);
        Self::of_real(size, self.radius + LIBRARY * size)
    }

    /// The root of this degree: the real one of a real number; a complex one only where those are meant.
    pub(super) fn root(self, degree: u32, complex: bool) -> Option<Self> {
        let n = f64::from(degree);
        if degree == 0 {
            return None;
        }
        if self.real && self.re == 0.0 && self.radius == 0.0 {
            return Some(self);
        }
        if self.contains_zero() {
            let bound = (self.size().0 + self.radius).powf(n.recip()) * (1.0 + LIBRARY);
            return Self::new(0.0, 0.0, bound, self.real);
        }
        let even = degree.is_multiple_of(2);
        if !self.real || (self.re < 0.0 && even) {
            if !complex {
                return None;
            }
            if self.real && degree == 2 {
                let root = self.negated().root(2, false)?;
                return Self::new(0.0, root.re, root.radius, false);
            }
            return self.ln(true)?.mul(Self::rounded(n.recip())?)?.exp();
        }
        let size = self.re.abs();
        if size <= 2.0 * self.radius {
            return None;
        }
        let root = match degree {
            2 => size.sqrt(),
            3 => size.cbrt(),
            _ => size.powf(n.recip()),
        };
        // The rounding of the exponent counts with the logarithm.
        let radius = root * (self.radius / (size - self.radius) / n + LIBRARY * (1.0 + size.ln().abs() / n));
        Self::of_real(if self.re < 0.0 { -root } else { root }, radius)
    }

    /// A whole power. Nothing to the power 0 is not given a value.
    pub(super) fn powi(self, exponent: i64) -> Option<Self> {
        let mut n = exponent.unsigned_abs();
        if n > MAX_EXPONENT || (n == 0 && self.contains_zero()) {
            return None;
        }
        let mut base = if exponent < 0 { self.inverse()? } else { self };
        let mut result = Self::exact(1.0);
        while n > 0 {
            if n & 1 == 1 {
                result = result.mul(base)?;
            }
            n >>= 1;
            if n > 0 {
                base = base.mul(base)?;
            }
        }
        Some(result)
    }

    pub(super) fn sin_cos(self) -> Option<(Self, Self)> {
        if self.re.abs() > 1e12 || self.im.abs() > 600.0 || self.radius > MAX_RADIUS {
            return None;
        }
        let (sin, cos) = self.re.sin_cos();
        if self.real {
            let radius = self.radius + LIBRARY;
            return Some((Self::of_real(sin, radius)?, Self::of_real(cos, radius)?));
        }
        let (sinh, cosh) = (self.im.sinh(), self.im.cosh());
        let radius = 2.0 * cosh * (self.radius * 2.0 + 2.0 * LIBRARY);
        Some((
            Self::new(sin * cosh, cos * sinh, radius, false)?,
            Self::new(cos * cosh, -sin * sinh, radius, false)?,
        ))
    }

    pub(super) fn sinh_cosh(self) -> Option<(Self, Self)> {
        let (plus, minus) = (self.exp()?, self.negated().exp()?);
        let half = Self::exact(0.5);
        Some((plus.sub(minus)?.mul(half)?, plus.add(minus)?.mul(half)?))
    }

    pub(super) fn arctan(self) -> Option<Self> {
        let angle = self.re.atan();
        self.real.then(|| Self::of_real(angle, self.radius + LIBRARY * angle.abs()))?
    }

    pub(super) fn arcsin(self) -> Option<Self> {
        let far = self.re.abs() + self.radius;
        if !self.real || self.re.abs() > 1.0 + self.radius {
            return None;
        }
        let angle = self.re.clamp(-1.0, 1.0).asin();
        let slope =
            if far < 0.999 { self.radius / (1.0 - far * far).sqrt() } else { 3.0 * self.radius.sqrt() };
        Self::of_real(angle, slope * 1.001 + self.radius + LIBRARY)
    }

    pub(super) fn arccos(self) -> Option<Self> {
        Self::rounded(FRAC_PI_2)?.sub(self.arcsin()?)
    }

    /// The argument, in (-π, π].
    pub(super) fn argument(self) -> Option<Self> {
        let below = self.size().1;
        if below <= 2.0 * self.radius {
            return None;
        }
        if self.real {
            return if self.re > 0.0 { Some(Self::exact(0.0)) } else { Self::rounded(PI) };
        }
        let beside = self.re < 0.0 && self.im.abs() <= self.radius;
        let angle = self.im.atan2(self.re);
        if beside { None } else { Self::of_real(angle, self.radius / (below - self.radius) + 4.0 * LIBRARY) }
    }

    pub(super) fn floor(self) -> Option<Self> {
        let floor = self.re.floor();
        let part = self.re - floor;
        let exact = part == 0.0 && self.radius == 0.0;
        let certain = part > self.radius && 1.0 - part > self.radius && floor.abs() < 1e15;
        (self.real && (exact || certain)).then(|| Self::exact(floor))
    }

    /// The greater of two real numbers.
    pub(super) fn max(self, other: Self) -> Option<Self> {
        if !self.real || !other.real {
            return None;
        }
        Self::of_real(self.re.max(other.re), self.radius.max(other.radius))
    }

    /// A whole number that it is next to, if the error is small.
    pub(super) fn whole(self) -> Option<i64> {
        let near = self.re.round();
        let close =
            self.real && (self.re - near).abs() <= self.radius && self.radius < 1e-6 && near.abs() < 1e6;
        close.then_some(near as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discs_hold_the_numbers() {
        let third = Fast::exact(3.0).inverse().unwrap();
        assert!(!third.mul(Fast::exact(3.0)).unwrap().is_apart(Fast::exact(1.0)));
        assert!(third.is_apart(Fast::exact(0.333_333_333_333)));
        let (sin, cos) = Fast::rounded(PI).unwrap().sin_cos().unwrap();
        assert!(!sin.is_apart(Fast::exact(0.0)) && !cos.is_apart(Fast::exact(-1.0)));
        let root = Fast::exact(-4.0).root(2, true).unwrap();
        assert!(!root.is_real() && !root.is_apart(Fast::IMAGINARY.mul(Fast::exact(2.0)).unwrap()));
        assert!(Fast::exact(-4.0).root(2, false).is_none());
        assert_eq!(Fast::exact(-8.0).root(3, false).unwrap().whole(), Some(-2));
        assert_eq!(Fast::exact(2.5).whole(), None);
        assert!(!Fast::exact(-8.0).root(3, false).unwrap().is_apart(Fast::exact(-2.0)));
    }

    #[test]
    fn nothing_leaves_the_range() {
        assert!(Fast::exact(1e200).mul(Fast::exact(1e200)).is_none());
        assert!(Fast::exact(0.0).inverse().is_none());
        assert!(Fast::exact(1e4).exp().is_none());
        assert!(Fast::exact(0.0).powi(0).is_none());
        assert!(Fast::exact(0.0).ln(true).is_none());
    }
}
