//! llama.cpp as these tests use it.

use std::path::Path;

use llama::{Adapter, CacheType, Context, ContextOptions, FlashAttention, Model, ModelOptions, Row};

/// A model in llama.cpp, with keys and values in 32 bits.
pub(crate) struct Engine {
    model: Model,
    context: Context,
}

impl Engine {
    pub(crate) fn load(path: &Path) -> Self {
        Self::new(Model::load(path, &ModelOptions::default()).expect("it loads"))
    }

    /// A model whose weights can be changed while it runs.
    pub(crate) fn changeable(bytes: &[u8]) -> Self {
        Self::new(Model::changeable(bytes, &ModelOptions::default()).expect("it loads"))
    }

    fn new(model: Model) -> Self {
        let options = ContextOptions {
            tokens: 128,
            cache: CacheType::F32,
            flash_attention: FlashAttention::Off,
            ..ContextOptions::default()
        };
        let context = Context::new(&model, &options).expect("room");
        Self { model, context }
    }

    /// Logits at every place.
    pub(crate) fn logits(&mut self, tokens: &[u32], adapter: Option<&Path>) -> Vec<Vec<f32>> {
        let adapter = adapter.map(|path| (Adapter::load(&self.model, path).expect("it is one"), 1.0));
        self.context.set_adapters(adapter.as_slice()).expect("they fit");
        self.context.clear();
        let rows = tokens.iter().enumerate();
        let rows =
            rows.map(|(at, token)| Row { token: *token, position: at as u32, sequence: 0, logits: true });
        self.context.decode(&rows.collect::<Vec<_>>()).expect("it decodes");
        (0..tokens.len()).map(|row| self.context.logits(row).expect("asked for").to_vec()).collect()
    }

    pub(crate) fn set_tensor(&mut self, name: &str, kind: u32, bytes: &[u8]) {
        self.context.set_tensor(name, kind, bytes).expect("it is there");
    }

    pub(crate) fn tokenize(&self, text: &str, special: bool) -> Vec<u32> {
        self.model.tokenize(text, special, true).expect("short")
    }

    pub(crate) fn detokenize(&self, tokens: &[u32]) -> Vec<u8> {
        tokens.iter().flat_map(|token| self.model.piece(*token, true)).collect()
    }

    pub(crate) fn ends(&self, token: u32) -> bool {
        self.model.stop_tokens().contains(&token)
    }
}
