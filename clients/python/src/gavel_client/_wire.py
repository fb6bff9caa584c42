"""Requests as bytes, cut into parts that the server takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from .types import Completion, Group, Rubric, Sample, Task

MAX_GROUPS = 4096
MAX_COMPLETIONS = 4096
MAX_TEXT_BYTES = 1 << 20

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Part:
    """Some groups of one logical request, encoded."""

    groups: Sequence[bytes]
    sizes: Sequence[int]
    """Completions of each group."""

    def halves(self) -> tuple[Part, Part]:
        """The same in two requests."""
        at = len(self.groups) // 2
        return Part(self.groups[:at], self.sizes[:at]), Part(self.groups[at:], self.sizes[at:])


def plain(value: Any) -> Any:
    """Lists, dicts, numbers and text out of whatever a trainer's data loader hands over.

    Reads dataclasses, mappings, sequences, and what has ``tolist`` or ``item`` (numpy, torch).
    """
    if value is None or isinstance(value, (str, bool, int, float)):
        # Subclasses, such as numpy's float64, become what they are.
        return value if type(value) in (str, bool, int, float, type(None)) else _builtin(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def _builtin(value: Any) -> Any:
    for kind in (str, bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8.

    Half a pair of surrogates, which a tokenizer may leave, becomes U+FFFD: it is in no UTF-8.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if _SURROGATES.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.encode()


def task_body(task: Task | Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a task that say something."""
    body = plain(task)
    return {key: value for key, value in body.items() if value is not None and value != [] and value != {}}


def completion_body(completion: str | Completion | Mapping[str, Any]) -> Any:
    """A plain string where there is nothing but text."""
    if isinstance(completion, str):
        return completion
    body = {key: value for key, value in plain(completion).items() if value is not None}
    return body["text"] if set(body) == {"text"} else body


def group_body(group: Group | Mapping[str, Any]) -> dict[str, Any]:
    """One group as the server reads it."""
    if isinstance(group, Mapping):
        # What the server does not know it shall refuse, and not we lose.
        body = {key: plain(value) for key, value in group.items() if key not in ("task", "completions")}
        task, completions = group.get("task") or {}, group.get("completions", ())
    else:
        body = {} if group.id is None else {"id": group.id}
        task, completions = group.task, group.completions
    body["task"] = task_body(task)
    body["completions"] = [completion_body(completion) for completion in completions]
    return body


def head(
    rubric: Rubric,
    advantage: Any,
    run: str | None,
    step: int | None,
    deadline: float | None,
    metrics: Mapping[str, float] | None,
) -> bytes:
    """The request without its groups and its last brace."""
    body: dict[str, Any] = {"rubric": plain(rubric)}
    if advantage is not None:
        body["advantage"] = plain(advantage)
    if run is not None:
        body["run"] = run
    if step is not None:
        body["step"] = step
    if metrics:
        body["metrics"] = plain(metrics)
    if deadline is not None:
        body["deadline_ms"] = max(1, round(deadline * 1000))
    return encode(body)[:-1]


def body(beginning: bytes, part: Part) -> bytes:
    """One request."""
    return beginning + b',"groups":[' + b",".join(part.groups) + b"]}"


def indivisible(advantage: Any) -> bool:
    """Whether an advantage looks at all groups of a request at once."""
    if advantage is None:
        return False
    described = {"estimator": advantage} if isinstance(advantage, str) else dict(advantage)
    return described.get("estimator") in ("gpg", "gdpo") or described.get("scale") == "batch"


def parts(
    groups: Sequence[Group | Mapping[str, Any]], max_completions: int, max_bytes: int, whole: bool
) -> list[Part]:
    """The groups in as few requests as the limits allow; in one when it must be ``whole``."""
    found: list[Part] = []
    encoded: list[bytes] = []
    sizes: list[int] = []
    n_bytes = 0
    for group in groups:
        described = group_body(group)
        text, size = encode(described), len(described["completions"])
        full = encoded and (
            sum(sizes) + size > max_completions
            or n_bytes + len(text) > max_bytes
            or len(encoded) == MAX_GROUPS
        )
        if full and not whole:
            found.append(Part(encoded, sizes))
            encoded, sizes, n_bytes = [], [], 0
        encoded.append(text)
        sizes.append(size)
        n_bytes += len(text) + 1
    found.append(Part(encoded, sizes))
    return found


def grouped(samples: Sequence[Sample]) -> tuple[list[Group], list[tuple[int, int]]]:
    """Samples of the same task in one group, and where each sample went (group, place in it).

    A text that is longer than the server judges stands in a group of its own, so that it fails alone.
    """
    completions: list[list[str | Completion | Mapping[str, Any]]] = []
    tasks: list[Mapping[str, Any]] = []
    open_groups: dict[Any, int] = {}
    places: list[tuple[int, int]] = []
    for sample in samples:
        task = task_body(sample.task)
        text = sample.completion if isinstance(sample.completion, str) else sample.completion.text
        key: Any = (encode(task), sample.group)
        # No character has more than 4 bytes, so short texts need not be encoded to be measured.
        if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            key = object()
        at = open_groups.get(key)
        if at is None or len(completions[at]) == MAX_COMPLETIONS:
            at = len(completions)
            open_groups[key] = at
            completions.append([])
            tasks.append(task)
        places.append((at, len(completions[at])))
        completions[at].append(sample.completion)
    return [Group(c, t) for c, t in zip(completions, tasks, strict=True)], places
