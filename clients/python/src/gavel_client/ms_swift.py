"""ms-swift (4.6): an outcome reward for ``--external_plugins``.

    # plugin.py
    from swift.rewards import orms
    from gavel_client.ms_swift import gavel_orm

    orms["gavel"] = gavel_orm("math", reference="solution")

ms-swift takes ``None`` but does not leave such a completion out: where no other function has a reward, its
advantages count it as 0. So a null is judged again, and then ends training with an error, or becomes the number
``on_infra_failure``, or with ``"group_mean"`` the mean of the completions of its task that were judged, whose
advantage is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _wire
from ._adapter import Settings, background, judged, number
from .errors import NotJudged
from .trl import GavelReward
from .types import Reward


def gavel_orm(
    rubric: Any = None,
    *,
    reference: str | None = None,
    on_infra_failure: str | float | None = None,
    **more: Any,
) -> type[Any]:
    """A class to register in ``swift.rewards.orms``.

    Args:
        rubric: a name, or the rubric itself; ``math`` when nothing is said.
        reference: the column with the right answer.
        on_infra_failure: ``"raise"``, ``"group_mean"``, or a number.
        more: as for :class:`gavel_client.trl.GavelReward`.
    """
    from swift.rewards import ORM

    by_mean = on_infra_failure == "group_mean"
    asked = "raise" if by_mean else on_infra_failure
    function = GavelReward(rubric, reference=reference, on_infra_failure=asked, **more)

    class GavelORM(ORM):
        """Rewards of Gavel."""

        counts = function.client.counts

        def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float]:
            return background(_rewards(function, by_mean, completions, columns))

    return GavelORM


async def _rewards(
    function: GavelReward, by_mean: bool, completions: Sequence[Any], columns: dict[str, Any]
) -> list[float]:
    messages = columns.get("messages")
    prompts = columns.pop("prompts", None)
    if prompts is None:
        prompts = [_before_the_answer(row) for row in messages] if messages else [None] * len(completions)
    state = columns.pop("trainer_state", None)
    samples = function.samples(prompts, completions, None, columns)
    settings: Settings = function.settings
    step = getattr(state, "global_step", None)
    rewards = await judged(function.client, samples, settings, run=function.run, step=step)
    if not by_mean:
        return [number(function.client, reward, settings.on_infra_failure) for reward in rewards]
    return _by_group_mean(
        function, rewards, [_wire.encode(_wire.task_body(sample.task)) for sample in samples]
    )


def _before_the_answer(messages: Any) -> Any:
    rows = _wire.plain(messages)
    return rows[:-1] if rows and rows[-1].get("role") == "assistant" else rows


def _by_group_mean(function: GavelReward, rewards: Sequence[Reward], tasks: Sequence[bytes]) -> list[float]:
    known: dict[bytes, list[float]] = {}
    for reward, task in zip(rewards, tasks, strict=True):
        if reward.reward is not None:
            known.setdefault(task, []).append(reward.reward)
    found = []
    for reward, task in zip(rewards, tasks, strict=True):
        if reward.reward is not None:
            found.append(reward.reward)
        elif task in known:
            mean = sum(known[task]) / len(known[task])
            function.client.replaced(reward, mean)
            found.append(mean)
        else:
            raise NotJudged(reward.error, sum(r.reward is None for r in rewards), len(rewards))
    return found
