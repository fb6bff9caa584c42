//! A model that says the prompt again and again, byte by byte, until it is stopped.

use std::sync::Arc;
use std::time::Duration;

use gavel::serving::{Ask, Card, Desk, Engine, Grammar, Loaded, Next, Place, Refusal, Token, Turn, Words};

/// The token that ends.
pub(super) const END: u32 = 256;
/// A prompt that begins with this breaks the engine.
pub(super) const BREAKS: u32 = 257;
/// A prompt that begins with this makes it panic.
pub(super) const PANICS: u32 = 258;

/// The model, with a context of so many tokens.
pub(super) fn loaded(context: usize) -> Loaded {
    let card = Card {
        context,
        vocabulary: 259,
        stop_tokens: vec![END],
        takes_grammars: false,
        engine: "chatter".to_owned(),
    };
    Loaded { card, words: Arc::new(Bytes), engine: Box::new(Chatter) }
}

struct Bytes;

impl Words for Bytes {
    fn encode(&self, text: &str, _: bool) -> Result<Vec<u32>, Refusal> {
        Ok(text.bytes().map(u32::from).collect())
    }

    fn encode_chat(&self, turns: &[Turn]) -> Result<Vec<u32>, Refusal> {
        if turns[0].role == "clown" {
            return Err(Refusal("the template knows no clown".to_owned()));
        }
        let text: String = turns.iter().map(|turn| format!("{}:{};", turn.role, turn.content)).collect();
        self.encode(&text, true)
    }

    fn decode(&self, tokens: &[u32], _: bool) -> String {
        String::from_utf8_lossy(
            &tokens.iter().filter_map(|token| u8::try_from(*token).ok()).collect::<Vec<_>>(),
        )
        .into_owned()
    }

    fn bytes(&self, token: u32) -> Vec<u8> {
        u8::try_from(token).into_iter().collect()
    }

    fn check_grammar(&self, _: &Grammar) -> Result<(), Refusal> {
        Ok(())
    }
}

struct Chatter;

impl Engine for Chatter {
    fn run(&mut self, desk: &mut dyn Desk) -> Result<(), String> {
        let mut rows: Vec<(Place, Arc<Ask>, usize)> = Vec::new();
        loop {
            loop {
                match desk.next(rows.is_empty()) {
                    Next::Ask(id, ask) => {
                        for index in 0..ask.seeds.len() {
                            rows.push((Place { ask: id, index }, Arc::clone(&ask), 0));
                        }
                    }
                    Next::Nothing => break,
                    Next::Over => return Ok(()),
                }
            }
            if rows.iter().any(|(_, ask, at)| ask.prompt[0] == BREAKS && *at > 0) {
                return Err("it broke".to_owned());
            }
            assert!(!rows.iter().any(|(_, ask, _)| ask.prompt[0] == PANICS), "it panicked");
            std::thread::sleep(Duration::from_micros(300));
            rows.retain_mut(|(place, ask, at)| {
                let id = ask.prompt[*at % ask.prompt.len()];
                *at += 1;
                let top = (0..ask.draw.n_top as u32).map(|i| (i + 97, -1.0 - i as f32)).collect();
                desk.token(*place, Token { id, logprob: -0.5, top })
            });
        }
    }
}
