"""OpenRLHF (0.11): a file with a reward function.

    --reward.remote_url "$(python -m gavel_client.openrlhf)"

prints this file's path, which is what OpenRLHF takes. Settings come from ``GAVEL_RUBRIC``, ``GAVEL_URL``,
``GAVEL_API_KEY`` and ``GAVEL_ON_INFRA_FAILURE``.

OpenRLHF catches every error of a reward function and goes on without a reward, which ends the step later with an
error that does not say why. So this function logs what happened first. ``GAVEL_ON_INFRA_FAILURE`` as a number
keeps the step.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import Any

from gavel_client import _wire
from gavel_client._adapter import Settings, background, coalescer
from gavel_client._text import without_prompt, without_specials
from gavel_client.types import Completion, Task

log = logging.getLogger("gavel_client")


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]) -> dict[str, Any]:
    """Rewards of prompts with completions, as OpenRLHF asks for them (one at a time, from many threads).

    Returns:
        ``rewards``, ``scores`` (the same), and the same ``extra_logs`` for each call: the score of each component,
        NaN where it has none, and ``judged``.
    """
    try:
        return background(_rewards(Settings.of({}), queries, prompts, labels))
    except Exception as error:
        log.critical("no reward for OpenRLHF, the step will fail: %s", error)
        raise


async def _rewards(
    settings: Settings, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
) -> dict[str, Any]:
    judge = coalescer(settings)
    names = await judge.names()
    rewards = await asyncio.gather(
        *(
            judge.score(
                Completion(without_specials(without_prompt(query, prompt))),
                Task(prompt=prompt, reference=_wire.plain(label)),
            )
            for query, prompt, label in zip(queries, prompts, labels, strict=True)
        )
    )
    numbers = [judge.number(reward) for reward in rewards]
    logs = {
        name: [float("nan") if (score := reward.scores.get(name)) is None else score for reward in rewards]
        for name in names
    }
    logs["judged"] = [float(reward.reward is not None) for reward in rewards]
    return {"rewards": numbers, "scores": list(numbers), "extra_logs": logs}


if __name__ == "__main__":
    sys.stdout.write(f"{__file__}\n")
