#![no_main]

graders_fuzz::target!(
    r#"[{"type": "choice"}, {"type": "exact"}, {"type": "exact", "extract": ["last_line"], "case_sensitive": false}]"#,
    r#"{"reference": "B", "metadata": {"choices": ["red", "blue", "a deep blue", "(C)"]}}"#
);
