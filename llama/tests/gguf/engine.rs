//! llama.cpp as these tests use it.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::OnceLock;

use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;

fn backend() -> &'static LlamaBackend {
    static BACKEND: OnceLock<LlamaBackend> = OnceLock::new();
    BACKEND.get_or_init(|| {
        let mut backend = LlamaBackend::init().expect("it starts");
        if std::env::var_os("LLAMA_LOG").is_none() {
            backend.void_logs();
        }
        backend
    })
}

/// A model in llama.cpp.
pub(crate) struct Engine(LlamaModel);

impl Engine {
    pub(crate) fn load(path: &Path) -> Self {
        Self(LlamaModel::load_from_file(backend(), path, &LlamaModelParams::default()).expect("it loads"))
    }

    /// Logits at every place, with keys and values in 32 bits.
    pub(crate) fn logits(&mut self, tokens: &[u32], adapter: Option<&Path>) -> Vec<Vec<f32>> {
        let mut adapter = adapter.map(|path| self.0.lora_adapter_init(path).expect("it is one"));
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(128))
            .with_n_threads(1)
            .with_n_threads_batch(1)
            .with_type_k(KvCacheType::F32)
            .with_type_v(KvCacheType::F32);
        let mut context = self.0.new_context(backend(), params).expect("room");
        if let Some(adapter) = &mut adapter {
            context.lora_adapter_set(adapter, 1.0).expect("it fits");
        }
        let mut batch = LlamaBatch::new(128, 1);
        for (at, token) in tokens.iter().enumerate() {
            batch.add(LlamaToken(*token as i32), at as i32, &[0], true).expect("room");
        }
        context.decode(&mut batch).expect("it decodes");
        (0..tokens.len()).map(|at| context.get_logits_ith(at as i32).to_vec()).collect()
    }

    pub(crate) fn tokenize(&self, text: &str, special: bool) -> Vec<u32> {
        let tokens = self.0.vocab().tokenize(text.as_bytes(), special, true);
        tokens.into_iter().map(|token| token.0 as u32).collect()
    }

    pub(crate) fn detokenize(&self, tokens: &[u32]) -> Vec<u8> {
        let vocab = self.0.vocab();
        tokens.iter().flat_map(|token| vocab.token_to_piece(LlamaToken(*token as i32), true, None)).collect()
    }

    pub(crate) fn ends(&self, token: u32) -> bool {
        self.0.vocab().is_eog(LlamaToken(token as i32))
    }
}
