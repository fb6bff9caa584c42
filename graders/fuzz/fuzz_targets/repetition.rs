#![no_main]

graders_fuzz::target!(
    r#"[{"type": "repetition"}, {"type": "repetition", "n": 8}, {"type": "repetition", "unit": "characters", "n": 7}, {"type": "repetition", "unit": "lines"}]"#,
    "{}"
);
