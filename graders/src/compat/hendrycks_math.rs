//! Hendrycks' comparison for MATH, as verl runs it on the last box of a completion: both sides are rewritten
//! by the same replacements and compared as text. Where the original fails with an exception, the raw texts
//! are compared.

/// The answer in the last box, and whether it equals the reference.
pub(super) fn score(reference: &str, completion: &str) -> (bool, Option<String>) {
    let answer = last_box(completion);
    (answer.is_some_and(|answer| same(answer, reference)), answer.map(ToOwned::to_owned))
}

/// The content of the last box. One `\boxed ` with a blank anywhere wins over all with braces, and ends at a
/// dollar sign. Anything else that begins like a box and is none, such as `\fbox{5}` or `\boxed[5]{6}`, has
/// no content.
fn last_box(text: &str) -> Option<&str> {
    const BLANK: &str = "\\boxed ";
    if let Some(at) = text.rfind(BLANK) {
        return text[at + BLANK.len()..].split('$').next();
    }
    let content = text[text.rfind("\\boxed")?..].strip_prefix("\\boxed{")?;
    super::closed(content)
}

fn same(answer: &str, reference: &str) -> bool {
    match (stripped(answer), stripped(reference)) {
        (Some(answer), Some(reference)) => answer == reference,
        _ => answer == reference,
    }
}

/// The normal form, or `None` where the original fails.
fn stripped(text: &str) -> Option<String> {
    let mut text = text.replace('\n', "").replace("\\!", "").replace("\\\\", "\\");
    for (from, to) in [
        ("tfrac", "frac"),
        ("dfrac", "frac"),
        ("\\left", ""),
        ("\\right", ""),
        ("^{\\circ}", ""),
        ("^\\circ", ""),
        ("\\$", ""),
    ] {
        text = text.replace(from, to);
    }
    // A unit on the right; two of them are a failure.
    if let Some((value, unit)) = text.split_once("\\text{ ") {
        if unit.contains("\\text{ ") {
            return None;
        }
        text = String::from(value);
    }
    for (from, to) in [("\\\\%", ""), ("\\%", ""), (" .", " 0."), ("{.", "{0.")] {
        text = text.replace(from, to);
    }
    if text.starts_with('.') {
        text.insert(0, '0');
    }
    // A short name before the only equals sign.
    if let Some((name, value)) = text.split_once('=')
        && !value.contains('=')
        && name.chars().count() <= 2
    {
        text = String::from(value);
    }
    text = braced_roots(&text)?.replace(' ', "");
    text = braced_fractions(text)?;
    if text == "0.5" {
        return Some("\\frac{1}{2}".to_owned());
    }
    Some(slash_as_fraction(&text).unwrap_or(text))
}

/// `\sqrt3` as `\sqrt{3}`; a root of nothing is a failure.
fn braced_roots(text: &str) -> Option<String> {
    let mut parts = text.split("\\sqrt");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("\\sqrt");
        let mut rest = part.chars();
        match rest.next()? {
            '{' => out.push_str(part),
            first => {
                out.extend(['{', first, '}']);
                out.push_str(rest.as_str());
            }
        }
    }
    Some(out)
}

/// `\frac12` as `\frac{1}{2}`. A fraction of nothing is a failure; one of a single character leaves the whole
/// text as it is.
fn braced_fractions(text: String) -> Option<String> {
    let mut parts = text.split("\\frac");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("\\frac");
        let mut rest = part.chars();
        let first = rest.next()?;
        if first == '{' {
            out.push_str(part);
            continue;
        }
        match rest.next() {
            None => return Some(text),
            Some('{') => out.extend(['{', first, '}', '{']),
            Some(second) => out.extend(['{', first, '}', '{', second, '}']),
        }
        out.push_str(rest.as_str());
    }
    Some(out)
}

/// The most digits that the original's integers have (Python's default since 3.11).
const MAX_DIGITS: usize = 4300;

/// `a/b` of two integers in their plainest form as `\frac{a}{b}`.
pub(super) fn slash_as_fraction(text: &str) -> Option<String> {
    let (a, b) = text.split_once('/')?;
    let plain = |number: &str| {
        let digits = number.strip_prefix('-').unwrap_or(number);
        number == "0"
            || (digits.starts_with(|c: char| matches!(c, '1'..='9'))
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.len() <= MAX_DIGITS)
    };
    (plain(a) && plain(b)).then(|| format!("\\frac{{{a}}}{{{b}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        for (text, expected) in [
            ("\\dfrac12", Some("\\frac{1}{2}")),
            ("0.5", Some("\\frac{1}{2}")),
            (".5", Some("\\frac{1}{2}")),
            ("-3/4", Some("\\frac{-3}{4}")),
            ("+3/4", Some("+3/4")),
            ("03/4", Some("03/4")),
            ("x = 5", Some("5")),
            ("abc=5", Some("abc=5")),
            ("5\\text{ cm}", Some("5")),
            ("5\\text{ cm}\\text{ x}", None),
            ("\\sqrt", None),
            ("\\frac", None),
            ("\\frac1", Some("\\frac1")),
            ("\\frac1{72}", Some("\\frac{1}{72}")),
            ("60^\\circ", Some("60")),
        ] {
            assert_eq!(stripped(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn boxes() {
        for (text, expected) in [
            ("\\boxed{1} \\boxed{\\frac{1}{2}}", Some("\\frac{1}{2}")),
            ("\\boxed 5$ and \\boxed{6}", Some("5")),
            ("\\fbox{5}", None),
            ("\\boxed{5", None),
            ("\\boxed{5} \\boxed", None),
        ] {
            assert_eq!(last_box(text), expected, "{text}");
        }
    }
}
