#![no_main]

graders_fuzz::target!(
    r#"[{"type": "code", "unfenced": "whole_text", "unclosed": "take", "blocks": "join"}, {"type": "code", "unfenced": "heuristic"}]"#,
    r#"{"tests": {"language": "python", "compare": {"kind": "json"}, "cases": [{"stdout": "{\"a\": [1, 2.5, null, \"x\"]}"}]}}"#
);
