//! llama.cpp as Gavel uses it: GGUF models, many sequences in one context, adapters, grammars.
