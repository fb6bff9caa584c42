"""verifiers (0.4, its v1 interface): a judge plugin, and a reward for tasks of one's own.

    [[env.taskset.task.judges]]
    id = "gavel-judge"
    rubric = "math"
    answer_field = "answer"

Or in a task: ``@vf.reward async def correct(self, trace): return await gavel_reward(self.data, trace, rubric="math")``.

A reward is recorded once; the components are metrics (``gavel/accuracy``). A null is judged again, and then is an
error: verifiers marks the rollout as failed and does not score it. ``on_infra_failure`` as a number scores it.
"""

from __future__ import annotations

from typing import Any

import verifiers.v1 as vf
from pydantic import Field

from ._adapter import Settings, coalescer
from .types import Completion, Task

FIELDS = ("tests", "schema", "language", "instructions")


async def gavel_reward(
    task: Any, trace: Any, *, answer_field: str = "answer", response: str | None = None, **settings: Any
) -> float:
    """The reward of a rollout's last reply; the components become metrics of the trace.

    Args:
        task: the data of the task.
        trace: the rollout.
        answer_field: the field of the task with the right answer.
        response: what is judged instead of the last reply.
        settings: ``rubric``, ``url``, ``api_key``, ``on_infra_failure``, ….
    """
    judge = coalescer(Settings.of(settings))
    # The fields only: a model of pydantic also has a method called `schema`.
    values = dict(task)
    asked = Task(
        prompt=task.prompt_text,
        reference=values.get(answer_field),
        **{name: values[name] for name in FIELDS if values.get(name)},
    )
    reward = await judge.score(Completion(trace.last_reply if response is None else response), asked)
    for name, score in reward.scores.items():
        if score is not None:
            trace.record_metric(f"gavel/{name}", score)
    trace.record_metric("gavel/judged", float(reward.reward is not None))
    return judge.number(reward)


class GavelJudgeConfig(vf.JudgeConfig):
    """What ``[[…task.judges]]`` may say."""

    id: vf.ID = "gavel-judge"
    name: str = "gavel"
    rubric: str | dict[str, Any] = "math"
    """A preset's or stored rubric's name, or the rubric itself."""
    url: str | None = None
    """Where the server is; else ``GAVEL_URL``."""
    answer_field: str = "answer"
    """The field of the task with the right answer."""
    view: vf.JudgeView = "last_reply"
    """What is judged: the last reply, or the whole transcript."""
    on_infra_failure: str | float = "raise"
    """``"raise"``, or the number for what could not be judged."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """More settings, such as ``deadline``."""


class GavelJudge(vf.Judge[float, GavelJudgeConfig]):
    """Scores rollouts by a rubric of Gavel; calls no model itself."""

    async def score(self, task: vf.TaskData, trace: vf.Trace) -> float:
        """The reward of a rollout."""
        config = self.config
        return await gavel_reward(
            task,
            trace,
            answer_field=config.answer_field,
            response=trace.transcript if config.view == "full_trace" else trace.last_reply,
            rubric=config.rubric,
            url=config.url,
            on_infra_failure=config.on_infra_failure,
            **config.settings,
        )
