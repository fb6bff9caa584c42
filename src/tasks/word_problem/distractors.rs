//! Sentences with a number that has no part in the answer.

use super::super::draw::Draw;
use super::scene::Story;
use super::words::Person;

/// What a story or a sentence is about; a distractor never touches the story's own topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Things that no distractor speaks of.
    Things,
    Age,
    Distance,
    Reading,
    Percent,
    Weather,
    History,
    Clock,
}

const TOPICS: &[Topic] = &[
    Topic::Age,
    Topic::Distance,
    Topic::Reading,
    Topic::Percent,
    Topic::Weather,
    Topic::History,
    Topic::Clock,
];

/// A distractor on a topic that is not among `taken`, with its topic.
pub(super) fn distractor(taken: &[Topic], story: &Story, draw: &mut Draw) -> (Topic, String) {
    let free: Vec<Topic> = TOPICS.iter().copied().filter(|topic| !taken.contains(topic)).collect();
    let topic = *draw.pick(&free);
    let hero = story.hero.map(|person| person.name);
    let sentence = match topic {
        Topic::Things | Topic::Age => {
            let age = draw.between(58, 93);
            match story.hero {
                // Of the other sex, so that a pronoun in the next sentence cannot mean the wrong one.
                Some(Person { name, she: "she", .. }) => format!("{name}'s grandfather is {age} years old."),
                Some(Person { name, .. }) => format!("{name}'s grandmother is {age} years old."),
                None => format!("The oldest person in town is {age} years old."),
            }
        }
        Topic::Distance => {
            let place = draw.pick(&["library", "swimming pool", "post office", "bakery"]);
            format!("The {place} is {} km from the railway station.", draw.between(2, 19))
        }
        Topic::Reading => {
            let pages = draw.between(80, 480);
            match hero {
                Some(name) => format!("{name} has been reading a novel of {pages} pages this month."),
                None => format!("The manual on the shelf has {pages} pages."),
            }
        }
        Topic::Percent => match hero {
            Some(name) => format!("The battery of {name}'s phone is at {} percent.", draw.between(11, 97)),
            None => format!("The humidity of the air is {} percent.", draw.between(31, 89)),
        },
        Topic::Weather => {
            let month = draw.pick(&["January", "March", "June", "October", "November"]);
            format!("Last {month} it rained on {} days.", draw.between(2, 26))
        }
        Topic::History => {
            let place = draw.pick(&["town hall", "old bridge", "cinema", "train station"]);
            format!("The {place} was built in {}.", draw.between(1820, 2005))
        }
        Topic::Clock => {
            let place = draw.pick(&["museum", "pharmacy", "café at the corner"]);
            format!("The {place} closes at {} pm.", draw.between(4, 10))
        }
    };
    (topic, sentence)
}
