//! Stories about ages, time, volumes and ratios.

use super::distractors::Topic::{Age, Clock, Things, Weather};
use super::scene::{Kind, Scene, Story};
use super::words::{MINUTE, YEAR, noun};
use super::{Template, template};

pub(super) const TEMPLATES: &[Template] = &[
    template("older_sibling", 1, Age, older_sibling),
    template("age_at_birth", 2, Age, age_at_birth),
    template("ages_together", 4, Age, ages_together),
    template("lessons", 3, Clock, lessons),
    template("water_tank", 3, Weather, water_tank),
    template("ratio_share", 3, Things, ratio_share),
    template("rope_pieces", 3, Things, rope_pieces),
    template("medicine_days", 2, Clock, medicine_days),
    template("screen_time", 4, Clock, screen_time),
    template("juice_bottles", 4, Things, juice_bottles),
    template("ratio_of_three", 5, Things, ratio_of_three),
];

fn older_sibling(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other) = (s.person(), s.person());
    let (age, gap) = (s.number(4, 15), s.number(2, 9));
    let answer = s.plus("Age", age, gap)?;
    s.tell(format!("{} is {age} years old.", who.name));
    s.tell(format!("{} is {} older.", other.name, s.count(gap, YEAR)));
    s.ask(format!("How old is {}?", other.name), answer, Kind::Whole)
}

fn age_at_birth(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let parent = s.pick(&["mother", "father"]);
    let (age, times) = (s.number(4, 18), s.number(3, 9));
    let now = s.times("The parent's age", age, times)?;
    let then = s.minus("At the birth", now, age)?;
    if !(20..=45).contains(&then.whole()?) {
        return None;
    }
    s.tell(format!("{} is {age} years old, and {} {parent} is {times} times as old.", who.name, who.her));
    s.ask(format!("How old was the {parent} when {} was born?", who.name), then, Kind::Whole)
}

fn ages_together(s: &mut Scene<'_>) -> Option<Story> {
    let (first, second) = (s.person(), s.person());
    let (age, gap, years) = (s.number(3, 40), s.number(2, 12), s.number(2, 15));
    let older = s.plus(&format!("{} now", second.name), age, gap)?;
    let one = s.plus(&format!("{} later", first.name), age, years)?;
    let two = s.plus(&format!("{} later", second.name), older, years)?;
    let sum = s.plus("Together", one, two)?;
    s.tell(format!("{} is {age} years old and {} is {} older.", first.name, second.name, s.count(gap, YEAR)));
    s.ask(format!("What will be the sum of their ages in {}?", s.count(years, YEAR)), sum, Kind::Whole)
}

fn lessons(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (n, minutes, rest) = (s.number(3, 9), s.number(6, 18) * 5, s.number(1, 6) * 5);
    let taught = s.times("Lessons", n, minutes)?;
    let breaks = s.times("Breaks", n - 1, rest)?;
    let all = s.plus("Together", taught, breaks)?;
    s.tell(format!(
        "{} has {n} lessons of {} in a row, with a break of {} between one lesson and the next.",
        who.name,
        s.count(minutes, MINUTE),
        s.count(rest, MINUTE)
    ));
    s.ask(
        "How many minutes pass from the start of the first lesson to the end of the last?",
        all,
        Kind::Whole,
    )
}

fn water_tank(s: &mut Scene<'_>) -> Option<Story> {
    let (inflow, leak, minutes, already) =
        (s.number(8, 60), s.number(2, 20), s.number(4, 60), s.number(10, 300));
    if leak >= inflow {
        return None;
    }
    let capacity = already + (inflow - leak) * minutes;
    let missing = s.minus("Missing litres", capacity, already)?;
    let gain = s.minus("Gain in a minute", inflow, leak)?;
    let time = s.over("Minutes", missing, gain)?;
    s.tell(format!("A tank for {capacity} litres holds {already} litres of water."));
    s.tell(format!(
        "A pump brings in {inflow} litres a minute, but {leak} litres a minute run out through a leak."
    ));
    s.ask("How many minutes does it take until the tank is full?", time, Kind::Whole)
}

fn ratio_share(s: &mut Scene<'_>) -> Option<Story> {
    let (first, second) = (s.person(), s.person());
    let (a, b, each) = (s.number(2, 9), s.number(1, 9), s.dollars(3, 60));
    if a == b || gcd(a, b) != 1 {
        return None;
    }
    let total = super::scene::Cents(each.0 * (a + b));
    let parts = s.plus("Parts", a, b)?;
    let one = s.share("One part", total, parts)?;
    let answer = s.times(&format!("{}'s part", first.name), one, a)?;
    s.tell(format!("{} and {} share {total} in the ratio {a} to {b}.", first.name, second.name));
    s.ask(format!("How many dollars does {} get?", first.name), answer, Kind::Dollars)
}

fn rope_pieces(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (metres, used, piece) = (s.number(2, 30), s.number(3, 19) * 5, s.number(2, 10) * 5);
    let all = s.times("Centimetres", metres, 100)?;
    let left = s.minus("Left", all, used)?;
    let pieces = s.over("Pieces", left, piece)?;
    s.tell(format!("{} has {metres} metres of rope and cuts off {used} centimetres for a knot.", who.name));
    s.tell(format!("The rest is cut into pieces of {piece} centimetres, and nothing remains."));
    s.ask(format!("How many such pieces does {} get?", who.she), pieces, Kind::Whole)
}

fn medicine_days(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (daily, each, days) = (s.number(2, 4), s.number(1, 3), s.number(3, 30));
    let n = daily * each * days;
    let used = s.times("In one day", daily, each)?;
    let answer = s.over("Days", n, used)?;
    s.tell(format!(
        "{} takes {} of a medicine {daily} times a day.",
        who.name,
        s.count(each, noun("tablet", "tablets"))
    ));
    s.tell(format!(
        "The pharmacy gave {} a bottle of {n} tablets.",
        if who.she == "he" { "him" } else { "her" }
    ));
    s.ask("For how many days does the bottle last?", answer, Kind::Whole)
}

fn screen_time(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (school, weekend, limit) = (s.number(3, 18) * 5, s.number(6, 36) * 5, s.number(8, 24));
    let five = s.times("From Monday to Friday", 5, school)?;
    let two = s.times("At the weekend", 2, weekend)?;
    let all = s.plus("In the week", five, two)?;
    let allowed = limit * 60;
    let left = s.minus("Left", allowed, all)?;
    s.tell(format!("{} may spend {allowed} minutes a week on computer games.", who.name));
    s.tell(format!(
        "Last week {} played for {} on each day from Monday to Friday and for {} on each day of the weekend.",
        who.she,
        s.count(school, MINUTE),
        s.count(weekend, MINUTE)
    ));
    s.ask("How many of the allowed minutes were left?", left, Kind::Whole)
}

fn juice_bottles(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (litres, glasses, size, bottle) =
        (s.number(2, 30), s.number(3, 20), s.number(2, 5) * 50, s.number(2, 8) * 50);
    let all = s.times("Millilitres", litres, 1_000)?;
    let drunk = s.times("Drunk", glasses, size)?;
    let left = s.minus("Left", all, drunk)?;
    let bottles = s.over("Bottles", left, bottle)?;
    s.tell(format!("{} has pressed {litres} litres of juice.", who.name));
    s.tell(format!("The guests drink {} of {size} millilitres.", s.count(glasses, noun("glass", "glasses"))));
    s.tell(format!("The rest just fills bottles of {bottle} millilitres."));
    s.ask("How many bottles are filled?", bottles, Kind::Whole)
}

fn ratio_of_three(s: &mut Scene<'_>) -> Option<Story> {
    let what = s.pick(&["concrete", "trail mix", "potting soil"]);
    let (a, b, c, each) = (s.number(1, 6), s.number(1, 6), s.number(1, 6), s.number(4, 90));
    let (first, second, third) = match what {
        "concrete" => ("gravel", "sand", "cement"),
        "trail mix" => ("raisins", "nuts", "seeds"),
        _ => ("compost", "bark", "sand"),
    };
    if a <= c || gcd(gcd(a, b), c) != 1 {
        return None;
    }
    let total = each * (a + b + c);
    let two = s.plus("Parts of the first two", a, b)?;
    let parts = s.plus("All parts", two, c)?;
    let one = s.over("One part", total, parts)?;
    let more = s.minus("Parts between them", a, c)?;
    let answer = s.times("Difference", one, more)?;
    s.tell(format!(
        "For {what} one mixes {first}, {second} and {third} in the ratio {a} to {b} to {c} by weight."
    ));
    s.tell(format!("A load of it weighs {total} kg."));
    s.ask(format!("How many kilograms more {first} than {third} does it contain?"), answer, Kind::Whole)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
