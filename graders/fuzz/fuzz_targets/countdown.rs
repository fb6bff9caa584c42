#![no_main]

graders_fuzz::target!(
    r#"[{"type": "countdown", "format_score": 0.1}]"#,
    r#"{"metadata": {"numbers": [25, 5, 3, 18446744073709551615], "target": 60}}"#
);
