//! What stands before the program that a model wrote: imports and beginnings that the task supplies.
//!
//! It runs in the program's own instance and the program can read it, so nothing of the tests belongs here.

use sandboxes::Language;

/// The names that solutions written for judging sites take for granted, and the depth of recursion. `builtins`
/// comes last, because the modules before it hide some of its names.
///
/// One line, so that the numbers of the program's own move by no more.
const USUAL_IMPORTS: &str = "\
    import bisect, builtins, collections, copy, datetime, functools, heapq, io, itertools, json, math, operator; \
    import os, random, re, statistics, string, sys, typing; \
    from string import *; from re import *; from datetime import *; from random import *; from io import *; \
    from statistics import *; from operator import *; from json import *; from sys import *; from copy import *; \
    from itertools import *; from functools import *; from heapq import *; from bisect import *; \
    from collections import *; from math import *; from typing import *; from builtins import *; \
    sys.setrecursionlimit(50000)\n";

/// What is put before a program.
#[derive(Clone, Debug, Default)]
pub(super) struct Prelude {
    /// Code of the task.
    pub(super) text: String,
    /// Whether [`USUAL_IMPORTS`] come before it; for Python alone.
    pub(super) usual_imports: bool,
    /// The beginning of the program itself, as HumanEval's prompts are.
    pub(super) prompt: String,
    /// The function that the prompt begins.
    pub(super) entry_point: Option<String>,
}

impl Prelude {
    /// The whole program.
    pub(super) fn before(&self, source: String, language: Language) -> String {
        if self.text.is_empty() && self.prompt.is_empty() && !self.usual_imports {
            return source;
        }
        let mut whole = String::new();
        let (futures, source) =
            if language == Language::Python { without_futures(&source) } else { (String::new(), source) };
        whole.push_str(&futures);
        for part in
            [if self.usual_imports { USUAL_IMPORTS } else { "" }, &self.text, self.prompt_before(&source)]
        {
            whole.push_str(part);
            if !part.is_empty() && !part.ends_with('\n') {
                whole.push('\n');
            }
        }
        whole.push_str(&source);
        whole
    }

    /// All of the prompt for a program that goes on with it; only what comes before the function for one that
    /// defines the function itself.
    fn prompt_before(&self, source: &str) -> &str {
        let Some(name) = self.entry_point.as_deref() else { return &self.prompt };
        match defined_at(source, name) {
            Some(_) => head(&self.prompt, name),
            None => &self.prompt,
        }
    }
}

/// What comes in a prompt before the function of this name: imports and helpers. All of it if the function does
/// not come.
pub(super) fn head<'p>(prompt: &'p str, name: &str) -> &'p str {
    &prompt[..defined_at(prompt, name).unwrap_or(prompt.len())]
}

/// Where the function of this name begins.
fn defined_at(text: &str, name: &str) -> Option<usize> {
    let mut at = 0;
    text.split_inclusive('\n').find_map(|line| {
        let start = at;
        at += line.len();
        defines(line, name).then_some(start)
    })
}

/// Whether a line at the outermost level begins the function of this name.
fn defines(line: &str, name: &str) -> bool {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let Some(rest) = line.strip_prefix("def ").or(line.strip_prefix("function ")) else { return false };
    let rest = rest.trim_start_matches(' ').strip_prefix(name);
    rest.is_some_and(|rest| rest.trim_start().starts_with(['(', '[']))
}

/// `from __future__` imports have to be a program's first statements, so they are taken out to stand before all;
/// blank lines in their place keep the numbers of the others.
fn without_futures(source: &str) -> (String, String) {
    let (mut futures, mut rest) = (String::new(), String::with_capacity(source.len()));
    for line in source.split_inclusive('\n') {
        if line.starts_with("from __future__ import") && !line.contains(['(', '\\']) {
            futures.push_str(line.trim_end());
            futures.push('\n');
            rest.push('\n');
        } else {
            rest.push_str(line);
        }
    }
    (futures, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: &str =
        "from typing import List\n\ndef helper():\n    pass\n\ndef f(a):\n    \"\"\"Doc.\"\"\"\n";

    #[test]
    fn a_prompt_is_gone_on_with_or_defined_anew() {
        let prelude =
            Prelude { prompt: PROMPT.to_owned(), entry_point: Some("f".to_owned()), ..Prelude::default() };
        let before = |source: &str| prelude.before(source.to_owned(), Language::Python);
        assert_eq!(before("    return a\n"), format!("{PROMPT}    return a\n"));
        let head = "from typing import List\n\ndef helper():\n    pass\n\n";
        assert_eq!(before("def f(a):\n    return a\n"), format!("{head}def f(a):\n    return a\n"));
        assert_eq!(before("x = 1\ndef f (a): return a"), format!("{head}x = 1\ndef f (a): return a"));
        assert_eq!(before("def fg(a): return a"), format!("{PROMPT}def fg(a): return a"));
    }

    #[test]
    fn imports_from_the_future_stay_first() {
        let prelude = Prelude { text: "import math".to_owned(), ..Prelude::default() };
        let source = "# solution\nfrom __future__ import annotations\nx = 1\n";
        assert_eq!(
            prelude.before(source.to_owned(), Language::Python),
            "from __future__ import annotations\nimport math\n# solution\n\nx = 1\n"
        );
        assert_eq!(Prelude::default().before(source.to_owned(), Language::Python), source);
    }
}
