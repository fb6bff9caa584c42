//! Terms of sums, taken apart into a polynomial, a denominator, a geometric ratio and factorials.

use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Expr, Function};
use super::polynomial::{self, Poly};
use super::tidy::{add2, depends, div, inv, is_one, is_zero, mul2, neg, one, pow, tidy};
use super::work::Work;

/// The most terms that a product of sums is written out to.
const MAX_TERMS: usize = 64;

/// `top(k) ratio^k / bottom(k)`, times or over factorials of `αk + β`, times a binomial coefficient
/// `(n over k)`.
#[derive(Clone, Debug)]
pub(super) struct Term {
    /// Coefficients free of `k`, from the constant up.
    pub(super) top: Vec<Expr>,
    pub(super) bottom: Poly,
    pub(super) ratio: Expr,
    /// `α`, `β`, and whether the factorial divides.
    pub(super) factorials: Vec<(i64, i64, bool)>,
    pub(super) binomial: Option<Expr>,
}

impl Term {
    fn constant(c: Expr) -> Self {
        Self { top: vec![c], bottom: vec![RBig::ONE], ratio: one(), factorials: Vec::new(), binomial: None }
    }

    fn times(&self, other: &Self, work: &mut Work) -> Option<Self> {
        if self.binomial.is_some() && other.binomial.is_some() {
            return None;
        }
        Some(Self {
            top: polynomial::multiply(&self.top, &other.top, work)?,
            bottom: polynomial::times(&self.bottom, &other.bottom)?,
            ratio: mul2(self.ratio.clone(), other.ratio.clone()),
            factorials: [self.factorials.as_slice(), other.factorials.as_slice()].concat(),
            binomial: self.binomial.clone().or_else(|| other.binomial.clone()),
        })
    }

    fn inverse(&self) -> Option<Self> {
        if self.binomial.is_some() {
            return None;
        }
        let (c, top) = self.rational_top()?;
        let over = |p: &Poly| p.iter().cloned().map(|n| mul2(inv(c.clone()), Expr::Number(n))).collect();
        Some(Self {
            top: over(&self.bottom),
            bottom: top,
            ratio: inv(self.ratio.clone()),
            factorials: self.factorials.iter().map(|(a, b, under)| (*a, *b, !under)).collect(),
            binomial: None,
        })
    }

    /// The top as something free of `k` times a polynomial with rational coefficients.
    pub(super) fn rational_top(&self) -> Option<(Expr, Poly)> {
        if let Some(top) = polynomial::rational(&self.top) {
            return Some((one(), top)).filter(|(_, top)| !top.is_empty());
        }
        let lead = self.top.iter().rev().find(|c| !is_zero(c))?.clone();
        let scaled: Vec<Expr> = self.top.iter().map(|c| div(c.clone(), lead.clone())).collect();
        Some((lead, polynomial::rational(&scaled)?))
    }

    fn same_kind(&self, other: &Self) -> bool {
        self.ratio == other.ratio && self.factorials == other.factorials && self.binomial == other.binomial
    }

    pub(super) fn is_polynomial(&self) -> bool {
        self.bottom.len() == 1
    }
}

/// A body as a sum of terms, no two with the same ratio and factorials.
pub(super) fn terms(body: &Expr, k: &str, work: &mut Work) -> Option<Vec<Term>> {
    let mut merged: Vec<Term> = Vec::new();
    for mut term in parts(body, k, work)? {
        normalize(&mut term)?;
        match merged.iter_mut().find(|other| other.same_kind(&term)) {
            None => merged.push(term),
            Some(other) => {
                let wide = |p: &Poly| p.iter().cloned().map(Expr::Number).collect::<Vec<_>>();
                let a = polynomial::multiply(&other.top, &wide(&term.bottom), work)?;
                let b = polynomial::multiply(&term.top, &wide(&other.bottom), work)?;
                let length = a.len().max(b.len());
                let at = |p: &[Expr], i: usize| p.get(i).cloned().unwrap_or_else(super::tidy::zero);
                other.top = (0..length).map(|i| add2(at(&a, i), at(&b, i))).collect();
                other.bottom = polynomial::times(&other.bottom, &term.bottom)?;
            }
        }
    }
    for term in &mut merged {
        while term.top.last().is_some_and(is_zero) {
            term.top.pop();
        }
        normalize(term)?;
    }
    merged.retain(|term| !term.top.is_empty());
    Some(merged)
}

/// Lowest terms, with leading coefficient 1 below.
fn normalize(term: &mut Term) -> Option<()> {
    let lead = term.bottom.last()?.clone();
    if term.is_polynomial() {
        if !lead.is_one() {
            let by = Expr::Number(RBig::ONE / lead);
            term.top = term.top.iter().map(|c| mul2(by.clone(), c.clone())).collect();
            term.bottom = vec![RBig::ONE];
        }
        return Some(());
    }
    if let Some((c, top)) = term.rational_top() {
        let common = polynomial::gcd(&top, &term.bottom)?;
        let top = polynomial::divide(&top, &common)?.0;
        let bottom = polynomial::divide(&term.bottom, &common)?.0;
        let by = RBig::ONE / bottom.last()?;
        let top = polynomial::scale(&top, &by);
        term.top = top.into_iter().map(|n| mul2(c.clone(), Expr::Number(n))).collect();
        term.bottom = polynomial::scale(&bottom, &by);
    }
    Some(())
}

fn parts(body: &Expr, k: &str, work: &mut Work) -> Option<Vec<Term>> {
    work.step(5)?;
    if !depends(body, k) {
        return Some(vec![Term::constant(body.clone())]);
    }
    if let Some(top) = polynomial::coefficients(body, k, work) {
        return Some(vec![Term { top, ..Term::constant(one()) }]);
    }
    match body {
        Expr::Sum(terms) => {
            let mut out = Vec::new();
            for term in terms {
                out.extend(parts(term, k, work)?);
                if out.len() > MAX_TERMS {
                    return None;
                }
            }
            Some(out)
        }
        Expr::Product(factors) => {
            let mut out = vec![Term::constant(one())];
            for factor in factors {
                out = product(&out, &parts(factor, k, work)?, work)?;
            }
            Some(out)
        }
        Expr::Power(base, exponent) => power(base, exponent, k, work),
        Expr::Call(Function::Factorial, arguments) => {
            let (a, b) = polynomial::linear(arguments.first()?, k, work)?;
            let small = |e: &Expr| {
                let n = i64::try_from(exact::integer(&exact::value(e)?)?).ok()?;
                (n.abs() <= 64).then_some(n)
            };
            let factorial = (small(&a)?, small(&b)?, false);
            Some(vec![Term { factorials: vec![factorial], ..Term::constant(one()) }])
        }
        Expr::Call(Function::Binomial, arguments) => match arguments.as_slice() {
            [n, Expr::Variable(name)] if **name == *k && !depends(n, k) => {
                Some(vec![Term { binomial: Some(n.clone()), ..Term::constant(one()) }])
            }
            _ => None,
        },
        // cos(kπ) = (-1)^k
        Expr::Call(Function::Cos, arguments) => match arguments.as_slice() {
            [Expr::Product(factors)] => match factors.as_slice() {
                [Expr::Pi, Expr::Variable(name)] if **name == *k => {
                    Some(vec![Term { ratio: Expr::integer(-1), ..Term::constant(one()) }])
                }
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn product(a: &[Term], b: &[Term], work: &mut Work) -> Option<Vec<Term>> {
    if a.len() * b.len() > MAX_TERMS {
        return None;
    }
    a.iter().flat_map(|x| b.iter().map(move |y| (x, y))).map(|(x, y)| x.times(y, work)).collect()
}

fn power(base: &Expr, exponent: &Expr, k: &str, work: &mut Work) -> Option<Vec<Term>> {
    if depends(exponent, k) {
        if depends(base, k) {
            return None;
        }
        let (a, b) = polynomial::linear(exponent, k, work)?;
        // (uv)^k = u^k v^k, and k is whole.
        let ratio = pow(base.clone(), a);
        let first = if is_zero(&b) { one() } else { pow(base.clone(), b) };
        return Some(vec![Term { ratio, ..Term::constant(first) }]);
    }
    let n = i32::try_from(exact::integer(&exact::value(exponent)?)?).ok()?;
    if n.unsigned_abs() > 12 {
        return None;
    }
    let base = parts(base, k, work)?;
    let base = if n < 0 {
        match base.as_slice() {
            [single] => vec![single.inverse()?],
            _ => return None,
        }
    } else {
        base
    };
    let mut out = vec![Term::constant(one())];
    for _ in 0..n.unsigned_abs() {
        out = product(&out, &base, work)?;
    }
    Some(out)
}

/// `Q` with `Q(k+1) r^(k+1) - Q(k) r^k = P(k) r^k`.
pub(super) fn antidifference(top: &[Expr], ratio: &Expr, work: &mut Work) -> Option<Vec<Expr>> {
    let binomial = |n: usize, k: usize| {
        let mut c = RBig::ONE;
        for i in 0..k.min(n - k) {
            c = c * RBig::from(n - i) / RBig::from(i + 1);
        }
        Expr::Number(c)
    };
    let one_ratio = is_one(ratio);
    let size = top.len() + usize::from(one_ratio);
    work.step(size * size * 4)?;
    let mut q = vec![super::tidy::zero(); size];
    for j in (0..top.len()).rev() {
        // The coefficient of k^j in r Q(k+1) - Q(k).
        let known = if one_ratio { j + 2 } else { j + 1 };
        let sum: Vec<Expr> =
            (known..size).filter_map(|i| Some(mul2(binomial(i, j), q.get(i)?.clone()))).collect();
        let rest = add2(top.get(j)?.clone(), neg(mul2(ratio.clone(), super::tidy::add(sum))));
        let (at, by) = if one_ratio {
            (j + 1, Expr::integer(i64::try_from(j + 1).ok()?))
        } else {
            (j, add2(ratio.clone(), Expr::integer(-1)))
        };
        *q.get_mut(at)? = tidy(&div(rest, by));
    }
    Some(q)
}
