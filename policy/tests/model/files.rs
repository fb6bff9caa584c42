//! Models on disk.
