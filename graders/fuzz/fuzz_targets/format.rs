#![no_main]

graders_fuzz::target!(
    r#"[{"type": "format"}, {"type": "format", "assume_open_think": true}, {"type": "format", "style": "open_r1"}, {"type": "format", "style": "trl_think"}, {"type": "format", "style": "tag_count"}, {"type": "format", "style": "open_instruct"}, {"type": "format", "style": "grpo_zero"}]"#,
    "{}"
);
