//! The variables of expressions, and what their names say.

use super::expr::{Binder, Bound, Expr};

/// The names of the variables of some expressions, in order.
pub(super) fn variables(exprs: &[&Expr]) -> Vec<Box<str>> {
    let mut names = Vec::new();
    for expr in exprs {
        collect(expr, &mut Vec::new(), &mut names);
    }
    names.sort();
    names.dedup();
    names
}

fn collect<'a>(expr: &'a Expr, bound: &mut Vec<&'a str>, names: &mut Vec<Box<str>>) {
    match expr {
        Expr::Variable(name) if !bound.contains(&&**name) => {
            if names.len() < 1024 {
                names.push(name.clone());
            }
        }
        Expr::Power(base, exponent) => {
            collect(base, bound, names);
            collect(exponent, bound, names);
        }
        Expr::Bound(inner) => {
            for end in inner.from.iter().chain(&inner.to) {
                collect(end, bound, names);
            }
            let binds = binds(inner);
            if binds {
                bound.push(&inner.variable);
            }
            collect(&inner.body, bound, names);
            if binds {
                bound.pop();
            }
        }
        other => other.children().iter().for_each(|part| collect(part, bound, names)),
    }
}

/// Whether the variable is the operator's own: that of an indefinite integral or a derivative is not.
pub(super) fn binds(bound: &Bound) -> bool {
    match bound.binder {
        Binder::Sum | Binder::Product | Binder::Limit(_) => true,
        Binder::Integral | Binder::Derivative(_) => bound.to.is_some(),
    }
}

/// Whether a letter names complex numbers where it matters.
pub(super) fn is_complex(name: &str) -> bool {
    name.starts_with(['z', 'w', 'ω'])
}

/// Whether all variables have the names of whole numbers.
pub(super) fn are_whole(names: &[Box<str>]) -> bool {
    let whole = |name: &str| matches!(name, "n" | "k" | "m" | "j" | "l" | "N" | "p" | "q");
    !names.is_empty() && names.iter().all(|name| whole(name))
}
