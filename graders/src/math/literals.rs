//! The lexer's numbers.

use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::expr::Expr;
use super::lexer::{Lexer, Token};

/// The most digits of a literal's exponent that is written out; a larger power of ten stays a power.
const MAX_WRITTEN_EXPONENT: i64 = 2_000;

impl Lexer<'_> {
    /// A literal: digits in groups, a decimal point or comma, what recurs, an exponent, a base.
    pub(super) fn number(&mut self) -> Option<()> {
        let rest = self.rest();
        if let Some(len) = based(rest) {
            self.push(Token::Based(rest[..len].to_uppercase()), len);
            return Some(());
        }
        let run = |at: usize| rest[at..].bytes().take_while(u8::is_ascii_digit).count();
        if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let len = hex.bytes().take_while(u8::is_ascii_hexdigit).count();
            if len > 0 {
                let value = UBig::from_str_radix(&hex[..len], 16).ok()?;
                let value = Expr::Number(RBig::from(IBig::from(value)));
                self.push(Token::Number { value, whole: true }, len + 2);
                return Some(());
            }
        }
        let first = run(0);
        let (mut digits, mut at) = (rest[..first].to_owned(), first);
        // Groups of three after the first one to three digits, all by the same separator.
        if (1..=3).contains(&first) && !rest.starts_with('0') {
            for separator in
                [",", "{,}", "\\,", "\\!", ",\\!", ",\\! ", ", \\!", "\u{202f}", "\u{2009}", "\u{a0}", " "]
            {
                let mut end = at;
                let mut grouped = digits.clone();
                let mut zero = false;
                while rest[end..].starts_with(separator) && run(end + separator.len()) == 3 {
                    let start = end + separator.len();
                    grouped.push_str(&rest[start..start + 3]);
                    zero |= rest[start..].starts_with('0');
                    end = start + 3;
                }
                // Between brackets a comma separates items, unless a group like `000` shows what it is.
                let plain = matches!(separator, "," | " ");
                let refused = plain && self.brackets > 0 && !(zero && separator == ",");
                // A space groups only where nothing else could follow a number.
                let refused = refused || (separator == " " && rest[end..].starts_with(['/', ' ', ',']));
                if end > at && !refused {
                    digits = grouped;
                    at = end;
                    break;
                }
            }
        }
        let whole_digits = digits.len();
        let mut whole = true;
        let mut recurring = None;
        let comma = rest[at..]
            .strip_prefix("{,}")
            .is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
        if comma {
            // `0{,}5` is a decimal comma where TeX is written with one.
            let fraction = run(at + 3);
            digits.push_str(&rest[at + 3..at + 3 + fraction]);
            whole = false;
            at += 3 + fraction;
        } else if rest[at..].starts_with('.') {
            let fraction = run(at + 1);
            recurring = repeated(&rest[at + 1 + fraction..], fraction == 0);
            // A full stop at the end of the text is punctuation, one before digits is a decimal point.
            if fraction > 0 || recurring.is_some() {
                digits.push_str(&rest[at + 1..at + 1 + fraction]);
                whole = false;
                at += 1 + fraction;
            } else if whole_digits > 0 && !rest[at..].starts_with("..") {
                at += 1;
                whole = false;
            }
        }
        let places = digits.len() - whole_digits;
        let mut value = RBig::from_parts(IBig::from(digits.parse::<UBig>().ok()?), power_of_ten(places));
        if let Some((block, len)) = recurring {
            let nines = power_of_ten(block.len()) - UBig::ONE;
            let tail =
                RBig::from_parts(IBig::from(block.parse::<UBig>().ok()?), nines * power_of_ten(places));
            value += tail;
            at += len;
        }
        let mut value = Expr::Number(value);
        if let Some((exponent, len)) = exponent(&rest[at..]) {
            whole = false;
            at += len;
            let power = Expr::Power(
                Box::new(Expr::integer(10)),
                Box::new(Expr::Number(RBig::from(exponent.clone()))),
            );
            value = Expr::product(vec![value, power]);
            if i64::try_from(&exponent).is_ok_and(|n| n.abs() <= MAX_WRITTEN_EXPONENT)
                && let Some(written) = super::exact::value(&value)
            {
                value = Expr::Number(written);
            }
        }
        self.push(Token::Number { value, whole }, at);
        Some(())
    }
}

fn power_of_ten(n: usize) -> UBig {
    UBig::from(10_u8).pow(n)
}

pub(super) fn integer(digits: &str) -> Option<Expr> {
    Some(Expr::Number(RBig::from(IBig::from(digits.parse::<UBig>().ok()?))))
}

/// The block of digits that repeats for ever, and how long its notation is: `\overline{36}`, `\dot{3}`, `(3)`.
fn repeated(rest: &str, first: bool) -> Option<(String, usize)> {
    let block = |start: &str, end: &str| {
        let content = rest.strip_prefix(start)?;
        let digits = content.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0 && content[digits..].starts_with(end))
            .then(|| (content[..digits].to_owned(), start.len() + digits + end.len()))
    };
    let marks = [
        "\\overline{",
        "\\overline ",
        "\\overline",
        "\\bar{",
        "\\bar ",
        "\\bar",
        "\\dot{",
        "\\dot ",
        "\\dot",
    ];
    for start in marks {
        let end = if start.ends_with('{') { "}" } else { "" };
        let Some((digits, len)) = block(start, end) else { continue };
        if !start.starts_with("\\dot") {
            // Without braces only one digit is under the line.
            let one = end.is_empty() && digits.len() > 1;
            return (!one).then_some((digits, len));
        }
        // Dots stand on the first and the last digit of the block.
        let after = &rest[len..];
        let middle = after.bytes().take_while(u8::is_ascii_digit).count();
        let last = after[middle..]
            .strip_prefix("\\dot{")
            .and_then(|last| last.get(..2))
            .filter(|s| s.ends_with('}'));
        return Some(match last {
            Some(last) => {
                (format!("{digits}{}{}", &after[..middle], &last[..1]), len + middle + "\\dot{".len() + 2)
            }
            None => (digits, len),
        });
    }
    // `0.(3)`: after digits the brackets would multiply.
    if first { block("(", ")") } else { None }
}

/// The exponent of scientific notation at the start of `rest`, and its length. `2e` alone is twice Euler's
/// number.
fn exponent(rest: &str) -> Option<(IBig, usize)> {
    let after = rest.strip_prefix(['e', 'E'])?;
    let unsigned = after.strip_prefix(['+', '-']).unwrap_or(after);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || unsigned[digits..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '^') {
        return None;
    }
    let magnitude: IBig = unsigned[..digits].parse().ok()?;
    let exponent = if after.starts_with('-') { -magnitude } else { magnitude };
    Some((exponent, rest.len() - unsigned.len() + digits))
}

/// The length of digits that have a base as subscript. Letters count as digits only with a base above ten.
fn based(rest: &str) -> Option<usize> {
    let len = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let after = rest[len..].strip_prefix('_')?;
    let base: String = after.trim_start_matches('{').chars().take_while(char::is_ascii_digit).collect();
    let number: u32 = base.parse().ok().filter(|n| (11..=36).contains(n))?;
    let letters = rest[..len].bytes().any(|b| b.is_ascii_alphabetic());
    let valid = rest[..len].chars().all(|c| c.is_digit(number));
    (letters && valid).then_some(len)
}

pub(super) const SUPERSCRIPTS: [char; 12] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹', '⁻', '⁺'];
pub(super) const SUBSCRIPTS: [char; 12] = ['₀', '₁', '₂', '₃', '₄', '₅', '₆', '₇', '₈', '₉', '₋', '₊'];

/// Small raised or lowered digits: the sign, the digits, and their length.
pub(super) fn script(rest: &str, alphabet: &[char; 12]) -> Option<(bool, String, usize)> {
    let (mut digits, mut len, mut negative) = (String::new(), 0, false);
    for c in rest.chars() {
        match alphabet.iter().position(|known| *known == c) {
            Some(10) if digits.is_empty() => negative = true,
            Some(11) if digits.is_empty() => {}
            Some(digit @ 0..=9) => digits.push(char::from(b'0' + digit as u8)),
            _ => break,
        }
        len += c.len_utf8();
    }
    (!digits.is_empty()).then_some((negative, digits, len))
}
