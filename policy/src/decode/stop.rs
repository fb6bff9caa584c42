//! Texts that end a sequence.

/// Where a sequence's text was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopString {
    /// Which of the stop strings it was.
    pub index: usize,
    /// The byte of the decoded text where it begins. The text is to be cut here.
    pub at: usize,
}

/// Turns tokens into text.
pub type Decode<'a> = &'a (dyn Fn(&[u32]) -> String + Sync);

/// Watches the text of one sequence.
///
/// Tokens are decoded a few at a time, with those before them for context, because a tokenizer may join bytes of
/// several tokens to one character and may drop a space at the beginning.
pub(crate) struct StopWatch<'a> {
    strings: Vec<String>,
    decode: Decode<'a>,
    text: String,
    /// Tokens from here to `read` are context: their text is in `text`.
    context: usize,
    read: usize,
}

impl<'a> StopWatch<'a> {
    pub(crate) const fn new(strings: Vec<String>, decode: Decode<'a>) -> Self {
        Self { strings, decode, text: String::new(), context: 0, read: 0 }
    }

    /// The stop string that the new tokens complete: the one that begins first, of those the longest.
    pub(crate) fn found(&mut self, tokens: &[u32]) -> Option<StopString> {
        let known = (self.decode)(&tokens[self.context..self.read]);
        let all = (self.decode)(&tokens[self.context..]);
        // An incomplete character is decoded to a replacement; wait for its other bytes.
        if all.ends_with('\u{fffd}') || all.len() <= known.len() {
            return None;
        }
        let new = all.get(known.len()..)?;
        let longest = self.strings.iter().map(String::len).max()?;
        let mut from = self.text.len().saturating_sub(longest - 1);
        while !self.text.is_char_boundary(from) {
            from -= 1;
        }
        self.text.push_str(new);
        (self.context, self.read) = (self.read, tokens.len());
        let tail = &self.text[from..];
        let found = self.strings.iter().enumerate().filter_map(|(i, s)| Some((tail.find(s.as_str())?, i)));
        let (at, index) = found.min_by_key(|(at, i)| (*at, std::cmp::Reverse(self.strings[*i].len())))?;
        Some(StopString { index, at: from + at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One token for each byte; two of a two-byte character decode to nothing useful alone.
    fn bytes(tokens: &[u32]) -> String {
        String::from_utf8_lossy(&tokens.iter().map(|t| *t as u8).collect::<Vec<_>>()).into_owned()
    }

    /// What is found, and after how many tokens.
    fn search(text: &str, strings: &[&str]) -> Option<(usize, StopString)> {
        let strings: Vec<String> = strings.iter().map(|s| (*s).to_owned()).collect();
        let mut watch = StopWatch::new(strings, &bytes);
        let tokens: Vec<u32> = text.bytes().map(u32::from).collect();
        (1..=tokens.len()).find_map(|n| Some((n, watch.found(&tokens[..n])?)))
    }

    #[test]
    fn a_text_is_found_when_its_last_token_comes() {
        for (text, strings, expected) in [
            ("one, two, three", &["two"][..], Some((8, 0, 5))),
            ("one, two, three", &["x", ", t"], Some((6, 1, 3))),
            ("one, two", &["two", "tw"], Some((7, 1, 5))),
            ("caféé là", &["é l"], Some((9, 0, 5))),
            ("é", &["é"], Some((2, 0, 0))),
            ("aaab", &["ab"], Some((4, 0, 2))),
            ("nothing", &["thingy"], None),
        ] {
            let found = search(text, strings).map(|(n, stop)| (n, stop.index, stop.at));
            assert_eq!(found, expected, "{text}");
        }
    }
}
