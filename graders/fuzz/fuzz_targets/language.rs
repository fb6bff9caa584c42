#![no_main]

graders_fuzz::target!(
    r#"[{"type": "language", "part": "all", "min_words": 1}, {"type": "language", "part": "thinking"},
        {"type": "language", "part": "answer", "method": "script", "min_words": 1}]"#,
    r#"{"language": "fr"}"#
);
