//! Inputs with the outputs they should give.

use serde_json::{Value, json};

use super::{CaseOrigin, Fields, Imports, Origin, Shape, Wrong, json_text, list, text, with_cases, wrong};

/// Cases as they are gathered from one list or several.
#[derive(Default)]
struct Cases {
    cases: Vec<Value>,
    origins: Vec<CaseOrigin>,
    /// The function that they call.
    name: Option<String>,
}

impl Cases {
    fn shape(self, mut fields: Fields, list: &'static str) -> Shape {
        fields.extend(self.name.map(|name| ("entry_point".to_owned(), Value::String(name))));
        let origin = Origin { list, cases: self.origins, entry_point: "fn_name" };
        with_cases(fields, self.cases, Imports::Usual, origin)
    }

    /// Adds `{"input": …, "output": …, "type"?, "fn_name"?}`.
    fn push(&mut self, case: Value, at: String, public: Option<bool>) -> Result<(), Wrong> {
        let under = |(pointer, message): Wrong| (format!("{at}{pointer}"), message);
        let Value::Object(mut case) = case else { return wrong(at, "expected an object") };
        let (Some(input), Some(output)) = (case.remove("input"), case.remove("output")) else {
            return wrong(at, "expected `input` and `output`");
        };
        if let Some(given) = text(&mut case, "fn_name").map_err(under)?.filter(|name| !name.is_empty()) {
            if self.name.as_ref().is_some_and(|name| *name != given) {
                return wrong(format!("{at}/fn_name"), "all cases have to call the same function");
            }
            self.name = Some(given);
        }
        let kind = match text(&mut case, "type").map_err(under)? {
            Some(kind) => Some(kind),
            None => text(&mut case, "testtype").map_err(under)?,
        };
        let origin = CaseOrigin { input: format!("{at}/input"), output: format!("{at}/output"), case: at };
        let mut ours = match kind.as_deref() {
            None | Some("stdin_stdout" | "stdin") => stream_case(input, output, &origin)?,
            Some("function_call" | "functional") => call_case(input, output, &origin.input, &origin.output)?,
            Some(_) => {
                return wrong(
                    format!("{}/type", origin.case),
                    "expected stdin_stdout, stdin, function_call or functional",
                );
            }
        };
        if let Some(public) = public {
            ours["public"] = Value::Bool(public);
        }
        for key in ["weight", "public"] {
            if let Some(value) = case.remove(key) {
                ours[key] = value;
            }
        }
        if let Some(other) = case.keys().next() {
            return wrong(format!("{}/{other}", origin.case), "unknown field");
        }
        self.cases.push(ours);
        self.origins.push(origin);
        Ok(())
    }
}

/// `{"inputs": […], "outputs": […], "fn_name"?}`.
pub(super) fn inputs_and_outputs(mut fields: Fields) -> Result<Shape, Wrong> {
    let inputs = list(&mut fields, "inputs")?;
    let outputs = list(&mut fields, "outputs")?;
    if inputs.len() != outputs.len() {
        return wrong("/outputs", format!("{} outputs for {} inputs", outputs.len(), inputs.len()));
    }
    let name = text(&mut fields, "fn_name")?.filter(|name| !name.is_empty());
    let mut all = Cases { name, ..Cases::default() };
    for (index, (input, output)) in inputs.into_iter().zip(outputs).enumerate() {
        let origin = CaseOrigin {
            case: format!("/inputs/{index}"),
            input: format!("/inputs/{index}"),
            output: format!("/outputs/{index}"),
        };
        all.cases.push(match all.name {
            Some(_) => call_case(input, output, &origin.input, &origin.output)?,
            None => stream_case(input, output, &origin)?,
        });
        all.origins.push(origin);
    }
    Ok(all.shape(fields, "inputs"))
}

/// `{"test_cases": [{"input": …, "output": …}]}`.
pub(super) fn test_cases(mut fields: Fields) -> Result<Shape, Wrong> {
    let mut all = Cases { name: text(&mut fields, "fn_name")?, ..Cases::default() };
    for (index, case) in list(&mut fields, "test_cases")?.into_iter().enumerate() {
        all.push(case, format!("/test_cases/{index}"), None)?;
    }
    Ok(all.shape(fields, "test_cases"))
}

/// `{"public_test_cases": […], "private_test_cases": […], "metadata": {"func_name": …}}`, each of them also as a
/// JSON text. Private cases that are still packed have to be unpacked before: nothing here runs a pickle.
pub(super) fn live_code_bench(mut fields: Fields) -> Result<Shape, Wrong> {
    let mut all = Cases { name: text(&mut fields, "fn_name")?, ..Cases::default() };
    if let Some(metadata) = unpacked(&mut fields, "metadata")? {
        let Value::Object(mut metadata) = metadata else { return wrong("/metadata", "expected an object") };
        let under = |(pointer, message): Wrong| (format!("/metadata{pointer}"), message);
        all.name = text(&mut metadata, "func_name").map_err(under)?.or(all.name);
    }
    for (key, public) in [("public_test_cases", true), ("private_test_cases", false)] {
        match unpacked(&mut fields, key)? {
            Some(Value::Array(cases)) => {
                for (index, case) in cases.into_iter().enumerate() {
                    all.push(case, format!("/{key}/{index}"), Some(public))?;
                }
            }
            Some(_) => return wrong(format!("/{key}"), "expected a list"),
            None => {}
        }
    }
    Ok(all.shape(fields, "public_test_cases"))
}

/// Takes a field out that may be a JSON text.
fn unpacked(fields: &mut Fields, key: &str) -> Result<Option<Value>, Wrong> {
    match fields.remove(key) {
        Some(Value::String(text)) => json_text(&text, &format!("/{key}")).map(Some),
        other => Ok(other),
    }
}

/// `{"public_tests": {"input": […], "output": […]}, "private_tests": …, "generated_tests": …}`.
pub(super) fn code_contests(mut fields: Fields) -> Result<Shape, Wrong> {
    let mut all = Cases::default();
    for (key, public) in [("public_tests", true), ("private_tests", false), ("generated_tests", false)] {
        let mut columns = match fields.remove(key) {
            Some(Value::Object(columns)) => columns,
            Some(Value::Null) | None => continue,
            Some(_) => return wrong(format!("/{key}"), "expected an object of `input` and `output`"),
        };
        let under = |(pointer, message): Wrong| (format!("/{key}{pointer}"), message);
        let inputs = list(&mut columns, "input").map_err(under)?;
        let outputs = list(&mut columns, "output").map_err(under)?;
        if inputs.len() != outputs.len() {
            return wrong(
                format!("/{key}/output"),
                format!("{} outputs for {} inputs", outputs.len(), inputs.len()),
            );
        }
        for (index, (input, output)) in inputs.into_iter().zip(outputs).enumerate() {
            let origin = CaseOrigin {
                case: format!("/{key}/input/{index}"),
                input: format!("/{key}/input/{index}"),
                output: format!("/{key}/output/{index}"),
            };
            let mut case = stream_case(input, output, &origin)?;
            case["public"] = Value::Bool(public);
            all.cases.push(case);
            all.origins.push(origin);
        }
    }
    Ok(all.shape(fields, "public_tests"))
}

fn stream_case(input: Value, output: Value, origin: &CaseOrigin) -> Result<Value, Wrong> {
    Ok(json!({"stdin": lines(input, &origin.input)?, "stdout": lines(output, &origin.output)?}))
}

/// A text, or a list of its lines.
fn lines(value: Value, pointer: &str) -> Result<String, Wrong> {
    match value {
        Value::String(text) => Ok(text),
        Value::Array(items) => {
            let lines: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            let lines = lines.ok_or_else(|| (pointer.to_owned(), "expected a list of lines".to_owned()))?;
            Ok(lines.join("\n"))
        }
        _ => wrong(pointer, "expected a text or a list of its lines"),
    }
}

/// The input is a list of arguments, or a text with an argument as JSON on each line; the output a value, or a
/// text with one as JSON.
fn call_case(input: Value, output: Value, input_at: &str, output_at: &str) -> Result<Value, Wrong> {
    let mut args = match input {
        Value::Array(args) => args,
        Value::String(text) => {
            let lines = text.split('\n').filter(|line| !line.trim().is_empty());
            lines.map(|line| json_text(line, input_at)).collect::<Result<_, _>>()?
        }
        _ => return wrong(input_at, "expected a list of arguments, or a text with one on each line"),
    };
    // JSON has no dictionaries with whole numbers as keys, so PRIME reads keys that look like them so, in the
    // first argument and in the result. What is expected is right with either.
    if let Some(first) = args.first_mut()
        && let Some(restored) = with_whole_keys(first)
    {
        *first = restored;
    }
    let expected = match output {
        Value::String(text) => vec![json_text(&text, output_at)?],
        // APPS wraps some results in a list of their own; which cannot be seen.
        Value::Array(items) if items.len() == 1 => vec![items[0].clone(), Value::Array(items)],
        other => vec![other],
    };
    let restored: Vec<_> = expected.iter().filter_map(with_whole_keys).collect();
    let expected: Vec<_> = expected.into_iter().chain(restored).collect();
    Ok(json!({"args": args, "expected_any": expected}))
}

fn with_whole_keys(value: &Value) -> Option<Value> {
    let fields = value.as_object().filter(|fields| !fields.is_empty())?;
    let pair = |(key, value): (&String, &Value)| Some(json!([key.parse::<i64>().ok()?, value]));
    let pairs: Vec<Value> = fields.iter().map(pair).collect::<Option<_>>()?;
    Some(json!({"$dict": pairs}))
}
