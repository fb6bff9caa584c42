#![no_main]

graders_fuzz::target!(
    r#"[{"type": "number", "extract": ["answer_tag", "boxed", "last_number", "whole"]},
        {"type": "number", "extract": ["whole"], "absolute": 0.5, "relative": 0.01}]"#,
    r#"{"reference": "1234.5"}"#
);
