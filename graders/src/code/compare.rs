//! Comparing what a program printed with what was expected.

use serde::Deserialize;

/// How the output of a case is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Compare {
    /// Line by line, where white space at the end of a line and blank lines at the end do not count.
    #[default]
    Text,
    /// Byte by byte.
    Exact,
    /// Word by word, where two numbers are the same within the tolerance, absolute or relative to the
    /// expected one, whichever is wider.
    Float {
        /// The tolerance.
        tol: f64,
    },
}

/// `Compare` as tests write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareFields {
    /// `text` (the default), `exact` or `float`.
    #[serde(default)]
    pub(super) kind: CompareKind,
    /// With `float`, the tolerance; default 0.000001.
    pub(super) tol: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CompareKind {
    #[default]
    Text,
    Exact,
    Float,
}

const TOLERANCE: f64 = 1e-6;

impl CompareFields {
    /// The comparison, or what is wrong with `tol`.
    pub(super) fn checked(&self) -> Result<Compare, &'static str> {
        match (self.kind, self.tol) {
            (CompareKind::Float, Some(tol)) if tol < 0.0 => Err("expected a number that is not negative"),
            (CompareKind::Float, tol) => Ok(Compare::Float { tol: tol.unwrap_or(TOLERANCE) }),
            (_, Some(_)) => Err("only `float` has a tolerance"),
            (CompareKind::Text, None) => Ok(Compare::Text),
            (CompareKind::Exact, None) => Ok(Compare::Exact),
        }
    }
}

impl Compare {
    /// Whether `output` is what was expected. Output that is not UTF-8 never is.
    pub(super) fn is_same(self, output: &[u8], expected: &str) -> bool {
        let Ok(output) = std::str::from_utf8(output) else { return false };
        match self {
            Self::Exact => output == expected,
            Self::Text => lines(output).eq(lines(expected)),
            Self::Float { tol } => {
                let mut expected = expected.split_whitespace();
                let mut output = output.split_whitespace();
                loop {
                    match (output.next(), expected.next()) {
                        (None, None) => return true,
                        (Some(output), Some(expected)) if same_word(output, expected, tol) => {}
                        _ => return false,
                    }
                }
            }
        }
    }
}

/// The lines without white space at their ends, and without blank ones at the end of the text.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.trim_end().lines().map(str::trim_end)
}

fn same_word(output: &str, expected: &str, tol: f64) -> bool {
    let number = |word: &str| word.parse::<f64>().ok().filter(|number| number.is_finite());
    output == expected
        || match (number(output), number(expected)) {
            (Some(output), Some(expected)) => (output - expected).abs() <= tol * expected.abs().max(1.0),
            _ => false,
        }
}
