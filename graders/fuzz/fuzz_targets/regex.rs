#![no_main]

graders_fuzz::target!(
    r#"[{"type": "regex", "pattern": "(a*)*b|\\d+(?:\\.\\d+)?$"}, {"type": "regex", "pattern": "(\\w+\\s?)*", "full": true}]"#,
    "{}"
);
