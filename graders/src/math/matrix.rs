//! Arithmetic on values as they are read: numbers, vectors and matrices.

use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Unit, Value};
use super::parser::{MAX_ITEMS, Parser, expr};

/// The largest matrix of which the determinant is taken.
const MAX_DETERMINANT: usize = 6;
/// The largest matrix that is inverted.
const MAX_INVERSE: usize = 3;
/// The largest exponent of a matrix.
const MAX_POWER: i64 = 8;
/// The largest cell that is computed, in nodes.
const MAX_CELL: u32 = 1_000;
/// The largest determinant that is written out, in nodes.
const MAX_TERMS: u32 = 50_000;
/// The most rows or columns in a product of matrices.
const MAX_PRODUCT: usize = 8;

type Rows = Vec<Vec<Expr>>;

/// The value with the opposite sign.
pub(super) fn negated(value: Value) -> Option<Value> {
    Some(match value {
        Value::Expr(expr) => Value::Expr(expr.negated()),
        Value::Quantity(expr, unit) => Value::Quantity(expr.negated(), unit),
        Value::Matrix(rows) => Value::Matrix(map(rows, Expr::negated)),
        Value::Tuple { open: '(', close: ')', items } => Value::Tuple {
            open: '(',
            close: ')',
            items: items.into_iter().map(negated).collect::<Option<_>>()?,
        },
        other => Value::Expr(expr(other)?.negated()),
    })
}

/// The sum of two values.
pub(super) fn add(left: Value, right: Value) -> Option<Value> {
    Some(match (left, right) {
        (Value::Matrix(x), Value::Matrix(y)) => {
            if x.len() != y.len() || x.iter().zip(&y).any(|(x, y)| x.len() != y.len()) {
                return None;
            }
            let row = |(x, y): (Vec<Expr>, Vec<Expr>)| {
                x.into_iter().zip(y).map(|(x, y)| Expr::sum(vec![x, y])).collect()
            };
            Value::Matrix(x.into_iter().zip(y).map(row).collect())
        }
        (
            Value::Tuple { open: '(', close: ')', items: x },
            Value::Tuple { open: '(', close: ')', items: y },
        ) if x.len() == y.len() => {
            let items = x.into_iter().zip(y).map(|(x, y)| add(x, y)).collect::<Option<_>>()?;
            Value::Tuple { open: '(', close: ')', items }
        }
        (Value::Quantity(x, u), Value::Quantity(y, v)) if u == v && u != Unit::Percent => {
            Value::Quantity(Expr::sum(vec![x, y]), u)
        }
        (left, right) => Value::Expr(Expr::sum(vec![expr(left)?, expr(right)?])),
    })
}

/// The product of two values.
pub(super) fn times(left: Value, right: Value) -> Option<Value> {
    Some(match (left, right) {
        (Value::Expr(left), Value::Expr(right)) => Value::Expr(Expr::product(vec![left, right])),
        (Value::Matrix(x), Value::Matrix(y)) => Value::Matrix(product(&x, &y)?),
        (Value::Matrix(rows), other) | (other, Value::Matrix(rows)) => {
            let factor = expr(other)?;
            Value::Matrix(map(rows, |cell| Expr::product(vec![factor.clone(), cell])))
        }
        (Value::Expr(factor), Value::Tuple { open: '(', close: ')', items }) => {
            let scaled = |item| times(Value::Expr(factor.clone()), item);
            Value::Tuple {
                open: '(',
                close: ')',
                items: items.into_iter().map(scaled).collect::<Option<_>>()?,
            }
        }
        (left, right) => Value::Expr(Expr::product(vec![expr(left)?, expr(right)?])),
    })
}

fn map(rows: Rows, mut change: impl FnMut(Expr) -> Expr) -> Rows {
    rows.into_iter().map(|row| row.into_iter().map(&mut change).collect()).collect()
}

fn product(x: &Rows, y: &Rows) -> Option<Rows> {
    let (inner, width) = (y.len(), y.first()?.len());
    if x.iter().any(|row| row.len() != inner) || x.len().max(inner).max(width) > MAX_PRODUCT {
        return None;
    }
    let cell = |row: &[Expr], column: usize| {
        let terms = row
            .iter()
            .zip(y)
            .map(|(a, other)| Some(Expr::product(vec![a.clone(), other.get(column)?.clone()])));
        settled(Expr::sum(terms.collect::<Option<Vec<_>>>()?))
    };
    x.iter().map(|row| (0..width).map(|column| cell(row, column)).collect()).collect()
}

/// A computed cell: the number that it is, or an expression that is not too large. Cells double in size with
/// every product.
fn settled(cell: Expr) -> Option<Expr> {
    match exact::value(&cell) {
        Some(value) => Some(Expr::Number(value)),
        None => (exact::size(&cell) <= MAX_CELL).then_some(cell),
    }
}

/// A matrix to a power: a whole number, or `T` for the transpose. The parser stands after `^`.
pub(super) fn power(rows: &Rows, parser: &mut Parser<'_, '_>) -> Option<Value> {
    match parser.argument()? {
        Expr::Variable(name) if matches!(&*name, "T" | "t" | "top") => {
            let width = rows.first()?.len();
            let column = |at: usize| rows.iter().map(|row| row.get(at).cloned()).collect::<Option<Vec<_>>>();
            (0..width).map(column).collect::<Option<_>>().map(Value::Matrix)
        }
        exponent => {
            let exponent = exact::value(&exponent)?;
            if exponent == RBig::NEG_ONE {
                return inverse(rows).map(Value::Matrix);
            }
            let n = i64::try_from(exact::integer(&exponent)?).ok().filter(|n| (1..=MAX_POWER).contains(n))?;
            let mut result = rows.clone();
            for _ in 1..n {
                result = product(&result, rows)?;
            }
            Some(Value::Matrix(result))
        }
    }
}

/// The inverse, by cofactors.
fn inverse(rows: &Rows) -> Option<Rows> {
    let n = rows.len();
    if n > MAX_INVERSE || exact::value(&determinant(rows)?).is_some_and(|det| det.is_zero()) {
        return None;
    }
    let scale = determinant(rows)?.inverse();
    if let [row] = rows.as_slice()
        && let [_] = row.as_slice()
    {
        return Some(vec![vec![scale]]);
    }
    let cofactor = |row: usize, column: usize| {
        let others = |skip: usize| (0..n).filter(move |at| *at != skip);
        let left: Rows = others(row)
            .map(|at| {
                others(column).map(|place| rows.get(at)?.get(place).cloned()).collect::<Option<Vec<_>>>()
            })
            .collect::<Option<_>>()?;
        let value = determinant(&left)?;
        let value = if (row + column).is_multiple_of(2) { value } else { value.negated() };
        settled(Expr::product(vec![scale.clone(), value]))
    };
    (0..n).map(|row| (0..n).map(|column| cofactor(column, row)).collect()).collect()
}

/// The determinant, by expansion along the first row.
pub(super) fn determinant(rows: &Rows) -> Option<Expr> {
    let n = rows.len();
    if n == 0 || n > MAX_DETERMINANT || rows.iter().any(|row| row.len() != n) {
        return None;
    }
    let nodes = rows.iter().flatten().fold(0_u32, |sum, cell| sum.saturating_add(exact::size(cell)));
    let orders: u32 = (1..=n as u32).product();
    if nodes.saturating_mul(orders) > MAX_TERMS {
        return None;
    }
    let columns: Vec<usize> = (0..n).collect();
    minor(rows, &columns)
}

fn minor(rows: &[Vec<Expr>], columns: &[usize]) -> Option<Expr> {
    let (first, rest) = rows.split_first()?;
    if let [only] = columns {
        return first.get(*only).cloned();
    }
    let mut terms = Vec::with_capacity(columns.len());
    for (place, column) in columns.iter().enumerate() {
        let factor = first.get(*column)?.clone();
        if factor == Expr::integer(0) {
            continue;
        }
        let others: Vec<usize> = columns.iter().copied().filter(|other| other != column).collect();
        let term = Expr::product(vec![factor, minor(rest, &others)?]);
        terms.push(if place % 2 == 0 { term } else { term.negated() });
    }
    Some(if terms.is_empty() { Expr::integer(0) } else { Expr::sum(terms) })
}

/// `[[1, 2], [3, 4]]` as a matrix, if its rows are equally long.
pub(super) fn of_tuples(items: &[Value]) -> Option<Value> {
    let rows = items.iter().map(|item| match item {
        Value::Tuple { items, .. } => items.iter().cloned().map(expr).collect::<Option<Vec<_>>>(),
        _ => None,
    });
    let rows = rows.collect::<Option<Rows>>()?;
    let width = rows.first()?.len();
    (rows.iter().all(|row| row.len() == width) && rows.len().max(width) <= MAX_ITEMS)
        .then_some(Value::Matrix(rows))
}
