"""verl (0.9): a custom reward function for the managers ``naive``, ``dapo``, ``rate_limited`` and ``gdpo``.

    reward.custom_reward_function.path=pkg://gavel_client.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.rubric=math

verl scores one completion at a time, many at once; those of one worker that come within a few milliseconds go
in one request. Each is a group of its own, so components that compare completions see but one.

verl has no way to leave a completion out. A null is judged again, and then ends the step with an error, or is
the number ``on_infra_failure``. The error is a :class:`gavel_client.StopTraining`, because the manager
``rate_limited`` would turn any ``Exception`` into a reward of 0.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import _wire
from ._adapter import Coalescer, Settings, coalescer
from .errors import StopTraining
from .types import Completion, Reward, Task

log = logging.getLogger("gavel_client")

RESERVED = ("score", "acc", "judged")
"""Keys of each result before those of the components."""

_SETTINGS = (
    "rubric",
    "url",
    "api_key",
    "on_infra_failure",
    "deadline",
    "tries",
    "window_ms",
    "max_batch",
    "circuit_limit",
    "circuit_window",
    "circuit_minimum",
)
_warned = {*_SETTINGS, "reward_router_address", "reward_model_tokenizer"}


async def compute_score(
    data_source: str | None = None,
    solution_str: str = "",
    ground_truth: Any = None,
    extra_info: Mapping[str, Any] | None = None,
    *,
    field: str = "reference",
    rubrics: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, float]:
    """Scores one completion as verl asks for it.

    Args:
        data_source: the data set; picks one of ``rubrics``.
        solution_str: the completion.
        ground_truth: the right answer, or what else ``field`` says.
        extra_info: columns of the data set; ``tests``, ``schema``, ``language`` and ``instructions`` of it are
            used when they are there, and ``question`` or ``prompt`` as the prompt.
        field: which field of the task ``ground_truth`` is: ``reference``, ``tests``, ``schema``, ….
        rubrics: rubrics by data source, for those that ``rubric`` is not for.
        kwargs: ``rubric``, ``url``, ``api_key``, ``on_infra_failure``, ``deadline``, … (``reward_kwargs``);
            what else there is is not looked at, but for a warning.

    Returns:
        The same keys for each completion: ``score``; ``acc``, the score of the first component; ``judged``, 1 or
        0; and the score of each component of all rubrics. What has no score is NaN, never 0.

    Raises:
        StopTraining: there is no reward and no number was set for that; too many of the latest are null; or the
            settings have to change.
    """
    try:
        _complain(kwargs)
        base = Settings.of({name: kwargs[name] for name in _SETTINGS if name in kwargs})
        by_source = _wire.plain(rubrics) if rubrics else {}
        chosen = _with(base, by_source.get(str(data_source), base.rubric))
        names = await _all_names(base, [base.rubric, *by_source.values()])
        reward = await chosen.score(Completion(solution_str), _task(ground_truth, extra_info, field))
        return _result(reward, chosen.number(reward), names)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        raise StopTraining(error) from error


def _complain(kwargs: Mapping[str, Any]) -> None:
    """Warns of settings that there are not, once each: verl may pass things that we do not know."""
    for name in kwargs.keys() - _warned:
        _warned.add(name)
        log.warning("compute_score does not know %r; its settings are %s", name, ", ".join(_SETTINGS))


def _with(base: Settings, rubric: Any) -> Coalescer:
    return coalescer(replace(base, rubric=rubric))


async def _all_names(base: Settings, rubrics: list[Any]) -> list[str]:
    """The components of all rubrics: each result has them all, whatever its own rubric and fate."""
    found: dict[str, None] = {}
    for rubric in rubrics:
        found.update(dict.fromkeys(await _with(base, rubric).names()))
    return list(found)


def _task(ground_truth: Any, extra_info: Mapping[str, Any] | None, field: str) -> Task:
    extra = extra_info or {}
    values = {
        name: extra[name]
        for name in ("tests", "schema", "language", "instructions")
        if extra.get(name) is not None
    }
    values[field] = ground_truth
    return Task(prompt=extra.get("question") or extra.get("prompt"), **values)


def _result(reward: Reward, score: float, names: list[str]) -> dict[str, float]:
    scores = reward.scores
    result = {"score": score, "acc": math.nan, "judged": float(reward.reward is not None)}
    for i, name in enumerate(names):
        found = scores.get(name)
        value = math.nan if found is None else float(found)
        result[f"component_{name}" if name in RESERVED else name] = value
        if i == 0:
            result["acc"] = value
    return result
