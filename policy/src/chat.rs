//! Chat templates: from messages to the text that a model was trained to continue.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::{Deserialize, Serialize};

use crate::error::{PolicyError, Result};

/// How many instructions a template may take. A template is code from a file that somebody else wrote.
const FUEL: u64 = 2_000_000;

/// The largest template that is read, in bytes.
const MAX_TEMPLATE: usize = 1 << 20;

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

impl Message {
    /// A message of a role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }
}

/// A template in Jinja, as `transformers` understands it.
///
/// It sees `messages`, `add_generation_prompt`, the special tokens (`bos_token`, `eos_token` and so on), `tools` and
/// `documents` as none, and `raise_exception`. It does not see the clock: a template that asks for `strftime_now`
/// finds it undefined, so that a prompt is the same every day.
pub struct ChatTemplate {
    source: String,
    environment: Environment<'static>,
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Clone for ChatTemplate {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), environment: self.environment.clone() }
    }
}

impl ChatTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// When it is no Jinja, or too large.
    pub fn new(source: &str) -> Result<Self> {
        let fail = |message: String| PolicyError::input(format!("the chat template is wrong: {message}"));
        if source.len() > MAX_TEMPLATE {
            return Err(fail(format!("{} bytes are more than {MAX_TEMPLATE}", source.len())));
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| fail(error.to_string()))?);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_fuel(Some(FUEL));
        environment.add_function("raise_exception", |message: String| -> std::result::Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_filter("tojson", to_json);
        environment
            .add_template_owned("chat", without_marks(source))
            .map_err(|error| fail(format!("{error:#}")))?;
        Ok(Self { source: source.to_owned(), environment })
    }

    /// The template as it was read.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text of a conversation. With `add_generation_prompt` it ends where the assistant's next turn begins.
    ///
    /// # Errors
    /// What the template objects to, such as an order of roles that it does not know.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        special: &BTreeMap<String, String>,
    ) -> Result<String> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| {
                Value::from_pairs([
                    ("role", Value::from(message.role.as_str())),
                    ("content", Value::from(message.content.as_str())),
                ])
            })
            .collect();
        let own = [
            ("messages", Value::from(messages)),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ];
        let special = special.iter().map(|(name, token)| (name.as_str(), Value::from(token.as_str())));
        let all = Value::from_pairs(special.chain(own));
        self.environment
            .get_template("chat")
            .and_then(|template| template.render(all))
            .map_err(|error| PolicyError::input(format!("the chat template refused the messages: {error:#}")))
    }
}

/// `{% generation %}` marks what the assistant said and prints nothing; Jinja itself does not know it.
fn without_marks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag.find("%}").map(|end| end + 2) else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end);
        let inner = &tag[2..tag.len() - 2];
        if matches!(inner.trim_matches(['-', '+']).trim(), "generation" | "endgeneration") {
            // A condition that holds trims white space as the mark did.
            let kind = if inner.contains("end") { "endif" } else { "if true" };
            let left = if inner.starts_with('-') { "-" } else { "" };
            let right = if inner.ends_with('-') { "-" } else { "" };
            out.extend(["{%", left, " ", kind, " ", right, "%}"]);
        } else {
            out.push_str(tag);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// JSON as Python writes it, with a space after commas and colons and nothing escaped for HTML.
#[expect(clippy::needless_pass_by_value, reason = "what a filter looks like")]
fn to_json(value: &Value, options: Kwargs) -> std::result::Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Accepted and without effect: text is never escaped to ASCII, and order is as given.
    let _: (Option<bool>, Option<bool>) = (options.get("ensure_ascii")?, options.get("sort_keys")?);
    options.assert_all_used()?;
    let fail = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let mut bytes = Vec::new();
    if let Some(indent) = indent {
        let indent = " ".repeat(indent.min(16));
        let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter)).map_err(fail)?;
    } else {
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Spaced)).map_err(fail)?;
    }
    String::from_utf8(bytes)
        .map(Value::from)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str) -> Result<String> {
        let messages = [Message::new("system", "Be brief."), Message::new("user", " 1 < 2? ")];
        let special = BTreeMap::from([("eos_token".to_owned(), "</s>".to_owned())]);
        ChatTemplate::new(template)?.render(&messages, true, &special)
    }

    #[test]
    fn templates_see_what_transformers_shows_them() {
        for (template, want) in [
            (
                "{% for m in messages %}<{{ m.role }}>{{ m['content'] }}{{ eos_token }}\n{% endfor %}",
                "<system>Be brief.</s>\n<user> 1 < 2? </s>\n",
            ),
            ("{{ messages[-1].content.strip() }}", "1 < 2?"),
            ("{{ messages[1:][0].role.upper() }}", "USER"),
            ("{% if tools is not none %}tools{% else %}none{% endif %}", "none"),
            ("{% if strftime_now is defined %}now{% else %}never{% endif %}", "never"),
            ("{% if add_generation_prompt %}\n    go\n{% endif %}\n", "    go\n"),
            ("{{ messages[1] | tojson }}", r#"{"role": "user", "content": " 1 < 2? "}"#),
            (
                "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
                "2",
            ),
            (
                "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% endfor %}",
                "user",
            ),
            ("a\n{%- generation -%}\n b {%- endgeneration %}\nc", "abc"),
            ("{{ bos_token }}x", "x"),
        ] {
            assert_eq!(render(template).expect(template), want, "{template}");
        }
    }

    #[test]
    fn what_a_template_objects_to_is_an_error() {
        for (template, part) in [
            ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
            ("{% for %}", "is wrong"),
            ("{% endif %}", "is wrong"),
            ("{{ messages[0].content.undefined.thing }}", "refused"),
            ("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}", "refused"),
            ("{% include 'other' %}", "refused"),
        ] {
            let message = render(template).expect_err(template).to_string();
            assert!(message.contains(part), "{template}: {message}");
        }
        assert!(ChatTemplate::new(&"x".repeat(MAX_TEMPLATE + 1)).is_err());
    }
}
