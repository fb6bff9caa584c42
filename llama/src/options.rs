//! How models and contexts are set up.

/// How a model is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelOptions {
    /// Layers that a GPU computes, where llama.cpp was built for one; all where none are given.
    pub gpu_layers: Option<u32>,
    /// Maps the file instead of reading it.
    pub mmap: bool,
    /// Lets llama.cpp rearrange quantised weights for the processor.
    pub repack: bool,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self { gpu_layers: None, mmap: true, repack: true }
    }
}

/// What keys and values are kept in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheType {
    /// Four bytes.
    F32,
    /// Two bytes.
    #[default]
    F16,
    /// One byte, with a scale for every 32 numbers; needs flash attention.
    Q8_0,
}

/// Whether attention is computed without its matrix of scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlashAttention {
    /// Where the device can.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// How a context is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextOptions {
    /// Tokens of keys and values, for all sequences together.
    pub tokens: u32,
    /// The most sequences, at most [`ContextOptions::MAX_SEQUENCES`].
    pub sequences: u32,
    /// The most tokens that are computed at once.
    pub batch: u32,
    /// Threads that compute on the processor; at least 1.
    pub threads: u32,
    /// Whether attention is computed without its matrix of scores.
    pub flash_attention: FlashAttention,
    /// What keys and values are kept in.
    pub cache: CacheType,
    /// Whether sequences share one store of keys and values, so that a copied sequence costs nothing. Otherwise each
    /// has its own part of `tokens / sequences`, and copies are made.
    pub unified: bool,
}

impl ContextOptions {
    /// llama.cpp's limit.
    pub const MAX_SEQUENCES: u32 = 256;
}

impl Default for ContextOptions {
    fn default() -> Self {
        Self {
            tokens: 4096,
            sequences: 1,
            batch: 512,
            threads: 1,
            flash_attention: FlashAttention::default(),
            cache: CacheType::default(),
            unified: true,
        }
    }
}
