//! From text to tokens: LaTeX, Unicode and plain notation become one stream.
//!
//! Nothing is skipped that could carry meaning: an unknown command or character makes the text unreadable.

use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::expr::{Expr, Function, Relation};

/// The longest answer that is read, in bytes.
pub(super) const MAX_BYTES: usize = 8192;
/// The most tokens of an answer.
const MAX_TOKENS: usize = 4096;
/// The most digits of a literal's exponent that is written out; a larger power of ten stays a power.
const MAX_WRITTEN_EXPONENT: i64 = 2_000;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A literal; `whole` when it is written with digits only.
    Number {
        value: Expr,
        whole: bool,
    },
    /// A single symbol that stands for a variable or constant.
    Symbol(String),
    /// Words that are no mathematics: of `\text{}` or of plain letters.
    Words(String),
    Function(Named),
    Relation(Relation),
    /// `and`, `or`, or a separator that has no brackets.
    Separator,
    /// An operator, bracket or mark.
    Mark(char),
    Frac,
    Binom,
    Sqrt,
    Element,
    Cup,
    EmptySet,
    Begin(String),
    End(String),
    /// `\\` in a matrix.
    Row,
}

/// A function as its name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Plain(Function),
    /// `log`, with a base of ten unless a subscript says another.
    Log,
    Lg,
    Exp,
    Sqrt,
}

/// A token and whether white space stands before it.
#[derive(Clone, Debug)]
pub(super) struct Spaced {
    pub(super) token: Token,
    pub(super) spaced: bool,
}

pub(super) fn function(name: &str) -> Option<Named> {
    use Function as F;
    Some(Named::Plain(match name {
        "sin" => F::Sin,
        "cos" => F::Cos,
        "tan" | "tg" => F::Tan,
        "cot" | "ctg" => F::Cot,
        "sec" => F::Sec,
        "csc" => F::Csc,
        "arcsin" | "asin" => F::Arcsin,
        "arccos" | "acos" => F::Arccos,
        "arctan" | "atan" => F::Arctan,
        "sinh" => F::Sinh,
        "cosh" => F::Cosh,
        "tanh" => F::Tanh,
        "ln" => F::Ln,
        "abs" => F::Abs,
        "floor" => F::Floor,
        "ceil" => F::Ceil,
        "min" => F::Min,
        "max" => F::Max,
        "gcd" => F::Gcd,
        "lcm" => F::Lcm,
        "log" => return Some(Named::Log),
        "lg" => return Some(Named::Lg),
        "exp" => return Some(Named::Exp),
        "sqrt" => return Some(Named::Sqrt),
        _ => return None,
    }))
}

fn is_greek(name: &str) -> bool {
    const NAMES: [&str; 38] = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "varrho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Sigma",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
        "Pi",
    ];
    NAMES.contains(&name)
}

/// What a name means in any notation.
fn word(name: &str) -> Option<Token> {
    if let Some(function) = function(name) {
        return Some(Token::Function(function));
    }
    Some(match name {
        "pi" => Token::Symbol("π".to_owned()),
        "infty" | "inf" | "infinity" | "Infinity" | "oo" => Token::Mark('∞'),
        "and" | "or" => Token::Separator,
        name if is_greek(name) => Token::Symbol(name.to_owned()),
        _ => return None,
    })
}

/// What a command without arguments means; an empty string stands for nothing at all.
fn command(name: &str) -> Option<Token> {
    if let Some(token) = word(name) {
        return Some(token);
    }
    Some(match name {
        "cdot" | "times" | "ast" => Token::Mark('*'),
        "div" => Token::Mark('/'),
        "pm" => Token::Mark('±'),
        "mp" => Token::Mark('∓'),
        "circ" | "degree" => Token::Mark('°'),
        "frac" | "dfrac" | "tfrac" | "cfrac" => Token::Frac,
        "binom" | "dbinom" | "tbinom" => Token::Binom,
        "le" | "leq" | "leqslant" => Token::Relation(Relation::LessOrEqual),
        "ge" | "geq" | "geqslant" => Token::Relation(Relation::GreaterOrEqual),
        "lt" => Token::Relation(Relation::Less),
        "gt" => Token::Relation(Relation::Greater),
        "ne" | "neq" => Token::Relation(Relation::NotEqual),
        "in" => Token::Element,
        "cup" => Token::Cup,
        "emptyset" | "varnothing" => Token::EmptySet,
        "vert" | "lvert" | "rvert" | "mid" => Token::Mark('|'),
        "langle" => Token::Mark('⟨'),
        "rangle" => Token::Mark('⟩'),
        "lfloor" => Token::Mark('⌊'),
        "rfloor" => Token::Mark('⌋'),
        "lceil" => Token::Mark('⌈'),
        "rceil" => Token::Mark('⌉'),
        "lbrace" => Token::Mark('⦃'),
        "rbrace" => Token::Mark('⦄'),
        "lbrack" => Token::Mark('['),
        "rbrack" => Token::Mark(']'),
        "prime" => Token::Mark('\''),
        "vee" | "lor" | "wedge" | "land" => Token::Separator,
        _ => return None,
    })
}

/// Commands that change only how something looks.
fn is_layout(name: &str) -> bool {
    const NAMES: [&str; 28] = [
        "left",
        "right",
        "mleft",
        "mright",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "quad",
        "qquad",
        "displaystyle",
        "textstyle",
        "limits",
        "nolimits",
        "boxed",
        "fbox",
        "middle",
        "thinspace",
        "nobreak",
        "allowbreak",
        "bf",
        "rm",
    ];
    NAMES.contains(&name)
}

/// Commands whose braces hold text.
fn is_text(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "text",
        "textnormal",
        "textup",
        "mathrm",
        "textbf",
        "textit",
        "textrm",
        "mbox",
        "mathbf",
        "mathit",
        "operatorname",
        "textsf",
        "mathsf",
        "bold",
        "hbox",
    ];
    NAMES.contains(&name)
}

fn mark(c: char) -> Option<Token> {
    Some(match c {
        '+' | '/' | '^' | '_' | '!' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | ',' | ';' | '%' | '\''
        | '&' | '⟨' | '⟩' | '⌊' | '⌋' | '⌈' | '⌉' | '±' | '∓' | '°' | '∞' | ':' => {
            Token::Mark(c)
        }
        '-' | '−' | '–' => Token::Mark('-'),
        '*' | '·' | '•' | '∙' | '×' | '⋅' | '∗' => Token::Mark('*'),
        '÷' | '∕' | '⁄' => Token::Mark('/'),
        '=' => Token::Relation(Relation::Equal),
        '<' => Token::Relation(Relation::Less),
        '>' => Token::Relation(Relation::Greater),
        '≤' | '⩽' => Token::Relation(Relation::LessOrEqual),
        '≥' | '⩾' => Token::Relation(Relation::GreaterOrEqual),
        '≠' => Token::Relation(Relation::NotEqual),
        '∈' => Token::Element,
        '∪' => Token::Cup,
        '∅' => Token::EmptySet,
        '√' => Token::Sqrt,
        'º' | '˚' => Token::Mark('°'),
        '′' | '’' => Token::Mark('\''),
        _ => return None,
    })
}

/// The tokens of `text`, or `None` when some of it cannot be read.
pub(super) fn tokens(text: &str) -> Option<Vec<Spaced>> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut lexer = Lexer { text, at: 0, brackets: 0, out: Vec::new(), spaced: false };
    while lexer.at < text.len() {
        lexer.step()?;
        if lexer.out.len() > MAX_TOKENS {
            return None;
        }
    }
    Some(lexer.out)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Open brackets. Inside them a comma separates and never groups digits.
    brackets: u32,
    out: Vec<Spaced>,
    spaced: bool,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, token: Token, bytes: usize) {
        match token {
            Token::Mark('(' | '[' | '⦃' | '⟨') => self.brackets += 1,
            Token::Mark(')' | ']' | '⦄' | '⟩') => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.out.push(Spaced { token, spaced: self.spaced });
        self.spaced = false;
        self.at += bytes;
    }

    fn step(&mut self) -> Option<()> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        let bytes = rest.as_bytes();
        if first.is_whitespace() || matches!(first, '\u{200b}' | '\u{2061}') {
            self.spaced = true;
            self.at += first.len_utf8();
        } else if first == '$' || first == '~' {
            self.at += 1;
        } else if first == '\\' {
            self.command()?;
        } else if first.is_ascii_digit() || (first == '.' && bytes.get(1).is_some_and(u8::is_ascii_digit)) {
            self.number()?;
        } else if rest.starts_with("**") {
            self.push(Token::Mark('^'), 2);
        } else if rest.starts_with("<=") {
            self.push(Token::Relation(Relation::LessOrEqual), 2);
        } else if rest.starts_with(">=") {
            self.push(Token::Relation(Relation::GreaterOrEqual), 2);
        } else if rest.starts_with("!=") {
            self.push(Token::Relation(Relation::NotEqual), 2);
        } else if rest.starts_with("==") {
            self.push(Token::Relation(Relation::Equal), 2);
        } else if first.is_ascii_alphabetic() {
            self.letters();
        } else if let Some((value, len)) = superscript(rest) {
            self.push(Token::Mark('^'), len);
            self.push(Token::Number { value, whole: true }, 0);
        } else if let Some(token) = mark(first) {
            self.push(token, first.len_utf8());
        } else if let Some(value) = vulgar_fraction(first) {
            self.push(Token::Mark('('), 0);
            self.push(Token::Number { value, whole: false }, 0);
            self.push(Token::Mark(')'), first.len_utf8());
        } else if let Some(name) = greek_letter(first) {
            self.push(Token::Symbol(name.to_owned()), first.len_utf8());
        } else {
            return None;
        }
        Some(())
    }

    fn command(&mut self) -> Option<()> {
        let rest = self.rest();
        let name_len = rest[1..].bytes().take_while(u8::is_ascii_alphabetic).count();
        if name_len == 0 {
            let c = rest[1..].chars().next()?;
            let len = 1 + c.len_utf8();
            match c {
                ',' | ';' | ':' | '!' | ' ' | '\n' | '(' | ')' | '[' | ']' | '$' => {
                    self.spaced |= c != '!';
                    self.at += len;
                }
                '{' => self.push(Token::Mark('⦃'), len),
                '}' => self.push(Token::Mark('⦄'), len),
                '%' => self.push(Token::Mark('%'), len),
                '|' => self.push(Token::Mark('|'), len),
                '\\' => self.push(Token::Row, len),
                _ => return None,
            }
            return Some(());
        }
        let name = &rest[1..=name_len];
        let len = 1 + name_len;
        if is_layout(name) {
            self.at += len;
            // `\left.` and `\right.` are brackets that are not there.
            if matches!(name, "left" | "right") && self.rest().starts_with('.') {
                self.at += 1;
            }
            self.spaced |= matches!(name, "quad" | "qquad");
        } else if name == "sqrt" {
            self.push(Token::Sqrt, len);
        } else if is_text(name) {
            let after = rest[len..].trim_start();
            let content = after.strip_prefix('{')?;
            let end = content.find('}')?;
            let consumed = rest.len() - content.len() + end + 1;
            self.words(&content[..end], consumed);
        } else if name == "begin" || name == "end" {
            let content = rest[len..].strip_prefix('{')?;
            let end = content.find('}')?;
            let environment = content[..end].to_owned();
            let token = if name == "begin" { Token::Begin(environment) } else { Token::End(environment) };
            self.push(token, len + end + 2);
        } else {
            self.push(command(name)?, len);
        }
        Some(())
    }

    /// The content of a text command.
    fn words(&mut self, content: &str, consumed: usize) {
        let inner = content.trim().trim_end_matches(['.', ',']);
        let inner = inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
        let mut chars = inner.chars();
        match (chars.next(), chars.next()) {
            (None, _) => {
                self.spaced = true;
                self.at += consumed;
            }
            (Some(c), None) if c.is_ascii_alphabetic() => self.push(Token::Symbol(c.to_string()), consumed),
            _ => {
                let token = word(inner).unwrap_or_else(|| Token::Words(inner.to_owned()));
                self.push(token, consumed);
            }
        }
    }

    /// A run of letters outside a command.
    fn letters(&mut self) {
        let rest = self.rest();
        let len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let run = &rest[..len];
        if let Some(token) = word(run) {
            return self.push(token, len);
        }
        let first_len = 1;
        if len == 1 {
            return self.push(Token::Symbol(run.to_owned()), len);
        }
        // `sinx` is written by people in a hurry.
        if let Some(function) = function(&run[..len - 1]) {
            self.push(Token::Function(function), len - 1);
            return self.push(Token::Symbol(run[len - 1..].to_owned()), 1);
        }
        let after_number = matches!(self.out.last(), Some(Spaced { token: Token::Number { .. }, .. }));
        if run.bytes().all(|b| b.is_ascii_uppercase()) {
            // A segment, an angle, a set of letters: one name, whose order of letters matters.
            self.push(Token::Symbol(run.to_owned()), len);
        } else if len > 3
            || (after_number && super::units::is_known(run))
            || run.as_bytes()[0].is_ascii_uppercase()
        {
            self.push(Token::Words(run.to_owned()), len);
        } else {
            // A product of variables.
            for at in 0..len {
                self.push(Token::Symbol(run[at..=at].to_owned()), first_len);
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        let rest = self.rest();
        let (mut digits, mut at) = (String::new(), 0);
        let run = |at: usize| rest[at..].bytes().take_while(u8::is_ascii_digit).count();
        let first = run(0);
        digits.push_str(&rest[..first]);
        at += first;
        // Groups of three after the first one to three digits, all by the same separator.
        if (1..=3).contains(&first) && !rest.starts_with('0') {
            let separators: &[&str] = if self.brackets == 0 {
                &[",", "{,}", "\\,", "\\!", ",\\!", "\u{202f}"]
            } else {
                &["{,}", "\\,", "\\!", ",\\!", "\u{202f}"]
            };
            for separator in separators {
                let mut end = at;
                let mut grouped = digits.clone();
                while rest[end..].starts_with(separator) && run(end + separator.len()) == 3 {
                    let start = end + separator.len();
                    grouped.push_str(&rest[start..start + 3]);
                    end = start + 3;
                }
                if end > at {
                    digits = grouped;
                    at = end;
                    break;
                }
            }
        }
        let whole_digits = digits.len();
        let mut whole = true;
        if rest[at..].starts_with('.') {
            let fraction = run(at + 1);
            // A full stop at the end of the text is punctuation, one before digits is a decimal point.
            if fraction > 0 {
                digits.push_str(&rest[at + 1..at + 1 + fraction]);
                whole = false;
                at += 1 + fraction;
            } else if whole_digits > 0 {
                at += 1;
                whole = false;
            }
        }
        let places = digits.len() - whole_digits;
        let integer: UBig = digits.parse().ok()?;
        let scale = UBig::from(10_u8).pow(places);
        let mut value = Expr::Number(RBig::from_parts(IBig::from(integer), scale));
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

fn superscript(rest: &str) -> Option<(Expr, usize)> {
    let digits: String = rest
        .chars()
        .map_while(|c| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|s| s == c))
        .map(|d| d.to_string())
        .collect();
    let len = rest.chars().take(digits.len()).map(char::len_utf8).sum();
    Some((Expr::Number(RBig::from(digits.parse::<UBig>().ok()?)), len))
}

fn vulgar_fraction(c: char) -> Option<Expr> {
    let (top, bottom): (i64, u8) = match c {
        '½' => (1, 2),
        '⅓' => (1, 3),
        '⅔' => (2, 3),
        '¼' => (1, 4),
        '¾' => (3, 4),
        '⅕' => (1, 5),
        '⅛' => (1, 8),
        _ => return None,
    };
    Some(Expr::Number(RBig::from_parts(top.into(), bottom.into())))
}

fn greek_letter(c: char) -> Option<&'static str> {
    Some(match c {
        'π' => "π",
        'α' => "alpha",
        'β' => "beta",
        'γ' => "gamma",
        'δ' => "delta",
        'ε' => "epsilon",
        'θ' => "theta",
        'λ' => "lambda",
        'μ' => "mu",
        'ρ' => "rho",
        'σ' => "sigma",
        'τ' => "tau",
        'φ' => "phi",
        'ω' => "omega",
        _ => return None,
    })
}
