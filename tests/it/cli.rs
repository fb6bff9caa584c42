//! The command line, run as a user runs it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

fn gavel(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gavel"));
    // The environment of whoever runs the tests must not decide.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GAVEL_")) {
        command.env_remove(name);
    }
    command.args(args);
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    gavel(args).current_dir(folder).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn group(id: &str, texts: &[&str]) -> String {
    json!({"id": id, "task": {"reference": "42"}, "completions": texts}).to_string()
}

const EXACT: &str = r#"{"components": [{"name": "accuracy", "grader": {"type": "exact"}}]}"#;

fn folder_with(files: &[(&str, String)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("exact.json"), EXACT).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn groups_come_in_and_rewards_go_out_in_order() {
    let text: String = (0..100).map(|i| group(&format!("g{i}"), &["42", "41", "42"]) + "\n").collect();
    let folder = folder_with(&[("in.jsonl", text)]);
    let output = run(folder.path(), &["grade", "in.jsonl", "--rubric", "exact.json", "--advantage", "rloo"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "", "silent when all is well and nobody looks");
    let replies = lines(&stdout(&output));
    assert_eq!(replies.len(), 100);
    for (index, reply) in replies.iter().enumerate() {
        assert_eq!(reply["index"], index);
        assert_eq!(reply["id"], format!("g{index}"));
        assert_eq!(reply["rewards"][1]["reward"], 0.0);
        assert_eq!(reply["rewards"][1]["advantage"], -1.0);
    }
}

#[test]
fn a_pipe_works_like_a_file() {
    let folder = folder_with(&[]);
    let mut child = gavel(&["grade", "--rubric", "exact.json"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all((group("g", &["42"]) + "\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(lines(&stdout(&output))[0]["rewards"][0]["reward"], 1.0);
}

#[test]
fn faulty_lines_are_told_and_do_not_stop_the_others() {
    let text = [
        group("a", &["42"]),
        "{\"task\": {}, \"completions\": []}".to_owned(),
        "not json".to_owned(),
        "{\"id\": \"d\", \"completions\": [{\"txt\": 1}]}".to_owned(),
        json!({"id": "e", "task": {}, "completions": ["42"]}).to_string(),
        group("f", &["42"]),
    ]
    .join("\n");
    let folder = folder_with(&[("in.jsonl", text)]);
    let output = run(folder.path(), &["grade", "in.jsonl", "--rubric", "exact.json"]);
    assert_eq!(output.status.code(), Some(1), "some lines could not be judged");
    let replies = lines(&stdout(&output));
    assert_eq!(replies.len(), 6, "a line for each line");
    assert_eq!(replies[5]["rewards"][0]["reward"], 1.0);
    assert_eq!(replies[4]["error"]["pointer"], "/task/reference");
    assert_eq!(replies[4]["rewards"][0]["reward"], Value::Null);
    assert_eq!(replies[3]["id"], "d", "a faulty group keeps its name where it can be read");
    let told = stderr(&output);
    for place in ["line 2: /completions", "line 3:", "line 4: /completions/0/txt", "line 5: /task/reference"]
    {
        assert!(told.contains(place), "{place} is missing in {told}");
    }
}

#[test]
fn a_half_written_output_is_resumed() {
    let text: String = (0..10).map(|i| group(&format!("g{i}"), &["42"]) + "\n").collect();
    let folder = folder_with(&[("in.jsonl", text)]);
    let args = ["grade", "in.jsonl", "--rubric", "exact.json", "--output", "out.jsonl"];
    assert!(run(folder.path(), &args).status.success());
    let path = folder.path().join("out.jsonl");
    let whole = fs::read_to_string(&path).unwrap();

    // Cut at every kind of place: within the first line, at a line's end, within the last line.
    let line_end = whole.find('\n').unwrap() + 1;
    for cut in [0, 7, line_end, line_end + 3, whole.len() - 1, whole.len()] {
        fs::write(&path, &whole[..cut]).unwrap();
        let output = run(folder.path(), &args);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(&path).unwrap(), whole, "cut at {cut}");
    }
}

#[test]
fn an_output_of_something_else_is_not_touched() {
    let folder = folder_with(&[("in.jsonl", group("g", &["42"])), ("out.jsonl", "precious\n".to_owned())]);
    let args = ["grade", "in.jsonl", "--rubric", "exact.json", "-o", "out.jsonl"];
    let output = run(folder.path(), &args);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--overwrite"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(folder.path().join("out.jsonl")).unwrap(), "precious\n");

    // Another rubric's output is something else too.
    fs::remove_file(folder.path().join("out.jsonl")).unwrap();
    assert!(run(folder.path(), &args).status.success());
    let output = run(folder.path(), &["grade", "in.jsonl", "--rubric", "math", "-o", "out.jsonl"]);
    assert!(stderr(&output).contains("another rubric"), "{}", stderr(&output));
    let output =
        run(folder.path(), &["grade", "in.jsonl", "--rubric", "math", "-o", "out.jsonl", "--overwrite"]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn wrong_arguments_are_named() {
    let folder = folder_with(&[("in.jsonl", group("g", &["42"])), ("broken.json", "{".to_owned())]);
    for (args, word) in [
        (vec!["grade", "in.jsonl"], "--rubric"),
        (vec!["grade", "in.jsonl", "--rubric", "maths"], "presets"),
        (vec!["grade", "in.jsonl", "--rubric", "broken.json"], "not JSON"),
        (vec!["grade", "absent.jsonl", "--rubric", "math"], "absent.jsonl"),
        (vec!["grade", "in.jsonl", "--rubric", "kimi-k1.5"], "--step"),
        (vec!["grade", "in.jsonl", "--rubric", "math", "--advantage", "gdpo"], "batch"),
        (vec!["grade", "in.jsonl", "--rubric", "math", "--metric", "x"], "NAME=VALUE"),
        (vec!["tasks", "generate", "chess"], "word_problem"),
        (vec!["tasks", "generate", "arithmetic", "--level", "99"], "level 99"),
        (vec!["keys", "revoke", "x", "--store", "k.db"], "gavel keys list"),
        (vec!["serve", "--listen", "here"], "--listen"),
        (vec!["serve", "--threads", "0"], "--threads"),
        (vec!["serve", "--config", "absent.toml"], "absent.toml"),
        (vec!["serve", "--store", "mysql://x"], "mysql://x"),
        (vec!["serve", "--listen", "0.0.0.0:0", "--store", "sqlite::memory:"], "gavel keys create"),
    ] {
        let output = run(folder.path(), &args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(word), "{args:?}: {word} is missing in {}", stderr(&output));
    }
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let folder = folder_with(&[]);
    let made = run(folder.path(), &["keys", "create", "trainer", "--store", "k.db"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let key = stdout(&made);
    assert!(key.starts_with("gavel_") && key.trim().len() > 40, "{key}");
    let listed = stdout(&run(folder.path(), &["keys", "list", "--store", "k.db"]));
    assert!(listed.contains("trainer") && listed.contains("never used"), "{listed}");
    assert!(!listed.contains(key.trim()));
    assert!(run(folder.path(), &["keys", "revoke", "1", "--store", "k.db"]).status.success());
    let listed = stdout(&run(folder.path(), &["keys", "list", "--store", "k.db"]));
    assert!(listed.contains("revoked"), "{listed}");
}

#[test]
fn doctor_says_what_is_there_and_what_is_missing() {
    let folder = folder_with(&[(
        "text.db",
        "this is no database, though it is long enough to be looked at".repeat(20),
    )]);
    let output = run(folder.path(), &["doctor", "--guests", "none"]);
    assert!(output.status.success(), "{}", stdout(&output));
    for word in ["math", "kimi-k1.5", "not installed; `gavel sandbox install python`", "gavel.db"] {
        assert!(stdout(&output).contains(word), "{word} is missing in {}", stdout(&output));
    }
    let output = run(folder.path(), &["doctor", "--guests", "none", "--store", "text.db"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("not an SQLite database"), "{}", stdout(&output));
}

#[test]
fn the_same_arguments_make_the_same_tasks() {
    let folder = folder_with(&[]);
    let args = ["tasks", "generate", "word_problem", "-n", "20", "--seed", "5", "--completions", "4"];
    let (one, other) = (run(folder.path(), &args), run(folder.path(), &args));
    assert!(one.status.success());
    assert_eq!(one.stdout, other.stdout);
    assert_eq!(lines(&stdout(&one)).len(), 20);
}
