"""From what trainers call a completion to the text that is judged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_SPECIAL = re.compile(r"(?:\s*(?:<\|[^|<>\s]{1,64}\|>|</s>|<eos>|<pad>|<end_of_turn>|\[EOS\]))+\s*\Z")


def text_of(completion: Any) -> str:
    """The text of a completion: a string, a message, or messages, of which the last assistant's counts.

    Parts of a message other than text are left out.
    """
    if isinstance(completion, str):
        return completion
    if completion is None:
        return ""
    if isinstance(completion, Mapping):
        if "content" in completion:
            return text_of(completion["content"])
        return str(completion.get("text") or "")
    if isinstance(completion, Sequence):
        messages = [item for item in completion if isinstance(item, Mapping) and "role" in item]
        if messages:
            own = [message for message in messages if message["role"] == "assistant"]
            return text_of(own[-1].get("content")) if own else ""
        return "".join(text_of(part) for part in completion)
    return str(completion)


def without_specials(text: str) -> str:
    """The text without the special tokens at its end, which some trainers decode too."""
    # Only the last bytes are looked at: the pattern may start at each white space before the end.
    cut = max(0, len(text) - 1024)
    return text[:cut] + _SPECIAL.sub("", text[cut:])


def without_prompt(query: str, prompt: str) -> str:
    """The completion out of prompt and completion in one text."""
    return query[len(prompt) :] if prompt and query.startswith(prompt) else query
