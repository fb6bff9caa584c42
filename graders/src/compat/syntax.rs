//! What a pattern says: its source read into a tree. [`super::pattern`] describes the syntax.

use super::python::is_space;

/// A set of characters.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    ranges: Vec<(char, char)>,
    space: bool,
    negated: bool,
}

impl Set {
    fn of(c: char) -> Self {
        Self { ranges: vec![(c, c)], ..Self::default() }
    }

    fn any() -> Self {
        Self { negated: true, ..Self::default() }
    }

    pub(super) fn has(&self, c: char) -> bool {
        let listed = self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
        (listed || (self.space && is_space(c))) != self.negated
    }
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    One(Set),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat { node: Box<Node>, least: u32, most: Option<u32>, lazy: bool },
    Group(usize, Box<Node>),
    Ahead { node: Box<Node>, wanted: bool },
    NotAfter(Set),
    Boundary,
    Start,
    End,
}

/// The tree of a pattern and the names of its groups, by their places.
pub(super) fn read(source: &str) -> Option<(Node, Vec<String>)> {
    let mut names = Vec::new();
    let mut reader = Reader { rest: source, fold: false, names: &mut names };
    let node = reader.alternatives().filter(|_| reader.rest.is_empty())?;
    Some((node, names))
}

/// Reads a pattern's source. Anything it does not know is `None`.
struct Reader<'s, 'n> {
    rest: &'s str,
    fold: bool,
    names: &'n mut Vec<String>,
}

impl Reader<'_, '_> {
    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn alternatives(&mut self) -> Option<Node> {
        let mut ways = vec![self.sequence()?];
        while self.eat("|") {
            ways.push(self.sequence()?);
        }
        Some(Node::Either(ways))
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let node = self.atom()?;
            nodes.push(self.repeated(node)?);
        }
        Some(Node::Sequence(nodes))
    }

    fn repeated(&mut self, node: Node) -> Option<Node> {
        let (least, most) = if self.eat("*") {
            (0, None)
        } else if self.eat("+") {
            (1, None)
        } else if self.eat("?") {
            (0, Some(1))
        } else if self.eat("{") {
            let (range, rest) = self.rest.split_once('}')?;
            let (least, most) = range.split_once(',')?;
            self.rest = rest;
            (least.parse().ok()?, Some(most.parse().ok()?))
        } else {
            return Some(node);
        };
        let lazy = self.eat("?");
        Some(Node::Repeat { node: Box::new(node), least, most, lazy })
    }

    fn atom(&mut self) -> Option<Node> {
        let fold = self.fold;
        let node = if self.eat("(?:") {
            self.alternatives()?
        } else if self.eat("(?i:") {
            self.fold = true;
            self.alternatives()?
        } else if self.eat("(?=") {
            Node::Ahead { node: Box::new(self.alternatives()?), wanted: true }
        } else if self.eat("(?!") {
            Node::Ahead { node: Box::new(self.alternatives()?), wanted: false }
        } else if self.eat("(?<!") {
            match self.class_or_character()? {
                Node::One(set) => Node::NotAfter(set),
                _ => return None,
            }
        } else if self.eat("(?<") {
            let (name, rest) = self.rest.split_once('>')?;
            self.rest = rest;
            let known = self.names.iter().position(|known| known == name);
            let index = known.unwrap_or(self.names.len());
            if known.is_none() {
                self.names.push(name.to_owned());
            }
            Node::Group(index, Box::new(self.alternatives()?))
        } else {
            return self.class_or_character();
        };
        self.fold = fold;
        self.eat(")").then_some(node)
    }

    fn class_or_character(&mut self) -> Option<Node> {
        Some(match self.next()? {
            '.' => Node::One(Set::any()),
            '^' => Node::Start,
            '$' => Node::End,
            '\\' => {
                let mut set = Set::default();
                match self.next()? {
                    'b' => return Some(Node::Boundary),
                    escaped => escape(escaped, &mut set)?,
                }
                Node::One(set)
            }
            '[' => {
                let mut set = Set { negated: self.eat("^"), ..Set::default() };
                while !self.eat("]") {
                    let low = self.next()?;
                    if low == '\\' {
                        escape(self.next()?, &mut set)?;
                        continue;
                    }
                    let high = if self.eat("-") { self.next()? } else { low };
                    set.ranges.push((low, high));
                }
                Node::One(set)
            }
            '(' | ')' | '|' | '*' | '+' | '?' | '{' => return None,
            c if self.fold && c.is_ascii_alphabetic() => {
                let mut set = Set::of(c.to_ascii_lowercase());
                set.ranges.push((c.to_ascii_uppercase(), c.to_ascii_uppercase()));
                Node::One(set)
            }
            c => Node::One(Set::of(c)),
        })
    }
}

fn escape(c: char, set: &mut Set) -> Option<()> {
    match c {
        'd' => set.ranges.push(('0', '9')),
        's' => set.space = true,
        'n' => set.ranges.push(('\n', '\n')),
        c if c.is_ascii_alphanumeric() => return None,
        c => set.ranges.push((c, c)),
    }
    Some(())
}
