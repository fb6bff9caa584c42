//! Rows of two answers and what their comparison has to find.

use super::super::expr::{Domain, Expr, Join, SetOperation, Value};
use super::super::identity::Fuel;
use super::super::modular::Finding;
use super::super::parser::parse;
use super::compare;

/// Reads a value: a word for the form, its parts between semicolons, or else what the parser reads.
fn read(text: &str) -> Value {
    let domain = match text {
        "NN" => Some(Domain::Naturals),
        "ZZ" => Some(Domain::Integers),
        "QQ" => Some(Domain::Rationals),
        "RR" => Some(Domain::Reals),
        "CC" => Some(Domain::Complexes),
        _ => None,
    };
    if let Some(domain) = domain {
        return Value::Domain(domain);
    }
    let (form, rest) = text.split_once(' ').unwrap_or((text, ""));
    let parts = || rest.split(" ; ").map(read).collect::<Vec<_>>();
    let expr = |text: &str| match parse(text) {
        Some(Value::Expr(expr)) => expr,
        other => panic!("{text} is no expression: {other:?}"),
    };
    match form {
        "cases" => Value::System(parts()),
        "any" => Value::List(parts(), Join::Or),
        "both" => Value::List(parts(), Join::And),
        "list" => Value::List(parts(), Join::Comma),
        "join" => Value::Combined(SetOperation::Union, parts()),
        "meet" => Value::Combined(SetOperation::Intersection, parts()),
        "minus" => Value::Combined(SetOperation::Difference, parts()),
        "such" => {
            let (element, conditions) = rest.split_once(" | ").expect("an element and conditions");
            let conditions = conditions.split(" ; ").map(read).collect();
            Value::Builder { element: expr(element), conditions }
        }
        "in" => {
            let (element, set) = rest.split_once(' ').expect("an element and a set");
            Value::Element(expr(element), Box::new(read(set)))
        }
        "mod" => {
            let sides: Vec<&str> = rest.split(", ").collect();
            match sides.as_slice() {
                [left, right, modulus] => {
                    Value::Congruence { left: Some(expr(left)), right: expr(right), modulus: expr(modulus) }
                }
                [right, modulus] => {
                    Value::Congruence { left: None, right: expr(right), modulus: expr(modulus) }
                }
                _ => panic!("{text}"),
            }
        }
        "apply" => {
            let (name, rest) = rest.split_once(' ').expect("a name and a relation");
            let applied = Expr::Apply(name.into(), vec![Expr::Variable("x".into())]);
            match read(rest) {
                Value::Chain { sides, relations } => {
                    let hole = Expr::Variable("y".into());
                    let sides = sides.into_iter().map(|s| if s == hole { applied.clone() } else { s });
                    Value::Chain { sides: sides.collect(), relations }
                }
                other => panic!("{other:?}"),
            }
        }
        _ => parse(text).unwrap_or_else(|| panic!("{text} does not parse")),
    }
}

fn found(a: &str, b: &str) -> Option<Finding> {
    compare(&read(a), &read(b), &mut Fuel::full()).map(|outcome| outcome.finding)
}

fn check(rows: &[(&str, &str)], expected: Option<Finding>) {
    let mut wrong = Vec::new();
    for (a, b) in rows {
        for (a, b) in [(a, b), (b, a)] {
            let finding = found(a, b);
            if finding != expected {
                wrong.push(format!("{a}  |  {b}: {finding:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "not {expected:?}:\n{}", wrong.join("\n"));
}

#[test]
fn sets_of_reals_that_are_equal() {
    check(
        &[
            ("x>2", "(2,\\infty)"),
            ("x>2", "such t | t>2"),
            ("x>2", "in x (2,\\infty)"),
            ("2<x", "x>2"),
            ("2x<4", "x<2"),
            ("-x>1", "x<-1"),
            ("1<x\\le 2", "2\\ge x>1"),
            ("1<x\\le 2", "(1,2]"),
            ("|x|<2", "-2<x<2"),
            ("|x|<2", "(-2,2)"),
            ("|2x-1|\\ge 3", "any x\\le -1 ; x\\ge 2"),
            ("|2x-1|\\ge 3", "(-\\infty,-1]\\cup[2,\\infty)"),
            ("|x-1|+|x+2|<5", "-3<x<2"),
            ("|x|>|x-2|", "x>1"),
            ("x^2<4", "(-2,2)"),
            ("x^2\\le 2", "[-\\sqrt{2},\\sqrt{2}]"),
            ("x^2-x-1<0", "(\\frac{1-\\sqrt{5}}{2},\\frac{1+\\sqrt{5}}{2})"),
            ("x^2-5x+6\\le 0", "[2,3]"),
            ("x^2-5x+6>0", "list x<2 ; x>3"),
            ("\\frac{x-1}{x+2}>0", "(-\\infty,-2)\\cup(1,\\infty)"),
            ("\\frac{x-1}{x+2}\\ge 0", "(-\\infty,-2)\\cup[1,\\infty)"),
            ("\\frac{1}{x}<1", "any x<0 ; x>1"),
            ("\\frac{x^2}{x}>0", "x>0"),
            ("\\sqrt{x}<2", "[0,4)"),
            ("\\sqrt{x-1}\\le 3", "1\\le x\\le 10"),
            ("\\sqrt{x}>x", "(0,1)"),
            ("\\sqrt{x+2}>x", "[-2,2)"),
            ("\\sqrt[3]{x}>2", "x>8"),
            ("\\sqrt{x}+\\sqrt{x-1}<3", "1\\le x<\\frac{25}{9}"),
            ("\\sqrt{x}\\ge 0", "[0,\\infty)"),
            ("x\\ne 2", "(-\\infty,2)\\cup(2,\\infty)"),
            ("x\\ne 2", "2\\ne x"),
            ("x\\ne 1", "minus RR ; \\{1\\}"),
            ("minus RR ; \\{1\\}", "(-\\infty,1)\\cup(1,\\infty)"),
            ("minus RR ; \\{-1,1\\}", "x^2\\ne 1"),
            ("minus RR ; \\{-1,1\\}", "list x\\ne 1 ; x\\ne -1"),
            ("x^2\\ge 0", "RR"),
            ("x^2\\ge 0", "(-\\infty,\\infty)"),
            ("x^2<0", "\\emptyset"),
            ("minus RR ; RR", "\\emptyset"),
            ("join \\{1,2\\} ; (3,4)", "join (3,4) ; \\{2\\} ; \\{1\\}"),
            ("join (1,2) ; \\{2\\}", "(1,2]"),
            ("join (1,2] ; [2,3)", "(1,3)"),
            ("meet (1,3) ; (2,4)", "(2,3)"),
            ("meet [1,2] ; [2,3]", "\\{2\\}"),
            ("minus [0,4] ; (1,2)", "[0,1]\\cup[2,4]"),
            ("list in x RR ; x\\ne 0", "minus RR ; \\{0\\}"),
            ("cases x>1 ; x<3", "(1,3)"),
            ("both x>1 ; x<3", "1<x<3"),
            ("list x>1 ; x<3", "1<x<3"),
            ("list x<1 ; x>3", "any x<1 ; x>3"),
        ],
        Some(Finding::Equal),
    );
}

#[test]
fn sets_with_exact_ends_that_are_equal() {
    check(
        &[
            ("x^2=4", "\\{-2,2\\}"),
            ("x=\\pm 2", "x^2=4"),
            ("list x=1 ; x=2", "\\{1,2\\}"),
            ("both x=1 ; x=2", "\\{1,2\\}"),
            ("x^2-5x+6=0", "any x=2 ; x=3"),
            ("\\sqrt{x}=2", "x=4"),
            ("x<\\sqrt{2}", "(-\\infty,\\sqrt{2})"),
            ("2x<\\sqrt{8}", "x<\\sqrt{2}"),
            ("x<\\frac{\\pi}{2}", "2x<\\pi"),
            ("-\\frac{3\\pi}{4}\\le x\\le\\frac{\\pi}{4}", "-\\frac{3}{4}\\pi\\le x\\le\\frac{1}{4}\\pi"),
            ("x^2<\\pi", "(-\\sqrt{\\pi},\\sqrt{\\pi})"),
            ("x^3>\\pi", "x>\\sqrt[3]{\\pi}"),
            ("x^3<2", "(-\\infty,\\sqrt[3]{2})"),
            ("x^2-2\\sqrt{2}x+2\\le 0", "\\{\\sqrt{2}\\}"),
            ("x^4-5x^2+6<0", "join (-\\sqrt{3},-\\sqrt{2}) ; (\\sqrt{2},\\sqrt{3})"),
            ("x^5-x-1>0", "2x^5-2x-2>0"),
            ("x^5-x-1>0", "(x^5-x-1)(x^2+1)>0"),
            ("\\max(x,2)<3", "x<3"),
            ("(x-1)^2>0", "x\\ne 1"),
            ("x(x-1)^2\\le 0", "any x\\le 0 ; x=1"),
            ("x/x<x+x\\le 3", "1<2x\\le 3"),
            ("2x+y\\le 4+y", "x\\le 2"),
            ("2x+y\\le 4+y", "(-\\infty,2]"),
            ("0<2<x", "x>2"),
            ("such x | in x ZZ ; 1\\le x\\le 3", "\\{1,2,3\\}"),
            ("such x | in x ZZ ; x^2<5", "\\{-2,-1,0,1,2\\}"),
            ("such x | in x ZZ ; \\sqrt{2}<x<\\pi", "\\{2,3\\}"),
            ("list in n ZZ ; n>2", "list in n ZZ ; n\\ge 3"),
            ("list in n NN ; 1<n<4", "\\{2,3\\}"),
            ("meet ZZ ; [0,2)", "\\{0,1\\}"),
            ("ZZ", "ZZ"),
            ("NN", "such n | in n NN"),
            ("in x RR", "RR"),
            ("in x RR", "(-\\infty,\\infty)"),
            ("\\frac{(x-1)^2}{x-1}=0", "\\emptyset"),
            ("meet (1,2) ; (3,4)", "\\emptyset"),
            ("\\frac{1}{x}+\\frac{1}{x-1}\\le\\frac{3}{2}", "any x<0 ; \\frac{1}{3}\\le x<1 ; x\\ge 2"),
            ("\\sqrt[4]{x}\\le 2", "[0,16]"),
            ("\\sqrt{4-x^2}>1", "-\\sqrt{3}<x<\\sqrt{3}"),
            ("x\\sqrt{x-2}\\ge 0", "[2,\\infty)"),
            ("|x^2-4|<3", "join (-\\sqrt{7},-1) ; (1,\\sqrt{7})"),
            ("||x|-2|<1", "any -3<x<-1 ; 1<x<3"),
            ("\\frac{|x|}{x}>0", "x>0"),
            ("f>1", "(1,\\infty)"),
            ("apply f 0<y<1", "(0,1)"),
            ("x<90^\\circ", "x<\\frac{\\pi}{2}"),
            ("in 2x (2,4)", "1<x<2"),
        ],
        Some(Finding::Equal),
    );
}

#[test]
fn sets_of_reals_that_differ() {
    check(
        &[
            ("x>2", "x\\ge 2"),
            ("x>2", "[2,\\infty)"),
            ("x>2", "x<2"),
            ("x<2", "y<2"),
            ("x=2", "y=2"),
            ("|x|<2", "-2<x<3"),
            ("|x|<2", "|x|\\le 2"),
            ("x^2<4", "x<2"),
            ("\\sqrt{x}<2", "x<4"),
            ("\\sqrt{x}>x", "0\\le x<1"),
            ("\\frac{x-1}{x+2}\\ge 0", "any x\\le -2 ; x\\ge 1"),
            ("\\frac{1}{x}<1", "x>1"),
            ("\\frac{x^2}{x}\\ge 0", "x\\ge 0"),
            ("x\\ne 2", "x\\ne 3"),
            ("x\\ne 2", "RR"),
            ("minus RR ; \\{1\\}", "RR"),
            ("minus RR ; \\{1\\}", "minus RR ; \\{-1\\}"),
            ("x^2>0", "RR"),
            ("\\{1,2\\}", "[1,2]"),
            ("\\{1,2\\}", "\\{1,2,3\\}"),
            ("join (1,2) ; (2,3)", "(1,3)"),
            ("meet (1,3) ; (2,4)", "[2,3)"),
            ("both x<1 ; x>3", "any x<1 ; x>3"),
            ("cases x=1 ; x=2", "\\{1,2\\}"),
            ("x^2=4", "x=2"),
            ("x^2=4", "\\{2\\}"),
            ("x^2=4", "x=\\pm 3"),
            ("x<\\sqrt{2}", "x<1.41421356"),
            ("x<\\pi", "x<\\frac{22}{7}"),
            ("x^2-x-1<0", "(-0.618,1.618)"),
            ("x^3<2", "x<\\sqrt{2}"),
            ("x^5-x-1>0", "x^5-x-1\\ge 0"),
            ("x^5-x-1>0", "x>1.1673"),
            ("2x+y\\le 4+y", "x<2"),
            ("1<2x\\le 3", "1<2y\\le 3"),
            ("1<2x<10", "2=4x=20"),
            ("such x | in x ZZ ; 1\\le x\\le 3", "[1,3]"),
            ("such x | in x ZZ ; 1<x<3", "\\{1,2,3\\}"),
            ("list in n ZZ ; n>2", "n>2"),
            ("list in n ZZ ; n>2", "list in n ZZ ; n\\ge 2"),
            ("ZZ", "RR"),
            ("(1,2)", "[1,2]"),
            ("(1,2)", "(1,3)"),
            ("x=3.14", "x=\\pi"),
            ("|2x-1|\\ge 3", "x\\ge 2"),
            ("x<90^\\circ", "x<90^\\circ+1"),
            ("apply f 0<y<1", "[0,1)"),
        ],
        Some(Finding::Different),
    );
}

#[test]
fn equations_that_are_equal() {
    check(
        &[
            ("y=2x+1", "2x-y+1=0"),
            ("\\frac{x^2}{4}+\\frac{y^2}{9}=1", "9x^2+4y^2=36"),
            ("x^2+1=0", "2x^2+2=0"),
            ("x^2+1=0", "any x=i ; x=-i"),
            ("x^2=2", "x=\\pm\\sqrt{2}"),
            ("\\frac{x}{y}=2", "x=2y"),
            ("x+2y=7", "\\frac{x}{x}+\\frac{2y}{x}=\\frac{7}{x}"),
            ("x+2y=7", "\\frac{x}{y}+2-\\frac{7}{y}=0"),
            ("\\frac{x^2+x}{x}-1=0", "109x=0"),
            ("(x+y)^2=0", "x+y=0"),
            ("(x-1)^2(x-2)=0", "(x-1)(x-2)^3=0"),
            ("(x-y)(x+y)=0", "any x=y ; x=-y"),
            ("xy=0", "any x=0 ; y=0"),
            ("x^2=y^2", "any x=y ; x=-y"),
            ("a=\\frac{1}{2}b+5", "b-2a+c=c-10"),
            ("2x+3=8", "2x+3-8-m=0-m"),
            ("5c+5c=5c+5c", "c=c"),
            ("m=50\\cos(\\frac{2\\pi}{30}d)+50", "m=50\\cos(\\frac{1}{15}\\pi d)+50"),
            ("y=\\sin^2 x+\\cos^2 x", "y=1"),
            ("y=2\\sin x", "\\frac{y}{2}=\\sin x"),
            ("y=\\sqrt{x^2}", "y=|x|"),
            ("y=|x-3|", "y=|3-x|"),
            ("e^x(x-1)=0", "x=1"),
            ("e^x(y-1)=0", "y=1"),
            ("x^2+y^2=\\pi", "\\frac{x^2}{\\pi}+\\frac{y^2}{\\pi}=1"),
            ("\\sqrt{2}x+y=1", "2x+\\sqrt{2}y=\\sqrt{2}"),
            ("apply f y=2x+1", "apply f y=1+2x"),
            ("x+y\\ne 2", "2x\\ne 4-2y"),
        ],
        Some(Finding::Equal),
    );
}

#[test]
fn equations_that_differ() {
    check(
        &[
            ("x^2+1=0", "x^2+2=0"),
            ("x^2-3x+10=0", "x^2-4x+10=0"),
            ("x^3=8", "x=2"),
            ("x^2+y^2=0", "x^2+2y^2=0"),
            ("y=2x+1", "2x-y-1=0"),
            ("\\frac{x^2}{4}+\\frac{y^2}{9}=1", "4x^2+9y^2=36"),
            ("x+2y=7", "x^2+2xy-7x=0"),
            ("xy=0", "x=0"),
            ("y=\\sqrt{x}", "y^2=x"),
            ("y=|x-5000|", "y=5000-x"),
            ("x=\\max(y,9^9)", "x=9^9"),
            ("y=\\sin x", "y=\\cos x"),
            ("y^2=\\sin x", "y^2=\\cos x"),
            ("\\frac{(x-1)^2}{x-1}=0", "\\{1\\}"),
            ("\\frac{x^2-x}{x-1}=0", "x^2-x=0"),
            ("q=9", "q=q"),
            ("q=9", "qa=9"),
            ("5c+5c=5c+5c", "d=d"),
            ("2x+3=8", "5x+6=16"),
            ("a=4g", "a=4(g-1)"),
            ("b=500(\\frac{3}{4})^d", "b=500(\\frac{1}{4})^{d-1}"),
            ("x^2+y^2=\\pi", "x^2+y^2=3"),
            ("\\sqrt{2}x+y=1", "\\sqrt{3}x+y=1"),
            ("apply f y=2x+1", "apply f y=2x-1"),
            ("x+y\\ne 2", "x+y=2"),
            ("3x-y+13=0", "3x+4y+14=0"),
            ("x=1", "x=y"),
        ],
        Some(Finding::Different),
    );
}

#[test]
fn systems() {
    check(
        &[
            ("cases x=1 ; y=2", "list x=1 ; y=2"),
            ("cases x=1 ; y=2", "both y=2 ; x=1"),
            ("cases x+y=3 ; x-y=-1", "list x=1 ; y=2"),
            ("cases x+y=3 ; x-y=-1", "cases 2x+2y=6 ; 3x=3"),
            ("cases x+y=3 ; 2x+2y=6", "x+y=3"),
            ("x=y=z", "cases x=y ; y=z ; z=x"),
            ("cases x+y=3 ; xy=2", "cases 2xy=4 ; y=3-x"),
            ("cases x+y<3 ; x>0", "cases 2x>0 ; 2x+2y<6"),
            ("0<x<y", "y>x>0"),
            ("a<x\\le b", "(a,b]"),
            ("x>a", "(a,\\infty)"),
            ("2x+3y\\ge 7", "-2x-3y\\le -7"),
            ("5.5x+8y\\ge 100", "5.5x+8y+z\\ge 100+z"),
            ("\\sin x>\\frac{1}{2}", "2\\sin x>1"),
            ("e^x>y", "y<e^x"),
            ("cases x^2=4 ; x>0", "x=2"),
            ("list x=1 ; 2", "\\{1,2\\}"),
            ("x=a", "a=x"),
        ],
        Some(Finding::Equal),
    );
    check(
        &[
            ("cases x=1 ; y=2", "cases x=2 ; y=1"),
            ("cases x=1 ; y=2", "x=1"),
            ("cases x+y=3 ; x-y=-1", "cases x=1 ; y=3"),
            ("any x=1 ; y=2", "cases x=1 ; y=2"),
            ("cases x+y=3 ; xy=2", "cases x=1 ; y=2"),
            ("cases x+y<3 ; x>0", "cases x+y<3 ; x\\ge 0"),
            ("2x+3y\\ge 7", "-2x-3y\\ge -7"),
            ("2x+3y\\ge 7", "2x+3y>7"),
            ("a<x\\le b", "[a,b]"),
            ("\\sin x>\\frac{1}{2}", "\\cos x>\\frac{1}{2}"),
            ("e^x>y", "e^x\\ge y"),
            ("x<y", "x<y+1"),
            ("A<B", "a<b"),
        ],
        Some(Finding::Different),
    );
}

#[test]
fn congruences() {
    check(
        &[
            ("mod x, 1, 3", "mod x, 4, 3"),
            ("mod x, 1, 3", "mod x, -2, 3"),
            ("mod 2x, 4, 6", "mod x, 2, 3"),
            ("mod 2x, 1, 7", "mod x, 4, 7"),
            ("mod -x, 1, 5", "mod x, 4, 5"),
            ("mod x^2, 1, 8", "mod x, 1, 2"),
            ("mod 1, 3", "mod x, 1, 3"),
            ("mod 7, 3", "mod 1, 3"),
            ("any mod x, 1, 4 ; mod x, 3, 4", "mod x, 1, 2"),
            ("list mod x, 1, 4 ; mod x, 2, 4", "any mod x, 2, 4 ; mod x, 1, 4"),
            ("cases mod x, 2, 3 ; mod x, 3, 5", "mod x, 8, 15"),
            ("mod 3x, 6, 1000000007", "mod x, 2, 1000000007"),
            ("mod a+b, c, 5", "mod a, c-b, 5"),
            ("mod a, b, 5", "mod 6a, b, 5"),
        ],
        Some(Finding::Equal),
    );
    check(
        &[
            ("mod x, 1, 3", "mod x, 2, 3"),
            ("mod x, 1, 3", "mod x, 1, 6"),
            ("mod x, 1, 3", "mod y, 1, 3"),
            ("mod 2x, 4, 6", "mod x, 2, 6"),
            ("mod 1, 3", "mod 2, 3"),
            ("cases mod x, 2, 3 ; mod x, 3, 5", "mod x, 7, 15"),
            ("mod 3x, 6, 1000000007", "mod x, 3, 1000000007"),
        ],
        Some(Finding::Different),
    );
    check(
        &[("mod 2x, 1, 4", "mod 2x, 3, 4"), ("mod a, b, 5", "mod a, 2b, 5"), ("mod x, 1, 0", "mod x, 2, 0")],
        Some(Finding::Unknown),
    );
}

#[test]
fn what_cannot_be_shown_is_unknown() {
    check(
        &[
            ("x^2<0", "x^2<-1"),
            ("x^3=8", "\\{2\\}"),
            ("0=1", "0=2"),
            ("cases x=1 ; x=2", "cases x=1 ; x=3"),
            ("list in n NN ; n<3", "\\{0,1,2\\}"),
            ("list in n NN ; n<3", "\\{1,2\\}"),
            ("x^{40}-3x+1>0", "x^{40}-3x+1>\\frac{1}{10^{90}}"),
            ("\\ln x+\\ln x>0", "x^2>1"),
            ("|x-5000|<y", "5000-x<y"),
        ],
        Some(Finding::Unknown),
    );
}

#[test]
fn what_describes_no_set_is_not_compared() {
    check(
        &[
            ("5", "x=5"),
            ("(2,1)", "x>1"),
            ("(1,1)", "(2,2)"),
            ("1,2", "x=1"),
            ("(1,2,3)", "\\{1,2,3\\}"),
            ("[1,\\infty]", "x\\ge 1"),
            ("\\{(1,2)\\}", "cases x=1 ; y=2"),
            ("mod 1, 3", "x=1"),
        ],
        None,
    );
}

#[test]
fn hostile_input_ends_soon() {
    let long = |item: &str, times: usize| vec![item; times].join("+");
    let rows = [
        ("(x+y+z+u+v+w)^{60}=1".to_owned(), "x=1".to_owned()),
        ("x^{64}-x^{63}+7>0".to_owned(), "x^{64}+x^{63}+7>0".to_owned()),
        (format!("{}<9", long("|x-1|", 40)), "x<1".to_owned()),
        (format!("{}<9", long("\\sqrt{x+y}", 40)), "x<y".to_owned()),
        ("x^{16}-9^{99}x^5+8^{98}<7^{97}".to_owned(), "x^{16}-9^{99}x^5+8^{98}<7^{96}".to_owned()),
        ("\\sqrt{\\sqrt{\\sqrt{\\sqrt{x+1}+1}+1}+1}<x".to_owned(), "x>2".to_owned()),
        (
            "\\frac{1}{x}+\\frac{1}{x+1}+\\frac{1}{x+2}+\\frac{1}{x+3}+\\frac{1}{x+4}>1".to_owned(),
            "x>0".to_owned(),
        ),
        ("x<9^{9^{9^9}}".to_owned(), "x<9^{9^{9^8}}".to_owned()),
    ];
    for (a, b) in rows {
        let finding = found(&a, &b);
        assert_ne!(finding, Some(Finding::Equal), "{a} | {b}");
    }
}
