//! Finding the program in a completion.

use sandboxes::Language;
use serde::Deserialize;

use super::fence::{Fence, fences};

/// What a completion without a code fence counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unfenced {
    /// As one without a program.
    #[default]
    NoCode,
    /// As a program, all of it.
    WholeText,
    /// As a program from the first line that begins like code to the last that does not read like a sentence.
    Heuristic,
}

/// Which of several fenced blocks are the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Blocks {
    /// The last one.
    #[default]
    Last,
    /// The first one.
    First,
    /// All, one after the other.
    Join,
}

/// What a fence that never closes counts as: the completion was cut off, or the model forgot to close it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unclosed {
    /// As nothing.
    #[default]
    NoCode,
    /// As a block like others, up to the end of the text.
    Take,
}

/// How programs are looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extract {
    pub(super) unfenced: Unfenced,
    pub(super) blocks: Blocks,
    pub(super) unclosed: Unclosed,
}

/// A program that was found.
pub(super) struct Extracted {
    pub(super) source: String,
    /// A stable name for how.
    pub(super) step: &'static str,
    /// How many blocks could have been it.
    pub(super) blocks: usize,
}

impl Extract {
    /// The program in `text`: of the fences marked with the language, or else of those without a mark, the ones
    /// that `blocks` says. A fence of another language is never taken.
    ///
    /// # Errors
    /// What there is instead of a program, as a stable name.
    pub(super) fn program(self, text: &str, language: Language) -> Result<Extracted, &'static str> {
        let fences = fences(text);
        if fences.is_empty() {
            return self.unfenced(text, language);
        }
        let takes = |fence: &&Fence<'_>| fence.is_closed || self.unclosed == Unclosed::Take;
        let marked: Vec<_> = fences.iter().filter(takes).filter(|fence| fence.names(language)).collect();
        let (blocks, step) = if marked.is_empty() {
            (fences.iter().filter(takes).filter(|fence| fence.info.is_empty()).collect(), "unmarked_fence")
        } else {
            (marked, "fenced")
        };
        let chosen = match self.blocks {
            Blocks::Last => blocks.last().map(std::slice::from_ref),
            Blocks::First => blocks.first().map(std::slice::from_ref),
            Blocks::Join => Some(blocks.as_slice()).filter(|blocks| !blocks.is_empty()),
        };
        let Some(chosen) = chosen else {
            let is_cut_off = fences
                .last()
                .is_some_and(|fence| !fence.is_closed && (fence.info.is_empty() || fence.names(language)));
            return Err(if is_cut_off { "unclosed_fence" } else { "other_language" });
        };
        let step = if chosen.iter().any(|fence| !fence.is_closed) { "unclosed_fence" } else { step };
        let programs: Vec<_> = chosen.iter().map(|fence| fence.program()).collect();
        let source = programs.join("\n");
        if source.trim().is_empty() {
            Err("empty_fence")
        } else {
            Ok(Extracted { source, step, blocks: blocks.len() })
        }
    }

    fn unfenced(self, text: &str, language: Language) -> Result<Extracted, &'static str> {
        let (source, step) = match self.unfenced {
            _ if text.trim().is_empty() => return Err("empty"),
            Unfenced::NoCode => return Err("no_fence"),
            Unfenced::WholeText => (text, "whole_text"),
            Unfenced::Heuristic => (code_like(text, language).ok_or("no_fence")?, "heuristic"),
        };
        Ok(Extracted { source: source.to_owned(), step, blocks: 0 })
    }
}

/// What programs begin their lines with, at the outermost level.
fn openers(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => {
            &["import ", "from ", "def ", "async def ", "class ", "@", "#!", "print(", "if __name__"]
        }
        Language::C | Language::Cpp => &[
            "#include", "#define", "#pragma", "using ", "typedef ", "struct ", "template", "int ", "void ",
            "//", "/*",
        ],
        Language::JavaScript => &[
            "const ",
            "let ",
            "var ",
            "function ",
            "async function ",
            "class ",
            "import ",
            "process.",
            "console.",
            "//",
            "/*",
        ],
    }
}

/// What Python's blocks begin with; their first line ends with a colon.
const BLOCKS: [&str; 5] = ["for ", "while ", "if ", "with ", "try:"];

/// Whether a line at the outermost level begins a program.
fn begins_code(line: &str, language: Language) -> bool {
    let line = line.trim_end();
    let opens = openers(language).iter().any(|opener| line.starts_with(opener));
    let is_block = language == Language::Python
        && line.ends_with(':')
        && BLOCKS.iter().any(|block| line.starts_with(block));
    // `a = 1`, `a, b = c`, `a[0] += 1`.
    let is_assignment = line.split_once('=').is_some_and(|(target, _)| {
        let target = target.trim_end_matches(['+', '-', '*', '/', '|', '&', ' ']);
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '[' | ']' | '.');
        target.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && target.split(',').all(|part| !part.trim().is_empty() && part.trim().chars().all(is_name))
    });
    (opens || is_block || is_assignment) && !is_sentence(line)
}

/// The part of a text without fences that looks like a program.
fn code_like(text: &str, language: Language) -> Option<&str> {
    let (mut start, mut end, mut at) = (None, 0, 0);
    for line in text.split_inclusive('\n') {
        if start.is_none() && begins_code(line, language) {
            start = Some(at);
        }
        at += line.len();
        if start.is_some() && !line.trim().is_empty() && !is_sentence(line) {
            end = at;
        }
    }
    start.map(|start| &text[start..end])
}

/// Whether a line reads like prose: words from its beginning to its end, and nothing that only code has.
fn is_sentence(line: &str) -> bool {
    let is_indented = line.starts_with([' ', '\t']);
    let line = line.trim();
    let has_code = line.contains(['=', '(', ')', '[', ']', '{', '}', ';', '#', '<', '>', '@', '_']);
    let is_import = (line.starts_with("import ") || line.starts_with("from ")) && !line.ends_with('.');
    !is_indented && !has_code && !is_import && line.split_whitespace().count() >= 3 && !line.ends_with(':')
}
