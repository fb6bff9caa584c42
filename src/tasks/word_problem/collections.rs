//! Stories about having, giving and packing things.

use super::distractors::Topic::{Percent, Things};
use super::scene::{Kind, Scene, Story};
use super::words::{COLLECTED, FOOD, FRIEND, HOLDERS, PAGE, fold, noun};
use super::{Template, template};

pub(super) const TEMPLATES: &[Template] = &[
    template("give_away", 1, Things, give_away),
    template("full_boxes", 1, Things, full_boxes),
    template("gain_and_give", 2, Things, gain_and_give),
    template("boxes_and_loose", 2, Things, boxes_and_loose),
    template("times_as_many", 2, Things, times_as_many),
    template("some_more_than", 2, Things, some_more_than),
    template("equal_share", 2, Things, equal_share),
    template("left_over", 2, Things, left_over),
    template("one_more_box", 2, Things, one_more_box),
    template("trade", 3, Things, trade),
    template("part_given", 3, Percent, part_given),
    template("three_people", 4, Things, three_people),
    template("albums", 4, Things, albums),
    template("repacked", 4, Things, repacked),
    template("gathering", 5, Things, gathering),
];

fn give_away(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other, what) = (s.person(), s.person(), s.pick(COLLECTED));
    let (n, given) = (s.some(), s.some());
    let left = s.minus("Left", n, given)?;
    s.tell(format!("{} has {}.", who.name, s.count(n, what)));
    s.tell(format!("{} gives {given} of them to {}.", who.she, other.name));
    s.ask(format!("How many {} does {} have now?", what.many, who.name), left, Kind::Whole)
}

fn full_boxes(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what, holder) = (s.person(), s.pick(FOOD), s.pick(HOLDERS));
    let (holders, each) = (s.few(), s.some());
    let all = s.times("In all", holders, each)?;
    s.tell(format!("{} fills {} with {} each.", who.name, s.count(holders, holder), s.count(each, what)));
    s.ask(format!("How many {} are that in total?", what.many), all, Kind::Whole)
}

fn gain_and_give(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other, what) = (s.person(), s.person(), s.pick(COLLECTED));
    let (n, gained, given) = (s.some(), s.some(), s.some());
    let more = s.plus("With the new ones", n, gained)?;
    let left = s.minus("Left", more, given)?;
    s.tell(format!("{} had {}.", who.name, s.count(n, what)));
    s.tell(format!("For {} birthday {} got {gained} more.", who.her, who.she));
    s.tell(format!("Afterwards {} gave {given} to {}.", who.she, other.name));
    s.ask(format!("How many {} does {} have now?", what.many, who.name), left, Kind::Whole)
}

fn boxes_and_loose(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what, holder) = (s.person(), s.pick(FOOD), s.pick(HOLDERS));
    let (holders, each, loose) = (s.few(), s.number(4, 24), s.some());
    let packed = s.times("Packed", holders, each)?;
    let all = s.plus("In all", packed, loose)?;
    s.tell(format!("{} has {} with {} in each.", who.name, s.count(holders, holder), s.count(each, what)));
    s.tell(format!("In addition, {} on the table.", there(&s.count(loose, what), loose)));
    s.ask(format!("How many {} are there altogether?", what.many), all, Kind::Whole)
}

fn times_as_many(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other, what) = (s.person(), s.person(), s.pick(COLLECTED));
    let (n, times) = (s.some(), s.number(2, 9));
    let more = s.times(&format!("{} has", other.name), n, times)?;
    let all = s.plus("Together", n, more)?;
    s.tell(format!("{} has {}.", who.name, s.count(n, what)));
    s.tell(format!("{} has {} as many.", other.name, fold(times)));
    s.ask(
        format!("How many {} do {} and {} have together?", what.many, who.name, other.name),
        all,
        Kind::Whole,
    )
}

fn some_more_than(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other, what) = (s.person(), s.person(), s.pick(COLLECTED));
    let (n, extra) = (s.some(), s.some());
    let more = s.plus(&format!("{} has", other.name), n, extra)?;
    let all = s.plus("Together", n, more)?;
    s.tell(format!("{} collects {} and has {n} of them.", who.name, what.many));
    s.tell(format!("{} has {extra} more than {}.", other.name, who.name));
    s.ask(format!("How many {} do the two have together?", what.many), all, Kind::Whole)
}

fn equal_share(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other, what) = (s.person(), s.person(), s.pick(FOOD));
    let (people, each, first) = (s.few(), s.some(), s.some());
    let second = people * each - first;
    if people < 2 || second < 2 {
        return None;
    }
    let all = s.plus("Together", first, second)?;
    let share = s.over("Each", all, people)?;
    s.tell(format!(
        "{} brings {} to the picnic and {} brings {second}.",
        who.name,
        s.count(first, what),
        other.name
    ));
    s.tell(format!("All of them are shared equally among {}.", s.count(people, noun("guest", "guests"))));
    s.ask(format!("How many {} does each guest get?", what.many), share, Kind::Whole)
}

fn left_over(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what, holder) = (s.person(), s.pick(FOOD), s.pick(HOLDERS));
    let (n, eaten, each) = (s.some(), s.number(1, 12), s.number(3, 12));
    let kept = s.minus("Kept", n, eaten)?;
    let (_, rest) = s.divide(&format!("Full {}", holder.many), kept, each)?;
    s.tell(format!("{} has {}, and the family eats {eaten} of them.", who.name, s.count(n, what)));
    s.tell(format!(
        "{} packs the rest into {} of exactly {each} and fills as many as possible.",
        who.she, holder.many
    ));
    s.ask(format!("How many {} remain unpacked?", what.many), rest, Kind::Whole)
}

fn one_more_box(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what, holder) = (s.person(), s.pick(COLLECTED), s.pick(HOLDERS));
    let (n, each) = (s.some(), s.number(3, 24));
    let (full, _) = s.divide(&format!("Full {}", holder.many), n, each)?;
    let all = s.plus("With one for the rest", full, 1)?;
    s.tell(format!("{} wants to store {} in {}.", who.name, s.count(n, what), holder.many));
    s.tell(format!("No {} holds more than {each} of them.", holder.one));
    s.ask(
        format!("What is the smallest number of {} that {} needs?", holder.many, who.name),
        all,
        Kind::Whole,
    )
}

fn trade(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other) = (s.person(), s.person());
    let (give, get) = s.pick_two(COLLECTED);
    let (rate, gain, trades, had) = (s.number(2, 6), s.number(2, 6), s.few(), s.some());
    if rate == gain || trades < 2 {
        return None;
    }
    let given = rate * trades;
    let swaps = s.over("Swaps", given, rate)?;
    let gained = s.times("Gained", swaps, gain)?;
    let all = s.plus("In all", had, gained)?;
    s.tell(format!("{} has {} and wants more.", who.name, s.count(had, get)));
    s.tell(format!(
        "For every {} that {} hands over, {} gives {} {}.",
        s.count(rate, give),
        who.she,
        other.name,
        if who.she == "he" { "him" } else { "her" },
        s.count(gain, get)
    ));
    s.tell(format!("{} hands over {}.", who.name, s.count(given, give)));
    s.ask(format!("How many {} does {} have then?", get.many, who.name), all, Kind::Whole)
}

fn part_given(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other, what) = (s.person(), s.person(), s.pick(COLLECTED));
    let (parts, each, lost) = (s.number(2, 5), s.some(), s.some());
    let n = parts * each;
    let given = s.over("Given away", n, parts)?;
    let kept = s.minus("Kept", n, given)?;
    let left = s.minus("Left", kept, lost)?;
    let part = ["half", "a third", "a quarter", "a fifth"].get(usize::try_from(parts - 2).ok()?)?;
    s.tell(format!("{} owned {}.", who.name, s.count(n, what)));
    s.tell(format!("{} gave {part} of them to {}.", who.she, other.name));
    s.tell(format!("While moving house, {} lost {lost} of those that remained.", who.she));
    s.ask(format!("How many {} are left for {}?", what.many, who.name), left, Kind::Whole)
}

fn three_people(s: &mut Scene<'_>) -> Option<Story> {
    let (first, second, third, what) = (s.person(), s.person(), s.person(), s.pick(COLLECTED));
    let (n, times, fewer) = (s.some(), s.number(2, 6), s.some());
    let more = s.times(&format!("{} has", second.name), n, times)?;
    let less = s.minus(&format!("{} has", third.name), more, fewer)?;
    let two = s.plus(&format!("{} and {}", first.name, second.name), n, more)?;
    let all = s.plus("All three", two, less)?;
    s.tell(format!("{} has {}.", first.name, s.count(n, what)));
    s.tell(format!("{} has {} as many as {}.", second.name, fold(times), first.name));
    s.tell(format!("{} has {fewer} fewer than {}.", third.name, second.name));
    s.ask(format!("How many {} do the three of them have in total?", what.many), all, Kind::Whole)
}

fn albums(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), noun("photo", "photos"));
    let (albums, pages, each) = (s.few(), s.number(6, 40), s.number(2, 9));
    let (empty, loose) = (s.number(2, 30), s.some());
    let all_pages = s.times("Pages", albums, pages)?;
    let places = s.times("Places", all_pages, each)?;
    let placed = s.minus("Photos in albums", places, empty)?;
    let all = s.plus("In all", placed, loose)?;
    s.tell(format!(
        "{} owns {} of {} with room for {} on each page.",
        who.name,
        s.count(albums, noun("album", "albums")),
        s.count(pages, PAGE),
        s.count(each, what)
    ));
    s.tell(format!("Only {empty} places in them are still empty."));
    s.tell(format!("A drawer holds {} more.", s.count(loose, what)));
    s.ask(format!("How many photos does {} have?", who.she), all, Kind::Whole)
}

fn repacked(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(FOOD));
    let (crates, each, bad) = (s.few(), s.some(), s.number(2, 20));
    let (sold, size) = (s.some(), s.number(2, 12));
    let all = s.times("In all", crates, each)?;
    let good = s.minus("Good ones", all, bad)?;
    let kept = s.minus("Not sold yet", good, sold)?;
    let bags = s.over("Bags", kept, size)?;
    s.tell(format!(
        "{} receives {} with {} in each.",
        who.name,
        s.count(crates, noun("crate", "crates")),
        s.count(each, what)
    ));
    s.tell(format!("{} throws away {bad} that are bad and sells {sold} in the morning.", who.she));
    s.tell(format!("The rest goes into bags of {size}, and nothing remains."));
    s.ask(format!("How many bags does {} fill?", who.name), bags, Kind::Whole)
}

fn gathering(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other, what) = (s.person(), s.person(), s.pick(COLLECTED));
    let (first, second, days) = (s.number(5, 60), s.number(5, 60), s.number(5, 30));
    let (lost, friends) = (s.some(), s.number(1, 4));
    let daily = s.plus("In one day", first, second)?;
    let all = s.times("In all days", daily, days)?;
    let left = s.minus("Without the lost ones", all, lost)?;
    let people = s.plus("People who share", friends, 2)?;
    let each = s.over("Each", left, people)?;
    s.tell(format!(
        "On each of {days} days {} finds {} and {} finds {second}.",
        who.name,
        s.count(first, what),
        other.name
    ));
    s.tell(format!("They lose {lost} of them on the way home."));
    s.tell(format!("What is left they share equally with {}.", s.count(friends, FRIEND)));
    s.ask(format!("How many {} does each person get?", what.many), each, Kind::Whole)
}

/// "there is one pear" or "there are 4 pears".
fn there(counted: &str, n: i64) -> String {
    format!("there {} {counted}", if n == 1 { "is" } else { "are" })
}
