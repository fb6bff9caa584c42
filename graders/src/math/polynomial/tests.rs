//! Roots, divisors and their bounds.

use super::*;

fn polynomial(coefficients: &[i64]) -> Polynomial {
    let rationals: Vec<RBig> = coefficients.iter().map(|c| RBig::from(*c)).collect();
    Polynomial::new(&rationals).expect("small")
}

fn product(factors: &[&[i64]]) -> Polynomial {
    let mut all = vec![1_i64];
    for factor in factors {
        let mut next = vec![0; all.len() + factor.len() - 1];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in factor.iter().enumerate() {
                next[i + j] += a * b;
            }
        }
        all = next;
    }
    polynomial(&all)
}

/// Midpoints of narrow enclosures of the roots.
fn approximate(p: &Polynomial) -> Vec<f64> {
    let mut work = Work::new(100_000);
    let roots = p.roots(&mut work).expect("in reach");
    roots
        .iter()
        .map(|root| match root {
            Root::Rational(x) => x.to_f64().value(),
            Root::Algebraic(root) => {
                let (low, high) = root.narrowed(60, &mut work).expect("in reach");
                f64::midpoint(low.to_f64().value(), high.to_f64().value())
            }
        })
        .collect()
}

#[test]
fn real_roots_are_found_once_and_in_order() {
    let rows: &[(&[&[i64]], &[f64])] = &[
        (&[&[6, -5, 1]], &[2.0, 3.0]),
        (&[&[1, 0, 1]], &[]),
        (&[&[-2, 0, 1]], &[-std::f64::consts::SQRT_2, std::f64::consts::SQRT_2]),
        (&[&[-1, 1], &[-1, 1], &[1, 2]], &[-0.5, 1.0]),
        (&[&[0, 1], &[0, 1], &[0, 1]], &[0.0]),
        (&[&[-1, 3], &[-1, 7], &[1, 11]], &[-1.0 / 11.0, 1.0 / 7.0, 1.0 / 3.0]),
        (&[&[-1, -1, 1]], &[-0.618_033_988_749_894_8, 1.618_033_988_749_895]),
        (&[&[-1, 1], &[-2, 1], &[-3, 1], &[-4, 1], &[-5, 1], &[-6, 1]], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        (
            &[&[-2, 0, 1], &[-1000, 707]],
            &[-std::f64::consts::SQRT_2, std::f64::consts::SQRT_2, 1000.0 / 707.0],
        ),
    ];
    for (factors, expected) in rows {
        let found = approximate(&product(factors));
        assert_eq!(found.len(), expected.len(), "{factors:?}: {found:?}");
        for (found, expected) in found.iter().zip(*expected) {
            assert!((found - expected).abs() < 1e-12, "{factors:?}: {found} is not {expected}");
        }
    }
}

#[test]
fn common_and_repeated_factors() {
    let work = &mut Work::new(100_000);
    let (a, b) = (product(&[&[-1, 1], &[1, 0, 1]]), product(&[&[-1, 1], &[-1, 1], &[5, 1]]));
    assert_eq!(a.gcd(&b, work), Some(polynomial(&[-1, 1])));
    assert_eq!(b.square_free(work), Some(product(&[&[-1, 1], &[5, 1]])));
    assert_eq!(b.without(&a, work), Some(polynomial(&[5, 1])));
    assert_eq!(polynomial(&[-4, 2]), polynomial(&[-2, 1]));
    assert_ne!(polynomial(&[4, -2]), polynomial(&[-2, 1]));
}

#[test]
fn roots_of_different_polynomials_are_ordered() {
    let work = &mut Work::new(1_000_000);
    let golden = polynomial(&[-1, -1, 1]).roots(work).expect("two");
    let same = product(&[&[-1, -1, 1], &[-7, 0, 2]]).roots(work).expect("four");
    let order = |a: &Root, b: &Root, work: &mut Work| match (a, b) {
        (Root::Algebraic(a), Root::Algebraic(b)) => a.order(b, work),
        _ => None,
    };
    // -√3.5, (1-√5)/2, (1+√5)/2, √3.5
    let expected = [Ordering::Greater, Ordering::Equal, Ordering::Less, Ordering::Less];
    for (root, expected) in same.iter().zip(expected) {
        assert_eq!(order(&golden[0], root, work), Some(expected));
    }
    assert_eq!(order(&golden[1], &same[2], work), Some(Ordering::Equal));
}

#[test]
fn too_much_is_refused() {
    let mut high = vec![0_i64; 40];
    high.push(1);
    high[0] = -1;
    assert!(polynomial(&high).roots(&mut Work::new(1_000_000)).is_none());
    assert!(polynomial(&[-2, 0, 0, 0, 0, 0, 0, 1]).roots(&mut Work::new(3)).is_none());
    assert!(Polynomial::new(&vec![RBig::ONE; MAX_DEGREE + 2]).is_none());
}
