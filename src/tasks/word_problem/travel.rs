//! Stories about ways, speeds and fuel.

use super::distractors::Topic::Distance;
use super::scene::{Kind, Scene, Story};
use super::words::{DAY, HOUR, MINUTE, WEEK, noun};
use super::{Template, template};

pub(super) const TEMPLATES: &[Template] = &[
    template("constant_speed", 1, Distance, constant_speed),
    template("way_left", 2, Distance, way_left),
    template("apart", 2, Distance, apart),
    template("two_legs", 3, Distance, two_legs),
    template("round_trips", 3, Distance, round_trips),
    template("with_break", 3, Distance, with_break),
    template("fuel_cost", 4, Distance, fuel_cost),
    template("relay", 5, Distance, relay),
];

fn constant_speed(s: &mut Scene<'_>) -> Option<Story> {
    let vehicle = s.pick(&["bus", "train", "lorry"]);
    let (speed, hours) = (s.number(6, 24) * 5, s.number(2, 9));
    let way = s.times("Distance", speed, hours)?;
    s.tell(format!("A {vehicle} travels at a steady {speed} km per hour."));
    s.ask(format!("How many kilometres does it cover in {}?", s.count(hours, HOUR)), way, Kind::Whole)
}

fn way_left(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (speed, hours, total) = (s.number(8, 25) * 4, s.number(2, 6), s.number(15, 80) * 10);
    let driven = s.times("Driven", speed, hours)?;
    let left = s.minus("Left", total, driven)?;
    s.tell(format!("{}'s holiday home is {total} km away.", who.name));
    s.tell(format!("{} has driven for {} at {speed} km per hour.", who.she, s.count(hours, HOUR)));
    s.ask(format!("How many kilometres are still ahead of {}?", who.name), left, Kind::Whole)
}

fn apart(s: &mut Scene<'_>) -> Option<Story> {
    let (first, second) = (s.person(), s.person());
    let (a, b, hours) = (s.number(10, 30), s.number(10, 30), s.number(2, 6));
    let together = s.plus("Kilometres per hour together", a, b)?;
    let way = s.times("Distance", together, hours)?;
    s.tell(format!(
        "{} and {} start at the same bridge and cycle in opposite directions on a straight road.",
        first.name, second.name
    ));
    s.tell(format!("{} rides at {a} km per hour and {} at {b} km per hour.", first.name, second.name));
    s.ask(format!("How many kilometres lie between them after {}?", s.count(hours, HOUR)), way, Kind::Whole)
}

fn two_legs(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (fast, slow) = (s.number(12, 24) * 5, s.number(5, 11) * 5);
    let (first, second) = (s.number(2, 8), s.number(2, 8));
    let left = s.times("On the motorway", fast, first)?;
    let right = s.times("On the country road", slow, second)?;
    let way = s.plus("Together", left, right)?;
    s.tell(format!(
        "{} drives on the motorway for {} at {fast} km per hour.",
        who.name,
        s.count(first, HOUR)
    ));
    s.tell(format!(
        "Then {} drives on a country road for {} at {slow} km per hour.",
        who.she,
        s.count(second, HOUR)
    ));
    s.ask("How many kilometres long is the whole trip?", way, Kind::Whole)
}

fn round_trips(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (way, days, weeks) = (s.number(3, 45), s.number(2, 6), s.number(2, 12));
    let daily = s.times("On one day", way, 2)?;
    let weekly = s.times("In one week", daily, days)?;
    let all = s.times("In all", weekly, weeks)?;
    s.tell(format!(
        "{} lives {way} km from work and goes there and back on {} a week.",
        who.name,
        s.count(days, DAY)
    ));
    s.ask(
        format!("How many kilometres does {} travel to and from work in {}?", who.she, s.count(weeks, WEEK)),
        all,
        Kind::Whole,
    )
}

fn with_break(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (speed, hours, rest) = (s.number(12, 25), s.number(2, 7), s.number(2, 12) * 5);
    let way = speed * hours;
    let riding = s.over("Hours of riding", way, speed)?;
    let minutes = s.times("Minutes of riding", riding, 60)?;
    let all = s.plus("With the break", minutes, rest)?;
    s.tell(format!("{} cycles {way} km at a steady {speed} km per hour.", who.name));
    s.tell(format!("On the way {} rests once for {}.", who.she, s.count(rest, MINUTE)));
    s.ask("How many minutes does the whole tour take, including the rest?", all, Kind::Whole)
}

fn fuel_cost(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (per_litre, litres) = (s.number(9, 22), s.number(8, 60));
    let price = super::scene::Cents(s.number(24, 45) * 5);
    let (toll, seats) = (s.dollars(2, 30), s.number(2, 5));
    let way = per_litre * litres;
    let used = s.over("Litres", way, per_litre)?;
    let fuel = s.times("Fuel", used, price)?;
    let cost = s.plus("With the toll", fuel, toll)?;
    let each = s.share("Each", cost, seats)?;
    s.tell(format!(
        "{}'s car goes {per_litre} km on one litre of petrol, which costs {price} per litre.",
        who.name
    ));
    s.tell(format!("A trip of {way} km also costs {toll} in tolls."));
    s.tell(format!(
        "All {} in the car, {} among them, pay equal shares of petrol and tolls.",
        s.count(seats, noun("person", "people")),
        who.name
    ));
    s.ask("How many dollars does each of them pay?", each, Kind::Dollars)
}

fn relay(s: &mut Scene<'_>) -> Option<Story> {
    let (first, second) = (s.person(), s.person());
    let (a, b, laps, more) = (s.number(2, 9), s.number(2, 9), s.number(3, 20), s.number(2, 12));
    let metres = s.number(4, 16) * 50;
    let one = s.times(&format!("{}'s laps", first.name), laps, a)?;
    let each = s.plus(&format!("{}'s laps a day", second.name), laps, more)?;
    let two = s.times(&format!("{}'s laps", second.name), each, b)?;
    let all = s.plus("All laps", one, two)?;
    let way = s.times("Metres", all, metres)?;
    s.tell(format!("A track is {metres} metres long."));
    s.tell(format!(
        "{} runs {} on each of {}.",
        first.name,
        s.count(laps, noun("lap", "laps")),
        s.count(a, DAY)
    ));
    s.tell(format!(
        "{} runs {more} more laps a day than {}, on {}.",
        second.name,
        first.name,
        s.count(b, DAY)
    ));
    s.ask("How many metres do the two run in total?", way, Kind::Whole)
}
