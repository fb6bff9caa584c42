//! Which language is a passage in, its writing known?
//!
//! Two identifiers share the work. A linear model over hashed n-grams (`whichlang`) is right on nearly all
//! sentences of the sixteen languages it knows, but puts every other language into one of them. Ranked trigrams
//! (`whatlang`) know many more and err more often among close ones. So the second decides whether the passage is
//! in a language the first does not know, and the first decides else.

use std::sync::LazyLock;

use whatlang::{Detector, Lang};

use super::known::{Language, Writing};

/// How sure the trigrams must be of a language that the n-grams do not know. Below it, sentences of the languages
/// that both know go astray more often than the others are found.
const MIN_CONFIDENCE: f64 = 0.1;
/// The share of a passage's words that must be Swahili function words. Running text has more than a quarter,
/// other languages share a few of the words by chance.
const MIN_SWAHILI_SHARE: f64 = 0.2;

/// The languages of a writing that the trigrams choose among, by their tags.
const TRIGRAMS: &[(&str, Lang)] = &[
    ("ar", Lang::Ara),
    ("be", Lang::Bel),
    ("bg", Lang::Bul),
    ("ca", Lang::Cat),
    ("cs", Lang::Ces),
    ("da", Lang::Dan),
    ("de", Lang::Deu),
    ("en", Lang::Eng),
    ("es", Lang::Spa),
    ("et", Lang::Est),
    ("fa", Lang::Pes),
    ("fi", Lang::Fin),
    ("fr", Lang::Fra),
    ("hi", Lang::Hin),
    ("hr", Lang::Hrv),
    ("hu", Lang::Hun),
    ("id", Lang::Ind),
    ("it", Lang::Ita),
    ("lt", Lang::Lit),
    ("lv", Lang::Lav),
    ("mr", Lang::Mar),
    ("ne", Lang::Nep),
    ("nl", Lang::Nld),
    ("no", Lang::Nob),
    ("pl", Lang::Pol),
    ("pt", Lang::Por),
    ("ro", Lang::Ron),
    ("ru", Lang::Rus),
    ("sk", Lang::Slk),
    ("sl", Lang::Slv),
    ("sr", Lang::Srp),
    ("sv", Lang::Swe),
    ("tr", Lang::Tur),
    ("uk", Lang::Ukr),
    ("ur", Lang::Urd),
    ("vi", Lang::Vie),
];

/// Letters that tell a language from its neighbours: where one occurs, the passage is in one of the languages
/// listed with it.
const LETTERS: &[(&str, &[&str])] = &[
    ("øæ", &["da", "no"]),
    ("ąęłśźż", &["pl"]),
    ("řěů", &["cs"]),
    ("ľĺŕ", &["sk"]),
    ("čš", &["cs", "sk", "hr", "sl", "lt", "lv", "et"]),
    ("ő ű", &["hu"]),
    ("țşș", &["ro", "tr"]),
    ("іїєґ", &["uk", "be"]),
    ("ў", &["be"]),
    ("ђјљњћџ", &["sr"]),
    ("ыэё", &["ru", "be"]),
    ("گچپژ", &["fa", "ur"]),
    ("ٹڈڑےں", &["ur"]),
];

/// Frequent Swahili function words; neither identifier knows the language.
const SWAHILI: &[&str] = &[
    "na", "ya", "wa", "kwa", "ni", "katika", "za", "la", "cha", "vya", "kuwa", "hii", "hiyo", "huo", "hicho",
    "lakini", "pia", "kama", "sana", "au", "bila", "wake", "yake", "zake", "wangu", "yangu", "wetu", "yetu",
    "hili", "hizi", "hivyo", "ambayo", "ambao", "ili", "baada", "kabla", "tu", "mimi", "yeye", "sisi",
    "watu", "kila", "hapa", "wakati", "zaidi", "mmoja", "mbili", "tatu", "tunaweza", "kwamba", "basi",
    "sasa", "ndiyo", "hapana", "jibu",
];

/// The language of `passage`, which is in lower case and in `writing`; `None` when it cannot be told.
pub(super) fn identify(passage: &str, writing: Writing) -> Option<Language> {
    match writing {
        Writing::Latin if is_swahili(passage) => Language::known("sw"),
        Writing::Latin | Writing::Cyrillic | Writing::Arabic | Writing::Devanagari => spelt(passage, writing),
        Writing::Han | Writing::Kana => None,
        Writing::Own(tag) => Language::known(tag),
    }
}

fn spelt(passage: &str, writing: Writing) -> Option<Language> {
    static DETECTOR: LazyLock<Detector> =
        LazyLock::new(|| Detector::with_allowlist(TRIGRAMS.iter().map(|(_, lang)| *lang).collect()));
    let of_writing = |tag: &str| Language::known(tag).filter(|language| language.uses(writing));
    let by_grams = of_writing(ngram_tag(passage));
    let found = DETECTOR.detect(passage);
    let trigrams = found.as_ref().and_then(|found| {
        let (tag, _) = TRIGRAMS.iter().find(|(_, lang)| *lang == found.lang())?;
        Some((of_writing(tag)?, found.confidence()))
    });
    match (by_grams, trigrams) {
        (Some(known), Some((other, confidence))) => {
            let unknown_to_grams = !GRAM_TAGS.contains(&other.tag());
            let spelt_so = suits(passage, other) && !suits(passage, known);
            let sure = confidence >= MIN_CONFIDENCE || spelt_so;
            Some(if unknown_to_grams && sure && suits(passage, other) { other } else { known })
        }
        (known, other) => known.or(other.map(|(language, _)| language)),
    }
}

/// Whether no telling letter of `passage` speaks against `language`.
fn suits(passage: &str, language: Language) -> bool {
    LETTERS.iter().all(|(letters, tags)| {
        tags.contains(&language.tag()) || !passage.contains(|c: char| c != ' ' && letters.contains(c))
    })
}

/// What `whichlang` tells apart.
const GRAM_TAGS: &[&str] =
    &["ar", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "nl", "pt", "ru", "sv", "tr", "vi", "zh"];

fn ngram_tag(passage: &str) -> &'static str {
    use whichlang::Lang as Gram;
    match whichlang::detect_language(passage) {
        Gram::Ara => "ar",
        Gram::Cmn => "zh",
        Gram::Deu => "de",
        Gram::Eng => "en",
        Gram::Fra => "fr",
        Gram::Hin => "hi",
        Gram::Ita => "it",
        Gram::Jpn => "ja",
        Gram::Kor => "ko",
        Gram::Nld => "nl",
        Gram::Por => "pt",
        Gram::Rus => "ru",
        Gram::Spa => "es",
        Gram::Swe => "sv",
        Gram::Tur => "tr",
        Gram::Vie => "vi",
    }
}

fn is_swahili(passage: &str) -> bool {
    let (mut words, mut found) = (0_usize, Vec::new());
    for word in passage.split_whitespace() {
        words += 1;
        if SWAHILI.contains(&word) {
            found.push(word);
        }
    }
    let share = found.len() as f64 / words.max(1) as f64;
    found.sort_unstable();
    found.dedup();
    found.len() >= 3 && share >= MIN_SWAHILI_SHARE
}
