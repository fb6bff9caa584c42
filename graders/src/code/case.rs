//! One case of the tests.

use sandboxes::{Call, Language, TestProgram, Value as Plain};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::entry_point::EntryPoint;
use super::literal;
use crate::config;

/// The most right answers that a case may list.
const MAX_ALTERNATIVES: usize = 64;

/// One case.
pub(super) struct Case {
    pub(super) kind: Kind,
    /// What it counts for under `weighted`.
    pub(super) weight: f64,
    /// Whether whoever wrote the program may have seen it.
    pub(super) is_public: bool,
}

/// What a case does with the program.
pub(super) enum Kind {
    /// It reads and prints.
    Stream {
        stdin: String,
        /// The right outputs; empty if a checker needs none.
        expected: Vec<Plain>,
    },
    /// One of its functions is called and returns.
    Call {
        call: Call,
        /// The argument that is judged after the call, instead of what it returned.
        argument: Option<usize>,
        /// As with `Stream`.
        expected: Vec<Plain>,
    },
    /// A test program, beside it, must come to its end.
    Examination(TestProgram),
}

/// What all cases of the tests share.
pub(super) struct Shared<'t> {
    pub(super) language: Language,
    pub(super) entry_point: Option<&'t EntryPoint>,
    /// Whether a checker decides, which may need no expected output.
    pub(super) has_checker: bool,
}

/// What is wrong with a case: the pointer below it, and the message. With [`NO_ENTRY_POINT`] as the pointer it is
/// the tests that lack one.
pub(super) type Wrong = (String, String);

/// Stands for the tests' own `entry_point`, which no field of a case is called.
pub(super) const NO_ENTRY_POINT: &str = "//entry_point";

fn wrong<T>(pointer: &str, message: impl Into<String>) -> Result<T, Wrong> {
    Err((pointer.to_owned(), message.into()))
}

/// The fields that every case may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CommonFields {
    weight: f64,
    public: bool,
}

impl Default for CommonFields {
    fn default() -> Self {
        Self { weight: 1.0, public: false }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamFields {
    #[serde(default)]
    stdin: String,
    stdout: Option<String>,
    expected_any: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallFields {
    #[serde(default)]
    args: Vec<Value>,
    #[serde(default)]
    kwargs: Map<String, Value>,
    #[serde(default, deserialize_with = "given")]
    expected: Option<Value>,
    expected_any: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "config::object")]
    result: Subject,
}

/// A field that may be `null` and still is there.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What of a call is judged.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    /// The argument that the function changes in place.
    argument: Option<usize>,
}

/// The three ways of writing a case that is a test program.
const PROGRAMS: [&str; 3] = ["assert", "check", "program"];

impl Case {
    pub(super) fn read(mut fields: Map<String, Value>, shared: &Shared<'_>) -> Result<Self, Wrong> {
        let mut common = Map::new();
        for key in ["weight", "public"] {
            common.extend(fields.remove_entry(key));
        }
        let CommonFields { weight, public } =
            config::read(common).map_err(|error| (error.pointer, error.message))?;
        if weight <= 0.0 || weight > 1e6 {
            return wrong("/weight", "expected a number above 0, at most a million");
        }
        let has = |keys: &[&str]| keys.iter().any(|key| fields.contains_key(*key));
        let kind = if has(&PROGRAMS) {
            Kind::examination(fields, shared)?
        } else if has(&["args", "kwargs", "expected", "result"]) {
            Kind::call(fields, shared)?
        } else if has(&["stdin", "stdout"]) {
            Kind::stream(fields, shared)?
        } else {
            return wrong(
                "",
                "expected `stdin` and `stdout`, or `args` and `expected`, or `assert`, `check` or `program`",
            );
        };
        Ok(Self { kind, weight, is_public: public })
    }

    /// The bytes of the longest output that is expected.
    pub(super) fn longest_expected(&self) -> usize {
        let Kind::Stream { expected, .. } = &self.kind else { return 0 };
        let longest = expected.iter().map(|expected| match expected {
            Plain::Text(text) => text.len(),
            _ => 0,
        });
        longest.max().unwrap_or(0)
    }
}

impl Kind {
    fn stream(fields: Map<String, Value>, shared: &Shared<'_>) -> Result<Self, Wrong> {
        let StreamFields { stdin, stdout, expected_any } =
            config::read(fields).map_err(|error| (error.pointer, error.message))?;
        let expected = alternatives(stdout, expected_any, "stdout", shared)?;
        Ok(Self::Stream {
            stdin,
            expected: expected.into_iter().map(|(_, text)| Plain::Text(text)).collect(),
        })
    }

    fn call(fields: Map<String, Value>, shared: &Shared<'_>) -> Result<Self, Wrong> {
        let Some(entry_point) = shared.entry_point else {
            return wrong(NO_ENTRY_POINT, "cases with `args` need the name of the function to call");
        };
        not_for_c(shared.language, "calls of functions")?;
        let CallFields { args, kwargs, expected, expected_any, result } =
            config::read(fields).map_err(|error| (error.pointer, error.message))?;
        if !kwargs.is_empty() && shared.language != Language::Python {
            return wrong("/kwargs", format!("{} has no arguments by name", shared.language.name()));
        }
        if !kwargs.is_empty() && shared.has_checker {
            return wrong("/kwargs", "a checker is not told arguments by name; write them into `args`");
        }
        if result.argument.is_some_and(|index| index >= args.len()) {
            return wrong("/result/argument", format!("there are {} arguments, counted from 0", args.len()));
        }
        let plain = |pointer: String, value: &Value| {
            literal::read(value, shared.language)
                .map_err(|error| (format!("{pointer}{}", error.pointer), error.message))
        };
        let args = args
            .iter()
            .enumerate()
            .map(|(index, value)| plain(format!("/args/{index}"), value))
            .collect::<Result<_, _>>()?;
        let kwargs = kwargs
            .into_iter()
            .map(|(name, value)| plain(format!("/kwargs/{name}"), &value).map(|value| (name, value)))
            .collect::<Result<_, _>>()?;
        let expected = alternatives(expected, expected_any, "expected", shared)?
            .into_iter()
            .map(|(pointer, value)| plain(pointer, &value))
            .collect::<Result<_, _>>()?;
        let call = Call { entry_point: entry_point.name.clone(), args, kwargs };
        Ok(Self::Call { call, argument: result.argument, expected })
    }

    fn examination(fields: Map<String, Value>, shared: &Shared<'_>) -> Result<Self, Wrong> {
        not_for_c(shared.language, "test programs")?;
        if fields.len() > 1 {
            let other = fields.keys().find(|key| !PROGRAMS.contains(&key.as_str()));
            let pointer = other.map_or_else(String::new, |other| format!("/{other}"));
            return wrong(&pointer, "an `assert`, a `check` or a `program` stands alone");
        }
        let (form, source) = match fields.into_iter().next() {
            Some((form, Value::String(source))) if !source.trim().is_empty() => (form, source),
            Some((form, _)) => return wrong(&format!("/{form}"), "expected a statement or a program"),
            None => return wrong("", "expected a statement or a program"),
        };
        if form != "check" {
            return Ok(Self::Examination(TestProgram { source, entry_point: None }));
        }
        match shared.entry_point {
            None => wrong(NO_ENTRY_POINT, "`check` needs the name of the function that it is given"),
            Some(entry_point) => {
                Ok(Self::Examination(TestProgram { source, entry_point: Some(entry_point.name.clone()) }))
            }
        }
    }
}

fn not_for_c(language: Language, what: &str) -> Result<(), Wrong> {
    match language {
        Language::C | Language::Cpp => wrong(
            "",
            format!("{what} are not for {}; write the case with `stdin` and `stdout`", language.name()),
        ),
        Language::Python | Language::JavaScript => Ok(()),
    }
}

/// The one right answer or the several, each with its pointer.
fn alternatives<T>(
    one: Option<T>,
    several: Option<Vec<T>>,
    name: &str,
    shared: &Shared<'_>,
) -> Result<Vec<(String, T)>, Wrong> {
    match (one, several) {
        (Some(_), Some(_)) => wrong("/expected_any", format!("give either `{name}` or `expected_any`")),
        (Some(one), None) => Ok(vec![(format!("/{name}"), one)]),
        (None, Some(several)) if (1..=MAX_ALTERNATIVES).contains(&several.len()) => {
            let placed = |(index, value)| (format!("/expected_any/{index}"), value);
            Ok(several.into_iter().enumerate().map(placed).collect())
        }
        (None, Some(_)) => wrong("/expected_any", format!("expected 1 to {MAX_ALTERNATIVES} right answers")),
        (None, None) if shared.has_checker => Ok(Vec::new()),
        (None, None) => wrong("", format!("missing field `{name}`")),
    }
}
