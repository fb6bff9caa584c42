"""rLLM: an evaluator of episodes.

    from gavel_client.rllm import GavelEvaluator

    trainer = AgentTrainer(..., evaluator=GavelEvaluator("math", reference="ground_truth"))

An evaluator has to give a number. A null is judged again, and then is an error, or the number
``on_infra_failure`` with the signal ``judged`` at 0.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from ._adapter import Settings, coalescer
from .trl import COLUMNS, REFERENCES
from .types import Completion, Task


class GavelEvaluator:
    """Judges the last answer of an episode."""

    def __init__(
        self, rubric: Any = None, *, reference: str | None = None, correct_from: float = 1.0, **settings: Any
    ):
        """Makes an evaluator; nothing is sent yet.

        Args:
            rubric: a name, or the rubric itself; ``math`` when nothing is said.
            reference: the field of the task's metadata with the right answer.
            correct_from: the first component's score from which on an answer counts as correct.
            settings: ``url``, ``api_key``, ``on_infra_failure``, ….
        """
        self.reference = reference
        self.correct_from = correct_from
        self.settings = Settings.of({"rubric": rubric, **settings})

    def evaluate(self, task: Any, episode: Any) -> Any:
        """The ``EvalOutput`` of an episode; ``task`` is rLLM's ``Task``, or a row."""
        row = task if isinstance(task, Mapping) else (getattr(task, "metadata", None) or {})
        names = REFERENCES if self.reference is None else (self.reference,)
        column = next((name for name in names if row.get(name) is not None), None)
        prompt = row.get("question") if isinstance(task, Mapping) else getattr(task, "instruction", None)
        asked = Task(
            prompt=prompt,
            reference=None if column is None else row[column],
            **{name: row[name] for name in COLUMNS if row.get(name) is not None},
        )
        judge = coalescer(self.settings)
        reward = judge.score_blocking(Completion(answer_of(episode)), asked)
        first = reward.components[0].score if reward.components else None
        judged = reward.reward is not None
        types = _types()
        signals = [types.Signal(name="judged", value=float(judged))]
        signals += [types.Signal(name=k, value=v) for k, v in reward.scores.items() if v is not None]
        return types.EvalOutput(
            reward=judge.number(reward),
            is_correct=judged and first is not None and first >= self.correct_from,
            signals=signals,
            metadata={"reason": reward.reason},
        )


def answer_of(episode: Any) -> str:
    """The answer of an episode: its artifact ``answer``, else the last output of its last trajectory."""
    artifacts = getattr(episode, "artifacts", None) or {}
    if "answer" in artifacts:
        return str(artifacts["answer"])
    trajectories = getattr(episode, "trajectories", None) or []
    if not trajectories:
        return ""
    last = trajectories[-1]
    if getattr(last, "output", None):
        return str(last.output)
    steps = getattr(last, "steps", None) or []
    return str(steps[-1].output or "") if steps else ""


def _types() -> Any:
    """The module that defines ``EvalOutput`` and ``Signal``; it has moved between versions."""
    for name in ("rllm.eval.types", "rllm.types"):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        if hasattr(module, "EvalOutput"):
            return module
    raise ImportError("rllm has no EvalOutput in rllm.eval.types or rllm.types; this version is not known")
