//! People and things, with the forms that sentences need.

/// A thing that can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noun {
    pub(super) one: &'static str,
    pub(super) many: &'static str,
}

/// Someone, with pronouns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: &'static str,
    /// She or he.
    pub(super) she: &'static str,
    /// Her or his.
    pub(super) her: &'static str,
}

const fn woman(name: &'static str) -> Person {
    Person { name, she: "she", her: "her" }
}

const fn man(name: &'static str) -> Person {
    Person { name, she: "he", her: "his" }
}

pub(super) const fn noun(one: &'static str, many: &'static str) -> Noun {
    Noun { one, many }
}

pub(super) static NAMES: &[Person] = &[
    woman("Ada"),
    man("Ahmed"),
    woman("Aiko"),
    man("Alejandro"),
    woman("Amara"),
    man("Anton"),
    woman("Beatriz"),
    man("Ben"),
    woman("Chidinma"),
    man("Chen"),
    woman("Clara"),
    man("Dmitri"),
    woman("Elif"),
    man("Emeka"),
    woman("Fatima"),
    man("Felix"),
    woman("Greta"),
    man("Hassan"),
    woman("Hana"),
    man("Hugo"),
    woman("Ingrid"),
    man("Ivan"),
    woman("Jasmin"),
    man("Jonas"),
    woman("Keiko"),
    man("Kofi"),
    woman("Leila"),
    man("Luca"),
    woman("Mei"),
    man("Mateo"),
    woman("Nadia"),
    man("Nikhil"),
    woman("Olga"),
    man("Oscar"),
    woman("Priya"),
    man("Pedro"),
    woman("Rosa"),
    man("Ravi"),
    woman("Sofia"),
    man("Samuel"),
    woman("Tala"),
    man("Tomas"),
    woman("Uma"),
    man("Viktor"),
    woman("Wanjiru"),
    man("Yusuf"),
    woman("Yara"),
    man("Zoran"),
];

/// Things that people collect.
pub(super) const COLLECTED: &[Noun] = &[
    noun("marble", "marbles"),
    noun("sticker", "stickers"),
    noun("stamp", "stamps"),
    noun("shell", "shells"),
    noun("trading card", "trading cards"),
    noun("postcard", "postcards"),
    noun("bead", "beads"),
    noun("coin", "coins"),
    noun("button", "buttons"),
];

/// Things to eat that are counted.
pub(super) const FOOD: &[Noun] = &[
    noun("apple", "apples"),
    noun("pear", "pears"),
    noun("peach", "peaches"),
    noun("orange", "oranges"),
    noun("muffin", "muffins"),
    noun("bread roll", "bread rolls"),
    noun("egg", "eggs"),
    noun("lemon", "lemons"),
    noun("biscuit", "biscuits"),
];

/// Things from a shop that are bought in small numbers.
pub(super) const GOODS: &[Noun] = &[
    noun("notebook", "notebooks"),
    noun("pencil case", "pencil cases"),
    noun("paintbrush", "paintbrushes"),
    noun("candle", "candles"),
    noun("mug", "mugs"),
    noun("plant pot", "plant pots"),
    noun("pair of socks", "pairs of socks"),
    noun("puzzle", "puzzles"),
    noun("toy car", "toy cars"),
    noun("picture frame", "picture frames"),
    noun("brush", "brushes"),
];

/// What things are kept in.
pub(super) const HOLDERS: &[Noun] = &[
    noun("box", "boxes"),
    noun("bag", "bags"),
    noun("basket", "baskets"),
    noun("crate", "crates"),
    noun("tin", "tins"),
];

pub(super) const DAY: Noun = noun("day", "days");
pub(super) const WEEK: Noun = noun("week", "weeks");
pub(super) const HOUR: Noun = noun("hour", "hours");
pub(super) const MINUTE: Noun = noun("minute", "minutes");
pub(super) const YEAR: Noun = noun("year", "years");
pub(super) const FRIEND: Noun = noun("friend", "friends");
pub(super) const PAGE: Noun = noun("page", "pages");
pub(super) const POINT: Noun = noun("point", "points");
pub(super) const ROW: Noun = noun("row", "rows");

/// "a" or "an".
pub(super) fn a(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {word}")
}

/// "twice" or "3 times".
pub(super) fn fold(times: i64) -> String {
    if times == 2 { "twice".to_owned() } else { format!("{times} times") }
}
