//! Code fences of a text (CommonMark 0.31, section 4.5), and which languages their marks name.

use sandboxes::Language;

/// A code fence.
pub(super) struct Fence<'t> {
    pub(super) body: &'t str,
    /// The first word after the opening marks.
    pub(super) info: &'t str,
    /// How deep the opening marks stand.
    indent: usize,
    /// Whether it ends before the text does.
    pub(super) is_closed: bool,
}

/// Every fence, in the order of the text; only the last may be open.
pub(super) fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut fences = Vec::new();
    let mut open: Option<Opening<'_>> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        match &open {
            None => open = Opening::read(line, at),
            Some(opening) if opening.is_closed_by(line) => {
                fences.push(opening.fence(&text[opening.body..start], true));
                open = None;
            }
            Some(_) => {}
        }
    }
    fences.extend(open.map(|opening| opening.fence(&text[opening.body..], false)));
    fences
}

struct Opening<'t> {
    mark: u8,
    width: usize,
    indent: usize,
    info: &'t str,
    /// Where the body begins.
    body: usize,
}

impl<'t> Opening<'t> {
    fn read(line: &'t str, body: usize) -> Option<Self> {
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

    fn fence(&self, body: &'t str, is_closed: bool) -> Fence<'t> {
        Fence { body, info: self.info, indent: self.indent, is_closed }
    }
}

impl Fence<'_> {
    /// The body, with as much white space taken off each line as the fence is indented.
    pub(super) fn program(&self) -> String {
        if self.indent == 0 {
            return self.body.to_owned();
        }
        let unindented = |line: &str| {
            let spaces =
                line.bytes().take(self.indent).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            line[spaces..].to_owned()
        };
        self.body.split_inclusive('\n').map(unindented).collect()
    }

    /// Whether its mark names the language.
    pub(super) fn names(&self, language: Language) -> bool {
        let known: &[&str] = match language {
            Language::Python => &["python", "py", "python3", "py3", "pypy", "pypy3"],
            Language::C => &["c", "h", "c11", "c99", "c17"],
            Language::Cpp => &[
                "cpp", "c++", "cc", "cxx", "hpp", "g++", "c++11", "c++14", "c++17", "c++20", "c++23",
                "cpp17", "cpp20",
            ],
            Language::JavaScript => {
                &["javascript", "js", "node", "nodejs", "node.js", "mjs", "cjs", "ecmascript"]
            }
        };
        // `{.python}`, `python:main.py` and `python,ignore` are written too.
        let info = self.info.trim_start_matches(['{', '.']).trim_end_matches('}');
        let info = info.split([':', ',', '{']).next().unwrap_or("");
        known.iter().any(|name| name.eq_ignore_ascii_case(info))
    }
}
