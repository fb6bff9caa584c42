#![no_main]

graders_fuzz::target!(
    r##"[{"type": "json"}, {"type": "json", "fences": "strip", "forbid_duplicate_keys": true}, {"type": "json", "score": "fields", "extra_penalty": 0.5}]"##,
    r##"{"schema": {"properties": {"a": {"$ref": "#"}, "b": {"pattern": "^(x+)*$", "multipleOf": 0.1}}, "items": {"anyOf": [{"$ref": "#"}, {"type": "string"}]}, "uniqueItems": true}, "reference": {"a": {"b": [1, 2.5, "x"]}}}"##
);
