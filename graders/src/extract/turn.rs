//! The model's own turn of a conversation.

/// Marks that chat templates put between turns; in a completion they end it, and what follows is made up.
const MARKS: [&str; 12] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end|>",
    "<|user|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
    "<｜User｜>",
];

/// The text before the first mark that ends a turn. A mark that the text opens with begins the turn instead.
pub(super) fn own(text: &str) -> &str {
    let blank = text.len() - text.trim_start().len();
    let opening =
        MARKS.iter().find(|mark| text[blank..].starts_with(**mark)).map_or(0, |mark| blank + mark.len());
    let body = &text[opening..];
    let end = MARKS.iter().filter_map(|mark| body.find(mark)).min();
    end.map_or(body, |end| &body[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_turn() {
        for (text, turn) in [
            ("5", "5"),
            ("5<|im_end|>", "5"),
            ("5<|im_start|>user\n6<|im_end|>", "5"),
            (" <|im_start|>assistant\n5<|im_end|>6", "assistant\n5"),
            ("5<end_of_turn>6<|im_end|>", "5"),
            ("<|im|>5", "<|im|>5"),
        ] {
            assert_eq!(own(text), turn, "{text:?}");
        }
    }
}
