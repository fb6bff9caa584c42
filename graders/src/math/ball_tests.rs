//! Tests of the balls.

use super::*;

#[test]
fn the_arctangent_is_that_of_the_library() {
    for bits in [64, 256, 1024] {
        let mut arithmetic = Arithmetic::new(bits);
        for (top, bottom) in [(0, 1_u32), (1, 1), (-7, 3), (1, 1_000_003), (239, 1), (-1_000_003, 7)] {
            let x = arithmetic.rational(&RBig::from_parts(top.into(), bottom.into())).unwrap();
            let ours = arithmetic.arctan(&x).unwrap();
            let library = arithmetic.context.atan(x.re.repr(), None);
            let library = arithmetic.real(library, x.error).unwrap();
            assert_eq!(arithmetic.position(&ours, &library), Position::Together, "{top}/{bottom}");
            assert!(ours.error < x.error.max(-(bits as f64)) + 8.0, "{top}/{bottom} {}", ours.error);
        }
    }
}
