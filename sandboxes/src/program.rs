//! What is run.

use serde::{Deserialize, Serialize};

/// A language a sandbox may be able to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python 3.
    Python,
    /// C.
    C,
    /// C++.
    Cpp,
    /// JavaScript.
    JavaScript,
}

impl Language {
    /// Every language, in the order of their names.
    pub const ALL: [Self; 4] = [Self::C, Self::Cpp, Self::JavaScript, Self::Python];

    /// The name used in tasks, metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::JavaScript => "javascript",
        }
    }
}

/// A file in the private folder in which a program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is, with `/` between folders. Relative to the folder that the program starts in, or absolute.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// A program as a model wrote it. Nothing in it is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The language of `source`.
    pub language: Language,
    /// The text of the program.
    pub source: String,
    /// Command-line arguments after the program's own name.
    pub args: Vec<String>,
    /// Files that are there when it starts. They count towards `Limits::files_bytes`.
    pub files: Vec<File>,
}

impl Program {
    /// A program without arguments and files.
    pub fn new(language: Language, source: impl Into<String>) -> Self {
        Self { language, source: source.into(), args: Vec::new(), files: Vec::new() }
    }
}
