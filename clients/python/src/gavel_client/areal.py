"""AReaL (1.0): a reward function for its workflows.

    from gavel_client.areal import GavelReward

    workflow = RLVRWorkflow(reward_fn=GavelReward("math", reference="answer"), ...)

``gavel_client.areal.gavel_reward`` is the same as a function, for configurations that name one; its settings come
from ``GAVEL_RUBRIC``, ``GAVEL_URL``, ``GAVEL_API_KEY`` and ``GAVEL_ON_INFRA_FAILURE``.

AReaL waits 15 seconds, four times, and then trains on 0. So this function is never slower than 12 seconds: a null,
or a server that does not answer, is an error by then, which AReaL tries again and then raises, or the number
``on_infra_failure``.
"""

from __future__ import annotations

from typing import Any

from ._adapter import Settings, coalescer
from ._text import text_of, without_specials
from .trl import COLUMNS, REFERENCES
from .types import Completion, Task

DEADLINE_S = 7.0
"""With the 5 seconds that the last answer may take, and some for a busy pool, less than AReaL's 15."""


class GavelReward:
    """A reward function that can be sent to AReaL's pool of processes."""

    def __init__(self, rubric: Any = None, *, reference: str | None = None, **settings: Any):
        """``reference`` is the column with the right answer; settings as for the other adapters."""
        self.__name__ = "gavel_reward"
        self.reference = reference
        self.settings = Settings.of({"rubric": rubric, **settings}, deadline=DEADLINE_S, tries=1)

    def __call__(
        self, prompt: Any, completions: Any, prompt_ids: Any = None, completion_ids: Any = None, **row: Any
    ) -> float:
        """The reward of one completion, as AReaL calls it."""
        names = REFERENCES if self.reference is None else (self.reference,)
        column = next((name for name in names if row.get(name) is not None), None)
        if column is None and self.reference is not None:
            raise ValueError(
                f"the data set has no column {self.reference!r}; it has {', '.join(sorted(row))}"
            )
        task = Task(
            prompt=prompt,
            reference=None if column is None else row[column],
            **{name: row[name] for name in COLUMNS if row.get(name) is not None},
        )
        n_tokens = None if completion_ids is None else len(completion_ids)
        judge = coalescer(self.settings)
        completion = Completion(without_specials(text_of(completions)), n_tokens=n_tokens)
        return judge.number(judge.score_blocking(completion, task))


def gavel_reward(
    prompt: Any, completions: Any, prompt_ids: Any = None, completion_ids: Any = None, **row: Any
) -> float:
    """As :class:`GavelReward`, with settings from the environment."""
    return GavelReward()(prompt, completions, prompt_ids, completion_ids, **row)
