//! What answers say about their variables, as one kind of condition.

use std::collections::BTreeSet;

use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Bound, Domain, Expr, Join, Relation, SetOperation, Value};
use super::super::ring::Ring;
use super::number::Judge;

/// The most relations of one answer.
const MAX_RELATIONS: usize = 64;
/// The deepest nesting of sets.
const MAX_DEPTH: u32 = 16;

/// A condition on variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Relation {
        left: Expr,
        relation: Relation,
        right: Expr,
    },
    /// Membership in a set with a name.
    Within(Expr, Domain),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// A list that means all of its items or any of them; the flag tells whether it says "and".
    Listed(Vec<Condition>, bool),
}

/// What an answer is.
pub(super) enum Description {
    /// A statement about its variables.
    Condition(Condition),
    /// A set, as what it says about [`element`].
    Set(Condition),
}

/// The element of a set, a variable that no text can name.
pub(super) fn element() -> Expr {
    Expr::Variable("\\element".into())
}

/// Reads values as conditions.
pub(super) struct Reader<'a, 'b> {
    pub(super) judge: &'a mut Judge<'b>,
    pub(super) relations: usize,
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(super) fn new(judge: &'a mut Judge<'b>) -> Self {
        Self { judge, relations: 0 }
    }

    /// What the value describes, if it is a set of numbers or a condition.
    pub(super) fn description(&mut self, value: &Value) -> Option<Description> {
        match value {
            Value::Tuple { .. }
            | Value::Set(_)
            | Value::Combined(..)
            | Value::Domain(_)
            | Value::Builder { .. } => self.members(value, &element(), 0).map(Description::Set),
            _ => self.condition(value, 0).map(Description::Condition),
        }
    }

    fn relation(&mut self, left: &Expr, relation: Relation, right: &Expr) -> Option<Condition> {
        self.relations += 1;
        let named = matches!(relation, Relation::Named(..));
        let endless = [left, right].iter().any(|side| side.any(&|part| matches!(part, Expr::Infinity)));
        if named || endless || self.relations > MAX_RELATIONS {
            return None;
        }
        Some(Condition::Relation { left: left.clone(), relation, right: right.clone() })
    }

    /// What a statement says.
    fn condition(&mut self, value: &Value, depth: u32) -> Option<Condition> {
        if depth > MAX_DEPTH {
            return None;
        }
        match value {
            Value::Chain { sides, relations } => {
                let mut links = Vec::with_capacity(relations.len());
                for ((left, right), relation) in sides.iter().zip(sides.iter().skip(1)).zip(relations) {
                    // x < ∞ says nothing, and neither does -∞ < x.
                    match (infinity(left), relation, infinity(right)) {
                        (None, Relation::Less, Some(1))
                        | (Some(-1), Relation::Less, None)
                        | (None, Relation::Greater, Some(-1))
                        | (Some(1), Relation::Greater, None) => {}
                        _ => links.push(self.relation(left, *relation, right)?),
                    }
                }
                Some(single(links, Condition::All))
            }
            Value::System(items) => {
                let items = items.iter().map(|item| self.condition(item, depth + 1));
                Some(single(items.collect::<Option<_>>()?, Condition::All))
            }
            Value::List(items, join) => {
                let items = self.listed(items, depth)?;
                Some(match join {
                    Join::Or => single(items, Condition::Any),
                    Join::And => Condition::Listed(items, true),
                    Join::Comma => Condition::Listed(items, false),
                })
            }
            Value::Element(element, set) => self.members(set, element, depth + 1),
            _ => None,
        }
    }

    /// The items of a list, where `x = 1, 2` stands for `x = 1, x = 2`.
    fn listed(&mut self, items: &[Value], depth: u32) -> Option<Vec<Condition>> {
        let mut name: Option<&Expr> = None;
        let mut read = Vec::with_capacity(items.len());
        for item in items {
            if let (Value::Expr(value), Some(name)) = (item, name) {
                read.push(self.relation(name, Relation::Equal, value)?);
                continue;
            }
            read.push(self.condition(item, depth + 1)?);
            name = match item {
                Value::Chain { sides, relations } => match (sides.as_slice(), relations.as_slice()) {
                    ([name @ Expr::Variable(_), _], [Relation::Equal]) => Some(name),
                    _ => None,
                },
                _ => None,
            };
        }
        Some(read)
    }

    /// What it means for `element` to be in the set.
    fn members(&mut self, set: &Value, element: &Expr, depth: u32) -> Option<Condition> {
        if depth > MAX_DEPTH {
            return None;
        }
        match set {
            Value::Tuple { open, close, items } => match items.as_slice() {
                [Value::Expr(low), Value::Expr(high)] => self.interval((*open, low), (*close, high), element),
                _ => None,
            },
            Value::Set(items) => {
                let mut any = Vec::with_capacity(items.len());
                for item in items {
                    let Value::Expr(item) = item else { return None };
                    any.push(self.relation(element, Relation::Equal, item)?);
                }
                Some(single(any, Condition::Any))
            }
            Value::Combined(operation, parts) => {
                let parts = parts.iter().map(|part| self.members(part, element, depth + 1));
                let mut parts: Vec<Condition> = parts.collect::<Option<_>>()?;
                Some(match operation {
                    SetOperation::Union => single(parts, Condition::Any),
                    SetOperation::Intersection => single(parts, Condition::All),
                    SetOperation::Difference => {
                        for part in parts.iter_mut().skip(1) {
                            let inner = std::mem::replace(part, Condition::Any(Vec::new()));
                            *part = Condition::Not(Box::new(inner));
                        }
                        single(parts, Condition::All)
                    }
                })
            }
            Value::Domain(domain) => Some(Condition::Within(element.clone(), *domain)),
            Value::Builder { element: Expr::Variable(name), conditions } => {
                let read = conditions.iter().map(|item| self.condition(item, depth + 1));
                let all: Vec<Condition> = read.collect::<Option<_>>()?;
                let all = single(all, Condition::All);
                // The letter of the set must not become one that has a meaning outside.
                let inner = all.variables();
                let clash = variables(element).iter().any(|outer| **outer != **name && inner.contains(outer));
                (!clash).then(|| all.map(&|expr| expr.with_variable(name, element)))
            }
            _ => None,
        }
    }

    fn interval(&mut self, low: (char, &Expr), high: (char, &Expr), element: &Expr) -> Option<Condition> {
        let mut all = Vec::new();
        let (open, closed) = (low.0 == '(', high.0 == ')');
        match (infinity(low.1), infinity(high.1)) {
            (None, None) => {
                // `(2, 1)` and `(1, 1)` are points and no intervals.
                if is_constant(low.1) && is_constant(high.1) {
                    let order = self.judge.order_of(low.1, high.1)?;
                    if order.is_gt() || (order.is_eq() && (open || closed)) {
                        return None;
                    }
                }
            }
            (Some(-1), None) if open => {}
            (None, Some(1)) if closed => {}
            (Some(-1), Some(1)) if open && closed => {}
            _ => return None,
        }
        if infinity(low.1).is_none() {
            let relation = if open { Relation::Less } else { Relation::LessOrEqual };
            all.push(self.relation(low.1, relation, element)?);
        }
        if infinity(high.1).is_none() {
            let relation = if closed { Relation::Less } else { Relation::LessOrEqual };
            all.push(self.relation(element, relation, high.1)?);
        }
        Some(single(all, Condition::All))
    }
}

/// One condition for several; a single one stays itself.
fn single(mut all: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            all.extend(last);
            join(all)
        }
    }
}

/// 1 or -1 for an infinity, `None` for anything else.
fn infinity(expr: &Expr) -> Option<i8> {
    match expr {
        Expr::Infinity => Some(1),
        Expr::Product(factors) if factors.as_slice() == [Expr::integer(-1), Expr::Infinity] => Some(-1),
        _ => None,
    }
}

fn is_constant(expr: &Expr) -> bool {
    !expr.any(&|part| matches!(part, Expr::Variable(_) | Expr::Apply(..)))
}

/// The names of the variables of an expression.
pub(super) fn variables(expr: &Expr) -> BTreeSet<Box<str>> {
    fn collect(expr: &Expr, names: &mut BTreeSet<Box<str>>) {
        match expr {
            Expr::Variable(name) => {
                names.insert(name.clone());
            }
            Expr::Power(base, exponent) => {
                collect(base, names);
                collect(exponent, names);
            }
            Expr::Bound(bound) => {
                let Bound { body, from, to, .. } = &**bound;
                collect(body, names);
                from.iter().chain(to).for_each(|end| collect(end, names));
            }
            other => other.children().iter().for_each(|part| collect(part, names)),
        }
    }
    let mut names = BTreeSet::new();
    collect(expr, &mut names);
    names
}

impl Condition {
    /// The same with every expression replaced.
    pub(super) fn map(&self, to: &dyn Fn(&Expr) -> Expr) -> Self {
        let all = |items: &[Self]| items.iter().map(|item| item.map(to)).collect();
        match self {
            Self::Relation { left, relation, right } => {
                Self::Relation { left: to(left), relation: *relation, right: to(right) }
            }
            Self::Within(element, domain) => Self::Within(to(element), *domain),
            Self::All(items) => Self::All(all(items)),
            Self::Any(items) => Self::Any(all(items)),
            Self::Not(inner) => Self::Not(Box::new(inner.map(to))),
            Self::Listed(items, and) => Self::Listed(all(items), *and),
        }
    }

    /// Calls `visit` with every expression.
    pub(super) fn each(&self, visit: &mut dyn FnMut(&Expr)) {
        match self {
            Self::Relation { left, right, .. } => {
                visit(left);
                visit(right);
            }
            Self::Within(element, _) => visit(element),
            Self::All(items) | Self::Any(items) | Self::Listed(items, _) => {
                for item in items {
                    item.each(visit);
                }
            }
            Self::Not(inner) => inner.each(visit),
        }
    }

    /// The names of its variables.
    pub(super) fn variables(&self) -> BTreeSet<Box<str>> {
        let mut names = BTreeSet::new();
        self.each(&mut |expr| names.append(&mut variables(expr)));
        names
    }

    /// Whether some expression has such a part.
    pub(super) fn any(&self, test: &dyn Fn(&Expr) -> bool) -> bool {
        let mut found = false;
        self.each(&mut |expr| found = found || expr.any(test));
        found
    }

    /// Whether it or a part of it is membership in this set.
    pub(super) fn names(&self, wanted: Domain) -> bool {
        match self {
            Self::Relation { .. } => false,
            Self::Within(_, domain) => *domain == wanted,
            Self::All(items) | Self::Any(items) | Self::Listed(items, _) => {
                items.iter().any(|item| item.names(wanted))
            }
            Self::Not(inner) => inner.names(wanted),
        }
    }

    /// The same with the relations between polynomials multiplied out, so that what cancels is gone.
    pub(super) fn simplified(&self) -> Self {
        match self {
            Self::Relation { left, relation, right } => {
                let plain = || {
                    let before: BTreeSet<_> = variables(left).union(&variables(right)).cloned().collect();
                    if before.len() < 2 {
                        return None;
                    }
                    let mut ring = Ring::default();
                    let difference = ring.difference(left, right)?;
                    let whole = ring.domain.is_empty() && difference.denominator.is_empty();
                    let after = ring.expr(&difference.numerator).filter(|_| whole)?;
                    (variables(&after) != before && exact::value(&after).is_none()).then_some(after)
                };
                match plain() {
                    Some(left) => {
                        Self::Relation { left, relation: *relation, right: Expr::Number(RBig::ZERO) }
                    }
                    None => self.clone(),
                }
            }
            Self::Within(..) => self.clone(),
            Self::All(items) => Self::All(items.iter().map(Self::simplified).collect()),
            Self::Any(items) => Self::Any(items.iter().map(Self::simplified).collect()),
            Self::Not(inner) => Self::Not(Box::new(inner.simplified())),
            Self::Listed(items, and) => Self::Listed(items.iter().map(Self::simplified).collect(), *and),
        }
    }

    /// The same as one level of conjunction: what is joined by "and" at the top.
    pub(super) fn conjuncts(&self) -> Vec<&Self> {
        match self {
            Self::All(items) => items.iter().flat_map(Self::conjuncts).collect(),
            other => vec![other],
        }
    }

    /// What is joined by "or" at the top.
    pub(super) fn disjuncts(&self) -> Vec<&Self> {
        match self {
            Self::Any(items) => items.iter().flat_map(Self::disjuncts).collect(),
            other => vec![other],
        }
    }
}
