//! A backtracking matcher for the patterns that Math-Verify is defined by: look-around and bounded lazy
//! repetition, which the linear-time engine does not have. The first way to match counts, as in Python's
//! `re`.
//!
//! Patterns are constants of this crate. The work on a text is bounded by a [`Budget`] that all patterns of a
//! verdict share; when it is spent nothing more is found.
//!
//! Syntax: characters, `.` (any at all), classes, `\d` (ASCII), `\s`, `\b`, `^`, `$` (the ends of the text),
//! `(?:…)`, `(?<name>…)`, `(?i:…)`, `(?=…)`, `(?!…)`, `(?<!…)` for one character, and `* + ? {m,n}`, each
//! lazy with `?`. Groups of one name share their place; the last one that took part counts.

use super::syntax::{self, Node, Set};

/// Steps that may still be made.
#[derive(Debug)]
pub(super) struct Budget(pub(super) u32);

impl Budget {
    pub(super) fn spend(&mut self, steps: u32) -> bool {
        self.0 = self.0.saturating_sub(steps);
        self.0 > 0
    }
}

#[derive(Debug)]
enum Step {
    One(Set),
    /// Go on at the first, and come back for the second.
    Fork(usize, usize),
    Jump(usize),
    Save(usize),
    /// What follows up to `Accept` must match here, or must not; then go on at `next`.
    Ahead {
        wanted: bool,
        next: usize,
    },
    NotAfter(Set),
    Boundary,
    Start,
    End,
    Accept,
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    steps: Vec<Step>,
    names: Vec<String>,
    /// What a match can begin with, if that is known.
    first: Option<Vec<Set>>,
}

/// A match: its span and those of its groups, in characters.
#[derive(Clone, Debug)]
pub(super) struct Found {
    places: Vec<Option<usize>>,
}

impl Found {
    pub(super) fn start(&self) -> usize {
        self.places.first().copied().flatten().unwrap_or_default()
    }

    pub(super) fn end(&self) -> usize {
        self.places.get(1).copied().flatten().unwrap_or_default()
    }
}

impl Pattern {
    /// Compiles a constant of this crate.
    pub(super) fn new(source: &str) -> Self {
        let (node, names) = syntax::read(source).expect("the pattern is a constant, a failure is a bug");
        let mut pattern = Self { steps: Vec::new(), names, first: None };
        pattern.emit(&node);
        pattern.steps.push(Step::Accept);
        pattern.first = pattern.beginnings();
        pattern
    }

    fn emit(&mut self, node: &Node) {
        match node {
            Node::One(set) => self.steps.push(Step::One(set.clone())),
            Node::Sequence(nodes) => nodes.iter().for_each(|node| self.emit(node)),
            Node::Either(nodes) => self.emit_either(nodes),
            Node::Repeat { node, least, most, lazy } => {
                for _ in 0..*least {
                    self.emit(node);
                }
                match most {
                    None => {
                        let fork = self.placeholder();
                        self.emit(node);
                        self.steps.push(Step::Jump(fork));
                        self.fork(fork, fork + 1, self.steps.len(), *lazy);
                    }
                    Some(most) => {
                        let forks: Vec<usize> = (*least..*most)
                            .map(|_| {
                                let fork = self.placeholder();
                                self.emit(node);
                                fork
                            })
                            .collect();
                        for fork in forks {
                            self.fork(fork, fork + 1, self.steps.len(), *lazy);
                        }
                    }
                }
            }
            Node::Group(index, node) => {
                self.steps.push(Step::Save(2 * index + 2));
                self.emit(node);
                self.steps.push(Step::Save(2 * index + 3));
            }
            Node::Ahead { node, wanted } => {
                let at = self.placeholder();
                self.emit(node);
                self.steps.push(Step::Accept);
                let next = self.steps.len();
                self.set(at, Step::Ahead { wanted: *wanted, next });
            }
            Node::NotAfter(set) => self.steps.push(Step::NotAfter(set.clone())),
            Node::Boundary => self.steps.push(Step::Boundary),
            Node::Start => self.steps.push(Step::Start),
            Node::End => self.steps.push(Step::End),
        }
    }

    fn emit_either(&mut self, nodes: &[Node]) {
        let Some((last, earlier)) = nodes.split_last() else { return };
        let mut jumps = Vec::new();
        for node in earlier {
            let fork = self.placeholder();
            self.emit(node);
            jumps.push(self.placeholder());
            self.fork(fork, fork + 1, self.steps.len(), false);
        }
        self.emit(last);
        for jump in jumps {
            let end = self.steps.len();
            self.set(jump, Step::Jump(end));
        }
    }

    fn placeholder(&mut self) -> usize {
        self.steps.push(Step::Accept);
        self.steps.len() - 1
    }

    fn fork(&mut self, at: usize, into: usize, past: usize, lazy: bool) {
        self.set(at, if lazy { Step::Fork(past, into) } else { Step::Fork(into, past) });
    }

    fn set(&mut self, at: usize, step: Step) {
        if let Some(place) = self.steps.get_mut(at) {
            *place = step;
        }
    }

    /// The sets of which a first character is in one; `None` when a match may be empty.
    fn beginnings(&self) -> Option<Vec<Set>> {
        let mut seen = vec![false; self.steps.len()];
        let (mut open, mut sets) = (vec![0], Vec::new());
        while let Some(at) = open.pop() {
            if std::mem::replace(seen.get_mut(at)?, true) {
                continue;
            }
            match self.steps.get(at)? {
                Step::One(set) => sets.push(set.clone()),
                Step::Fork(a, b) => open.extend([*a, *b]),
                Step::Jump(to) | Step::Ahead { next: to, .. } => open.push(*to),
                Step::Save(_) | Step::NotAfter(_) | Step::Boundary | Step::Start | Step::End => {
                    open.push(at + 1);
                }
                Step::Accept => return None,
            }
        }
        Some(sets)
    }

    /// The place of a named group in a match.
    pub(super) fn group<'t>(&self, found: &Found, name: &str, text: &'t [char]) -> Option<&'t [char]> {
        let index = self.names.iter().position(|known| known == name)?;
        let start = found.places.get(2 * index + 2).copied().flatten()?;
        let end = found.places.get(2 * index + 3).copied().flatten()?;
        text.get(start..end)
    }

    /// The first match that starts at `from` or later.
    pub(super) fn find(&self, text: &[char], from: usize, budget: &mut Budget) -> Option<Found> {
        let mut idle = 0_u32;
        for start in from..=text.len() {
            if let Some(first) = &self.first {
                // A place that cannot begin a match costs next to nothing.
                idle += 1;
                if idle.is_multiple_of(16) && !budget.spend(1) {
                    return None;
                }
                match text.get(start) {
                    Some(c) if first.iter().any(|set| set.has(*c)) => {}
                    _ => continue,
                }
            }
            if let Some(found) = self.run(0, text, start, budget) {
                return Some(found);
            }
            if !budget.spend(1) {
                return None;
            }
        }
        None
    }

    /// All matches that do not overlap, from the left.
    pub(super) fn find_all(&self, text: &[char], budget: &mut Budget) -> Vec<Found> {
        let (mut all, mut from) = (Vec::new(), 0);
        while let Some(found) = self.find(text, from, budget) {
            from = if found.end() > found.start() { found.end() } else { found.end() + 1 };
            all.push(found);
        }
        all
    }

    /// The text with every match replaced.
    pub(super) fn replace_all(
        &self,
        text: &str,
        budget: &mut Budget,
        with: impl Fn(&Found, &[char]) -> String,
    ) -> String {
        let chars: Vec<char> = text.chars().collect();
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for found in self.find_all(&chars, budget) {
            out.extend(chars.get(done..found.start()).unwrap_or_default());
            out.push_str(&with(&found, &chars));
            done = found.end();
        }
        out.extend(chars.get(done..).unwrap_or_default());
        out
    }

    fn run(&self, at: usize, text: &[char], start: usize, budget: &mut Budget) -> Option<Found> {
        /// What to do when the present way fails.
        enum Back {
            Try(usize, usize),
            Restore(usize, Option<usize>),
        }
        let mut places = vec![None; 2 * self.names.len() + 2];
        let mut backs: Vec<Back> = Vec::new();
        let (mut at, mut here) = (at, start);
        loop {
            if !budget.spend(1) {
                return None;
            }
            let fits = match self.steps.get(at)? {
                Step::One(set) => match text.get(here) {
                    Some(c) if set.has(*c) => {
                        (at, here) = (at + 1, here + 1);
                        true
                    }
                    _ => false,
                },
                Step::Fork(first, second) => {
                    backs.push(Back::Try(*second, here));
                    at = *first;
                    true
                }
                Step::Jump(to) => {
                    at = *to;
                    true
                }
                Step::Save(slot) => {
                    let place = places.get_mut(*slot)?;
                    backs.push(Back::Restore(*slot, *place));
                    *place = Some(here);
                    at += 1;
                    true
                }
                Step::Ahead { wanted, next } => {
                    let holds = self.run(at + 1, text, here, budget).is_some() == *wanted;
                    at = *next;
                    holds
                }
                Step::NotAfter(set) => {
                    at += 1;
                    !here.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|c| set.has(*c))
                }
                Step::Boundary => {
                    let word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
                    at += 1;
                    word(here.checked_sub(1).and_then(|before| text.get(before))) != word(text.get(here))
                }
                Step::Start => {
                    at += 1;
                    here == 0
                }
                Step::End => {
                    at += 1;
                    here == text.len() || (here + 1 == text.len() && text.get(here) == Some(&'\n'))
                }
                Step::Accept => {
                    if let [from, to, ..] = places.as_mut_slice() {
                        (*from, *to) = (Some(start), Some(here));
                    }
                    return Some(Found { places });
                }
            };
            if fits {
                continue;
            }
            loop {
                match backs.pop()? {
                    Back::Try(step, place) => {
                        (at, here) = (step, place);
                        break;
                    }
                    Back::Restore(slot, place) => {
                        if let Some(slot) = places.get_mut(slot) {
                            *slot = place;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(pattern: &str, text: &str) -> Option<String> {
        let chars: Vec<char> = text.chars().collect();
        let found = Pattern::new(pattern).find(&chars, 0, &mut Budget(100_000))?;
        Some(chars[found.start()..found.end()].iter().collect())
    }

    #[test]
    fn matches_as_a_backtracking_engine_does() {
        for (pattern, text, expected) in [
            ("a|ab", "ab", Some("a")),
            ("a.{0,3}?b", "axxb", Some("axxb")),
            ("a.{0,1}?b", "axxb", None),
            ("a.*b", "abxb", Some("abxb")),
            ("a.*?b", "abxb", Some("ab")),
            (r"(?<!\\)\$", r"\$ $", Some("$")),
            (r"\d+(?!\s*=)", "12 =", Some("1")),
            ("(?i:Answer)[:=]+", "ANSWER:=", Some("ANSWER:=")),
            (r"\bi\b", "hi i", Some("i")),
            ("[^a-c]+", "abxyc", Some("xy")),
            ("^b", "ab", None),
            ("b$", "ab\n", Some("b")),
        ] {
            assert_eq!(first(pattern, text).as_deref(), expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn groups_of_one_name_share_their_place() {
        let pattern = Pattern::new(r"(?:a(?<x>\d)|b(?<x>\d\d))c");
        let text: Vec<char> = "a1 b23c".chars().collect();
        let found = pattern.find(&text, 0, &mut Budget(1000)).unwrap();
        assert_eq!(pattern.group(&found, "x", &text), Some(['2', '3'].as_slice()));
    }

    #[test]
    fn work_is_bounded() {
        let text = vec!['a'; 5000];
        let mut budget = Budget(50_000);
        assert!(Pattern::new("a*a*a*b").find(&text, 0, &mut budget).is_none());
        assert_eq!(budget.0, 0);
    }
}
