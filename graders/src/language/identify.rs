//! Which language is a passage in, its writing known?
//!
//! Three witnesses are heard. A linear model over hashed n-grams (`whichlang`) is right on nearly all sentences
//! of the sixteen languages it knows, but puts every other language into one of them. Ranked trigrams
//! (`whatlang`) know many more and err more often among close ones. The share of a language's frequent words is
//! blind to short text and hard to fool on longer. Their evidence is added up; the weights were chosen on
//! sentences from translated programs, not on those the tests use.

use std::collections::HashMap;
use std::sync::LazyLock;

use whatlang::{Detector, Lang};

use super::frequent::FREQUENT;
use super::known::{Language, Writing};

/// The weight of the n-grams' word, as a share of frequent words.
const GRAMS_WEIGHT: f64 = 0.12;
/// The least and the full weight of the trigrams' word, by their confidence.
const TRIGRAMS_WEIGHT: (f64, f64) = (0.05, 0.30);
/// The weight of a letter that the language does not have.
const LETTERS_WEIGHT: f64 = 0.25;
/// The weight of the language that most of the text is in.
const EXPECTED_WEIGHT: f64 = 0.06;

/// The languages that the trigrams choose among, by their tags.
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

/// Letters that only some of their script's languages have.
const LETTERS: &[(&str, &[&str])] = &[
    ("øæ", &["da", "no"]),
    ("å", &["da", "no", "sv", "fi"]),
    ("ß", &["de"]),
    ("ñ", &["es"]),
    ("ãõ", &["pt", "vi", "et"]),
    ("ąęłśźż", &["pl", "lt"]),
    ("řěů", &["cs"]),
    ("ľĺŕ", &["sk"]),
    ("čšž", &["cs", "sk", "hr", "sl", "lt", "lv", "et", "fi"]),
    ("ćđ", &["hr", "pl", "vi"]),
    ("őű", &["hu"]),
    ("țţăș", &["ro", "vi"]),
    ("ğışİ", &["tr"]),
    ("ơưạảấầẩậắằẵặẹẻẽềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỷỹ", &["vi"]),
    ("āēīūģķļņ", &["lv", "lt"]),
    ("іїєґ", &["uk", "be"]),
    ("ў", &["be"]),
    ("ђјљњћџ", &["sr"]),
    ("ыэё", &["ru", "be"]),
    ("и", &["ru", "uk", "bg", "sr"]),
    ("щ", &["ru", "uk", "bg"]),
    ("ъ", &["ru", "bg"]),
    ("йюяь", &["ru", "uk", "be", "bg"]),
    ("گچپژکی", &["fa", "ur"]),
    ("ٹڈڑےں", &["ur"]),
    ("ةكي", &["ar"]),
];

/// The language of `passage`, which is in lower case and in `writing`; `None` when it cannot be told. `expected`
/// is what the rest of the text is in, where that is known: it decides close calls.
pub(super) fn identify(passage: &str, writing: Writing, expected: Option<Language>) -> Option<Language> {
    match writing {
        Writing::Latin | Writing::Cyrillic | Writing::Arabic | Writing::Devanagari => {
            weigh(passage, writing, expected)
        }
        Writing::Han | Writing::Kana => None,
        Writing::Own(tag) => Language::known(tag),
    }
}

fn weigh(passage: &str, writing: Writing, expected: Option<Language>) -> Option<Language> {
    let mut evidence = frequent_words(passage);
    *evidence.entry(ngram_tag(passage)).or_default() += GRAMS_WEIGHT;
    if let Some(expected) = expected {
        *evidence.entry(expected.tag()).or_default() += EXPECTED_WEIGHT;
    }
    let foreign: Vec<&[&str]> = LETTERS
        .iter()
        .filter(|(letters, _)| passage.contains(|c: char| letters.contains(c)))
        .map(|(_, tags)| *tags)
        .collect();
    let ranked = |evidence: &HashMap<&'static str, f64>| {
        let mut ranked: Vec<(Language, f64)> = evidence
            .iter()
            .filter_map(|(tag, weight)| {
                let language = Language::known(tag).filter(|language| language.uses(writing))?;
                let against = foreign.iter().filter(|tags| !tags.contains(tag)).count();
                Some((language, weight - LETTERS_WEIGHT * against as f64))
            })
            .collect();
        // The tag decides between equals, so that the order of the map does not.
        ranked.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.cmp(b)));
        ranked
    };
    let first = ranked(&evidence);
    let second_weight = first.get(1).map_or(0.0, |(_, weight)| weight.max(0.0));
    // The trigrams are by far the slowest witness, and are not heard where they can change nothing.
    match first.first() {
        Some((language, weight)) if weight - second_weight > TRIGRAMS_WEIGHT.1 => Some(*language),
        _ => {
            if let Some((tag, confidence)) = trigram_tag(passage) {
                let (least, full) = TRIGRAMS_WEIGHT;
                *evidence.entry(tag).or_default() += least + (full - least) * confidence.clamp(0.0, 1.0);
            }
            ranked(&evidence).first().map(|(language, _)| *language)
        }
    }
}

/// The share of each language's frequent words; a word of several languages counts as a part for each.
fn frequent_words(passage: &str) -> HashMap<&'static str, f64> {
    static LANGUAGES_OF: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
        let mut languages_of: HashMap<&str, Vec<&str>> = HashMap::new();
        for (tag, words) in FREQUENT {
            for word in words.split_whitespace() {
                let tags = languages_of.entry(word).or_default();
                if !tags.contains(tag) {
                    tags.push(tag);
                }
            }
        }
        languages_of
    });
    let mut shares: HashMap<&str, f64> = HashMap::new();
    let mut count = 0;
    for word in passage.split([' ', '\'']).filter(|word| !word.is_empty()) {
        count += 1;
        let tags = LANGUAGES_OF.get(word).map_or(&[][..], Vec::as_slice);
        for tag in tags {
            *shares.entry(*tag).or_default() += 1.0 / (tags.len() as f64).sqrt();
        }
    }
    for share in shares.values_mut() {
        *share /= f64::from(count.max(1));
    }
    shares
}

fn trigram_tag(passage: &str) -> Option<(&'static str, f64)> {
    static DETECTOR: LazyLock<Detector> =
        LazyLock::new(|| Detector::with_allowlist(TRIGRAMS.iter().map(|(_, lang)| *lang).collect()));
    let found = DETECTOR.detect(passage)?;
    let (tag, _) = TRIGRAMS.iter().find(|(_, lang)| *lang == found.lang())?;
    Some((tag, found.confidence()))
}

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
