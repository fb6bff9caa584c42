//! The languages that can be told apart, and the script each is written in.

use std::fmt;

use unicode_script::{Script, UnicodeScript};

/// A system of writing, as far as languages are told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Writing {
    Latin,
    Cyrillic,
    Arabic,
    Devanagari,
    Han,
    Kana,
    /// A script that one language of the table is written in.
    Own(&'static str),
}

impl Writing {
    /// The writing of a letter in the blocks that most text is made of, without a search through the tables;
    /// `None` for all others.
    pub(super) fn of_letter(c: char) -> Option<Self> {
        Some(match c {
            'a'..='z' | 'A'..='Z' | 'à'..='ö' | 'ø'..='ÿ' => Self::Latin,
            '\u{410}'..='\u{44f}' => Self::Cyrillic,
            '\u{620}'..='\u{63f}' | '\u{641}'..='\u{64a}' => Self::Arabic,
            '\u{904}'..='\u{939}' => Self::Devanagari,
            '\u{e01}'..='\u{e30}' | '\u{e32}'..='\u{e33}' | '\u{e40}'..='\u{e45}' => Self::Own("th"),
            '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' => Self::Kana,
            '\u{4e00}'..='\u{9fff}' => Self::Han,
            '\u{ac00}'..='\u{d7a3}' => Self::Own("ko"),
            _ => return None,
        })
    }

    /// The writing `c` belongs to; `None` for what belongs to no single script, such as digits.
    pub(super) fn of(c: char) -> Option<Self> {
        if c.is_ascii() {
            return c.is_ascii_alphabetic().then_some(Self::Latin);
        }
        if let Some(writing) = Self::of_letter(c) {
            return Some(writing);
        }
        Some(match c.script() {
            Script::Latin => Self::Latin,
            Script::Cyrillic => Self::Cyrillic,
            Script::Arabic => Self::Arabic,
            Script::Devanagari => Self::Devanagari,
            Script::Han => Self::Han,
            Script::Hiragana | Script::Katakana => Self::Kana,
            Script::Common | Script::Inherited | Script::Unknown => return None,
            Script::Greek => Self::Own("el"),
            Script::Hangul => Self::Own("ko"),
            Script::Thai => Self::Own("th"),
            Script::Hebrew => Self::Own("he"),
            Script::Bengali => Self::Own("bn"),
            Script::Tamil => Self::Own("ta"),
            Script::Telugu => Self::Own("te"),
            Script::Kannada => Self::Own("kn"),
            Script::Malayalam => Self::Own("ml"),
            Script::Gujarati => Self::Own("gu"),
            Script::Gurmukhi => Self::Own("pa"),
            Script::Georgian => Self::Own("ka"),
            Script::Armenian => Self::Own("hy"),
            Script::Khmer => Self::Own("km"),
            Script::Lao => Self::Own("lo"),
            Script::Myanmar => Self::Own("my"),
            Script::Sinhala => Self::Own("si"),
            Script::Ethiopic => Self::Own("am"),
            _ => Self::Own("other"),
        })
    }

    /// Whether words are not set apart, so that each character counts as one.
    pub(super) fn is_unspaced(self) -> bool {
        matches!(self, Self::Han | Self::Kana | Self::Own("th" | "lo" | "km" | "my"))
    }

    /// The name in a verdict's detail.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Latin => "latin",
            Self::Cyrillic => "cyrillic",
            Self::Arabic => "arabic",
            Self::Devanagari => "devanagari",
            Self::Han => "han",
            Self::Kana => "kana",
            Self::Own(name) => name,
        }
    }
}

/// A language of the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Language(&'static str);

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Every language: its tag and the writings it uses.
const LANGUAGES: &[(&str, &[Writing])] = &[
    ("am", &[Writing::Own("am")]),
    ("ar", &[Writing::Arabic]),
    ("be", &[Writing::Cyrillic]),
    ("bg", &[Writing::Cyrillic]),
    ("bn", &[Writing::Own("bn")]),
    ("ca", &[Writing::Latin]),
    ("cs", &[Writing::Latin]),
    ("da", &[Writing::Latin]),
    ("de", &[Writing::Latin]),
    ("el", &[Writing::Own("el")]),
    ("en", &[Writing::Latin]),
    ("es", &[Writing::Latin]),
    ("et", &[Writing::Latin]),
    ("fa", &[Writing::Arabic]),
    ("fi", &[Writing::Latin]),
    ("fr", &[Writing::Latin]),
    ("gu", &[Writing::Own("gu")]),
    ("he", &[Writing::Own("he")]),
    ("hi", &[Writing::Devanagari]),
    ("hr", &[Writing::Latin]),
    ("hu", &[Writing::Latin]),
    ("hy", &[Writing::Own("hy")]),
    ("id", &[Writing::Latin]),
    ("it", &[Writing::Latin]),
    ("ja", &[Writing::Kana, Writing::Han]),
    ("ka", &[Writing::Own("ka")]),
    ("km", &[Writing::Own("km")]),
    ("kn", &[Writing::Own("kn")]),
    ("ko", &[Writing::Own("ko")]),
    ("lo", &[Writing::Own("lo")]),
    ("lt", &[Writing::Latin]),
    ("lv", &[Writing::Latin]),
    ("ml", &[Writing::Own("ml")]),
    ("mr", &[Writing::Devanagari]),
    ("my", &[Writing::Own("my")]),
    ("ne", &[Writing::Devanagari]),
    ("nl", &[Writing::Latin]),
    ("no", &[Writing::Latin]),
    ("pa", &[Writing::Own("pa")]),
    ("pl", &[Writing::Latin]),
    ("pt", &[Writing::Latin]),
    ("ro", &[Writing::Latin]),
    ("ru", &[Writing::Cyrillic]),
    ("si", &[Writing::Own("si")]),
    ("sk", &[Writing::Latin]),
    ("sl", &[Writing::Latin]),
    ("sr", &[Writing::Cyrillic]),
    ("sv", &[Writing::Latin]),
    ("sw", &[Writing::Latin]),
    ("ta", &[Writing::Own("ta")]),
    ("te", &[Writing::Own("te")]),
    ("th", &[Writing::Own("th")]),
    ("tr", &[Writing::Latin]),
    ("uk", &[Writing::Cyrillic]),
    ("ur", &[Writing::Arabic]),
    ("vi", &[Writing::Latin]),
    ("zh", &[Writing::Han]),
];

/// Languages so close that a sentence often does not tell which it is; the target gets the benefit.
const TWINS: &[&[&str]] = &[&["da", "no"], &["cs", "sk"], &["hr", "sl"]];

impl Language {
    /// The language that a BCP-47 tag such as `en` or `zh-Hans` names, by its primary subtag.
    pub(crate) fn from_tag(tag: &str) -> Result<Self, String> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or("").to_ascii_lowercase();
        let primary = match primary.as_str() {
            "nb" | "nn" => "no",
            "iw" => "he",
            "in" => "id",
            other => other,
        };
        Self::known(primary).ok_or_else(|| {
            let known: Vec<_> = LANGUAGES.iter().map(|(tag, _)| *tag).collect();
            format!(
                "unknown language `{}`; there are {}",
                tag.chars().take(32).collect::<String>(),
                known.join(", ")
            )
        })
    }

    /// The language with exactly this tag.
    pub(super) fn known(tag: &str) -> Option<Self> {
        LANGUAGES.iter().find(|(known, _)| *known == tag).map(|(known, _)| Self(known))
    }

    /// The BCP-47 primary subtag.
    pub(crate) fn tag(self) -> &'static str {
        self.0
    }

    /// Whether the language is written so.
    pub(super) fn uses(self, writing: Writing) -> bool {
        LANGUAGES.iter().any(|(tag, writings)| *tag == self.0 && writings.contains(&writing))
    }

    /// Whether the two are one language, or so close that a sentence does not tell them apart.
    pub(crate) fn is_like(self, other: Self) -> bool {
        self == other || TWINS.iter().any(|twins| twins.contains(&self.0) && twins.contains(&other.0))
    }
}
