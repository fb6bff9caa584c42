//! Stories about classes, seats and marks.

use super::distractors::Topic::{Age, Percent, Reading, Things};
use super::scene::{Kind, Scene, Story};
use super::words::{POINT, ROW, noun};
use super::{Template, template};

pub(super) const TEMPLATES: &[Template] = &[
    template("present_pupils", 2, Age, present_pupils),
    template("empty_seats", 2, Things, empty_seats),
    template("percent_of_school", 3, Percent, percent_of_school),
    template("fraction_left", 2, Age, fraction_left),
    template("exam_points", 3, Things, exam_points),
    template("average_of_three", 3, Things, average_of_three),
    template("needed_for_average", 4, Things, needed_for_average),
    template("school_trip", 4, Age, school_trip),
    template("library_shelves", 5, Reading, library_shelves),
    template("fraction_of_two_classes", 3, Age, fraction_of_two_classes),
];

fn present_pupils(s: &mut Scene<'_>) -> Option<Story> {
    let (classes, each, absent) = (s.few(), s.number(14, 32), s.number(2, 20));
    let all = s.times("Pupils", classes, each)?;
    let here = s.minus("Present", all, absent)?;
    s.tell(format!("A school has {} of {each} pupils.", s.count(classes, noun("class", "classes"))));
    s.tell(format!("Today {absent} pupils are absent."));
    s.ask("How many pupils are present?", here, Kind::Whole)
}

fn empty_seats(s: &mut Scene<'_>) -> Option<Story> {
    let hall = s.pick(&["theatre", "cinema", "concert hall", "lecture hall"]);
    let (rows, seats, taken) = (s.number(4, 30), s.number(6, 30), s.some());
    let all = s.times("Seats", rows, seats)?;
    let free = s.minus("Empty", all, taken)?;
    s.tell(format!(
        "A {hall} has {} with {} in each.",
        s.count(rows, ROW),
        s.count(seats, noun("seat", "seats"))
    ));
    s.tell(format!("{taken} people are seated."));
    s.ask("How many seats are empty?", free, Kind::Whole)
}

fn percent_of_school(s: &mut Scene<'_>) -> Option<Story> {
    let (hundreds, percent) = (s.number(1, 60), s.number(1, 19) * 5);
    let all = hundreds * 20;
    let way = s.pick(&["walk to school", "come by bus", "come by bicycle"]);
    let product = s.times("Pupils times percent", all, percent)?;
    let part = s.over("That many", product, 100)?;
    let rest = s.minus("The others", all, part)?;
    s.tell(format!("Of the {all} pupils of a school {percent} percent {way}."));
    s.ask("How many pupils do not?", rest, Kind::Whole)
}

fn fraction_left(s: &mut Scene<'_>) -> Option<Story> {
    let (all, part) = (s.number(12, 40), s.number(3, 30));
    let club = s.pick(&["sing in the choir", "play chess", "learn an instrument", "play football"]);
    let rest = s.minus("The others", all, part)?;
    let fraction = s.fraction("As a fraction", rest, all)?;
    s.tell(format!("{part} of the {all} children in a class {club}."));
    s.ask(format!("What fraction of the class does not {club}?"), fraction, Kind::Fraction)
}

fn exam_points(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (right, wrong, gain, loss) = (s.number(8, 60), s.number(2, 20), s.number(3, 6), s.number(1, 2));
    let gained = s.times("Gained", right, gain)?;
    let lost = s.times("Lost", wrong, loss)?;
    let points = s.minus("Points", gained, lost)?;
    s.tell(format!(
        "In a quiz a right answer gives {} and a wrong one takes away {}.",
        s.count(gain, POINT),
        s.count(loss, POINT)
    ));
    s.tell(format!("{} answers {right} questions right and {wrong} wrong.", who.name));
    s.ask(format!("How many points does {} end up with?", who.she), points, Kind::Whole)
}

fn average_of_three(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let game = s.pick(&["bowling", "darts", "archery", "mini golf"]);
    let (a, b, c) = (s.some(), s.some(), s.some());
    let two = s.plus("First two", a, b)?;
    let all = s.plus("All three", two, c)?;
    let average = s.over("Average", all, 3)?;
    s.tell(format!("In three rounds of {game} {} scores {a}, {b} and {c} points.", who.name));
    s.ask(format!("What is {}'s average score per round?", who.name), average, Kind::Whole)
}

fn needed_for_average(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (a, b, c, goal) = (s.number(40, 99), s.number(40, 99), s.number(40, 99), s.number(50, 95));
    let needed = s.times("Points for the goal", 4, goal)?;
    let two = s.plus("First two tests", a, b)?;
    let three = s.plus("All three tests", two, c)?;
    let last = s.minus("The last test", needed, three)?;
    if last.whole()? > 100 {
        return None;
    }
    s.tell(format!("A test gives at most 100 points; {} reached {a}, {b} and {c} points in the first three of four tests.", who.name));
    s.tell(format!("{} wants an average of exactly {goal} points over all four.", who.she));
    s.ask(format!("How many points does {} need in the last test?", who.name), last, Kind::Whole)
}

fn school_trip(s: &mut Scene<'_>) -> Option<Story> {
    let (classes, each, adults, seats) =
        (s.number(2, 9), s.number(15, 32), s.number(3, 20), s.number(20, 55));
    let pupils = s.times("Pupils", classes, each)?;
    let people = s.plus("People", pupils, adults)?;
    let (full, _) = s.divide("Full buses", people, seats)?;
    let buses = s.plus("With one for the rest", full, 1)?;
    s.tell(format!(
        "{} of {each} pupils go on a trip together with {adults} adults.",
        s.count(classes, noun("class", "classes"))
    ));
    s.tell(format!("A bus has {seats} seats for passengers."));
    s.ask("How many buses are needed so that everyone has a seat?", buses, Kind::Whole)
}

fn library_shelves(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (cases, shelves, each) = (s.number(3, 12), s.number(3, 8), s.number(15, 40));
    let (lent, new, worn) = (s.number(5, 90), s.number(5, 90), s.number(2, 30));
    let all_shelves = s.times("Shelves", cases, shelves)?;
    let places = s.times("Books when full", all_shelves, each)?;
    let there = s.minus("Without those lent out", places, lent)?;
    let kept = s.minus("Without the worn ones", there, worn)?;
    let now = s.plus("With the new ones", kept, new)?;
    s.tell(format!(
        "The library has {} with {} each, and every shelf has room for {each} books.",
        s.count(cases, noun("bookcase", "bookcases")),
        s.count(shelves, noun("shelf", "shelves"))
    ));
    s.tell(format!(
        "All places were taken before readers borrowed {} that are not back yet.",
        s.count(lent, noun("book", "books"))
    ));
    s.tell(format!("Then {} removes {worn} worn books and puts {new} new ones on the shelves.", who.name));
    s.ask("How many books are on the shelves now?", now, Kind::Whole)
}

fn fraction_of_two_classes(s: &mut Scene<'_>) -> Option<Story> {
    let (a, b, first, second) = (s.number(12, 36), s.number(12, 36), s.number(2, 20), s.number(2, 20));
    if first >= a || second >= b {
        return None;
    }
    let all = s.plus("All pupils", a, b)?;
    let part = s.plus("Those with a pet", first, second)?;
    let fraction = s.fraction("As a fraction", part, all)?;
    s.tell(format!("In one class {first} of {a} pupils have a pet, in another {second} of {b}."));
    s.ask("What fraction of the pupils of both classes together has a pet?", fraction, Kind::Fraction)
}
