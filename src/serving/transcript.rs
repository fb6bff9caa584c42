//! What one sequence says, token by token: text that no later token can change, up to a stop.

use super::Words;

/// What stands for bytes that are no character, or not yet.
const REPLACEMENT: char = '\u{fffd}';
/// How many tokens are waited for before broken characters are taken as they are.
const PATIENCE: usize = 32;

/// The text of one sequence while its tokens arrive.
///
/// A piece of text is given when no later token can change it, or make it the beginning of a stop text.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// The last tokens: those before `read` have been given as text and are there because a tokenizer may treat the
    /// first token of a text in its own way.
    window: Vec<u32>,
    read: usize,
    /// Bytes of the window's text that have been taken.
    taken: usize,
    /// Text that may yet turn out to begin a stop text.
    held: String,
    /// Characters of all text so far, what is held back among them.
    n_chars: usize,
}

/// How a text ended at a stop text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stopped {
    /// Which of the stop texts it was.
    pub(super) index: usize,
}

impl Transcript {
    /// Characters of all text so far, what is held back among them.
    pub(super) const fn n_chars(&self) -> usize {
        self.n_chars
    }

    fn hold(&mut self, text: &str) {
        self.n_chars += text.chars().count();
        self.held.push_str(text);
    }

    /// The text that the next token settles; often empty. With a stop text the rest of the text, and which it was.
    pub(super) fn push(
        &mut self,
        words: &dyn Words,
        token: u32,
        skip_special: bool,
        stops: &[String],
        keep_stop: bool,
    ) -> (String, Option<Stopped>) {
        self.window.push(token);
        let text = words.decode(&self.window, skip_special);
        if text.ends_with(REPLACEMENT) && self.window.len() - self.read < PATIENCE {
            return (String::new(), None);
        }
        self.hold(rest(&text, self.taken));
        self.window.drain(..self.read);
        self.read = self.window.len();
        self.taken = words.decode(&self.window, skip_special).len();
        self.settled(stops, keep_stop)
    }

    /// What has been waiting for more, with U+FFFD for bytes that are no character.
    pub(super) fn finish(
        &mut self,
        words: &dyn Words,
        skip_special: bool,
        stops: &[String],
        keep_stop: bool,
    ) -> (String, Option<Stopped>) {
        let text = words.decode(&self.window, skip_special);
        self.hold(rest(&text, self.taken));
        self.window.clear();
        (self.read, self.taken) = (0, 0);
        let (mut text, stopped) = self.settled(stops, keep_stop);
        text.push_str(&std::mem::take(&mut self.held));
        (text, stopped)
    }

    /// Gives of the held text what cannot begin a stop text.
    fn settled(&mut self, stops: &[String], keep_stop: bool) -> (String, Option<Stopped>) {
        let found =
            stops.iter().enumerate().filter_map(|(i, stop)| Some((self.held.find(stop.as_str())?, i)));
        // The one that begins first, of those the longest.
        let first = found.min_by_key(|(at, i)| (*at, std::cmp::Reverse(stops[*i].len())));
        if let Some((at, index)) = first {
            let mut text = std::mem::take(&mut self.held);
            text.truncate(if keep_stop { at + stops[index].len() } else { at });
            // Nothing comes after it, whatever was waiting.
            self.window.clear();
            (self.read, self.taken) = (0, 0);
            return (text, Some(Stopped { index }));
        }
        let begins = |at: usize| stops.iter().any(|stop| stop.starts_with(&self.held[at..]));
        let longest = stops.iter().map(String::len).max().unwrap_or(0);
        let from = self.held.ceil_char_boundary(self.held.len().saturating_sub(longest));
        let unsettled = self.held[from..].char_indices().map(|(at, _)| from + at).find(|at| begins(*at));
        let held = self.held.split_off(unsettled.unwrap_or(self.held.len()));
        (std::mem::replace(&mut self.held, held), None)
    }
}

/// What follows the first `taken` bytes, which a tokenizer may have changed in hindsight.
fn rest(text: &str, taken: usize) -> &str {
    &text[text.ceil_char_boundary(taken.min(text.len()))..]
}

#[cfg(test)]
mod tests {
    use super::super::{Grammar, Refusal, Turn};
    use super::*;

    /// One token for each byte.
    struct Bytes;

    impl Words for Bytes {
        fn encode(&self, text: &str, _: bool) -> Result<Vec<u32>, Refusal> {
            Ok(text.bytes().map(u32::from).collect())
        }

        fn encode_chat(&self, _: &[Turn]) -> Result<Vec<u32>, Refusal> {
            Err(Refusal(String::new()))
        }

        fn decode(&self, tokens: &[u32], _: bool) -> String {
            String::from_utf8_lossy(&tokens.iter().map(|token| *token as u8).collect::<Vec<_>>()).into_owned()
        }

        fn bytes(&self, token: u32) -> Vec<u8> {
            vec![token as u8]
        }

        fn check_grammar(&self, _: &Grammar) -> Result<(), Refusal> {
            Ok(())
        }
    }

    /// The pieces that are given, and after how many tokens it stopped.
    fn said(bytes: &[u8], stops: &[&str], keep_stop: bool) -> (Vec<String>, Option<(usize, usize)>) {
        let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut transcript = Transcript::default();
        let mut pieces = Vec::new();
        for (i, byte) in bytes.iter().enumerate() {
            let (text, stopped) = transcript.push(&Bytes, u32::from(*byte), true, &stops, keep_stop);
            pieces.push(text);
            if let Some(stopped) = stopped {
                return (pieces, Some((i + 1, stopped.index)));
            }
        }
        pieces.push(transcript.finish(&Bytes, true, &stops, keep_stop).0);
        (pieces, None)
    }

    #[test]
    fn no_stop_text_leaks() {
        for (text, stops, keep, expected, stopped) in [
            ("one, two, three", &["two"][..], false, "one, ", Some((8, 0))),
            ("one, two, three", &["two"], true, "one, two", Some((8, 0))),
            ("one, two", &["x", ", t"], false, "one", Some((6, 1))),
            ("caffè là!", &["è l"], false, "caff", Some((8, 0))),
            ("aaab", &["ab"], false, "aa", Some((4, 0))),
            ("aab", &["aac"], false, "aab", None),
            ("a long tw", &["two"], false, "a long tw", None),
            ("", &["two"], false, "", None),
            ("two", &["two", "tw"], false, "", Some((2, 1))),
            ("grüße", &[], false, "grüße", None),
        ] {
            let (pieces, at) = said(text.as_bytes(), stops, keep);
            assert_eq!((pieces.concat().as_str(), at), (expected, stopped), "{text} {stops:?}");
        }
    }

    #[test]
    fn a_character_comes_whole() {
        let (pieces, _) = said("aé😀b".as_bytes(), &[], false);
        assert_eq!(pieces, ["a", "", "é", "", "", "", "😀", "b", ""]);
        // Broken for good: it is taken as it is in the end, or when nothing could mend it.
        let (pieces, _) = said(&[b'a', 0xe2, 0x82], &[], false);
        assert_eq!(pieces.concat(), "a\u{fffd}");
        let (pieces, _) = said(&[0xff; 40], &[], false);
        assert_eq!(pieces.concat().chars().count(), 40);
        assert!(!pieces[PATIENCE - 1].is_empty());
    }

    #[test]
    fn what_may_become_a_stop_text_is_held_back() {
        let (pieces, _) = said(b"x\n\ny", &["\n\nz"], false);
        assert_eq!(pieces, ["x", "", "", "\n\ny", ""]);
    }
}
