//! Text of others as quoted data: what a language model is shown of a completion cannot speak to it.
//!
//! Three things keep it in: a mark that does not occur in it, a sign in front of each of its lines (datamarking,
//! arXiv:2403.14720), and no text that a tokenizer takes for a token of its own, such as `<|im_start|>`. Characters
//! that nobody sees are left out. What a text means to a reader is not changed.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use sha2::{Digest, Sha256};

/// What stands in front of each line.
const LINE: &str = "| ";

/// The mark around the quotations of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark(String);

impl Mark {
    /// A mark that occurs in none of `texts`: sixteen digits of their hash.
    pub(super) fn of(texts: &[&str]) -> Self {
        for round in 0_u64.. {
            let mut hash = Sha256::new();
            hash.update(round.to_le_bytes());
            for text in texts {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
            let digits = hash.finalize().iter().take(8).fold(String::new(), |mut digits, byte| {
                let _ = write!(digits, "{byte:02x}");
                digits
            });
            if texts.iter().all(|text| !text.contains(&digits)) {
                return Self(digits);
            }
        }
        // Each round has another mark, and the texts are finite.
        Self(String::new())
    }

    /// Its digits.
    pub(super) fn digits(&self) -> &str {
        &self.0
    }

    /// `text`, which is [`plain`] already, between two lines with the mark.
    pub(super) fn quotation(&self, name: &str, text: &str) -> String {
        let mut quoted = format!("[begin {name} {}]\n", self.0);
        for line in text.split('\n') {
            quoted.push_str(LINE);
            quoted.push_str(line);
            quoted.push('\n');
        }
        let _ = write!(quoted, "[end {name} {}]", self.0);
        quoted
    }
}

/// Names in `[…]` and `<…>` that are tokens of published chat templates and tokenizers.
const BRACKETED: &str = "INST|SYS|SYSTEM|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|\
    TOOL_RESULT|MODEL_SETTINGS|ARGS|CALL_ID|THINK|IMG|IMG_BREAK|IMG_END|PREFIX|MIDDLE|SUFFIX|gMASK|sMASK|MASK|CLS|\
    SEP|PAD|UNK|BOS|EOS|UNUSED[0-9]*|unused[0-9]*";
const ANGLED: &str = "s|bos|eos|pad|unk|mask|sep|cls|sop|eop|eod|eot|start_of_turn|end_of_turn|start_of_image|\
    end_of_image|begin_of_text|end_of_text|start_header_id|end_header_id|im_start|im_end|im_sep|endoftext|think|\
    tool_call|tool_calls|tool_response|tools|system|user|assistant|human|developer|model|bot|extra_id_[0-9]+|\
    unused[0-9]+|reserved[0-9a-z_]*|0x[0-9A-Fa-f]{2}|SYS|INST|BOS_TOKEN|EOS_TOKEN|PAD|BOS|EOS|UNK|CLS|SEP|MASK";

/// Special tokens by their text. Mathematics such as `|x|>3`, `a<b` or `[AB]` has none.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!(r"<[|｜][\w▁ .:/\-]{{1,64}}[|｜]>|<<?/?(?:{ANGLED})>>?|\[/?(?:{BRACKETED})\]");
    // The pattern is fixed, and a test builds it.
    Regex::new(&pattern).expect("the pattern of special tokens is a pattern")
});

/// A speaker's name at the beginning of a line.
static SPEAKER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?im)^([\s#>*_\-|]*)((?:system|user|assistant|human|developer|tool|function|model|ai|bot|judge|grader|instruction|instructions)(?: message| prompt)?)([*_]*[ \t]*[:：])",
    )
    .expect("the pattern of speakers is a pattern")
});

/// `text` without what is not seen, with its lines ended alike, and with special tokens and speakers' names written
/// so that only a reader knows them.
pub(super) fn plain(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                seen.push('\n');
            }
            '\n' | '\t' => seen.push(c),
            c if c.is_control() => seen.push(' '),
            c if is_ignorable(c) => {}
            c => seen.push(c),
        }
    }
    let outer = |found: &Captures<'_>| {
        let token = &found[0];
        token
            .chars()
            .map(|c| match c {
                '<' => '‹',
                '>' => '›',
                '[' => '⟦',
                ']' => '⟧',
                other => other,
            })
            .collect::<String>()
    };
    let known = TOKENS.replace_all(&seen, outer);
    SPEAKER.replace_all(&known, "$1($2)$3").into_owned()
}

/// What is drawn as nothing: Unicode's `Default_Ignorable_Code_Point`, with the rest of the marks of direction.
fn is_ignorable(c: char) -> bool {
    matches!(
        u32::from(c),
        0xAD | 0x34F
            | 0x61C
            | 0x115F..=0x1160
            | 0x17B4..=0x17B5
            | 0x180B..=0x180F
            | 0x200B..=0x200F
            | 0x202A..=0x202E
            | 0x2060..=0x206F
            | 0x3164
            | 0xFE00..=0xFE0F
            | 0xFEFF
            | 0xFFA0
            | 0xFFF0..=0xFFFB
            | 0x1BCA0..=0x1BCA3
            | 0x1D173..=0x1D17A
            | 0xE0000..=0xE0FFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_are_written_otherwise_and_mathematics_is_not() {
        for (text, written) in [
            ("<|im_start|>system", "‹|im_start|›system"),
            ("<|im_\u{200b}start|>", "‹|im_start|›"),
            ("a</s>b<s>", "a‹/s›b‹s›"),
            ("[INST] x [/INST]", "⟦INST⟧ x ⟦/INST⟧"),
            ("<<SYS>>", "‹‹SYS››"),
            ("<｜User｜>", "‹｜User｜›"),
            ("<｜end▁of▁sentence｜>", "‹｜end▁of▁sentence｜›"),
            ("<start_of_turn>model", "‹start_of_turn›model"),
            ("<0x0A>", "‹0x0A›"),
            ("</think>", "‹/think›"),
            ("<s<s>>", "<s‹s››"),
            ("{{answer}} \\sqrt{x}", "{{answer}} \\sqrt{x}"),
            ("5\nSystem: x", "5\n(System): x"),
            ("### Assistant:", "### (Assistant):"),
            ("**user**: x", "**(user)**: x"),
            ("|x|>3", "|x|>3"),
            ("a<b>c", "a<b>c"),
            ("[AB] and [ABC]", "[AB] and [ABC]"),
            ("\\frac{{1}}{{2}}", "\\frac{{1}}{{2}}"),
            ("x \\le 3, y<|z|", "x \\le 3, y<|z|"),
            ("The system: two equations", "The system: two equations"),
            ("a\r\nb\rc\u{2028}d\u{85}e", "a\nb\nc\nd\ne"),
            ("\u{202e}no\u{202c}\u{0}\u{e0041}", "no "),
        ] {
            assert_eq!(plain(text), written, "{text:?}");
        }
    }

    #[test]
    fn every_line_is_marked_and_no_text_has_the_mark() {
        let mark = Mark::of(&["a\nb"]);
        let digits = mark.digits();
        assert_eq!(
            mark.quotation("answer", "a\nb"),
            format!("[begin answer {digits}]\n| a\n| b\n[end answer {digits}]")
        );
        let second = Mark::of(&["a\nb", digits]);
        assert_ne!(second.digits(), digits);
        assert_eq!(Mark::of(&["a\nb"]), mark);
        assert_ne!(Mark::of(&["ab", "c"]), Mark::of(&["a", "bc"]));
    }

    #[test]
    fn writing_plainly_twice_is_writing_once() {
        for text in ["<|a|>", "System: System: x", "[INST]", "<s<s>>", "x\u{200b}<s>", "((user):"] {
            assert_eq!(plain(&plain(text)), plain(text), "{text:?}");
        }
    }
}
