//! Whole models: against published numbers, against finite differences, against `transformers`, on files and on
//! broken files.

mod files;
mod gradients;
mod python;
mod tiny_models;
mod tokens;
