//! Stories about buying, selling and saving.

use super::distractors::Topic::{Percent, Things};
use super::scene::{Cents, Kind, Scene, Story};
use super::words::{COLLECTED, FOOD, FRIEND, GOODS, HOLDERS, WEEK, a, noun};
use super::{Template, template};

pub(super) const TEMPLATES: &[Template] = &[
    template("several_of_one", 1, Things, several_of_one),
    template("price_of_one", 1, Things, price_of_one),
    template("change_from_note", 2, Things, change_from_note),
    template("two_kinds", 3, Things, two_kinds),
    template("discount", 4, Percent, discount),
    template("one_free", 3, Things, one_free),
    template("saving_up", 2, Things, saving_up),
    template("cheaper_shop", 2, Things, cheaper_shop),
    template("split_bill", 3, Things, split_bill),
    template("market_stall", 5, Things, market_stall),
    template("pack_or_single", 3, Things, pack_or_single),
    template("family_tickets", 4, Things, family_tickets),
    template("resale_profit", 6, Things, resale_profit),
];

fn several_of_one(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(GOODS));
    let (n, price) = (s.few(), s.price());
    let total = s.times("Total", n, price)?;
    s.tell(format!("{} buys {} for {price} each.", who.name, s.count(n, what)));
    s.ask(format!("How many dollars does {} pay?", who.she), total, Kind::Dollars)
}

fn price_of_one(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(GOODS));
    let (n, price) = (s.few(), s.price());
    let total = Cents(n * price.0);
    let one = s.share("One costs", total, n)?;
    s.tell(format!("{} pays {total} for {}, all at the same price.", who.name, s.count(n, what)));
    s.ask(format!("How many dollars does one {} cost?", what.one), one, Kind::Dollars)
}

fn change_from_note(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(GOODS));
    let (n, price) = (s.few(), s.price());
    let note = Cents(s.pick(&[1_000, 2_000, 5_000, 10_000]));
    let total = s.times("Total", n, price)?;
    let change = s.minus("Change", note, total)?;
    s.tell(format!("At the shop {} chooses {} that cost {price} each.", who.name, s.count(n, what)));
    s.tell(format!("{} pays with a {note} note.", who.she));
    s.ask(format!("How many dollars does {} get back?", who.name), change, Kind::Dollars)
}

fn two_kinds(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (first, second) = s.pick_two(GOODS);
    let (n, m, price, second_price) = (s.few(), s.few(), s.price(), s.price());
    let left = s.times(&format!("The {}", first.many), n, price)?;
    let right = s.times(&format!("The {}", second.many), m, second_price)?;
    let total = s.plus("Together", left, right)?;
    s.tell(format!(
        "{} needs {} at {price} each and {} at {second_price} each.",
        who.name,
        s.count(n, first),
        s.count(m, second)
    ));
    s.ask("How many dollars does all of it cost?", total, Kind::Dollars)
}

fn discount(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(GOODS));
    let n = s.few();
    let price = s.price();
    let percent = s.number(1, 10) * 5;
    let total = s.times("Before the discount", n, price)?;
    let part = s.fraction("The discount as a part", percent, 100)?;
    let left = s.minus("What is paid of each dollar", 1, part)?;
    let paid = total.times(left)?;
    if !paid.is_hundredths() {
        return None;
    }
    s.times("After the discount", total, left)?;
    s.tell(format!("A shop takes {percent} percent off everything."));
    s.tell(format!("{} buys {} whose normal price is {price} each.", who.name, s.count(n, what)));
    s.ask(format!("How many dollars does {} pay?", who.name), paid, Kind::Dollars)
}

fn one_free(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(FOOD));
    let (paid, groups, price) = (s.number(2, 5), s.few(), s.small_price());
    let n = groups * (paid + 1);
    let offers = s.over("Offers used", n, paid + 1)?;
    let counted = s.times(&format!("{} that are paid", capital(what.many)), offers, paid)?;
    let total = s.times("Total", counted, price)?;
    s.tell(format!(
        "At a bakery stand, whoever pays for {} gets one more {} for free.",
        s.count(paid, what),
        what.one
    ));
    s.tell(format!("One {} costs {price}.", what.one));
    s.tell(format!(
        "{} wants to take home {} in all and uses the offer as often as possible.",
        who.name,
        s.count(n, what)
    ));
    s.ask(format!("How many dollars does {} pay?", who.she), total, Kind::Dollars)
}

fn saving_up(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let goal = s.pick(&["bicycle", "guitar", "telescope", "tablet", "sewing machine"]);
    let (saved, weekly, weeks) = (s.dollars(10, 90), s.dollars(4, 30), s.few());
    let cost = Cents(saved.0 + weekly.0 * weeks);
    let missing = s.minus("Still missing", cost, saved)?;
    let answer = s.over("Weeks", missing, weekly)?;
    s.tell(format!("{} wants to buy {} that costs {cost}.", who.name, a(goal)));
    s.tell(format!("{} has {saved} already and saves {weekly} each week.", who.she));
    s.ask(format!("How many {} does {} have to save?", WEEK.many, who.name), answer, Kind::Whole)
}

fn cheaper_shop(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(GOODS));
    let (n, low) = (s.few(), s.price());
    let high = s.price_above(low);
    let gap = s.minus("Difference for one", high, low)?;
    let saved = s.times("Difference for all", gap, n)?;
    s.tell(format!(
        "In the city centre {} costs {high}; in the suburb the same one costs {low}.",
        a(what.one)
    ));
    s.tell(format!("{} needs {}.", who.name, s.count(n, what)));
    s.ask(
        format!("How many dollars does {} save by buying all of them in the suburb?", who.she),
        saved,
        Kind::Dollars,
    )
}

fn split_bill(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let friends = s.number(2, 5);
    let (food, drinks) = (s.dollars(20, 90), s.price());
    let bill = s.plus("The bill", food, drinks)?;
    let people = s.plus("People", friends, 1)?;
    let each = s.share("Each", bill, people)?;
    s.tell(format!("{} eats out with {}.", who.name, s.count(friends, FRIEND)));
    s.tell(format!("The food costs {food} and the drinks cost {drinks}."));
    s.tell("They all pay the same share.");
    s.ask("How many dollars does each of them pay?", each, Kind::Dollars)
}

fn market_stall(s: &mut Scene<'_>) -> Option<Story> {
    let (who, other) = (s.person(), s.person());
    let (first, second) = s.pick_two(FOOD);
    let (n, m, price, second_price) = (s.some(), s.some(), s.small_price(), s.small_price());
    let fee = s.dollars(5, 40);
    let left = s.times(&format!("From the {}", first.many), n, price)?;
    let right = s.times(&format!("From the {}", second.many), m, second_price)?;
    let taken = s.plus("Taken in", left, right)?;
    let profit = s.minus("After the fee", taken, fee)?;
    let half = s.share("Each", profit, 2)?;
    s.tell(format!("{} and {} run a market stall together.", who.name, other.name));
    s.tell(format!(
        "On Saturday they sell {} at {price} each and {} at {second_price} each.",
        s.count(n, first),
        s.count(m, second)
    ));
    s.tell(format!("The place costs them {fee}, and they share what is left equally."));
    s.ask(format!("How many dollars does {} get?", who.name), half, Kind::Dollars)
}

fn pack_or_single(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what) = (s.person(), s.pick(COLLECTED));
    let (size, packs, single) = (s.number(3, 10), s.few(), s.small_price());
    // The pack costs as much as some of the pieces in it, at least half.
    let pack = Cents(single.0 * (size - s.number(1, size / 2)));
    let n = size * packs;
    let singly = s.times("Bought singly", n, single)?;
    let in_packs = s.times("Bought in packs", packs, pack)?;
    let saved = s.minus("Saved", singly, in_packs)?;
    s.tell(format!("{} needs {}.", who.name, s.count(n, what)));
    s.tell(format!(
        "One {} costs {single}, and a pack of {size} costs {pack}, so {} buys {}.",
        what.one,
        who.she,
        s.count(packs, noun("pack", "packs"))
    ));
    s.ask("How many dollars does that save compared with buying them one by one?", saved, Kind::Dollars)
}

fn family_tickets(s: &mut Scene<'_>) -> Option<Story> {
    let who = s.person();
    let (adults, children) = (s.number(2, 6), s.number(2, 9));
    let child = s.price();
    let adult = s.price_above(child);
    let note = Cents(s.pick(&[10_000, 20_000, 50_000]));
    let left = s.times("Adults", adults, adult)?;
    let right = s.times("Children", children, child)?;
    let total = s.plus("Together", left, right)?;
    let change = s.minus("Change", note, total)?;
    let place = s.pick(&["zoo", "planetarium", "aquarium", "castle"]);
    s.tell(format!("Tickets for the {place} cost {adult} for an adult and {child} for a child."));
    s.tell(format!(
        "{} buys tickets for {} and {} and pays with {note}.",
        who.name,
        s.count(adults, noun("adult", "adults")),
        s.count(children, noun("child", "children"))
    ));
    s.ask(format!("How many dollars of change does {} get?", who.she), change, Kind::Dollars)
}

fn resale_profit(s: &mut Scene<'_>) -> Option<Story> {
    let (who, what, holder) = (s.person(), s.pick(FOOD), s.pick(HOLDERS));
    let (holders, each, cost) = (s.few(), s.number(6, 30), s.dollars(2, 30));
    let spoiled = s.number(1, 20);
    let (price, helpers) = (s.small_price(), s.pick(&[1, 3, 4]));
    let paid = s.times("Paid", holders, cost)?;
    let all = s.times(&format!("All {}", what.many), holders, each)?;
    let good = s.minus("Good ones", all, spoiled)?;
    let taken = s.times("Taken in", good, price)?;
    let profit = s.minus("Profit", taken, paid)?;
    let per = s.share("Each", profit, helpers + 1)?;
    s.tell(format!(
        "{} bought {} of {} at {cost} per {}; each held {each}.",
        who.name,
        s.count(holders, holder),
        what.many,
        holder.one
    ));
    s.tell(format!(
        "{} turned out to be spoiled, and {} sold all the others for {price} apiece.",
        s.count(spoiled, what),
        who.she
    ));
    s.tell(format!("{} and {} shared the profit equally.", who.name, s.count(helpers, FRIEND)));
    s.ask(format!("How many dollars did {} keep?", who.name), per, Kind::Dollars)
}

fn capital(text: &str) -> String {
    super::scene::capitalised(text)
}
