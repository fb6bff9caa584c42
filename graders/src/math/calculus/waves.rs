//! Antiderivatives of polynomials times exponentials, sines and cosines of linear arguments.

use super::super::exact;
use super::super::expr::{Expr, Function};
use super::polynomial;
use super::tidy::{
    add, add2, call1, depends, div, exp, inv, is_zero, ln, mul, mul2, neg, number, one, pow, variable, zero,
};
use super::work::Work;

/// The most products that an integrand is written out to.
const MAX_WAVES: usize = 48;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sine,
    Cosine,
}

/// `P(x) e^(ax)`, times the sine or cosine of `cx + d`.
#[derive(Clone)]
struct Wave {
    top: Vec<Expr>,
    a: Expr,
    angle: Option<(Kind, Expr, Expr)>,
}

impl Wave {
    fn polynomial(top: Vec<Expr>) -> Self {
        Self { top, a: zero(), angle: None }
    }
}

/// An antiderivative of an integrand of this form.
pub(super) fn antiderivative(f: &Expr, x: &str, work: &mut Work) -> Option<Expr> {
    let waves = merged(waves(f, x, work)?);
    let parts: Option<Vec<Expr>> = waves.iter().map(|wave| integrated(wave, x, work)).collect();
    Some(add(parts?))
}

fn merged(waves: Vec<Wave>) -> Vec<Wave> {
    let mut out: Vec<Wave> = Vec::new();
    for wave in waves {
        match out.iter_mut().find(|other| other.a == wave.a && other.angle == wave.angle) {
            None => out.push(wave),
            Some(other) => {
                for (k, c) in wave.top.into_iter().enumerate() {
                    match other.top.get_mut(k) {
                        Some(sum) => *sum = add2(sum.clone(), c),
                        None => other.top.push(c),
                    }
                }
            }
        }
    }
    out.retain(|wave| !wave.top.iter().all(is_zero));
    out
}

fn waves(f: &Expr, x: &str, work: &mut Work) -> Option<Vec<Wave>> {
    work.step(5)?;
    if let Some(top) = polynomial::coefficients(f, x, work) {
        return Some(vec![Wave::polynomial(top)]);
    }
    match f {
        Expr::Sum(terms) => {
            let mut out = Vec::new();
            for term in terms {
                out.extend(waves(term, x, work)?);
            }
            (out.len() <= MAX_WAVES).then_some(out)
        }
        Expr::Product(factors) => {
            let mut out = vec![Wave::polynomial(vec![one()])];
            for factor in factors {
                out = product(&out, &waves(factor, x, work)?, work)?;
            }
            Some(out)
        }
        Expr::Power(base, exponent) if !depends(base, x) => {
            let (a, b) = polynomial::linear(exponent, x, work)?;
            let first = if is_zero(&b) { one() } else { pow((**base).clone(), b) };
            let a = mul2(a, ln((**base).clone()));
            Some(vec![Wave { top: vec![first], a, angle: None }])
        }
        Expr::Power(base, exponent) => {
            let n = usize::try_from(exact::integer(&exact::value(exponent)?)?).ok()?;
            if n > 8 {
                return None;
            }
            let base = waves(base, x, work)?;
            let mut out = vec![Wave::polynomial(vec![one()])];
            for _ in 0..n {
                out = product(&out, &base, work)?;
            }
            Some(out)
        }
        Expr::Call(function, arguments) => {
            let [u] = arguments.as_slice() else { return None };
            let (c, d) = polynomial::linear(u, x, work)?;
            let kind = match function {
                Function::Sin => Kind::Sine,
                Function::Cos => Kind::Cosine,
                Function::Sinh | Function::Cosh => {
                    let sign = if *function == Function::Cosh { 1 } else { -1 };
                    let wave = |sign: i64, c: Expr, d: Expr| Wave {
                        top: vec![mul2(number(sign, 2), exp(d))],
                        a: c,
                        angle: None,
                    };
                    return Some(vec![wave(1, c.clone(), d.clone()), wave(sign, neg(c), neg(d))]);
                }
                _ => return None,
            };
            Some(vec![turned(Wave { top: vec![one()], a: zero(), angle: Some((kind, c, d)) })])
        }
        _ => None,
    }
}

/// With a factor of the variable that has no minus sign, and no angle that does not vary.
fn turned(mut wave: Wave) -> Wave {
    let Some((kind, c, d)) = wave.angle.take() else { return wave };
    let scaled = |top: Vec<Expr>, by: &Expr| top.into_iter().map(|p| mul2(by.clone(), p)).collect();
    if is_zero(&c) {
        let value = call1(if kind == Kind::Sine { Function::Sin } else { Function::Cos }, d);
        wave.top = scaled(wave.top, &value);
        return wave;
    }
    let minus = match &c {
        Expr::Number(n) => *n < dashu::rational::RBig::ZERO,
        Expr::Product(factors) => {
            matches!(factors.first(), Some(Expr::Number(n)) if *n < dashu::rational::RBig::ZERO)
        }
        _ => false,
    };
    if minus {
        if kind == Kind::Sine {
            wave.top = scaled(wave.top, &Expr::integer(-1));
        }
        wave.angle = Some((kind, neg(c), neg(d)));
    } else {
        wave.angle = Some((kind, c, d));
    }
    wave
}

fn product(a: &[Wave], b: &[Wave], work: &mut Work) -> Option<Vec<Wave>> {
    let mut out = Vec::new();
    for x in a {
        for y in b {
            work.step(5)?;
            let top = polynomial::multiply(&x.top, &y.top, work)?;
            let exponent = add2(x.a.clone(), y.a.clone());
            let (Some((m, c, d)), Some((n, g, h))) = (&x.angle, &y.angle) else {
                let angle = x.angle.clone().or_else(|| y.angle.clone());
                out.push(Wave { top, a: exponent, angle });
                continue;
            };
            // The sum and the difference of the angles, each with half of the size.
            let halves = |sign: i64| top.iter().map(|p| mul2(number(sign, 2), p.clone())).collect::<Vec<_>>();
            let kind = if m == n { Kind::Cosine } else { Kind::Sine };
            let (sum, difference) = match (m, n) {
                (Kind::Sine, Kind::Sine) => (-1, 1),
                (Kind::Cosine, Kind::Sine) => (1, -1),
                _ => (1, 1),
            };
            let plus = (kind, add2(c.clone(), g.clone()), add2(d.clone(), h.clone()));
            let minus = (kind, add2(c.clone(), neg(g.clone())), add2(d.clone(), neg(h.clone())));
            out.push(turned(Wave { top: halves(sum), a: exponent.clone(), angle: Some(plus) }));
            out.push(turned(Wave { top: halves(difference), a: exponent, angle: Some(minus) }));
        }
    }
    let out = merged(out);
    (out.len() <= MAX_WAVES).then_some(out)
}

fn integrated(wave: &Wave, name: &str, work: &mut Work) -> Option<Expr> {
    let x = variable(name);
    let n = wave.top.len();
    work.step(10 * n)?;
    let times = |k: usize, c: &Expr| mul2(Expr::integer(i64::try_from(k).unwrap_or(0)), c.clone());
    let grow = exp(mul2(wave.a.clone(), x.clone()));
    let Some((kind, c, d)) = &wave.angle else {
        if is_zero(&wave.a) {
            return Some(integrated_polynomial(&wave.top, &x));
        }
        // Q' + aQ = P
        let mut q = vec![zero(); n + 1];
        for j in (0..n).rev() {
            let rest = add2(wave.top.get(j)?.clone(), neg(times(j + 1, q.get(j + 1)?)));
            *q.get_mut(j)? = div(rest, wave.a.clone());
        }
        return Some(mul2(polynomial::expression(&q, &x), grow));
    };
    // (A cos θ + B sin θ) e^(ax): A' + aA + cB and B' + aB - cA are the factors of the cosine and the sine.
    let by = inv(add2(pow(wave.a.clone(), Expr::integer(2)), pow(c.clone(), Expr::integer(2))));
    let (mut cosine, mut sine) = (vec![zero(); n + 1], vec![zero(); n + 1]);
    for j in (0..n).rev() {
        let p = wave.top.get(j)?.clone();
        let (u, v) = if *kind == Kind::Cosine { (p, zero()) } else { (zero(), p) };
        let u = add2(u, neg(times(j + 1, cosine.get(j + 1)?)));
        let v = add2(v, neg(times(j + 1, sine.get(j + 1)?)));
        let a = &wave.a;
        let first = add2(mul2(a.clone(), u.clone()), neg(mul2(c.clone(), v.clone())));
        let second = add2(mul2(c.clone(), u), mul2(a.clone(), v));
        *cosine.get_mut(j)? = mul2(first, by.clone());
        *sine.get_mut(j)? = mul2(second, by.clone());
    }
    let angle = add2(mul2(c.clone(), x.clone()), d.clone());
    let part = |q: &[Expr], function: Function| {
        mul(vec![polynomial::expression(q, &x), grow.clone(), call1(function, angle.clone())])
    };
    Some(add2(part(&cosine, Function::Cos), part(&sine, Function::Sin)))
}

fn integrated_polynomial(top: &[Expr], x: &Expr) -> Expr {
    let terms = top.iter().enumerate().map(|(k, c)| {
        let k = i64::try_from(k + 1).unwrap_or(1);
        mul(vec![c.clone(), number(1, u32::try_from(k).unwrap_or(1)), pow(x.clone(), Expr::integer(k))])
    });
    add(terms.collect())
}
