//! Rules of the house that a machine can check. Each test says in its message what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Longer files tell two stories, or should say why not in their first line.
const MAX_LINES: usize = 700;

/// Folders that hold no source of ours.
const SKIPPED: [&str; 6] = ["target", ".git", "node_modules", ".venv", "corpus", "artifacts"];

/// Who may not know whom: a path below the repository's root, and what must not be named there.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("src/judge.rs", &["crate::server", "crate::store", "crate::rollout", "crate::learner", "crate::cli"]),
    ("src/judge/", &["crate::server", "crate::store", "crate::rollout", "crate::learner", "crate::cli"]),
    (
        "src/store/",
        &["crate::server", "crate::judge", "crate::rollout", "crate::learner", "crate::cli", "axum"],
    ),
    ("src/server/", &["crate::learner", "crate::cli"]),
    (
        "src/remote/",
        &[
            "crate::judge",
            "crate::server",
            "crate::store",
            "crate::rollout",
            "crate::learner",
            "crate::tasks",
            "crate::cli",
            "graders",
            "policy",
        ],
    ),
    ("src/rollout/", &["crate::judge", "crate::server", "crate::store", "crate::cli"]),
    ("src/serving/", &["crate::judge", "crate::server", "crate::store", "crate::learner", "crate::cli"]),
    ("src/learner/", &["crate::server", "crate::store", "crate::cli"]),
    (
        "src/opinion/",
        &["crate::server", "crate::store", "crate::rollout", "crate::learner", "crate::tasks", "crate::cli"],
    ),
    (
        "src/tasks/",
        &["crate::judge", "crate::server", "crate::store", "crate::rollout", "crate::learner", "crate::cli"],
    ),
    (
        "graders/src/",
        &[
            "tokio",
            "axum",
            "sqlx",
            "wasmtime",
            "candle_core",
            "candle_nn",
            "reqwest",
            "gavel",
            "rand",
            "getrandom",
            "std::fs",
            "std::net",
            "std::thread",
            "std::process",
            "std::env",
            "std::time::Instant",
            "std::time::SystemTime",
            "Instant::now",
            "SystemTime::now",
        ],
    ),
    ("sandboxes/src/", &["graders", "gavel", "policy", "axum", "sqlx", "candle_core", "reqwest"]),
    ("policy/src/", &["graders", "gavel", "sandboxes", "axum", "sqlx", "tokio", "reqwest"]),
];

fn root() -> PathBuf {
    std::env::current_dir().unwrap()
}

/// Every file of ours with this ending, by its path below the root.
fn files(ending: &str) -> BTreeMap<String, String> {
    fn walk(folder: &Path, ending: &str, found: &mut BTreeMap<String, String>) {
        let mut entries: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                if !SKIPPED.contains(&name.as_str()) {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending)
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                found.insert(path.strip_prefix(root()).unwrap().display().to_string(), text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&root(), ending, &mut found);
    found
}

/// The lines of code: no comments, nothing below the unit tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}

/// Whether `line` names `path` as a path, and not as a part of another word.
fn names(line: &str, path: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + path.len()..];
        // A crate is named where a path begins; a string or a field of that name is none.
        let is_path =
            path.contains("::") || after.starts_with("::") || line.trim_start() == format!("use {path};");
        !before.is_some_and(|c| is_word(c) || matches!(c, ':' | '"' | '`'))
            && !after.starts_with(is_word)
            && is_path
    })
}

/// `use a::{b, c::d};` on one line or several, as whole paths.
fn imports(text: &str) -> Vec<String> {
    let code: Vec<&str> = code(text).map(|(_, line)| line.trim()).collect();
    let mut found = Vec::new();
    for statement in code.join("\n").split(';') {
        let Some(at) = statement.rfind("use ").filter(|at| {
            let before = statement[..*at].trim_end();
            before.is_empty() || before.ends_with(['}', ']', ')']) || before.ends_with("pub")
        }) else {
            continue;
        };
        expand("", &statement[at + 4..].split_whitespace().collect::<String>(), &mut found);
    }
    found
}

fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        return found.push(format!("{prefix}{tree}"));
    };
    let prefix = format!("{prefix}{head}");
    let inside = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inside[from..at], found);
                from = at + 1;
            }
            _ => {}
        }
    }
    expand(&prefix, &inside[from..], found);
}

/// Where `text` names something forbidden.
fn trespasses(text: &str, forbidden: &[&str]) -> Vec<String> {
    let by_path = code(text).flat_map(|(number, line)| {
        forbidden
            .iter()
            .filter(move |path| names(line, path))
            .map(move |path| format!("line {number}: {path}"))
    });
    let begins = |import: &str, path: &str| {
        import.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let imported = imports(text);
    let by_use = imported.iter().flat_map(|import| {
        forbidden.iter().filter(move |path| begins(import, path)).map(move |_| format!("use {import}"))
    });
    by_path.chain(by_use).collect()
}

#[test]
fn no_part_knows_what_it_must_not() {
    let sources = files(".rs");
    let mut wrong = Vec::new();
    for (place, forbidden) in FORBIDDEN {
        for (path, text) in sources.iter().filter(|(path, _)| path.starts_with(place)) {
            wrong.extend(trespasses(text, forbidden).into_iter().map(|what| format!("{path}: {what}")));
        }
    }
    for place in [
        "src/judge.rs",
        "src/learner/",
        "src/rollout/",
        "src/serving/",
        "src/store/",
        "src/server/",
        "graders/src/",
        "policy/src/",
        "sandboxes/src/",
    ] {
        assert!(sources.keys().any(|path| path.starts_with(place)), "{place} has moved; so must its rule");
    }
    assert!(wrong.is_empty(), "see the table of imports in ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn a_trespass_is_found_however_it_is_written() {
    let forbidden = &["crate::server", "tokio", "std::fs", "std::time::Instant"];
    let caught = [
        "use crate::server::App;",
        "use crate::{judge::Judge, server::App};",
        "use crate::{\n    judge,\n    server::{App, problem},\n};",
        "fn f() { crate::server::router() }",
        "use tokio;",
        "use std::{fmt, fs::File};",
        "let t = std::time::Instant::now();",
        "use std::time::{Duration, Instant};",
        "async fn f() { tokio::spawn(g()) }",
    ];
    for text in caught {
        assert!(!trespasses(text, forbidden).is_empty(), "{text}");
    }
    let free = [
        "// crate::server is over there.",
        "let tokio = 1;",
        "use std::{fmt, time::Duration};",
        "use crate::servers::App;",
        "#[cfg(test)]\nuse std::fs;",
        "use crate::{judge::Judge, store::Store};",
    ];
    for text in free {
        assert_eq!(trespasses(text, forbidden), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn migrations_are_twins() {
    let names = |kind: &str| -> BTreeSet<String> {
        let folder = root().join("migrations").join(kind);
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, postgres, "a migration has the same number and name for both databases");
    let numbers: BTreeSet<&str> = sqlite.iter().filter_map(|name| name.split('_').next()).collect();
    assert_eq!(numbers.len(), sqlite.len(), "two migrations have one number");
}

#[test]
fn files_are_one_noun_long() {
    let long: Vec<String> = files(".rs")
        .iter()
        .filter(|(path, _)| !path.contains("tests/"))
        .map(|(path, text)| (path, text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "split these, at most {MAX_LINES} lines without tests:\n{}", long.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is() {
    // A fuzz target is one call of a macro; what they all are stands in graders/fuzz/src/lib.rs.
    let bare: Vec<String> = files(".rs")
        .into_iter()
        .filter(|(path, text)| !path.contains("/fuzz_targets/") && !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert!(
        bare.is_empty(),
        "begin these with `//!`: what it is and what it never does:\n{}",
        bare.join("\n")
    );
}

/// Clones share build results, so that a test that was built in one may be run in another: cargo starts it in the
/// package's folder, and that is where it looks.
#[test]
fn no_test_remembers_where_it_was_built() {
    let forbidden = concat!("env!(\"CARGO_MANIFEST", "_DIR\")");
    for (path, text) in files(".rs") {
        assert!(!text.contains(forbidden), "{path} holds {forbidden}; use a path relative to the package");
    }
}

#[test]
fn no_line_ends_in_space() {
    let mut wrong = Vec::new();
    for ending in [".rs", ".toml", ".md", ".sql", ".yaml", ".yml", ".html", ".py"] {
        for (path, text) in files(ending) {
            let spaced = text.lines().enumerate().find(|(_, line)| line.ends_with([' ', '\t', '\r']));
            wrong.extend(spaced.map(|(number, _)| format!("{path}:{}: space at the end", number + 1)));
            if !text.is_empty() && !text.ends_with('\n') {
                wrong.push(format!("{path}: no line break at the end"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest =
        |path: &str| -> toml::Table { std::fs::read_to_string(root().join(path)).unwrap().parse().unwrap() };
    let mut dependencies = BTreeSet::new();
    let mut add = |table: Option<&toml::Value>| {
        let names = table.and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
        dependencies.extend(names.cloned());
    };
    let top = manifest("Cargo.toml");
    add(top["workspace"].get("dependencies"));
    for path in ["Cargo.toml", "graders/Cargo.toml", "policy/Cargo.toml", "sandboxes/Cargo.toml"] {
        let manifest = manifest(path);
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            add(manifest.get(kind));
        }
    }
    assert!(dependencies.len() > 20);
    let Ok(text) = std::fs::read_to_string(root().join("ARCHITECTURE.md")) else { return };
    let named: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.split(','))
        .map(|name| name.trim().trim_matches('`'))
        .collect();
    let unnamed: Vec<&String> = dependencies
        .iter()
        .filter(|name| {
            !["graders", "policy", "sandboxes"].contains(&name.as_str()) && !named.contains(name.as_str())
        })
        .collect();
    assert!(
        unnamed.is_empty(),
        "the table of dependencies in ARCHITECTURE.md says in a line why: {unnamed:?}"
    );
}
