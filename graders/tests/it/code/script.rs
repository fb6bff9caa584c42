//! A sandbox that follows a script: what happens is said by the input, the arguments or the test program.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use graders::{
    Completion, Explanation, GradeError, Prepared, Resources, Task, TaskError, Verdict, build_grader,
};
use sandboxes::{
    Call, Ending, Examination, Execution, Language, Limits, Outcome, Program, Returned, Sandbox,
    SandboxError, TestProgram, Value as Plain,
};
use serde_json::Value;

/// What it was given to run.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) ran: Vec<(String, Limits)>,
    pub(super) called: Vec<Call>,
    pub(super) examined: Vec<TestProgram>,
    /// Programs that ran with arguments: checkers.
    pub(super) checked: Vec<Program>,
}

#[derive(Default)]
pub(super) struct Scripted {
    seen: Mutex<Seen>,
}

fn ending(word: &[u8]) -> Option<Ending> {
    Some(match word {
        b"exit 3" => Ending::Exited { code: 3 },
        b"compile" => Ending::CompileError { message: "expected `;`".to_owned() },
        b"fuel" => Ending::OutOfFuel,
        b"wall" => Ending::TimedOut,
        b"memory" => Ending::OutOfMemory,
        b"output" => Ending::OutputLimit,
        b"import" => Ending::MissingModule { name: "torch.nn".to_owned() },
        b"entry" => Ending::NoEntryPoint { name: "f".to_owned() },
        b"result" => Ending::InvalidResult { message: "a generator".to_owned() },
        b"trap" => Ending::Trapped { message: "unreachable".to_owned() },
        _ => return None,
    })
}

fn failure(word: &[u8], language: Language) -> Option<SandboxError> {
    match word {
        b"broken" => Some(SandboxError::Failed { language, message: "no memory".to_owned() }),
        b"absent" => Some(SandboxError::Unavailable { language, reason: "not built".to_owned() }),
        b"unsupported" => Some(SandboxError::Unsupported { language, what: "calls" }),
        _ => None,
    }
}

const TRACEBACK: &[u8] = b"Traceback (most recent call last):\n  File \"main.py\", line 1\nValueError: bad\n";

fn finished(ending: Ending) -> Execution {
    let stderr = if ending == (Ending::Exited { code: 0 }) { Vec::new() } else { TRACEBACK.to_vec() };
    Execution { stderr, time: Duration::from_millis(7), memory_bytes: 9, ..Execution::ended(ending) }
}

impl Sandbox for Scripted {
    fn languages(&self) -> Vec<Language> {
        vec![Language::Python, Language::Cpp, Language::JavaScript]
    }

    /// Ends as the standard input says; otherwise prints it back. A program with arguments is a checker, which
    /// does as its source says.
    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError> {
        if !program.args.is_empty() {
            self.seen.lock().unwrap().checked.push(program.clone());
            return Ok(checker(program));
        }
        self.seen.lock().unwrap().ran.push((program.source.clone(), *limits));
        if let Some(error) = failure(stdin, program.language) {
            return Err(error);
        }
        // `\xff` cannot stand in a task.
        let stdout = if stdin == b"bytes" { vec![0xff] } else { stdin.to_vec() };
        Ok(Execution { stdout, ..finished(ending(stdin).unwrap_or(Ending::Exited { code: 0 })) })
    }

    /// `check` is a checker; any other function ends as its first argument says, or gives it back, and appends 0
    /// to it if it is a list.
    fn call(&self, program: &Program, call: &Call, _limits: &Limits) -> Result<Execution, SandboxError> {
        self.seen.lock().unwrap().called.push(call.clone());
        let value = if call.entry_point == "check" {
            match checker_function(&program.source, &call.args) {
                Ok(value) => value,
                Err(ending) => return Ok(finished(ending)),
            }
        } else {
            call.args.first().cloned().unwrap_or(Plain::Null)
        };
        let word = match &value {
            Plain::Text(word) => word.as_bytes(),
            _ => b"",
        };
        if let Some(error) = failure(word, program.language) {
            return Err(error);
        }
        let mut execution = finished(ending(word).unwrap_or(Ending::Exited { code: 0 }));
        let opaque = Plain::Opaque { type_name: "Liar".to_owned() };
        if execution.ending == (Ending::Exited { code: 0 }) && word != b"silent" {
            let value = match word {
                b"liar" => Plain::List(vec![opaque]),
                b"nan" => Plain::Float(f64::NAN),
                b"-0.0" => Plain::Float(-0.0),
                _ => value,
            };
            let mut arguments = call.args.clone();
            if let Some(Plain::List(items)) = arguments.first_mut() {
                items.push(Plain::Int("0".to_owned()));
            }
            execution.returned = Some(Returned { value, arguments });
        }
        Ok(execution)
    }

    /// Comes out as the last line of the tests says.
    fn examine(
        &self,
        program: &Program,
        tests: &TestProgram,
        _limits: &Limits,
    ) -> Result<Examination, SandboxError> {
        self.seen.lock().unwrap().examined.push(tests.clone());
        let word = tests.source.lines().last().unwrap().as_bytes();
        if let Some(error) = failure(word, program.language) {
            return Err(error);
        }
        let failed = |message: &str| Outcome::Failed { message: message.to_owned() };
        let (outcome, ending) = match word {
            b"assert wrong" => (failed("AssertionError: expected 42"), None),
            b"raise" => (failed("KeyError: 42"), None),
            // The last line of an assertion's message, whose first is in the traceback.
            b"lines" | b"lines of another" => (failed("+ 42"), None),
            b"quiet" => (failed(""), None),
            b"syntax" => (Outcome::TestsBroken { message: "SyntaxError".to_owned() }, None),
            b"left" => (Outcome::ProgramEnded, None),
            word => match ending(word) {
                Some(ending) => (Outcome::ProgramEnded, Some(ending)),
                None => (Outcome::Passed, None),
            },
        };
        let program = finished(ending.unwrap_or(Ending::Exited { code: 0 }));
        let mut tests =
            finished(if word == b"slow tests" { Ending::TimedOut } else { Ending::Exited { code: 0 } });
        tests.stderr = match word {
            b"lines" => {
                b"Traceback\n  File\nAssertionError: 41 != 42\n- 41\n+ 42\n\nFAILED (failures=1)\n".to_vec()
            }
            b"lines of another" => b"Traceback\n  File\napp.Wrong: 41\n42: 43\n".to_vec(),
            _ => tests.stderr,
        };
        Ok(Examination { outcome, program, tests })
    }
}

/// A checker as a function of input, output and expected output.
fn checker_function(source: &str, args: &[Plain]) -> Result<Plain, Ending> {
    let [_, got, expected] = args else { panic!("{args:?}") };
    let raised = Ending::Exited { code: 1 };
    match source {
        "equal" => Ok(Plain::Bool(got == expected)),
        "half" if got == expected => Ok(Plain::Int("1".to_owned())),
        "half" => Ok(Plain::Float(0.5)),
        "two" => Ok(Plain::Int("2".to_owned())),
        "text" => Ok(Plain::Text("yes".to_owned())),
        "raises on x" | "refuses all" if *got == Plain::Text("x".to_owned()) => Err(raised),
        "raises on x" => Ok(Plain::Bool(true)),
        "raises" => Err(raised),
        "refuses all" => Ok(Plain::Bool(false)),
        "wall" => Err(Ending::TimedOut),
        other => panic!("unknown checker {other}"),
    }
}

/// A checker as a program: exits with the code that the output file says, and prints the same.
fn checker(program: &Program) -> Execution {
    let output = &program.files.iter().find(|file| file.path == "output.txt").unwrap().content;
    let text = String::from_utf8(output.clone()).unwrap();
    let code = text.split(' ').next().unwrap().parse().unwrap_or(0);
    let code = if program.source == "prints" { 0 } else { code };
    let stream = |name: &str| if program.source == name { output.clone() } else { Vec::new() };
    Execution {
        stdout: stream("prints"),
        stderr: text.split_once(' ').map_or("", |(_, rest)| rest).as_bytes().to_vec(),
        ..Execution::ended(Ending::Exited { code })
    }
}

pub(super) fn tests(tests: &Value) -> Task {
    Task { tests: Some(tests.clone()), ..Task::default() }
}

fn prepared(grader: &Value, task: &Task) -> (Arc<Scripted>, Result<Prepared, TaskError>) {
    let sandbox = Arc::new(Scripted::default());
    let resources = Resources { sandbox: Some(sandbox.clone()), ..Resources::default() };
    let grader = build_grader(grader).unwrap_or_else(|error| panic!("{grader}: {error}"));
    let judge = grader.prepare(task, &resources);
    (sandbox, judge)
}

/// Runs a task's tests on a completion; also gives what the sandbox was given.
pub(super) fn run(grader: &Value, task: &Task, text: &str) -> (Result<Verdict, GradeError>, Seen) {
    let (sandbox, judge) = prepared(grader, task);
    let judge = judge.unwrap_or_else(|error| panic!("{:?}: {error}", task.tests));
    let Prepared::Completion(judge) = judge else { panic!() };
    let verdict = judge.grade(&Completion::new(text));
    (verdict, sandbox.seen.lock().unwrap().clone())
}

/// Explains the verdict on a completion.
pub(super) fn explained(grader: &Value, task: &Task, text: &str) -> Explanation {
    let Prepared::Completion(judge) = prepared(grader, task).1.unwrap() else { panic!() };
    judge.explain(&Completion::new(text)).unwrap()
}

/// Why a task is refused.
pub(super) fn refusal(grader: &Value, tests: &Value) -> TaskError {
    let task: Task = serde_json::from_value(serde_json::json!({"tests": tests})).unwrap();
    match prepared(grader, &task).1 {
        Ok(_) => panic!("{tests} was taken"),
        Err(error) => error,
    }
}

/// A completion with a program.
pub(super) const PROGRAM: &str = "```python\nprint(input())\n```";
