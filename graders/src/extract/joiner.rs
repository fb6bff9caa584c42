//! What may stand between two boxes that together state one answer: `and`, `or`, punctuation, operators,
//! layout, labels of parts, units and the name of the next value; or anything within a sentence that begins
//! with `or`. Any other word, an equals sign or an arrow ends the list: in `\boxed{1}, no: \boxed{2}` the
//! second box takes the first one's place.

/// The longest name of a value, in bytes.
const MAX_NAME_BYTES: usize = 24;

/// Words that join.
const WORDS: [&str; 34] = [
    "and",
    "or",
    "either",
    "both",
    "also",
    "else",
    "maybe",
    "perhaps",
    "possibly",
    "probably",
    "alternatively",
    "otherwise",
    "respectively",
    "for",
    "in",
    "as",
    "well",
    "but",
    "could",
    "be",
    "it",
    "not",
    "rather",
    "than",
    "und",
    "oder",
    "et",
    "ou",
    "和",
    "或",
    "或者",
    "以及",
    "与",
    "及",
];
/// Words after which a label follows: `part a`, `case 2`.
const LABELLED: [&str; 8] = ["part", "parts", "case", "cases", "question", "problem", "item", "answer"];
/// Units that may follow a box.
const UNITS: [&str; 24] = [
    "cm", "mm", "m", "km", "in", "ft", "kg", "g", "s", "h", "min", "degrees", "degree", "circ", "units",
    "unit", "square", "meters", "hours", "minutes", "seconds", "dollars", "years", "days",
];
/// Words that begin an alternative.
const OR: [&str; 5] = ["or", "oder", "ou", "或", "或者"];
/// Commands that are layout, words in LaTeX or operators.
#[rustfmt::skip]
const COMMANDS: [&str; 42] = [
    "quad", "qquad", "text", "textbf", "textrm", "textit", "textnormal", "mathrm", "mbox", "left", "right",
    "land", "lor", "wedge", "vee", "newline", "par", "hspace", "displaystyle", "n", "circ", "degree", "space",
    "enspace", "rm", "cup", "cap", "times", "cdot", "pm", "mp", "mid", "vert", "sim", "ldots", "dots", "cdots",
    "ne", "neq", "le", "ge", "setminus",
];

/// Whether the text between two boxes joins them. Read once, up to the first word that does not join.
pub(super) fn joins(gap: &str) -> bool {
    let (gap, _) = split_name(gap);
    let (mut labelled, mut first) = (false, true);
    for token in (Words { rest: gap, line_start: false }) {
        match token {
            Token::Layout => {}
            Token::Label => labelled = false,
            Token::Word(word) if labelled && is_label(word) => labelled = false,
            Token::Word(word) => {
                let word = word.to_lowercase();
                let word = word.as_str();
                if std::mem::take(&mut first) && OR.contains(&word) && is_one_sentence(gap) {
                    return true;
                }
                labelled = LABELLED.contains(&word);
                if !labelled && !WORDS.contains(&word) && !UNITS.contains(&word) {
                    return false;
                }
            }
            Token::Other => return false,
        }
    }
    true
}

/// Whether a text beside a box is blanks, marks of a formula and the value's name, so that it says nothing
/// more: a sign, a unit or an operator would.
pub(super) fn is_layout(text: &str) -> bool {
    let mut rest = split_name(text).0;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '$' | '{' | '}' | '.'));
        let command = ["\\quad", "\\qquad", "\\,", "\\;", "\\:", "\\!", "\\ ", "\\(", "\\)", "\\[", "\\]"]
            .iter()
            .find_map(|command| rest.strip_prefix(command));
        match command {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
}

/// Whether the text between two boxes is a comma and nothing else.
pub(super) fn is_comma(gap: &str) -> bool {
    gap.trim().strip_prefix(',').is_some_and(|rest| rest.trim_start_matches("\\ ").trim().is_empty())
}

/// The text before a name at its end, and the name: `, y_2 =` is a comma and `y_2`. A name is one word,
/// letter or command with indices, primes and short arguments, and an equals sign follows it.
pub(super) fn split_name(text: &str) -> (&str, Option<&str>) {
    let none = (text, None);
    let trimmed = text.trim_end();
    let Some(before) = trimmed.strip_suffix('=').map(|rest| rest.trim_end_matches(['&', ':', ' '])) else {
        return none;
    };
    let parts = |c: char| c.is_alphanumeric() || matches!(c, '_' | '{' | '}' | '\'' | '\\' | '(' | ')');
    let mut start = before.len();
    for (at, c) in before.char_indices().rev() {
        if !parts(c) || before.len() - at > MAX_NAME_BYTES {
            break;
        }
        start = at;
    }
    // A formula's own opening mark is no part of the name.
    let mut name = &before[start..];
    for mark in ["\\(", "\\[", "\\\\"] {
        if let Some(at) = name.rfind(mark) {
            name = &name[at + mark.len()..];
        }
    }
    let name = name.trim_start_matches(['{', '}', '(', ')']);
    if is_name(name) { (&before[..before.len() - name.len()], Some(name)) } else { none }
}

fn is_name(name: &str) -> bool {
    let letters =
        |text: &str| text.chars().take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum::<usize>();
    let word = name.strip_prefix('\\').unwrap_or(name);
    let length = letters(word);
    if length == 0 {
        return false;
    }
    let mut rest = word[length..].trim_start_matches('\'');
    if let Some(index) = rest.strip_prefix('_') {
        rest = match index.strip_prefix('{') {
            Some(inner) => match inner.split_once('}') {
                Some((_, after)) => after,
                None => return false,
            },
            None => index.strip_prefix(char::is_alphanumeric).unwrap_or("?"),
        };
    } else {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    if let Some(inner) = rest.strip_prefix('(') {
        rest = inner.split_once(')').map_or("?", |(_, after)| after);
    }
    rest.is_empty()
}

fn is_one_sentence(text: &str) -> bool {
    !["\n\n", ". ", ".\n", "。"].iter().any(|end| text.contains(end))
}

/// `a`, `ii`, `12`: what follows "part" or stands in parentheses.
fn is_label(word: &str) -> bool {
    word.chars().count() <= 3 && word.chars().all(char::is_alphanumeric)
}

enum Token<'a> {
    /// White space, punctuation, a formula's mark, emphasis.
    Layout,
    /// `(a)`, or `2.` at the start of a line.
    Label,
    /// Letters and digits.
    Word(&'a str),
    /// Anything that says more.
    Other,
}

struct Words<'a> {
    rest: &'a str,
    line_start: bool,
}

impl<'a> Words<'a> {
    fn take(&mut self, length: usize) -> &'a str {
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let first = self.rest.chars().next()?;
        let line_start = self.line_start;
        self.line_start = first == '\n' || (line_start && first.is_whitespace());
        if first == '\\' {
            return Some(self.command());
        }
        if first.is_alphanumeric() {
            let length = self.rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(self.rest.len());
            let word = self.take(length);
            let marked = line_start && is_label(word) && self.rest.starts_with(['.', ')', ':']);
            if marked {
                self.take(1);
                return Some(Token::Label);
            }
            return Some(Token::Word(word));
        }
        if first == '(' {
            let inner: usize =
                self.rest[1..].chars().take(3).take_while(|c| c.is_alphanumeric()).map(char::len_utf8).sum();
            if inner > 0 && self.rest[1 + inner..].starts_with(')') {
                self.take(inner + 2);
                return Some(Token::Label);
            }
        }
        self.take(first.len_utf8());
        let layout = first.is_whitespace()
            || ",;.:!?&$~*_{}()[]`°%^/|+-<>".contains(first)
            || "、，；。：•–—−×·∪∩±∨∧".contains(first);
        Some(if layout { Token::Layout } else { Token::Other })
    }
}

impl<'a> Words<'a> {
    fn command(&mut self) -> Token<'a> {
        let after = &self.rest[1..];
        let length = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        if length > 0 {
            let name = &after[..length];
            let known = COMMANDS.contains(&name);
            self.take(1 + length);
            return if known { Token::Layout } else { Token::Other };
        }
        let Some(mark) = after.chars().next() else {
            self.take(1);
            return Token::Layout;
        };
        self.take(1 + mark.len_utf8());
        if matches!(mark, ',' | ';' | ':' | '!' | ' ' | '\\' | '(' | ')' | '[' | ']' | '{' | '}' | '%' | '$')
        {
            Token::Layout
        } else {
            Token::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_joins() {
        for gap in [
            "",
            ",",
            " and ",
            "$ and $",
            "$$ \\quad \\text{and} \\quad $$",
            ", \\text{ or } ",
            "\\text{ for part (a) and }",
            " for part (a), and ",
            "$, $y_2 = ",
            "$ and $x_{12}=",
            "\\) and \\( \\alpha = ",
            ", f(2) = ",
            "\n2. ",
            "\n- ",
            "$.\n(b) $",
            " cm and ",
            "^\\circ$ or $",
            ", or perhaps ",
            "、",
            " 或 ",
            "\\\\ y &= ",
            " + ",
            "\\cup",
            ", \\ldots, ",
            "? ",
            " or, if you prefer, ",
            ", 或 y = ",
        ] {
            assert!(joins(gap), "{gap:?}");
        }
    }

    #[test]
    fn what_does_not() {
        for gap in [
            ", no: ",
            " then ",
            " hmm, actually ",
            " = ",
            ", so $x = ",
            " or not. But then ",
            " \\approx ",
            " \\Rightarrow ",
            " and 7 and ",
            ". Final answer: ",
            ", hence 2x = ",
        ] {
            assert!(!joins(gap), "{gap:?}");
        }
        assert!(joins(&format!(" or {}", " ".repeat(5000))));
        assert!(!joins(&format!("{}hm", "(".repeat(5000))));
    }

    #[test]
    fn names() {
        for (text, before, name) in [
            ("$ and $y_2 = ", "$ and $", Some("y_2")),
            ("\\(y_{1}=", "\\(", Some("y_{1}")),
            ("so x' =", "so ", Some("x'")),
            ("\\alpha &= ", "", Some("\\alpha")),
            ("f(x) =", "", Some("f(x)")),
            ("\\text{and }y =", "\\text{and }", Some("y")),
            ("\\\\y =", "\\\\", Some("y")),
            ("2x = ", "2x = ", None),
            ("= ", "= ", None),
            ("x ", "x ", None),
        ] {
            assert_eq!(split_name(text), (before, name), "{text:?}");
        }
    }
}
