//! What a text has to be: the many ways in which clients say it, and one grammar.

use serde_json::Value;

use super::refusal::Refusal;
use crate::serving::{Grammar, GrammarKind, Ready};

/// The longest grammar or schema, in bytes.
const MAX_GRAMMAR_BYTES: usize = 1 << 16;
/// The most texts of a choice.
const MAX_CHOICES: usize = 256;

/// The fields that say what a text has to be.
pub(super) struct Constraints<'a> {
    /// OpenAI's way.
    pub(super) response_format: &'a Value,
    /// Grammars in GBNF, by their fields.
    pub(super) grammars: [(&'static str, Option<&'a str>); 2],
    /// A JSON Schema.
    pub(super) schema: &'a Value,
    /// Texts of which it has to be one.
    pub(super) choice: Option<&'a [String]>,
    /// A regular expression, which is refused.
    pub(super) regex: &'a Value,
    /// vLLM's newer way: an object with one of these.
    pub(super) structured: &'a Value,
}

/// The grammar that a request asks for.
///
/// # Errors
/// When it asks for two, for one that cannot be read, or where the model's engine follows none.
pub(super) fn read(asked: &Constraints<'_>, ready: &Ready) -> Result<Option<Grammar>, Refusal> {
    let mut found: Vec<(String, Grammar)> = Vec::new();
    if let Some(grammar) = response_format(asked.response_format)? {
        found.push(("response_format".to_owned(), grammar));
    }
    for (field, source) in asked.grammars {
        if let Some(source) = source {
            found.push((field.to_owned(), gbnf(source)));
        }
    }
    if !asked.schema.is_null() {
        found.push(("guided_json".to_owned(), schema("guided_json", asked.schema)?));
    }
    if let Some(texts) = asked.choice {
        found.push(("guided_choice".to_owned(), choice("guided_choice", texts)?));
    }
    if !asked.regex.is_null() {
        return Err(no_regex("guided_regex"));
    }
    structured(asked.structured, &mut found)?;
    let Some((field, grammar)) = found.pop() else { return Ok(None) };
    if let Some((other, _)) = found.pop() {
        let message = format!("`{other}` and `{field}` both say what the text has to be; send one of them");
        return Err(Refusal::value(field, message));
    }
    if grammar.source.len() > MAX_GRAMMAR_BYTES {
        let n = grammar.source.len();
        return Err(Refusal::value(field, format!("this has {n} bytes, at most {MAX_GRAMMAR_BYTES}")));
    }
    if !ready.card.takes_grammars {
        let message = format!(
            "`{field}`: the engine that runs this model ({}) cannot hold its text to a grammar; a GGUF model can",
            ready.card.engine
        );
        return Err(Refusal::unsupported(field, message));
    }
    ready.words.check_grammar(&grammar).map_err(|refusal| Refusal::value(field, refusal.0))?;
    Ok(Some(grammar))
}

fn gbnf(source: &str) -> Grammar {
    Grammar { kind: GrammarKind::Gbnf, source: source.to_owned() }
}

fn response_format(value: &Value) -> Result<Option<Grammar>, Refusal> {
    const FIELD: &str = "response_format";
    if value.is_null() {
        return Ok(None);
    }
    match value.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => {
            let source = r#"{"type":"object"}"#.to_owned();
            Ok(Some(Grammar { kind: GrammarKind::JsonSchema, source }))
        }
        Some("json_schema") => {
            let found = value.pointer("/json_schema/schema").unwrap_or(&Value::Null);
            schema("response_format.json_schema.schema", found).map(Some)
        }
        _ => Err(Refusal::value(format!("{FIELD}.type"), "expected `text`, `json_object` or `json_schema`")),
    }
}

/// A JSON Schema: an object, or the text of one.
fn schema(field: &str, value: &Value) -> Result<Grammar, Refusal> {
    let parsed;
    let value = match value {
        Value::String(text) => {
            parsed = serde_json::from_str(text)
                .map_err(|error| Refusal::value(field, format!("this is not JSON: {error}")))?;
            &parsed
        }
        value => value,
    };
    if !value.is_object() {
        return Err(Refusal::value(field, "expected a JSON Schema, which is an object"));
    }
    Ok(Grammar { kind: GrammarKind::JsonSchema, source: value.to_string() })
}

/// One of some texts, as a grammar.
fn choice(field: &str, texts: &[String]) -> Result<Grammar, Refusal> {
    if texts.is_empty() || texts.len() > MAX_CHOICES || texts.iter().any(String::is_empty) {
        let message = format!("expected 1 to {MAX_CHOICES} texts, none of them empty");
        return Err(Refusal::value(field, message));
    }
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    Ok(gbnf(&format!("root ::= {}", quoted.join(" | "))))
}

/// A text as GBNF writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn no_regex(field: &str) -> Refusal {
    Refusal::unsupported(field, format!("`{field}` is not supported; write it as a grammar in GBNF"))
}

fn structured(value: &Value, found: &mut Vec<(String, Grammar)>) -> Result<(), Refusal> {
    const FIELD: &str = "structured_outputs";
    let fields = match value {
        Value::Null => return Ok(()),
        Value::Object(fields) => fields,
        _ => return Err(Refusal::value(FIELD, "expected an object")),
    };
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let field = format!("{FIELD}.{name}");
        let grammar = match name.as_str() {
            "grammar" => match value.as_str() {
                Some(source) => gbnf(source),
                None => return Err(Refusal::value(field, "expected a text")),
            },
            "json" => schema(&field, value)?,
            "json_object" if value == true => schema(&field, &serde_json::json!({"type": "object"}))?,
            "choice" => match serde_json::from_value::<Vec<String>>(value.clone()) {
                Ok(texts) => choice(&field, &texts)?,
                Err(_) => return Err(Refusal::value(field, "expected a list of texts")),
            },
            "regex" | "structural_tag" => {
                return Err(Refusal::unsupported(&field, format!("`{field}` is not supported")));
            }
            // Switches of other engines that change no text.
            _ => continue,
        };
        found.push((field, grammar));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_grammar() {
        let texts = ["yes".to_owned(), "a \"b\"\\\n".to_owned()];
        let grammar = choice("guided_choice", &texts).expect("a choice");
        assert_eq!(grammar.source, r#"root ::= "yes" | "a \"b\"\\\n""#);
    }
}
