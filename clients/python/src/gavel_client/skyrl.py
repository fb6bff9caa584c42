"""SkyRL (skyrl-gym 0.4): an environment of one turn that Gavel judges.

    from skyrl_gym.envs import register

    register(id="gavel", entry_point="gavel_client.skyrl:GavelEnv")

Rows name it (``env_class: gavel``) and hold ``reward_spec.ground_truth``; ``environment.skyrl_gym.gavel`` of the
configuration holds the settings (``rubric``, ``url``, …). A row may name a ``rubric`` of its own.

The reward of a step is a number in SkyRL. A null is judged again, and then ends the rollout with an error, or is
the number ``on_infra_failure``, with ``judged: 0`` in the metadata and the metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

from . import _wire
from ._adapter import Settings, coalescer
from ._text import without_specials
from .types import Completion, Task

FIELDS = ("tests", "schema", "language", "instructions")


class GavelEnv(BaseTextEnv):
    """One prompt, one answer, one reward."""

    def __init__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None):
        super().__init__()
        extras = extras or {}
        spec = extras.get("reward_spec") or {}
        if "ground_truth" not in spec and not any(extras.get(name) for name in FIELDS):
            raise ValueError(
                "a row for Gavel needs reward_spec.ground_truth, or tests, schema, or instructions"
            )
        given = dict(_wire.plain(env_config) or {})
        self.field = str(given.pop("field", "reference"))
        settings = Settings.of(given)
        if extras.get("rubric") is not None:
            settings = replace(settings, rubric=_wire.plain(extras["rubric"]))
        self._coalescer = coalescer(settings)
        self._values = {name: extras[name] for name in FIELDS if extras.get(name) is not None}
        if spec.get("ground_truth") is not None:
            self._values[self.field] = spec["ground_truth"]
        self._prompt: Any = None
        self._metrics: dict[str, Any] = {}

    def init(self, prompt: Any) -> tuple[Any, dict[str, Any]]:
        """Keeps the prompt for the judge; gives it back as it is."""
        self._prompt = prompt
        return prompt, {}

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Judges the answer and ends the episode."""
        self.turns += 1
        task = Task(prompt=_wire.plain(self._prompt), **self._values)
        reward = self._coalescer.score_blocking(Completion(without_specials(action)), task)
        number = self._coalescer.number(reward)
        judged = reward.reward is not None
        self._metrics = {"judged": float(judged), **{k: v for k, v in reward.scores.items() if v is not None}}
        metadata = {"judged": judged, "reason": reward.reason, "components": reward.scores}
        return BaseTextEnvStepOutput(observations=[], reward=number, done=True, metadata=metadata)

    def get_metrics(self) -> dict[str, Any]:
        """The scores of the components, for SkyRL's log."""
        return self._metrics
