//! `missing_module`: what becomes of a program that needs a module the sandbox does not have.
//!
//! It says nothing about whether the program is right, so a rubric may leave it without a score. A program chooses
//! what it imports, also one that is lost: a list of the modules that honest programs use is safer than `mask`.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum MissingModule {
    /// It failed.
    #[default]
    Score,
    /// There is no score.
    Mask,
    /// There is none for these modules, by the first part of their names.
    MaskOnly(Vec<String>),
}

impl MissingModule {
    /// Whether a program that lacked this module is left without a score.
    pub(super) fn masks(&self, module: &str) -> bool {
        match self {
            Self::Score => false,
            Self::Mask => true,
            Self::MaskOnly(names) => {
                module.split('.').next().is_some_and(|first| names.iter().any(|name| name == first))
            }
        }
    }
}

impl<'de> Deserialize<'de> for MissingModule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand and not an untagged enum, whose errors say neither where nor what.
        struct WordOrNames;

        impl<'de> Visitor<'de> for WordOrNames {
            type Value = MissingModule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`score`, `mask` or a list of names of modules")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<MissingModule, E> {
                match word {
                    "score" => Ok(MissingModule::Score),
                    "mask" => Ok(MissingModule::Mask),
                    _ => Err(E::unknown_variant(word, &["score", "mask"])),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<MissingModule, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    all.push(name);
                }
                Ok(MissingModule::MaskOnly(all))
            }
        }

        deserializer.deserialize_any(WordOrNames)
    }
}
