//! Prompt and completion in one text, as trainers send them: apart again, without the marks of a chat template.

/// Marks that end what the assistant says, and padding.
const ENDS: [&str; 16] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<|end|>",
    "<|return|>",
    "<end_of_turn>",
    "<eos>",
    "<pad>",
    "</s>",
    "[EOS]",
    "[PAD]",
    "<|pad|>",
    "<｜end▁of▁sentence｜>",
    "<|vision_pad|>",
];

/// Marks after which the assistant speaks.
const ASSISTANT: [&str; 8] = [
    "<|im_start|>assistant\n",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|header_start|>assistant<|header_end|>\n\n",
    "<start_of_turn>model\n",
    "<｜Assistant｜>",
    "<|assistant|>\n",
    "[/INST]",
    "<|start|>assistant<|channel|>final<|message|>",
];

/// How many turns of a conversation are looked at.
const MAX_TURNS: usize = 32;

/// Marks between which the user speaks.
const USER: [(&str, &str); 8] = [
    ("<|im_start|>user\n", "<|im_end|>"),
    ("<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"),
    ("<|header_start|>user<|header_end|>\n\n", "<|eot|>"),
    ("<start_of_turn>user\n", "<end_of_turn>"),
    ("<｜User｜>", "<｜Assistant｜>"),
    ("<|user|>\n", "<|"),
    ("[INST]", "[/INST]"),
    ("<|start|>user<|message|>", "<|end|>"),
];

/// What the policy wrote, of a text that holds the prompt too. Where the text does not begin with `prompt` (a
/// tokenizer may have lost a space on the way) it is what follows the template's last mark of the assistant, and
/// where there is no mark the whole. `more_ends` are taken off the end like the known ones.
pub(super) fn completion<'a>(whole: &'a str, prompt: Option<&str>, more_ends: &[String]) -> &'a str {
    let after = |mark: &&str| whole.rfind(*mark).map(|at| at + mark.len());
    let after_mark = || ASSISTANT.iter().filter_map(after).max().map_or(whole, |at| &whole[at..]);
    let said = prompt.and_then(|prompt| whole.strip_prefix(prompt)).unwrap_or_else(after_mark);
    without_ends(said, more_ends)
}

/// The places at which the assistant may have begun to speak: what comes before each and what after it, from the
/// first on.
pub(super) fn turns(whole: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut after: Vec<usize> = ASSISTANT
        .into_iter()
        .flat_map(|mark| whole.match_indices(mark).take(MAX_TURNS).map(|(at, mark)| at + mark.len()))
        .collect();
    after.sort_unstable();
    after.into_iter().take(MAX_TURNS).map(|at| whole.split_at(at))
}

/// The text without marks of its end.
pub(super) fn without_ends<'a>(text: &'a str, more_ends: &[String]) -> &'a str {
    let mut text = text;
    loop {
        let trimmed = text.trim_end();
        let ends = ENDS.into_iter().chain(more_ends.iter().map(String::as_str));
        match ends.filter(|end| !end.is_empty()).find_map(|end| trimmed.strip_suffix(end)) {
            Some(rest) => text = rest,
            // White space before the first mark is the policy's own.
            None => return text,
        }
    }
}

/// What the user said last, of a prompt in a chat template; the whole text where it is in none that is known.
pub(super) fn question(prompt: &str) -> &str {
    let said = |(begin, end): &(&str, &str)| {
        let from = prompt.rfind(begin)? + begin.len();
        let to = prompt[from..].find(end).map_or(prompt.len(), |at| from + at);
        Some((from, to))
    };
    USER.iter().filter_map(said).max().map_or(prompt, |(from, to)| &prompt[from..to]).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_are_cut_out() {
        let qwen = "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n";
        let rows = [
            ("1+1? 2", Some("1+1?"), " 2"),
            ("1+1? 2</s>", Some("1+1?"), " 2"),
            ("1+1? 2 </s><pad>\n<pad>", Some("1+1?"), " 2 "),
            ("<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n", Some(qwen), "2"),
            ("<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n2<|im_end|>", None, "2"),
            ("<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n2", Some("another"), "2"),
            ("no template", None, "no template"),
            ("[INST] x [/INST]y</s>", None, "y"),
            ("", Some(""), ""),
            ("<|im_end|>", None, ""),
        ];
        for (whole, prompt, said) in rows {
            assert_eq!(completion(whole, prompt, &[]), said, "{whole}");
        }
        assert_eq!(completion("2<STOP>", None, &["<STOP>".to_owned(), String::new()]), "2");
    }

    #[test]
    fn questions_are_found() {
        for (prompt, asked) in [
            (
                "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n",
                "1+1?",
            ),
            ("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n1+1?<|eot_id|>", "1+1?"),
            ("<｜User｜>1+1?<｜Assistant｜><think>\n", "1+1?"),
            (" 1+1? ", "1+1?"),
        ] {
            assert_eq!(question(prompt), asked);
        }
    }
}
