//! From text to tokens: LaTeX, Unicode and plain notation become one stream.
//!
//! Nothing is skipped that could carry meaning: an unknown command or character makes the text unreadable.

use super::expr::{Binder, Domain, Expr, Function, Join, Relation, SetOperation};
use super::literals::{SUBSCRIPTS, SUPERSCRIPTS, integer, script};
use super::symbols::{self, command, is_layout, is_text, mark, word};

/// The longest answer that is read, in bytes.
pub(super) const MAX_BYTES: usize = 8192;
/// The most tokens of an answer.
const MAX_TOKENS: usize = 4096;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A literal; `whole` when it is written with digits only.
    Number {
        value: Expr,
        whole: bool,
    },
    /// Digits with a base: `101_2`.
    Based(String),
    /// A single symbol that stands for a variable or constant.
    Symbol(&'a str),
    /// A symbol in bold: a unit vector, if it is i, j or k.
    Bold(&'a str),
    /// Words that are no mathematics: of `\text{}` or of plain letters.
    Words(&'a str),
    Function(Named),
    Relation(Relation),
    /// `and`, `or`.
    Separator(Join),
    /// An operator, bracket or mark.
    Mark(char),
    /// A mark over a symbol, or before one as in `∠ABC`.
    Accent(&'static str),
    Frac,
    Binom,
    /// `n \choose k`.
    Choose,
    Sqrt,
    Element,
    NotElement,
    SetOperator(SetOperation),
    Domain(Domain),
    EmptySet,
    Begin(&'a str),
    End(&'a str),
    /// `\\` in a matrix.
    Row,
    /// A sum or product.
    Operator(Binder),
    /// One integral sign or more.
    Integral(u32),
    Limit,
    /// `→`.
    To,
    /// `⇒`: what follows is what is stated.
    Implies,
    Mod,
    Pmod,
    /// `\quad`, which may separate items.
    Wide,
    /// The sign of a currency; a bare dollar sign delimits formulas.
    Currency(&'static str),
}

/// A function as its name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Plain(Function),
    Ln,
    /// `log`, with a base of its own only in a subscript.
    Log,
    /// To base ten.
    Lg,
    /// To base two.
    Lb,
    Exp,
    Sqrt,
    Cbrt,
    Det,
}

/// A token, where it starts, and whether white space stands before it.
#[derive(Clone, Debug)]
pub(super) struct Spaced<'a> {
    pub(super) token: Token<'a>,
    pub(super) at: usize,
    pub(super) spaced: bool,
}

/// The tokens of `text`, or the place of what cannot be read.
pub(super) fn tokens(text: &str) -> Result<Vec<Spaced<'_>>, usize> {
    if text.len() > MAX_BYTES {
        return Err(MAX_BYTES);
    }
    let mut lexer = Lexer { text, at: 0, brackets: 0, environments: 0, out: Vec::new(), spaced: false };
    while lexer.at < text.len() {
        let at = lexer.at;
        lexer.step().ok_or(at)?;
        if lexer.out.len() > MAX_TOKENS {
            return Err(at);
        }
    }
    Ok(lexer.out)
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    pub(super) at: usize,
    /// Open brackets. Inside them a comma separates and does not group digits.
    pub(super) brackets: u32,
    environments: u32,
    out: Vec<Spaced<'a>>,
    spaced: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn push(&mut self, token: Token<'a>, bytes: usize) {
        match token {
            Token::Mark('(' | '[' | '⦃' | '⟨') => self.brackets += 1,
            Token::Mark(')' | ']' | '⦄' | '⟩') => self.brackets = self.brackets.saturating_sub(1),
            Token::Begin(_) => self.environments += 1,
            Token::End(_) => self.environments = self.environments.saturating_sub(1),
            _ => {}
        }
        self.out.push(Spaced { token, at: self.at, spaced: self.spaced });
        self.spaced = false;
        self.at += bytes;
    }

    fn after_number(&self) -> bool {
        matches!(self.out.last(), Some(Spaced { token: Token::Number { .. }, .. }))
    }

    /// Whether `12:30` was read last.
    fn after_time(&self) -> bool {
        let last: Vec<&Token<'_>> = self.out.iter().rev().take(3).map(|spaced| &spaced.token).collect();
        matches!(last.as_slice(), [Token::Number { .. }, Token::Mark(':'), Token::Number { .. }])
    }

    fn step(&mut self) -> Option<()> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        let bytes = rest.as_bytes();
        let second = bytes.get(1).copied().unwrap_or(0);
        if let Some(len) = unescaped(rest) {
            // `\f` and `\b` of `\frac` and `\begin` in a string that was unescaped once too often.
            self.named_command(&rest[1..len], if first == '\u{c}' { "f" } else { "b" }, len)?;
        } else if first.is_whitespace() || matches!(first, '\u{200b}' | '\u{2061}' | '\u{feff}') {
            self.spaced = true;
            self.at += first.len_utf8();
        } else if first == '$' || first == '~' || (first == '#' && self.out.is_empty()) {
            self.spaced |= first == '~';
            self.at += 1;
        } else if first == '\\' {
            self.command()?;
        } else if first.is_ascii_digit() || (first == '.' && second.is_ascii_digit()) {
            self.number()?;
        } else if rest.starts_with("...") {
            self.push(Token::Symbol("…"), 3);
        } else if rest.starts_with("**") {
            self.push(Token::Mark('^'), 2);
        } else if rest.starts_with("<=>") || rest.starts_with("==>") {
            self.push(Token::Implies, 3);
        } else if rest.starts_with("<=") || rest.starts_with("=<") {
            self.push(Token::Relation(Relation::LessOrEqual), 2);
        } else if rest.starts_with(">=") {
            self.push(Token::Relation(Relation::GreaterOrEqual), 2);
        } else if rest.starts_with("=>") {
            self.push(Token::Implies, 2);
        } else if rest.starts_with("!=") {
            self.push(Token::Relation(Relation::NotEqual), 2);
        } else if rest.starts_with("==") {
            self.push(Token::Relation(Relation::Equal), 2);
        } else if rest.starts_with("->") {
            self.push(Token::To, 2);
        } else if rest.starts_with("+-") || rest.starts_with("+/-") {
            self.push(Token::Mark('±'), if second == b'-' { 2 } else { 3 });
        } else if first.is_ascii_alphabetic() {
            self.letters();
        } else if let Some((negative, digits, len)) = script(rest, &SUPERSCRIPTS) {
            self.push(Token::Mark('^'), len);
            self.push(Token::Mark('{'), 0);
            if negative {
                self.push(Token::Mark('-'), 0);
            }
            self.push(Token::Number { value: integer(&digits)?, whole: true }, 0);
            self.push(Token::Mark('}'), 0);
        } else if let Some((false, digits, len)) = script(rest, &SUBSCRIPTS) {
            self.push(Token::Mark('_'), len);
            self.push(Token::Mark('{'), 0);
            self.push(Token::Number { value: integer(&digits)?, whole: true }, 0);
            self.push(Token::Mark('}'), 0);
        } else if let Some(name) = symbols::currency(first) {
            self.push(Token::Currency(name), first.len_utf8());
        } else if let Some(token) = mark(first) {
            self.push(token, first.len_utf8());
        } else if let Some((top, bottom)) = symbols::vulgar_fraction(first) {
            self.push(Token::Frac, 0);
            for part in [top, bottom] {
                self.push(Token::Mark('{'), 0);
                self.push(Token::Number { value: Expr::integer(part.into()), whole: true }, 0);
                self.push(Token::Mark('}'), 0);
            }
            self.at += first.len_utf8();
        } else if let Some(name) = symbols::greek_letter(first) {
            self.push(Token::Symbol(name), first.len_utf8());
        } else if first.is_alphabetic() {
            let len = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
            self.push(Token::Words(&rest[..len]), len);
        } else {
            return None;
        }
        Some(())
    }

    fn command(&mut self) -> Option<()> {
        let rest = self.rest();
        let name_len = rest[1..].bytes().take_while(u8::is_ascii_alphabetic).count();
        if name_len > 0 {
            return self.named_command(&rest[1..=name_len], "", 1 + name_len);
        }
        let Some(c) = rest[1..].chars().next() else {
            // A lone backslash at the end is the rest of an escape.
            self.at += 1;
            return Some(());
        };
        let len = 1 + c.len_utf8();
        match c {
            ',' | ';' | ':' | '!' | ' ' | '\n' | '(' | ')' | '[' | ']' | '/' | '>' | '&' => {
                self.spaced |= c != '!';
                self.at += len;
            }
            '{' => self.push(Token::Mark('⦃'), len),
            '}' => self.push(Token::Mark('⦄'), len),
            '%' => self.push(Token::Mark('%'), len),
            '_' => self.push(Token::Mark('_'), len),
            '#' => self.at += len,
            '$' => self.push(Token::Currency("dollar"), len),
            '|' => self.push(Token::Mark('‖'), len),
            '\u{c}' | '\u{8}' => self.at += 1,
            '\\' => {
                // Outside an environment two backslashes before a command are one that was escaped.
                let name = rest[2..].bytes().take_while(u8::is_ascii_alphabetic).count();
                let escaped = &rest[2..2 + name];
                let brace = rest[2..].starts_with(['{', '}', ',', '(', ')', '[', ']', '!', ';', '%']);
                if self.environments == 0
                    && (brace
                        || (name > 1
                            && (is_layout(escaped)
                                || is_text(escaped)
                                || matches!(escaped, "sqrt" | "begin" | "mathbb" | "not" | "notin")
                                || command(escaped).is_some())))
                {
                    self.at += 1;
                    return self.command();
                }
                self.push(Token::Row, len);
            }
            _ => return None,
        }
        Some(())
    }

    /// A command of letters. `lost` is the start of its name that an escape ate.
    fn named_command(&mut self, name: &'a str, lost: &str, len: usize) -> Option<()> {
        let rest = self.rest();
        let whole;
        let full: &str = if lost.is_empty() {
            name
        } else {
            whole = format!("{lost}{name}");
            &whole
        };
        if is_layout(full) {
            self.at += len;
            // `\left.` and `\right.` are brackets that are not there.
            if matches!(full, "left" | "right" | "mleft" | "mright") && self.rest().starts_with('.') {
                self.at += 1;
            }
            if matches!(full, "quad" | "qquad") {
                self.push(Token::Wide, 0);
                self.spaced = true;
            }
            return Some(());
        }
        match full {
            "sqrt" => self.push(Token::Sqrt, len),
            "cancel" | "bcancel" | "xcancel" | "phantom" | "hphantom" | "vphantom" | "label" | "tag" => {
                return None;
            }
            "color" | "textcolor" | "hspace" | "vspace" | "vspace*" => {
                let content = rest[len..].trim_start().strip_prefix('{')?;
                self.at += rest.len() - content.len() + content.find('}')? + 1;
            }
            "not" => {
                self.at += len;
                if self.rest().trim_start().starts_with("\\not")
                    && !self.rest().trim_start().starts_with("\\notin")
                {
                    return None;
                }
                let before = self.out.len();
                self.spaced = false;
                while self.out.len() == before && self.at < self.text.len() {
                    self.step()?;
                }
                let last = self.out.last_mut()?;
                last.token = match &last.token {
                    Token::Relation(relation) => Token::Relation(symbols::negated(*relation)?),
                    Token::Element => Token::NotElement,
                    _ => return None,
                };
            }
            "notin" => self.push(Token::NotElement, len),
            "mathbb" | "Bbb" => {
                let after = rest[len..].trim_start();
                let braced = after.starts_with('{');
                let letter = after.trim_start_matches('{').get(..1)?;
                let consumed = rest.len() - after.len() + 1 + 2 * usize::from(braced);
                let token = match symbols::blackboard(letter) {
                    Some(domain) => Token::Domain(domain),
                    None => Token::Symbol(letter),
                };
                self.push(token, consumed);
            }
            "begin" | "end" => {
                let content = rest[len..].trim_start().strip_prefix('{')?;
                let end = content.find('}')?;
                let environment = &content[..end];
                let consumed = rest.len() - content.len() + end + 1;
                if matches!(environment, "equation" | "equation*" | "math" | "displaymath" | "center") {
                    self.at += consumed;
                } else if full == "begin" {
                    self.push(Token::Begin(environment), consumed);
                    self.column_format(environment);
                } else {
                    self.push(Token::End(environment), consumed);
                }
            }
            "operatorname" if rest[len..].starts_with('*') => self.text_command(full, len + 1)?,
            name if is_text(name) => self.text_command(full, len)?,
            _ => return self.symbol_command(name, full, len),
        }
        Some(())
    }

    /// The `{cc}` of `\begin{array}{cc}`.
    fn column_format(&mut self, environment: &str) {
        if !matches!(environment, "array" | "tabular" | "alignedat") {
            return;
        }
        let rest = self.rest();
        let format = rest.trim_start().strip_prefix('{').and_then(|after| Some((after, after.find('}')?)));
        if let Some((after, end)) = format
            && after[..end]
                .chars()
                .all(|c| matches!(c, 'l' | 'c' | 'r' | '|' | ' ' | '@') || c.is_ascii_digit())
        {
            self.at += rest.len() - after.len() + end + 1;
        }
    }

    fn symbol_command(&mut self, name: &'a str, full: &str, len: usize) -> Option<()> {
        if let Some(token) = command(full) {
            self.push(token, len);
            return Some(());
        }
        if full.len() == 1 {
            // `\x` is a slip for `x`.
            self.push(Token::Symbol(name), len);
            return Some(());
        }
        if full != name {
            return None;
        }
        // `\vertx` and `\quadx` are commands that swallowed a variable.
        for letters in 1..=2 {
            let (stem, rest) = name.split_at_checked(name.len().checked_sub(letters)?)?;
            if matches!(stem, "quad" | "qquad" | "left" | "right") {
                self.at += 1 + stem.len();
                return Some(());
            }
            let token = command(stem);
            if !rest.is_empty()
                && matches!(token, Some(Token::Mark(_) | Token::Relation(_) | Token::Function(_)))
            {
                self.push(token?, 1 + stem.len());
                return Some(());
            }
        }
        None
    }

    fn text_command(&mut self, name: &str, len: usize) -> Option<()> {
        let rest = self.rest();
        let after = rest[len..].trim_start();
        let Some(content) = after.strip_prefix('{') else {
            // `\mathbf v`.
            self.at += rest.len() - after.len();
            if let Some(letter @ ("i" | "j" | "k")) = after.get(..1)
                && name == "mathbf"
            {
                self.push(Token::Bold(letter), 1);
            }
            return Some(());
        };
        let end = closing_brace(content)?;
        let inner = &content[..end];
        let consumed = rest.len() - content.len() + end + 1;
        if inner.contains(['\\', '^', '_', '=', '$', '{', '+']) || inner.bytes().any(|b| b.is_ascii_digit()) {
            // Mathematics in upright letters: the braces group it.
            self.at += rest.len() - after.len();
            return Some(());
        }
        let unit_vector = matches!(name, "mathbf" | "bold") && matches!(inner.trim(), "i" | "j" | "k");
        self.words(inner, consumed, unit_vector);
        Some(())
    }

    /// The content of a text command.
    fn words(&mut self, content: &'a str, consumed: usize, bold: bool) {
        let trimmed = content.trim();
        let lead = trimmed.starts_with([',', ';']);
        let inner = trimmed.trim_matches(|c: char| matches!(c, '.' | ',' | ';' | ':') || c.is_whitespace());
        let inner = inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
        if lead || (inner.is_empty() && trimmed.ends_with([',', ';'])) {
            self.push(Token::Mark(','), 0);
        }
        let mut chars = inner.chars();
        match (chars.next(), chars.next()) {
            (None, _) => {
                self.spaced = true;
                self.at += consumed;
            }
            // `5\text{ m}` is a length, `\text{m}` alone a letter.
            (Some(_), None) if !bold && self.after_number() && super::units::is_known(inner) => {
                self.push(Token::Words(inner), consumed);
            }
            (Some(c), None) if c.is_ascii_alphabetic() => {
                let token = if bold { Token::Bold(inner) } else { Token::Symbol(inner) };
                self.push(token, consumed);
            }
            _ => {
                let token = word(inner).unwrap_or(Token::Words(inner));
                self.push(token, consumed);
            }
        }
        self.spaced |= content.ends_with(' ');
    }

    /// A run of letters outside a command.
    fn letters(&mut self) {
        let rest = self.rest();
        let len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let run = &rest[..len];
        if let Some(token) = word(run) {
            return self.push(token, len);
        }
        if len == 1 {
            return self.push(Token::Symbol(run), 1);
        }
        // Commands whose backslash was left out, where what follows shows it.
        let next = rest[len..].bytes().next();
        if ((next == Some(b'_') && matches!(run, "sum" | "prod" | "int" | "lim"))
            || (next == Some(b'(') && run == "binom"))
            && let Some(token) = command(run)
        {
            return self.push(token, len);
        }
        if matches!(run, "log" | "union" | "infinite" | "per") {
            return self.push(Token::Words(run), len);
        }
        let after_number = self.after_number();
        if matches!(run, "am" | "pm" | "AM" | "PM") && self.after_time() {
            return self.push(Token::Words(run), len);
        }
        if run.bytes().all(|b| b.is_ascii_uppercase()) {
            // A segment, an angle, a set of letters: one name, whose order of letters matters.
            return self.push(Token::Symbol(run), len);
        }
        if !self.run_together(run) {
            let product = len <= 3
                && !(after_number && super::units::is_known(run))
                && !run.as_bytes().first().is_some_and(u8::is_ascii_uppercase);
            if product {
                for at in 0..len {
                    self.push(Token::Symbol(&run[at..=at]), 1);
                }
            } else {
                self.push(Token::Words(run), len);
            }
        }
    }

    /// Functions that are run together with their arguments.
    fn run_together(&mut self, run: &'a str) -> bool {
        let Some(parts) = runs_together(run) else { return false };
        for (at, len, function) in parts {
            let part = &run[at..at + len];
            match symbols::function(part) {
                Some(named) if function => self.push(Token::Function(named), len),
                _ => self.push(Token::Symbol(part), len),
            }
        }
        true
    }
}

/// The parts of `sinx` or `cosxsiny`: functions, and at most one letter between them. Each is its start, its
/// length and whether it is a function.
pub(super) fn runs_together(run: &str) -> Option<Vec<(usize, usize, bool)>> {
    let mut parts: Vec<(usize, usize, bool)> = Vec::new();
    let mut at = 0;
    while at < run.len() {
        let rest = run.get(at..)?;
        let function = symbols::RUN_TOGETHER.iter().find(|name| rest.starts_with(**name));
        let len = function.map_or(1, |name| name.len());
        // The letter t would make words such as "cost" of them.
        if function.is_none() && (parts.last().is_some_and(|part| !part.2) || rest.starts_with('t')) {
            return None;
        }
        parts.push((at, len, function.is_some()));
        at += len;
    }
    parts.iter().any(|part| part.2).then_some(parts)
}

/// The length of a command whose backslash and first letter became one control character.
fn unescaped(rest: &str) -> Option<usize> {
    let first = match rest.as_bytes().first()? {
        0x0c => "f",
        0x08 => "b",
        _ => return None,
    };
    let letters = rest[1..].bytes().take_while(u8::is_ascii_alphabetic).count();
    let name = format!("{first}{}", &rest[1..=letters]);
    let known = command(&name).is_some() || is_layout(&name) || name == "begin";
    (letters > 1 && known).then_some(1 + letters)
}

/// The end of a group whose opening brace was before `text`.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}
