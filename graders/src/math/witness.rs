//! The work that comparisons may do, and where a difference shows.

use dashu::rational::RBig;

use super::fast::Fast;
use super::sample::Sample;

/// The work that comparisons may still do, in units of roughly a microsecond, and what they found.
#[derive(Debug)]
pub(super) struct Fuel {
    units: u32,
    /// Whether a proof of difference should come with a witness.
    pub(super) explain: bool,
    /// Where the last difference shows.
    pub(super) witness: Option<Witness>,
}

/// A point at which two expressions differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    /// The variables and their values, none for constants.
    pub(super) point: Vec<(String, String)>,
    /// The values of the first and of the second expression.
    pub(super) values: (String, String),
}

impl Fuel {
    /// Enough for some hundred evaluations of transcendental functions.
    pub(super) const fn full() -> Self {
        Self { units: 25_000, explain: false, witness: None }
    }

    /// Keeps a point at which two expressions were seen to differ.
    pub(super) fn saw(&mut self, (sample, x, y): (Sample, Fast, Fast)) {
        if self.explain {
            self.witness = Some(Witness::fast(&sample, x, y));
        }
    }

    /// Takes a number of units, if there are as many.
    pub(super) fn burn(&mut self, units: u32) -> Option<()> {
        let left = self.units.checked_sub(units);
        self.units = left.unwrap_or(0);
        left.map(|_| ())
    }
}

impl Witness {
    /// Two exact constants.
    pub(super) fn exact(x: &RBig, y: &RBig) -> Self {
        Self { point: Vec::new(), values: pair(&short(x), &short(y), x, y) }
    }

    /// Two values of machine precision.
    pub(super) fn fast(sample: &Sample, x: Fast, y: Fast) -> Self {
        let long = |x: Fast| complex_digits(x, 15);
        let values = pair(&complex_digits(x, 6), &complex_digits(y, 6), &long(x), &long(y));
        Self { point: sample.named(), values }
    }
}

fn short(x: &RBig) -> String {
    digits(x.to_f64().value(), 6)
}

/// A number with so many significant digits.
fn digits(x: f64, significant: usize) -> String {
    let size = x.abs();
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        return format!("{x:.*e}", significant.saturating_sub(1));
    }
    let before = if size == 0.0 { 0 } else { size.log10().floor() as i64 };
    let places = usize::try_from(i64::try_from(significant).unwrap_or(6) - 1 - before).unwrap_or(0);
    let text = format!("{x:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Two short texts, or longer ones where the short ones are the same.
fn pair(x: &str, y: &str, long_x: &impl ToString, long_y: &impl ToString) -> (String, String) {
    let cut = |text: String| text.chars().take(60).collect::<String>();
    if x == y { (cut(long_x.to_string()), cut(long_y.to_string())) } else { (x.to_owned(), y.to_owned()) }
}

fn complex_digits(x: Fast, significant: usize) -> String {
    if x.im == 0.0 {
        return digits(x.re, significant);
    }
    let sign = if x.im < 0.0 { '-' } else { '+' };
    format!("{}{sign}{}i", digits(x.re, significant), digits(x.im.abs(), significant))
}
