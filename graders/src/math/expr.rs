//! What an answer can be: expressions and the forms built from them.

use dashu::rational::RBig;

/// A function of one or more arguments that is not rational arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Function {
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Arccot,
    Arcsec,
    Arccsc,
    Sinh,
    Cosh,
    Tanh,
    Coth,
    Sech,
    Csch,
    Arsinh,
    Arcosh,
    Artanh,
    Arcoth,
    Arsech,
    Arcsch,
    Ln,
    /// The logarithm of the second argument to the base of the first.
    Log,
    Abs,
    Sign,
    Re,
    Im,
    /// The argument of a complex number, in (-π, π].
    Arg,
    Conjugate,
    Floor,
    Ceil,
    Factorial,
    DoubleFactorial,
    Binomial,
    Min,
    Max,
    /// The largest positive number of which all arguments are whole multiples.
    Gcd,
    Lcm,
    /// The remainder of the first by the second, with the sign of the second: `a - b⌊a/b⌋`.
    Modulo,
}

/// What an operator with a bound variable does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Binder {
    Sum,
    Product,
    /// Definite with both ends, the family of antiderivatives with none.
    Integral,
    /// The limit as the variable goes to `to`.
    Limit(Side),
    /// The derivative of this order; at a point if `to` is there.
    Derivative(u32),
}

/// From where a limit is approached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Both,
    Below,
    Above,
}

/// An operator that binds a variable in its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) binder: Binder,
    pub(super) variable: Box<str>,
    pub(super) body: Expr,
    pub(super) from: Option<Expr>,
    pub(super) to: Option<Expr>,
}

/// An expression. Sums and products are flat, so that the depth is that of the brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    Number(RBig),
    Pi,
    /// Euler's number.
    Euler,
    /// The imaginary unit.
    Imaginary,
    Infinity,
    /// One degree, outside the argument of a function: 1 or π/180, as the other side has it.
    Degree,
    Variable(Box<str>),
    Sum(Vec<Expr>),
    Product(Vec<Expr>),
    Power(Box<Expr>, Box<Expr>),
    /// The root of the second, with the first as degree; real for an odd degree and a negative number.
    Root(u32, Box<Expr>),
    Call(Function, Vec<Expr>),
    /// A function that only the problem defines: `f(x)`.
    Apply(Box<str>, Vec<Expr>),
    /// A sum, product, integral, limit or derivative.
    Bound(Box<Bound>),
}

impl Expr {
    pub(super) fn integer(n: i64) -> Self {
        Self::Number(RBig::from(n))
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Number(n) => Self::Number(-n),
            other => Self::product(vec![Self::integer(-1), other]),
        }
    }

    pub(super) fn inverse(self) -> Self {
        match self {
            Self::Number(n) if !n.is_zero() => Self::Number(RBig::ONE / n),
            other => Self::Power(Box::new(other), Box::new(Self::integer(-1))),
        }
    }

    /// A sum, with sums among its terms taken apart.
    pub(super) fn sum(terms: Vec<Self>) -> Self {
        flat(terms, Self::Sum, |term| match term {
            Self::Sum(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// A product, with products among its factors taken apart.
    pub(super) fn product(factors: Vec<Self>) -> Self {
        flat(factors, Self::Product, |factor| match factor {
            Self::Product(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// The parts of which this is built.
    pub(super) fn children(&self) -> &[Self] {
        match self {
            Self::Sum(parts) | Self::Product(parts) | Self::Call(_, parts) | Self::Apply(_, parts) => parts,
            Self::Root(_, inner) => std::slice::from_ref(inner),
            _ => &[],
        }
    }

    /// Whether some part of it satisfies `test`.
    pub(super) fn any(&self, test: &dyn Fn(&Self) -> bool) -> bool {
        test(self)
            || match self {
                Self::Power(base, exponent) => base.any(test) || exponent.any(test),
                Self::Bound(bound) => {
                    bound.body.any(test) || bound.from.iter().chain(&bound.to).any(|end| end.any(test))
                }
                other => other.children().iter().any(|part| part.any(test)),
            }
    }

    /// The same with every [`Expr::Degree`] replaced.
    pub(super) fn with_degree(&self, degree: &Self) -> Self {
        self.replaced(&Self::Degree, degree)
    }

    /// The same with every variable of this name replaced.
    pub(super) fn with_variable(&self, name: &str, by: &Self) -> Self {
        self.replaced(&Self::Variable(name.into()), by)
    }

    /// The same with every part that equals `what` replaced.
    pub(super) fn replaced(&self, what: &Self, by: &Self) -> Self {
        let all = |parts: &[Self]| parts.iter().map(|part| part.replaced(what, by)).collect();
        match self {
            same if same == what => by.clone(),
            Self::Sum(parts) => Self::Sum(all(parts)),
            Self::Product(parts) => Self::Product(all(parts)),
            Self::Power(base, exponent) => {
                Self::Power(Box::new(base.replaced(what, by)), Box::new(exponent.replaced(what, by)))
            }
            Self::Root(n, inner) => Self::Root(*n, Box::new(inner.replaced(what, by))),
            Self::Call(function, parts) => Self::Call(*function, all(parts)),
            Self::Apply(name, parts) => Self::Apply(name.clone(), all(parts)),
            Self::Bound(bound) => {
                // A bound variable is another one than the same letter outside.
                let own = matches!(what, Self::Variable(name) if *name == bound.variable);
                let end = |end: &Option<Self>| end.as_ref().map(|end| end.replaced(what, by));
                Self::Bound(Box::new(Bound {
                    binder: bound.binder,
                    variable: bound.variable.clone(),
                    body: if own { bound.body.clone() } else { bound.body.replaced(what, by) },
                    from: end(&bound.from),
                    to: end(&bound.to),
                }))
            }
            other => other.clone(),
        }
    }

    /// A full turn's 360th part.
    pub(super) fn degree_in_radians() -> Self {
        Self::Product(vec![Self::Number(RBig::from_parts(1.into(), 180_u8.into())), Self::Pi])
    }
}

fn flat(parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr, open: fn(Expr) -> Result<Vec<Expr>, Expr>) -> Expr {
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        match open(part) {
            Ok(inner) => out.extend(inner),
            Err(single) => out.push(single),
        }
    }
    match (out.pop(), out.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            out.extend(last);
            join(out)
        }
    }
}

/// How two sides of a relation stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// A relation that is compared by its name alone, and whether it reads the same both ways: `~`, `∥`, `→`.
    Named(&'static str, bool),
}

impl Relation {
    /// The same read from right to left.
    pub(super) const fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    /// Whether the order of the sides matters.
    pub(super) const fn is_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual | Self::Named(..))
    }
}

/// A unit of measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Percent,
    /// A known unit: what it measures, and how many base units it is.
    Known {
        dimension: &'static str,
        factor: RBig,
    },
    /// Any other, by its name.
    Named(String),
}

/// How the items of a list without brackets are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// A comma, a semicolon or nothing but lines.
    Comma,
    And,
    Or,
}

/// A set operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetOperation {
    Union,
    Intersection,
    /// The first without all others.
    Difference,
}

/// A set with a letter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    Naturals,
    Integers,
    Rationals,
    Reals,
    Complexes,
    /// ℝ₊ or ℤ₊ and the like are written as intervals or stay words.
    Primes,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Expr(Expr),
    Quantity(Expr, Unit),
    /// Two or more items in round or square brackets: a point, a vector or an interval. A bracket is one of
    /// `( ) [ ]`, and `]a, b[` is read as `(a, b)`.
    Tuple {
        open: char,
        close: char,
        items: Vec<Value>,
    },
    Set(Vec<Value>),
    /// Several answers without brackets.
    List(Vec<Value>, Join),
    /// Sets, intervals and domains joined.
    Combined(SetOperation, Vec<Value>),
    Domain(Domain),
    /// `{x | x > 2}`: all values of an expression for which the conditions hold.
    Builder {
        element: Expr,
        conditions: Vec<Value>,
    },
    /// `x ∈ S`.
    Element(Expr, Box<Value>),
    Matrix(Vec<Vec<Expr>>),
    /// A chain; there is one side more than relations.
    Chain {
        sides: Vec<Expr>,
        relations: Vec<Relation>,
    },
    /// A name and what it stands for, where that is no expression: `A = {1, 2}`, `(x, y) = (1, 2)`.
    Named(Box<Value>, Box<Value>),
    /// Relations that hold together: the lines of `cases`.
    System(Vec<Value>),
    /// Values with the conditions under which they hold; none for "otherwise".
    Piecewise(Vec<(Expr, Option<Box<Value>>)>),
    /// `a ≡ b (mod m)`; without a left side the class `b (mod m)` itself.
    Congruence {
        left: Option<Expr>,
        right: Expr,
        modulus: Expr,
    },
    /// Two or more parts with colons between them: a ratio, or a time of day.
    Ratio(Vec<Expr>),
    /// Words.
    Text(String),
}

impl Value {
    /// The same with every expression in it changed.
    pub(super) fn map(self, change: &mut dyn FnMut(Expr) -> Expr) -> Self {
        let mut all =
            |values: Vec<Self>| values.into_iter().map(|value| value.map(change)).collect::<Vec<_>>();
        match self {
            Self::Tuple { open, close, items } => Self::Tuple { open, close, items: all(items) },
            Self::Set(items) => Self::Set(all(items)),
            Self::List(items, join) => Self::List(all(items), join),
            Self::Combined(operation, parts) => Self::Combined(operation, all(parts)),
            Self::System(lines) => Self::System(all(lines)),
            Self::Builder { element, conditions } => {
                let conditions = all(conditions);
                Self::Builder { element: change(element), conditions }
            }
            Self::Expr(expr) => Self::Expr(change(expr)),
            Self::Quantity(expr, unit) => Self::Quantity(change(expr), unit),
            Self::Element(expr, set) => Self::Element(change(expr), Box::new(set.map(change))),
            Self::Matrix(rows) => Self::Matrix(
                rows.into_iter().map(|row| row.into_iter().map(&mut *change).collect()).collect(),
            ),
            Self::Chain { sides, relations } => {
                Self::Chain { sides: sides.into_iter().map(change).collect(), relations }
            }
            Self::Named(name, value) => Self::Named(Box::new(name.map(change)), Box::new(value.map(change))),
            Self::Piecewise(branches) => Self::Piecewise(
                branches
                    .into_iter()
                    .map(|(value, condition)| {
                        (change(value), condition.map(|condition| Box::new(condition.map(change))))
                    })
                    .collect(),
            ),
            Self::Congruence { left, right, modulus } => Self::Congruence {
                left: left.map(&mut *change),
                right: change(right),
                modulus: change(modulus),
            },
            Self::Ratio(parts) => Self::Ratio(parts.into_iter().map(change).collect()),
            same @ (Self::Domain(_) | Self::Text(_)) => same,
        }
    }
}
