//! `gavel sandbox` as a user runs it, with the Python guest that is installed on this machine, and without one.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn gavel(folder: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gavel"));
    // The environment of whoever runs the tests must not decide, but for where the guests are.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GAVEL_") && name != "GAVEL_GUESTS")
    {
        command.env_remove(name);
    }
    let pipes = command.current_dir(folder).arg("sandbox").args(args);
    let pipes = pipes.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // A command that does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

const INSTALL: &str = "install the guest with `gavel sandbox install python` (make test does)";

#[test]
fn a_program_runs_and_its_exit_code_is_passed_on() {
    let source = "import sys\nprint(sys.argv[1:], input())\nprint('oh', file=sys.stderr)\nsys.exit(7)\n";
    let folder = folder_with(&[("prog.py", source)]);
    let output = gavel(folder.path(), &["run", "prog.py", "--", "-x", "y"], b"line\n");
    assert_eq!(output.status.code(), Some(7), "{}; {INSTALL}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "['-x', 'y'] line\n");
    assert_eq!(text(&output.stderr), "oh\n");
}

#[test]
fn what_ended_a_program_is_told() {
    let rows = [
        ("print(1)", 0, "", "1\n"),
        ("while True: pass", 124, "--time-ms", ""),
        ("raise ValueError('no')", 1, "ValueError: no", ""),
        ("import numpy", 1, "numpy", ""),
        ("x = bytearray(10 ** 9)", 137, "--memory-mb", ""),
        ("print('partly', flush=True)\nwhile True: pass", 124, "time was used up", "partly\n"),
        ("def f(:", 1, "SyntaxError", ""),
    ];
    for (source, code, says, stdout) in rows {
        let folder = folder_with(&[("p", source)]);
        let args = ["run", "p", "--language", "python", "--time-ms", "200", "--memory-mb", "64"];
        let output = gavel(folder.path(), &args, b"");
        let stderr = text(&output.stderr);
        // A compiler's refusal has a code of its own; Python's is an exception like others, or a refusal.
        let is_code = output.status.code() == Some(code)
            || (says == "SyntaxError" && output.status.code() == Some(123));
        assert!(is_code, "{source}: {:?} {stderr}; {INSTALL}", output.status);
        assert!(stderr.contains(says), "{source}: {says} is missing in {stderr}");
        assert_eq!(text(&output.stdout), stdout, "{source}");
    }
    let folder = folder_with(&[("p.py", "print(1)")]);
    let output = gavel(folder.path(), &["run", "p.py", "--usage"], b"");
    assert!(text(&output.stderr).contains("reference time"), "{}", text(&output.stderr));
}

#[test]
fn a_function_is_called() {
    let source =
        "print('loading')\ndef f(a, b=2): return [a, (b,), 10 ** 30]\nclass C: pass\ndef g(): return C()\n";
    let folder = folder_with(&[("p.py", source)]);
    let output = gavel(folder.path(), &["call", "p.py", "f", "[-1]"], b"");
    assert_eq!(output.status.code(), Some(0), "{}; {INSTALL}", text(&output.stderr));
    let expected = "[-1,{\"$tuple\":[2]},{\"$int\":\"1000000000000000000000000000000\"}]\n";
    assert_eq!(text(&output.stdout), expected);
    assert!(text(&output.stderr).contains("loading"));
    let output = gavel(folder.path(), &["call", "p.py", "absent"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("does not define `absent`"), "{}", text(&output.stderr));
}

#[test]
fn the_installed_guest_is_listed_and_well() {
    let folder = folder_with(&[]);
    let output = gavel(folder.path(), &["list", "--json"], b"");
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let python = list.as_array().unwrap().iter().find(|guest| guest["guest"] == "python").unwrap();
    assert_eq!(python["state"], "ready", "{python}; {INSTALL}");
    assert_eq!(python["languages"], serde_json::json!(["python"]));
    assert!(python["size_bytes"].as_u64().unwrap() > 1_000_000, "{python}");
    assert!(python["licence"].as_str().unwrap().contains("PSF"), "{python}");
    let table = text(&gavel(folder.path(), &["list"], b"").stdout);
    assert!(table.lines().any(|line| line.starts_with("python") && line.contains(" ready ")), "{table}");
    let output = gavel(folder.path(), &["doctor"], b"");
    assert!(text(&output.stdout).contains("(python): ready, and runs a program"), "{}", text(&output.stdout));
    let output = gavel(folder.path(), &["bench", "-n", "1"], b"");
    assert!(text(&output.stdout).contains("python: a fresh sandbox: median"), "{}", text(&output.stdout));
}

#[test]
fn without_a_guest_it_is_said_how_to_get_one() {
    let folder = folder_with(&[("p.py", "print(1)"), ("archive.crate", "no crate")]);
    let output = gavel(folder.path(), &["run", "p.py", "--guests", "none"], b"");
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("`gavel sandbox install python`"), "{}", text(&output.stderr));
    let output = gavel(folder.path(), &["list", "--guests", "none"], b"");
    assert!(text(&output.stdout).contains("not installed"), "{}", text(&output.stdout));
    let output = gavel(folder.path(), &["doctor", "--guests", "none"], b"");
    assert!(output.status.success(), "what is not installed is no fault: {}", text(&output.stdout));
    let args = ["install", "python", "--guests", "none", "--archive", "archive.crate"];
    let output = gavel(folder.path(), &args, b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("none of the given archives is"), "{}", text(&output.stderr));
}

#[test]
fn a_damaged_guest_is_named() {
    let folder = folder_with(&[("p.py", "print(1)")]);
    let list = gavel(folder.path(), &["list", "--json", "--guests", "damaged"], b"");
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let place = list.as_array().unwrap().iter().find(|guest| guest["guest"] == "python").unwrap();
    let place = folder.path().join(place["folder"].as_str().unwrap());
    fs::create_dir_all(&place).unwrap();
    fs::write(
        place.join("receipt.json"),
        r#"{"guest": "python", "version": "3", "files": {"absent": "00"}}"#,
    )
    .unwrap();
    let output = gavel(folder.path(), &["doctor", "--guests", "damaged"], b"");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("damaged: absent"), "{}", text(&output.stdout));
    let output = gavel(folder.path(), &["run", "p.py", "--guests", "damaged"], b"");
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("damaged"), "{}", text(&output.stderr));
}

#[test]
fn wrong_arguments_are_named() {
    let folder = folder_with(&[("p.py", "print(1)"), ("p.txt", "")]);
    for (args, word) in [
        (vec!["run", "absent.py"], "absent.py"),
        (vec!["run", "p.txt"], "--language"),
        (vec!["run", "p.py", "--language", "cobol"], "javascript"),
        (vec!["run", "p.py", "--time-ms", "0"], "--time-ms"),
        (vec!["run", "p.py", "--memory-mb", "5000"], "--memory-mb"),
        (vec!["run", "p.py", "extra"], "extra"),
        (vec!["call", "p.py", "f", "1"], "JSON list"),
        (vec!["call", "p.py", "f", r#"[{"$date": 1}]"#], "/0/$date"),
        (vec!["install"], "GUEST"),
        (vec!["install", "cobol"], "there are"),
    ] {
        let output = gavel(folder.path(), &args, b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
        assert!(
            text(&output.stderr).contains(word),
            "{args:?}: {word} is missing in {}",
            text(&output.stderr)
        );
    }
}
