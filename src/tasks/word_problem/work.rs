//! Stories about wages, machines, gardens and kitchens.

use super::distractors::Topic::{Clock, Reading, Things, Weather};
use super::scene::{Cents, Kind, Scene, Story};
use super::words::{DAY, FOOD, HOUR, ROW, noun};
use super::{Template, template};

pub(super) const TEMPLATES: &[Template] = &[
    template("wages", 1, Clock, wages),
    template("planted_rows", 2, Weather, planted_rows),
    template("machine_output", 2, Things, machine_output),
    template("recipe", 2, Things, recipe),
    template("overtime", 3, Clock, overtime),
    template("two_workers", 3, Things, two_workers),
    template("fence", 3, Things, fence),
    template("tiles", 3, Things, tiles),
    template("orchard", 4, Weather, orchard),
    template("bake_sale", 4, Things, bake_sale),
    template("reading_plan", 3, Reading, reading_plan),
    template("factory_order", 5, Things, factory_order),
    template("farm_income", 6, Weather, farm_income),
];

fn wages(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (hours, rate) = (s.number(2, 40), s.dollars(9, 38));
    let pay = s.times("Pay", hours, rate)?;
    s.tell(format!("{} earns {rate} an hour.", who.name));
    s.ask(format!("How many dollars does {} earn in {}?", who.she, s.count(hours, HOUR)), pay, Kind::Dollars)
}

fn planted_rows(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(PLANTS));
    let (rows, each, dead) = (s.few(), s.some(), s.number(1, 20));
    let all = s.times("Planted", rows, each)?;
    let left = s.minus("Alive", all, dead)?;
    s.tell(format!("{} planted {} with {} in each row.", who.name, s.count(rows, ROW), s.count(each, what)));
    s.tell(format!("After a storm, {dead} of them had died."));
    s.ask(format!("How many {} were still alive?", what.many), left, Kind::Whole)
}

fn machine_output(s: &mut Scene<'_>) -> Option<Story> {
    let what = s.pick(PRODUCTS);
    let (rate, hours, days) = (s.some(), s.number(2, 16), s.number(2, 20));
    let daily = s.times("On one day", rate, hours)?;
    let all = s.times("In all", daily, days)?;
    s.tell(format!(
        "A machine makes {} per hour and runs for {} a day.",
        s.count(rate, what),
        s.count(hours, HOUR)
    ));
    s.ask(format!("How many {} does it make in {}?", what.many, s.count(days, DAY)), all, Kind::Whole)
}

fn recipe(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let what = s.pick(&["rice", "flour", "lentils", "pasta"]);
    let (people, each, guests) = (s.number(2, 6), s.number(6, 30) * 5, s.number(3, 30));
    if people == guests {
        return None;
    }
    let one = s.over("Grams for one", people * each, people)?;
    let all = s.times("Grams for all", one, guests)?;
    s.tell(format!(
        "A recipe for {} takes {} grams of {what}.",
        s.count(people, noun("person", "people")),
        people * each
    ));
    s.tell(format!("{} cooks it for {}.", who.name, s.count(guests, noun("person", "people"))));
    s.ask(format!("How many grams of {what} does {} need?", who.she), all, Kind::Whole)
}

fn overtime(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (hours, extra) = (s.number(10, 40), s.number(2, 12));
    let rate = s.dollars(10, 30);
    let higher = Cents(rate.0 + s.number(2, 15) * 100);
    let normal = s.times("Normal hours", hours, rate)?;
    let more = s.times("Overtime", extra, higher)?;
    let pay = s.plus("Together", normal, more)?;
    s.tell(format!("{} earns {rate} for a normal hour and {higher} for an hour of overtime.", who.name));
    s.tell(format!(
        "This week {} worked {} and {} of overtime.",
        who.she,
        s.count(hours, noun("normal hour", "normal hours")),
        s.count(extra, HOUR)
    ));
    s.ask(format!("How many dollars did {} earn this week?", who.name), pay, Kind::Dollars)
}

fn two_workers(s: &mut Scene<'_>) -> Option<Story> {
    let (first, second, what) = (s.person(), s.person(), s.pick(PRODUCTS));
    let (a, b, hours, bad) = (s.number(3, 30), s.number(3, 30), s.number(2, 9), s.number(2, 25));
    let rate = s.plus("Together in an hour", a, b)?;
    let all = s.times("Made", rate, hours)?;
    let good = s.minus("Good ones", all, bad)?;
    s.tell(format!("Each hour {} makes {} and {} makes {b}.", first.name, s.count(a, what), second.name));
    s.tell(format!(
        "They work side by side for {}; {bad} of the {} fail the final check.",
        s.count(hours, HOUR),
        what.many
    ));
    s.ask(format!("How many {} pass the check?", what.many), good, Kind::Whole)
}

fn fence(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (length, width, price) = (s.number(5, 60), s.number(4, 40), s.price());
    if width > length {
        return None;
    }
    let half = s.plus("Length and width", length, width)?;
    let around = s.times("All sides", half, 2)?;
    let cost = s.times("Cost", around, price)?;
    s.tell(format!("{}'s garden is a rectangle, {length} metres long and {width} metres wide.", who.name));
    s.tell(format!("A fence around all of it costs {price} per metre."));
    s.ask(format!("How many dollars does {} pay for the fence?", who.name), cost, Kind::Dollars)
}

fn tiles(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (length, width, size) = (s.number(4, 40), s.number(3, 25), s.number(6, 24));
    let all = s.times("Tiles", length, width)?;
    let (full, _) = s.divide("Full boxes", all, size)?;
    let boxes = s.plus("With one for the rest", full, 1)?;
    s.tell(format!(
        "{} covers a floor with square tiles, {length} in one direction and {width} in the other.",
        who.name
    ));
    s.tell(format!("Tiles come only in whole boxes of {size}."));
    s.ask(format!("How many boxes does {} have to buy?", who.she), boxes, Kind::Whole)
}

fn orchard(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let what = s.pick(&[
        noun("apple tree", "apple trees"),
        noun("pear tree", "pear trees"),
        noun("plum tree", "plum trees"),
    ]);
    let (rows, each, young, kilograms) = (s.few(), s.number(4, 40), s.number(2, 12), s.number(10, 60));
    let weight = s.pick(&[2, 4, 5, 10]);
    let all = s.times("Trees", rows, each)?;
    let bearing = s.minus("Trees with fruit", all, young)?;
    let harvest = s.times("Kilograms", bearing, kilograms)?;
    let crates = s.over("Crates", harvest, weight)?;
    s.tell(format!("{}'s orchard has {} with {} each.", who.name, s.count(rows, ROW), s.count(each, what)));
    s.tell(format!(
        "{young} of the trees are too young to bear fruit; each of the others gives {kilograms} kg."
    ));
    s.tell(format!("The fruit is sold in crates of {weight} kg."));
    s.ask(format!("How many crates does {} fill?", who.she), crates, Kind::Whole)
}

fn bake_sale(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(&FOOD[4..6]));
    let (trays, each, burnt, size, price) =
        (s.few(), s.number(6, 30), s.number(2, 10), s.number(2, 6), s.small_price());
    let all = s.times("Baked", trays, each)?;
    let good = s.minus("Good ones", all, burnt)?;
    let bags = s.over("Bags", good, size)?;
    let taken = s.times("Taken in", bags, price)?;
    s.tell(format!(
        "For the school fair {} bakes {} of {each} {}.",
        who.name,
        s.count(trays, noun("tray", "trays")),
        what.many
    ));
    s.tell(format!("{burnt} of them burn, and the others are sold in bags of {size} for {price} a bag."));
    s.ask("How many dollars come in when every bag is sold?", taken, Kind::Dollars)
}

fn reading_plan(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (first, days, left, daily) = (s.number(8, 40), s.number(2, 9), s.number(2, 10), s.number(8, 45));
    let pages = first * days + left * daily;
    let read = s.times("Read", first, days)?;
    let rest = s.minus("Left", pages, read)?;
    let answer = s.over("Each day", rest, left)?;
    s.tell(format!("{} has borrowed a book of {pages} pages.", who.name));
    s.tell(format!("For {} {} has read {first} pages a day.", s.count(days, DAY), who.she));
    s.tell(format!("The book has to be back in {}.", s.count(left, DAY)));
    s.ask(format!("How many pages must {} read on each of the days that are left, always the same number, to finish it?", who.name), answer, Kind::Whole)
}

fn factory_order(s: &mut Scene<'_>) -> Option<Story> {
    let what = s.pick(PRODUCTS);
    let (old, new, extra, hours) = (s.number(2, 9), s.number(2, 9), s.number(5, 40), s.number(4, 90));
    let rate = s.some();
    let faster = s.plus("A new machine in an hour", rate, extra)?;
    let a = s.times("Old machines in an hour", old, rate)?;
    let b = s.times("New machines in an hour", new, faster)?;
    let all = s.plus("All in an hour", a, b)?;
    let made = s.times("Made", all, hours)?;
    s.tell(format!(
        "A factory has {} that make {} an hour each.",
        s.count(old, noun("old machine", "old machines")),
        s.count(rate, what)
    ));
    s.tell(format!(
        "Its {} make {extra} more an hour each than an old one.",
        s.count(new, noun("new machine", "new machines"))
    ));
    s.tell(format!("For a large order all of them run for {} in total.", s.count(hours, HOUR)));
    s.ask(format!("How many {} are made?", what.many), made, Kind::Whole)
}

fn farm_income(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (hens, eggs, own, weeks) = (s.number(6, 60), s.number(3, 6), s.number(4, 20), s.number(2, 9));
    let (feed, price) = (s.dollars(5, 20), s.small_price());
    let laid = s.times("Eggs in a week", hens, eggs)?;
    let sold = s.minus("Sold in a week", laid, own)?;
    let boxes = s.over("Boxes in a week", sold, 6)?;
    let taken = s.times("Taken in in a week", boxes, price)?;
    let profit = s.minus("Profit in a week", taken, feed)?;
    let all = s.times("In all weeks", profit, weeks)?;
    s.tell(format!(
        "{} keeps {}, and each lays {eggs} eggs a week.",
        who.name,
        s.count(hens, noun("hen", "hens"))
    ));
    s.tell(format!("Every week {} keeps {own} eggs for the family and sells the others in boxes of six for {price} a box.", who.she));
    s.tell(format!("Feed costs {feed} a week."));
    s.ask(
        format!(
            "How many dollars of profit does {} make in {}?",
            who.name,
            s.count(weeks, super::words::WEEK)
        ),
        all,
        Kind::Dollars,
    )
}

const PLANTS: &[super::words::Noun] = &[
    noun("tulip", "tulips"),
    noun("rose bush", "rose bushes"),
    noun("lettuce plant", "lettuce plants"),
    noun("cabbage", "cabbages"),
    noun("tomato plant", "tomato plants"),
];

const PRODUCTS: &[super::words::Noun] = &[
    noun("bolt", "bolts"),
    noun("bottle", "bottles"),
    noun("chair leg", "chair legs"),
    noun("lamp", "lamps"),
    noun("toy", "toys"),
    noun("zip", "zips"),
];
