#![no_main]

// Many references at once: each asks for another way of comparing.
graders_fuzz::target!(
    r#"[{"type": "math", "extract": ["answer_tag", "boxed", "hash", "answer_is", "last_formula", "last_number", "whole"]}]"#,
    r#"{"reference": ["\\frac{1}{2}", "x^2+2x+1", "\\{1,2\\}", "[0,1)", "\\begin{pmatrix}1\\\\2\\end{pmatrix}",
        "\\sin^2 x", "x \\le 3", "2\\sqrt{3}+i", "50\\%", "5\\text{ cm}", "\\text{yes}", "x=3", "1.5e10"]}"#
);
