//! The program's text as the engine is given it.
//!
//! It is never parsed here: what it is, the engine decides.

use std::borrow::Cow;

/// The name of a program that is a script.
pub(super) const SCRIPT_PATH: &str = "/main.js";
/// The name of a program that is a module.
pub(super) const MODULE_PATH: &str = "/main.mjs";

/// What stands before a script: it is the body of a function, as in Node. All on the first line, so that the numbers
/// of lines are the program's own. `program.js` knows its length.
const HEAD: &str = "(function (exports, require, module, __filename, __dirname) {";
/// What gives access to the names in the scope of the program. In strict mode, so that it declares nothing there.
const SCOPE: &str = r#"(n) => { "use strict"; return eval(n); }"#;

/// The text without its first line's `#!`, which becomes a comment of the same length.
pub(super) fn without_hashbang(text: &str) -> Cow<'_, str> {
    match text.strip_prefix("#!") {
        Some(rest) => Cow::Owned(format!("//{rest}")),
        None => Cow::Borrowed(text),
    }
}

/// The program as the body of a function; with a tail that returns its scope.
pub(super) fn as_function(text: &str, tail: bool) -> String {
    if tail { format!("{HEAD}{text}\n;return {SCOPE}\n}})") } else { format!("{HEAD}{text}\n}})") }
}

/// The program as a module; with a tail that hands its scope over.
pub(super) fn as_module(text: &str, tail: bool) -> String {
    if tail { format!("{text}\n;globalThis[Symbol.for(\"gavel.scope\")]({SCOPE});") } else { text.to_owned() }
}

/// The name of the tests.
pub(super) const TESTS_PATH: &str = "/tests.js";

/// Tests as a function of the scope in which the program's names are found. It is asynchronous, so that tests may wait;
/// with a candidate it ends by calling `check` as HumanEval has it.
pub(super) fn as_tests(text: &str, has_candidate: bool) -> String {
    let tail =
        if has_candidate { "\n;if (typeof check === \"function\") await check(gavelCandidate);" } else { "" };
    format!(
        "(function (gavelScope) {{ with (gavelScope) {{ return (async function () {{{text}{tail}\n}})(); }} }})"
    )
}

/// Whether a text that is no script may be a module: it imports, exports, or waits outside of functions.
pub(super) fn may_be_module(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        ["import", "export"].iter().any(|word| {
            line.strip_prefix(word)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || "{*\"'(.".contains(c)))
        })
    }) || text.contains("await")
}
