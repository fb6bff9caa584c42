//! What a template tells its story with: people, things, numbers of the level's size, and the working.
//!
//! Every operation refuses what makes no sense in a story, such as a negative number of apples or a third of
//! a person, by giving `None`; the template is then drawn again with other numbers.

use std::mem;

use super::super::draw::Draw;
use super::super::rational::Rational;
use super::words::{NAMES, Noun, Person};

/// How large the numbers of a level are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// How many things someone has.
    pub(super) some: (i64, i64),
    /// How many boxes, days or friends there are.
    pub(super) few: (i64, i64),
    /// Prices are multiples of this many cents, up to so many dollars.
    pub(super) cents: i64,
    pub(super) dollars: i64,
}

/// A story in the making.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    draw: &'a mut Draw,
    size: Size,
    cast: Vec<usize>,
    /// Small counts are written as words.
    spelled: bool,
    /// Every number drawn: with the template's name the identity of the problem.
    numbers: Vec<i64>,
    sentences: Vec<String>,
    working: Vec<String>,
}

/// What kind of number answers the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A positive whole number.
    Whole,
    /// An amount of dollars in whole cents.
    Dollars,
    /// A proper fraction.
    Fraction,
}

/// A finished story.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) sentences: Vec<String>,
    pub(super) question: String,
    pub(super) answer: Rational,
    pub(super) kind: Kind,
    pub(super) working: Vec<String>,
    pub(super) numbers: Vec<i64>,
    /// The first person of the story, if there is one.
    pub(super) hero: Option<&'static Person>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(draw: &'a mut Draw, size: Size) -> Self {
        let spelled = draw.chance(1, 3);
        Self {
            draw,
            size,
            cast: Vec::new(),
            spelled,
            numbers: Vec::new(),
            sentences: Vec::new(),
            working: Vec::new(),
        }
    }

    /// Someone who is not yet in the story.
    pub(super) fn person(&mut self) -> &'static Person {
        let mut index = self.draw.index(NAMES.len());
        while self.cast.contains(&index) {
            index = (index + 1) % NAMES.len();
        }
        self.cast.push(index);
        &NAMES[index]
    }

    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        *self.draw.pick(items)
    }

    /// Two different ones of `items`, of which there are at least two.
    pub(super) fn pick_two<T: Copy>(&mut self, items: &[T]) -> (T, T) {
        let first = self.draw.index(items.len());
        let second = (first + 1 + self.draw.index(items.len() - 1)) % items.len();
        (items[first], items[second])
    }

    pub(super) fn number(&mut self, low: i64, high: i64) -> i64 {
        let number = self.draw.between(low, high);
        self.numbers.push(number);
        number
    }

    /// How many things someone has.
    pub(super) fn some(&mut self) -> i64 {
        self.number(self.size.some.0, self.size.some.1)
    }

    /// How many boxes, days or friends there are.
    pub(super) fn few(&mut self) -> i64 {
        self.number(self.size.few.0, self.size.few.1)
    }

    /// A price in cents.
    pub(super) fn price(&mut self) -> Cents {
        let steps = self.size.dollars * 100 / self.size.cents;
        Cents(self.number(1, steps) * self.size.cents)
    }

    /// A price of something small, up to three dollars.
    pub(super) fn small_price(&mut self) -> Cents {
        let step = self.size.cents.min(50);
        Cents(self.number(1, 300 / step) * step)
    }

    /// A price above `low` cents.
    pub(super) fn price_above(&mut self, low: Cents) -> Cents {
        Cents(low.0 + self.price().0)
    }

    /// A whole number of dollars.
    pub(super) fn dollars(&mut self, low: i64, high: i64) -> Cents {
        Cents(self.number(low, high) * 100)
    }

    pub(super) fn count(&self, number: i64, noun: Noun) -> String {
        let word = usize::try_from(number).ok().and_then(|n| SPELLED.get(n)).filter(|_| self.spelled);
        let noun = if number == 1 { noun.one } else { noun.many };
        match word {
            Some(word) => format!("{word} {noun}"),
            None => format!("{number} {noun}"),
        }
    }

    pub(super) fn tell(&mut self, sentence: impl AsRef<str>) {
        self.sentences.push(capitalised(sentence.as_ref()));
    }

    pub(super) fn plus(
        &mut self,
        what: &str,
        a: impl Into<Rational>,
        b: impl Into<Rational>,
    ) -> Option<Rational> {
        let (a, b) = (a.into(), b.into());
        self.step(what, a, '+', b, a.plus(b)?)
    }

    /// `None` unless something is left.
    pub(super) fn minus(
        &mut self,
        what: &str,
        a: impl Into<Rational>,
        b: impl Into<Rational>,
    ) -> Option<Rational> {
        let (a, b) = (a.into(), b.into());
        self.step(what, a, '-', b, a.minus(b)?)
    }

    pub(super) fn times(
        &mut self,
        what: &str,
        a: impl Into<Rational>,
        b: impl Into<Rational>,
    ) -> Option<Rational> {
        let (a, b) = (a.into(), b.into());
        self.step(what, a, '*', b, a.times(b)?)
    }

    /// `None` unless the division leaves no remainder.
    pub(super) fn over(
        &mut self,
        what: &str,
        a: impl Into<Rational>,
        b: impl Into<Rational>,
    ) -> Option<Rational> {
        let (a, b) = (a.into(), b.into());
        let value = a.over(b)?;
        if value.is_whole() { self.step(what, a, '/', b, value) } else { None }
    }

    /// A division of money: `None` unless it leaves whole cents.
    pub(super) fn share(
        &mut self,
        what: &str,
        a: impl Into<Rational>,
        b: impl Into<Rational>,
    ) -> Option<Rational> {
        let (a, b) = (a.into(), b.into());
        let value = a.over(b)?;
        if value.is_hundredths() { self.step(what, a, '/', b, value) } else { None }
    }

    /// A division that gives a fraction.
    pub(super) fn fraction(
        &mut self,
        what: &str,
        a: impl Into<Rational>,
        b: impl Into<Rational>,
    ) -> Option<Rational> {
        let (a, b) = (a.into(), b.into());
        self.step(what, a, '/', b, a.over(b)?)
    }

    /// The whole part of a division and what remains, both positive.
    pub(super) fn divide(
        &mut self,
        what: &str,
        a: impl Into<Rational>,
        b: impl Into<Rational>,
    ) -> Option<(Rational, Rational)> {
        let (a, b) = (a.into().whole()?, b.into().whole()?);
        let (quotient, rest) = (a.checked_div_euclid(b)?, a.checked_rem_euclid(b)?);
        self.working.push(format!("{what}: {a} / {b} = {quotient} remainder {rest}"));
        (quotient > 0 && rest > 0).then(|| (quotient.into(), rest.into()))
    }

    fn step(
        &mut self,
        what: &str,
        a: Rational,
        operator: char,
        b: Rational,
        value: Rational,
    ) -> Option<Rational> {
        // Money in the working has two places, everything else is whole or a fraction at the very end.
        self.working.push(format!("{what}: {} {operator} {} = {}", a.money(), b.money(), value.money()));
        value.is_positive().then_some(value)
    }

    /// Ends the story; `None` when the answer is not of its kind.
    pub(super) fn ask(&mut self, question: impl AsRef<str>, answer: Rational, kind: Kind) -> Option<Story> {
        let fits = answer.is_positive()
            && match kind {
                Kind::Whole => answer.is_whole(),
                Kind::Dollars => answer.is_hundredths(),
                Kind::Fraction => !answer.is_whole() && Rational::from(1).minus(answer)?.is_positive(),
            };
        fits.then(|| Story {
            sentences: mem::take(&mut self.sentences),
            question: capitalised(question.as_ref()),
            answer,
            kind,
            working: mem::take(&mut self.working),
            numbers: mem::take(&mut self.numbers),
            hero: self.cast.first().and_then(|index| NAMES.get(*index)),
        })
    }
}

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cents(pub(super) i64);

impl From<Cents> for Rational {
    fn from(cents: Cents) -> Self {
        Self::new(cents.0.into(), 100).unwrap_or(Self::ZERO)
    }
}

impl std::fmt::Display for Cents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "${}", Rational::from(*self).money())
    }
}

const SPELLED: [&str; 11] =
    ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
