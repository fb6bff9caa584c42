"""TRL: ``GRPOTrainer``, ``RLOOTrainer`` and ``AsyncGRPOTrainer`` (1.16).

    from gavel_client.trl import GavelReward

    trainer = GRPOTrainer(..., reward_funcs=GavelReward("math", reference="answer"))

A null reward is ``None``: TRL leaves such a completion out of its group and gives it the advantage 0. When
the server does not answer, all rewards of the batch are ``None``; the circuit ends training with an error when
that happens too often.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ._adapter import Settings, judged
from ._text import text_of
from .client import AsyncGavel
from .types import Completion, Reward, Sample, Task

REFERENCES = ("reference", "answer", "solution", "ground_truth", "target")
"""Columns that may hold the right answer, the first that is there counts."""
COLUMNS = ("tests", "schema", "language", "instructions")
"""Columns that are what their names say."""


class GavelReward:
    """A reward function for TRL; one request for a whole batch."""

    __name__: str

    def __init__(
        self,
        rubric: Any = None,
        *,
        name: str = "gavel",
        reference: str | None = None,
        task: Callable[[Mapping[str, Any]], Task | Mapping[str, Any]] | None = None,
        run: str | None = None,
        **settings: Any,
    ):
        """Makes a reward function; nothing is sent yet.

        Args:
            rubric: a name, or the rubric itself; ``math`` when nothing is said.
            name: what TRL calls it in its logs.
            reference: the column with the right answer; else the first of ``REFERENCES`` that is there.
            task: makes the task of a row (prompt and columns) where columns are not enough; for AsyncGRPO a
                function of a module.
            run: keeps what is judged under this run on the server.
            settings: ``url``, ``api_key``, ``deadline``, ``tries``, ``circuit_limit``, ….
        """
        self.__name__ = name
        self.settings = Settings.of({"rubric": rubric, **settings})
        self.reference = reference
        self.task = task
        self.run = run
        self.client: AsyncGavel = self.settings.client()

    def __repr__(self) -> str:
        return f"GavelReward({self.settings.rubric!r}, name={self.__name__!r})"

    def _task(self, row: Mapping[str, Any]) -> Task | Mapping[str, Any]:
        if self.task is not None:
            return self.task(row)
        names = REFERENCES if self.reference is None else (self.reference,)
        column = next((name for name in names if row.get(name) is not None), None)
        if column is None and self.reference is not None:
            raise ValueError(
                f"the data set has no column {self.reference!r}; it has {', '.join(sorted(row))}"
            )
        return Task(
            prompt=row["prompt"],
            reference=None if column is None else row[column],
            **{name: row[name] for name in COLUMNS if row.get(name) is not None},
        )

    def samples(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None,
        columns: Mapping[str, Any],
    ) -> list[Sample]:
        """What is judged: a completion and the task of its row, for each row of a batch."""
        n = len(completions)
        per_row = {
            name: values
            for name, values in columns.items()
            if isinstance(values, Sequence) and not isinstance(values, str) and len(values) == n
        }
        found = []
        for i, completion in enumerate(completions):
            row = {**{name: values[i] for name, values in per_row.items()}, "prompt": prompts[i]}
            n_tokens = len(completion_ids[i]) if completion_ids is not None else None
            found.append(Sample(Completion(text_of(completion), n_tokens=n_tokens), self._task(row)))
        return found

    async def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        trainer_state: Any = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """The rewards of a batch, as TRL calls it."""
        samples = self.samples(prompts, completions, completion_ids, columns)
        step = getattr(trainer_state, "global_step", None)
        rewards = await judged(self.client, samples, self.settings, run=self.run, step=step)
        self._log(rewards, log_extra, log_metric)
        return [reward.reward for reward in rewards]

    def _log(
        self,
        rewards: Sequence[Reward],
        log_extra: Callable[[str, list[Any]], None] | None,
        log_metric: Callable[[str, float], None] | None,
    ) -> None:
        if log_metric is not None:
            n_null = sum(reward.reward is None for reward in rewards)
            log_metric(f"{self.__name__}/null_fraction", n_null / max(1, len(rewards)))
            scores: dict[str, list[float]] = {}
            for reward in rewards:
                for component, score in reward.scores.items():
                    if score is not None:
                        scores.setdefault(component, []).append(score)
            for component, found in scores.items():
                log_metric(f"{self.__name__}/{component}", sum(found) / len(found))
        if log_extra is not None:
            log_extra(f"{self.__name__}_reason", [reward.reason for reward in rewards])
