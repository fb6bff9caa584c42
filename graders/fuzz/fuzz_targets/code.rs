#![no_main]

graders_fuzz::target!(
    r#"[{"type": "code"}, {"type": "code", "mode": "fraction", "unfenced": "whole_text", "strip_thinking": false}]"#,
    r#"{"tests": {"language": "python", "compare": {"kind": "float"}, "cases": [{"stdin": "", "stdout": "print(1)\n"}, {"stdout": "1.5 2 x"}]}}"#
);
