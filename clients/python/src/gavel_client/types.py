"""What goes to the server and what comes back, as plain data.

Field by field these are the bodies of ``POST /v1/grade``; the server's ``/openapi.json`` describes them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

Rubric = Union[str, Mapping[str, Any]]
"""A preset's or stored rubric's name, or the rubric itself."""

TRANSIENT = frozenset(
    {
        "sandbox_unavailable",
        "sandbox_failed",
        "deadline_exceeded",
        "cancelled",
        "judge_unavailable",
        "judge_unreadable",
        "judge_inconsistent",
        "external_unavailable",
        "external_unreadable",
        "internal",
        "unreachable",
    }
)
"""Kinds of failures that may be gone at the next try; the others lie in the task."""


@dataclass(frozen=True)
class Task:
    """What one line of a data set says. What is ``None`` or empty is not sent."""

    prompt: Any = None
    """Plain text or chat messages."""
    reference: Any = None
    """The right answer: a string, a number, or a list of alternatives."""
    tests: Any = None
    """Tests for the ``code`` grader."""
    schema: Any = None
    """A JSON Schema for the ``json`` grader."""
    language: str | None = None
    """The language that the answer should be in, such as ``en``."""
    instructions: Sequence[Any] = ()
    """Verifiable instructions for the ``instruct`` grader."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Anything else."""


@dataclass(frozen=True)
class Completion:
    """What the policy wrote."""

    text: str
    """The decoded text without the prompt."""
    id: str | None = None
    """A name of the caller's, unique in its group."""
    n_tokens: int | None = None
    """Tokens sampled; length rewards need it."""
    finish_reason: str | None = None
    """Why sampling ended: ``stop``, ``length``, …."""


@dataclass(frozen=True)
class Group:
    """A task and the completions that are compared with each other."""

    completions: Sequence[str | Completion | Mapping[str, Any]]
    task: Task | Mapping[str, Any] = field(default_factory=Task)
    id: str | None = None


@dataclass(frozen=True)
class Sample:
    """One completion of one task, for callers that have a flat list of them."""

    completion: str | Completion
    task: Task | Mapping[str, Any] = field(default_factory=Task)
    group: Hashable = None
    """Keeps completions of equal tasks apart: only equal tasks with equal ``group`` are judged together."""


@dataclass(frozen=True)
class Failure:
    """Why there is no reward."""

    component: str
    """The component that could not judge; empty when it was none of them."""
    kind: str
    """A stable name, such as ``sandbox_unavailable``; ``unreachable`` when the server gave no answer."""
    message: str
    """What happened and what to do about it."""

    @property
    def transient(self) -> bool:
        """Whether the same completion may well be judged at the next try."""
        return self.kind in TRANSIENT


@dataclass(frozen=True)
class Component:
    """One component's part in a reward."""

    name: str
    score: float | None
    """``None`` when it abstained or could not judge."""
    weight: float
    reason: str
    """Why, as a stable name."""
    detail: Mapping[str, Any]
    """What was extracted and how it was compared."""


@dataclass(frozen=True)
class Reward:
    """What one completion earned."""

    reward: float | None
    """``None`` when the judge could not judge. It is not 0: leave the completion out."""
    components: tuple[Component, ...] = ()
    """One for each component of the rubric, in its order; empty when the task could not be read."""
    error: Failure | None = None
    advantage: float | None = None
    id: str | None = None

    @property
    def scores(self) -> dict[str, float | None]:
        """Scores by component."""
        return {component.name: component.score for component in self.components}

    @property
    def reason(self) -> str:
        """The components' reasons in one line, for logs."""
        if not self.components:
            return self.error.kind if self.error else ""
        return " ".join(f"{component.name}={component.reason}" for component in self.components)


@dataclass(frozen=True)
class Fault:
    """One place in a request that is wrong."""

    pointer: str
    """JSON pointer into the request."""
    message: str


@dataclass(frozen=True)
class Provenance:
    """What reproduces a group's verdicts."""

    rubric_hash: str
    reference_hash: str
    graders: Mapping[str, int]


@dataclass(frozen=True)
class GroupReply:
    """The rewards of one group."""

    index: int
    rewards: tuple[Reward, ...]
    """One for each completion, in the request's order; empty when the group could not be read."""
    id: str | None = None
    error: Fault | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True)
class Stored:
    """What became of a run's groups."""

    run: str
    n_groups: int
    error: str | None = None


@dataclass(frozen=True)
class GradeReply:
    """The reply to :meth:`gavel_client.Gavel.grade`: one group for each that was sent, in their order."""

    groups: tuple[GroupReply, ...]
    elapsed_ms: float
    stored: Stored | None = None

    @property
    def rewards(self) -> list[float | None]:
        """All rewards, group after group."""
        return [reward.reward for group in self.groups for reward in group.rewards]


def grade_reply(body: Mapping[str, Any]) -> GradeReply:
    """Reads the body of a reply; ``KeyError`` or ``TypeError`` when it is none."""
    stored = body.get("stored")
    return GradeReply(
        groups=tuple(_group(group) for group in body["groups"]),
        elapsed_ms=float(body["elapsed_ms"]),
        stored=Stored(stored["run"], stored["n_groups"], stored.get("error")) if stored else None,
    )


def _group(body: Mapping[str, Any]) -> GroupReply:
    error, provenance = body.get("error"), body.get("provenance")
    return GroupReply(
        index=body["index"],
        rewards=tuple(_reward(reward) for reward in body["rewards"]),
        id=body.get("id"),
        error=Fault(error["pointer"], error["message"]) if error else None,
        provenance=Provenance(provenance["rubric_hash"], provenance["reference_hash"], provenance["graders"])
        if provenance
        else None,
    )


def _reward(body: Mapping[str, Any]) -> Reward:
    error, reward, advantage = body.get("error"), body["reward"], body.get("advantage")
    return Reward(
        reward=None if reward is None else float(reward),
        components=tuple(
            Component(part["name"], part["score"], part["weight"], part["reason"], part["detail"])
            for part in body["components"]
        ),
        error=Failure(error["component"], error["kind"], error["message"]) if error else None,
        advantage=None if advantage is None else float(advantage),
        id=body.get("id"),
    )
