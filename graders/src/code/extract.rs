//! Finding the program in a completion.

use sandboxes::Language;
use serde::Deserialize;

/// What a completion without a code fence counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unfenced {
    /// As one without a program.
    #[default]
    NoCode,
    /// As a program, all of it.
    WholeText,
}

/// The program in `text`: the last closed fence marked with the language, else the last closed one without a
/// mark. A fence of another language is never taken, and one that never closes was cut off.
pub(super) fn program(text: &str, language: Language, unfenced: Unfenced) -> Option<String> {
    let mut marked = None;
    let mut unmarked = None;
    let mut any_fence = false;
    let mut open: Option<Fence<'_>> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        match &open {
            None => {
                open = Fence::opened_by(line, at);
                any_fence |= open.is_some();
            }
            Some(fence) if fence.is_closed_by(line) => {
                let body = &text[fence.body..start];
                match fence.info {
                    "" => unmarked = Some((body, fence.indent)),
                    info if names(language, info) => marked = Some((body, fence.indent)),
                    _ => {}
                }
                open = None;
            }
            Some(_) => {}
        }
    }
    match marked.or(unmarked) {
        Some((body, indent)) => Some(unindented(body, indent)).filter(|program| !program.trim().is_empty()),
        None if !any_fence && unfenced == Unfenced::WholeText && !text.trim().is_empty() => {
            Some(text.to_owned())
        }
        None => None,
    }
}

/// An open code fence (CommonMark 0.31, section 4.5).
struct Fence<'t> {
    mark: u8,
    width: usize,
    indent: usize,
    info: &'t str,
    /// Where its body begins.
    body: usize,
}

impl<'t> Fence<'t> {
    fn opened_by(line: &'t str, body: usize) -> Option<Self> {
        // Deeper indentation than CommonMark's three spaces is taken too: models fence inside lists.
        let content = line.trim_start_matches([' ', '\t']);
        let mark = *content.as_bytes().first().filter(|mark| matches!(mark, b'`' | b'~'))?;
        let width = content.bytes().take_while(|byte| *byte == mark).count();
        let info = content[width..].trim();
        if width < 3 || (mark == b'`' && info.contains('`')) {
            return None;
        }
        let info = info.split_whitespace().next().unwrap_or("");
        Some(Self { mark, width, indent: line.len() - content.len(), info, body })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.width && line.bytes().all(|byte| byte == self.mark)
    }
}

/// The body of a fence that stood `indent` deep, with as much white space taken off each line.
fn unindented(body: &str, indent: usize) -> String {
    if indent == 0 {
        return body.to_owned();
    }
    body.split_inclusive('\n')
        .map(|line| {
            let spaces = line.bytes().take(indent).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            &line[spaces..]
        })
        .collect()
}

/// Whether a fence's mark names the language.
fn names(language: Language, info: &str) -> bool {
    let known: &[&str] = match language {
        Language::Python => &["python", "py", "python3"],
        Language::C => &["c"],
        Language::Cpp => &["cpp", "c++", "cc", "cxx"],
        Language::JavaScript => &["javascript", "js", "node"],
    };
    known.iter().any(|name| name.eq_ignore_ascii_case(info))
}
