#![no_main]

// Every instruction type, strictly and loosely.
graders_fuzz::target!(
    r#"[{"type": "instruct"}, {"type": "instruct", "mode": "loose", "score": "all"}]"#,
    r#"{"instructions": [
        {"id": "keywords:existence", "kwargs": {"keywords": ["al+pha", "Beta"]}},
        {"id": "keywords:frequency", "kwargs": {"keyword": "cat", "frequency": 2, "relation": "at least"}},
        {"id": "keywords:forbidden_words", "kwargs": {"forbidden_words": ["bad", "b.d"]}},
        {"id": "keywords:letter_frequency", "kwargs": {"letter": "e", "let_frequency": 3, "let_relation": "less than"}},
        {"id": "language:response_language", "kwargs": {"language": "de"}},
        {"id": "length_constraints:number_sentences", "kwargs": {"num_sentences": 3, "relation": "at least"}},
        {"id": "length_constraints:number_paragraphs", "kwargs": {"num_paragraphs": 2}},
        {"id": "length_constraints:number_words", "kwargs": {"num_words": 4, "relation": "less than"}},
        {"id": "length_constraints:nth_paragraph_first_word", "kwargs": {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "hello"}},
        {"id": "detectable_content:number_placeholders", "kwargs": {"num_placeholders": 2}},
        {"id": "detectable_content:postscript", "kwargs": {"postscript_marker": "P.S."}},
        {"id": "detectable_content:postscript", "kwargs": {"postscript_marker": "P.P.S"}},
        {"id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": 2}},
        {"id": "detectable_format:constrained_response"},
        {"id": "detectable_format:number_highlighted_sections", "kwargs": {"num_highlights": 2}},
        {"id": "detectable_format:multiple_sections", "kwargs": {"section_spliter": "SECTION", "num_sections": 2}},
        {"id": "detectable_format:json_format"},
        {"id": "detectable_format:title"},
        {"id": "combination:two_responses"},
        {"id": "combination:repeat_prompt", "kwargs": {"prompt_to_repeat": "Write a poem."}},
        {"id": "startend:end_checker", "kwargs": {"end_phrase": "Any other questions?"}},
        {"id": "startend:quotation"},
        {"id": "change_case:capital_word_frequency", "kwargs": {"capital_frequency": 2, "capital_relation": "at least"}},
        {"id": "change_case:english_capital"},
        {"id": "change_case:english_lowercase"},
        {"id": "punctuation:no_comma"}]}"#
);
