//! Programs, calls and examinations as rows of a table, on the installed guest.

use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;

use crate::package::sha256;
use crate::{
    Call, Ending, GuestOptions, Guests, Language, Limits, Outcome, Program, Sandbox as _, TestProgram, Value,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    run: Vec<RunRow>,
    call: Vec<CallRow>,
    examine: Vec<ExamineRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunRow {
    name: String,
    source: String,
    #[serde(default)]
    stdin: String,
    stdout: Option<String>,
    /// For output that is too long to stand here.
    stdout_sha256: Option<String>,
    #[serde(default)]
    code: i32,
    /// Why it is not what Node gives.
    #[serde(default, rename = "differs")]
    _differs: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallRow {
    name: String,
    source: String,
    entry_point: String,
    args: String,
    #[serde(default = "exited")]
    ending: String,
    /// The value as Rust shows it.
    returned: Option<String>,
    /// The arguments afterwards.
    arguments: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExamineRow {
    name: String,
    program: String,
    tests: String,
    outcome: String,
    entry_point: Option<String>,
}

fn exited() -> String {
    "exited".to_owned()
}

fn table() -> Table {
    toml::from_str(include_str!("../../testdata/javascript.toml")).expect("the table is valid")
}

fn guests() -> &'static Guests {
    static GUESTS: OnceLock<Guests> = OnceLock::new();
    GUESTS.get_or_init(|| {
        let directory = Guests::default_directory().expect("there is a folder of guests");
        Guests::open(&GuestOptions { directory, slots: 2 }).expect("the machine starts")
    })
}

const LIMITS: Limits = Limits {
    time: Duration::from_secs(3),
    // A drowned machine is no reason to fail.
    wall: Duration::from_hours(1),
    memory_bytes: 128 << 20,
    output_bytes: 1 << 20,
    files_bytes: 1 << 20,
};

fn program(source: &str) -> Program {
    Program::new(Language::JavaScript, source)
}

/// An argument as JSON has it.
fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) if number.is_f64() && !number.to_string().contains(['.', 'e']) => {
            Value::Int(number.to_string())
        }
        serde_json::Value::Number(number) if number.is_f64() => {
            Value::Float(number.as_f64().unwrap_or(f64::NAN))
        }
        serde_json::Value::Number(number) => Value::Int(number.to_string()),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(fields) => {
            Value::Map(fields.iter().map(|(key, item)| (Value::Text(key.clone()), value(item))).collect())
        }
    }
}

#[test]
fn runs_are_as_in_node() {
    let mut wrong = Vec::new();
    for row in table().run {
        let execution = guests().run(&program(&row.source), row.stdin.as_bytes(), &LIMITS).expect(&row.name);
        let said = String::from_utf8_lossy(&execution.stdout);
        let is_same = match (&row.stdout, &row.stdout_sha256) {
            (Some(stdout), None) => *stdout == said,
            (None, Some(hash)) => *hash == sha256(&execution.stdout),
            _ => panic!("{}: either the output or its hash", row.name),
        };
        if !is_same || execution.ending != (Ending::Exited { code: row.code }) {
            let errors = String::from_utf8_lossy(&execution.stderr);
            wrong.push(format!("{}: {:?}\n{said}\n{errors}", row.name, execution.ending));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn calls_bring_back_plain_data() {
    let mut wrong = Vec::new();
    for row in table().call {
        let args: serde_json::Value = serde_json::from_str(&row.args).expect(&row.name);
        let Value::List(args) = value(&args) else { panic!("{}: arguments are a list", row.name) };
        let call = Call { entry_point: row.entry_point, args, kwargs: Vec::new() };
        let execution = guests().call(&program(&row.source), &call, &LIMITS).expect(&row.name);
        let returned = execution.returned.as_ref().map(|returned| format!("{:?}", returned.value));
        let arguments = execution.returned.as_ref().map(|returned| format!("{:?}", returned.arguments));
        if execution.ending.name() != row.ending || returned != row.returned || arguments != row.arguments {
            let errors = String::from_utf8_lossy(&execution.stderr);
            wrong.push(format!(
                "{}\u{1}{:?}\u{1}{}\u{1}{}\u{1}{errors}",
                row.name,
                execution.ending,
                returned.unwrap_or_default(),
                arguments.unwrap_or_default()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn examinations_come_out_as_they_should() {
    let mut wrong = Vec::new();
    for row in table().examine {
        let tests = TestProgram { source: row.tests, entry_point: row.entry_point };
        let limits = Limits { time: Duration::from_secs(1), ..LIMITS };
        let examination = guests().examine(&program(&row.program), &tests, &limits).expect(&row.name);
        let outcome = match &examination.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed { .. } => "failed",
            Outcome::ProgramEnded => "ended",
            Outcome::TestsBroken { .. } => "broken",
        };
        if outcome != row.outcome {
            let said = String::from_utf8_lossy(&examination.tests.stderr);
            wrong.push(format!(
                "{}: {:?} {:?}\n{said}",
                row.name, examination.outcome, examination.program.ending
            ));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// How a program ends under small limits.
fn ending(source: &str) -> Ending {
    let limits = Limits {
        time: Duration::from_millis(300),
        memory_bytes: 32 << 20,
        output_bytes: 10_000,
        files_bytes: 10_000,
        ..LIMITS
    };
    guests().run(&program(source), b"", &limits).expect("the sandbox works").ending
}

#[test]
fn what_does_not_end_runs_out_of_fuel() {
    for source in [
        "for (;;);",
        "(function f() { Promise.resolve().then(f) })()",
        "process.nextTick(function f() { process.nextTick(f) })",
        "setInterval(() => {}, 1)",
        "setImmediate(function f() { setImmediate(f) })",
        "setTimeout(() => {}, 1e9)",
        "/(a+)+b/.test('a'.repeat(40))",
        "try { for (;;); } finally { for (;;); }",
        "JSON.stringify({ toJSON() { for (;;); } })",
        "process.on('exit', () => { for (;;); })",
        "new Promise(() => { for (;;); })",
        "queueMicrotask(function f() { queueMicrotask(f) })",
        "console.log({ get [Symbol.toStringTag]() { for (;;); } })",
    ] {
        assert_eq!(ending(source), Ending::OutOfFuel, "{source}");
    }
}

#[test]
fn too_much_memory_ends_a_program() {
    for source in [
        "const a = []; for (;;) a.push('x'.repeat(1000) + a.length)",
        "new ArrayBuffer(1 << 28)",
        "'x'.repeat(1 << 28)",
        "const a = []; for (;;) a.push([a.length])",
        "const m = new Map(); for (;;) m.set({}, {})",
    ] {
        assert_eq!(ending(source), Ending::OutOfMemory, "{source}");
    }
    let frugal = "try { new ArrayBuffer(1 << 28) } catch { console.log('went without') }";
    assert_eq!(ending(frugal), Ending::Exited { code: 0 });
}

#[test]
fn other_ends_have_their_names() {
    assert_eq!(ending("for (;;) console.log('x'.repeat(100))"), Ending::OutputLimit);
    assert_eq!(ending("for (;;) process.stdout.write(Buffer.alloc(100))"), Ending::OutputLimit);
    assert!(
        matches!(ending("let x = ;"), Ending::CompileError { message } if message.contains("SyntaxError"))
    );
    assert_eq!(ending("require('lodash')"), Ending::MissingModule { name: "lodash".to_owned() });
    assert_eq!(ending("import _ from 'lodash'"), Ending::MissingModule { name: "lodash".to_owned() });
    assert_eq!(ending("try { require('lodash') } catch {}"), Ending::Exited { code: 0 });
    assert_eq!(ending("await new Promise(() => {})"), Ending::Exited { code: 13 });
}

#[test]
fn deep_recursion_is_an_error_that_can_be_caught() {
    let sources = [
        "(function f() { return f() + 1 })()",
        "const o = { get x() { return this.x } }; o.x",
        "const o = { toString() { return `${o}` } }; `${o}`",
        "(function f() { return [2, 1].sort(f) })()",
        "(function f() { return 'a'.replace(/a/, f) })()",
        "(function f() { return [1].map(f) })()",
        "class A { constructor() { this.a = new A() } } new A()",
        "let p = {}; for (let i = 0; i < 100000; i++) p = new Proxy(p, {}); p.x",
        "let f = () => 1; for (let i = 0; i < 100000; i++) f = f.bind(); f()",
        "eval('('.repeat(100000) + '1' + ')'.repeat(100000))",
        "JSON.parse('['.repeat(5000000))",
        "let a = []; for (let i = 0; i < 100000; i++) a = [a]; String(a)",
        "new RegExp('('.repeat(100000) + ')'.repeat(100000))",
        "let o = {}; for (let i = 0; i < 100000; i++) o = { o }; structuredClone(o)",
    ];
    for source in sources {
        let caught = format!(
            "try {{ {source} }} catch (e) {{ console.log(e instanceof Error) }}\nconsole.log([3, 1, 2].sort(), JSON.stringify({{ a: 1 }}))"
        );
        let limits = Limits { time: Duration::from_secs(20), ..LIMITS };
        let execution = guests().run(&program(&caught), b"", &limits).expect("the sandbox works");
        let said = String::from_utf8_lossy(&execution.stdout);
        assert_eq!(execution.ending, Ending::Exited { code: 0 }, "{source}");
        assert_eq!(said, "true\n[ 1, 2, 3 ] {\"a\":1}\n", "{source}");
    }
}

#[test]
fn the_same_program_uses_the_same_fuel() {
    let source =
        "const a = [...Array(1000).keys()].map(x => Math.random() * x); a.sort(); console.log(a, Date.now())";
    let once = guests().run(&program(source), b"", &LIMITS).expect("the sandbox works");
    let again = guests().run(&program(source), b"", &LIMITS).expect("the sandbox works");
    assert_eq!((once.stdout, once.fuel_used), (again.stdout, again.fuel_used));
}
