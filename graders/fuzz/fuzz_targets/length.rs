#![no_main]

graders_fuzz::target!(
    r#"[{"type": "length", "rule": "limit", "max": 40}, {"type": "length", "rule": "soft_overlong", "l_max": 60, "l_cache": 20, "unit": "words"}, {"type": "length", "rule": "kimi", "correct": "a"}, {"type": "length", "rule": "cosine", "correct": "a", "max_length": 50, "unit": "characters"}, {"type": "length", "rule": "lcpo_max", "correct": "a", "target": 30}]"#,
    "{}"
);
