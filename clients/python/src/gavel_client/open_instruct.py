"""open-instruct: a verifier called ``gavel``.

    import gavel_client.open_instruct  # in grpo_fast.py, before the verifiers are built

Rows whose ``dataset`` is ``gavel`` are judged by it, their ``ground_truth`` is the right answer; others keep
theirs (``--remap_verifier math=gavel`` takes over one of them). Settings come from ``GAVEL_RUBRIC``, ``GAVEL_URL``,
``GAVEL_API_KEY`` and ``GAVEL_ON_INFRA_FAILURE``.

A result has a number. A null is judged again, and then ends the step with an error, or is the number
``on_infra_failure``. open-instruct's own verifier of code turns every error into 0; this one never does.
"""

from __future__ import annotations

from typing import Any

from open_instruct.ground_truth_utils import VerificationResult, VerifierFunction

from ._adapter import Settings, background, coalescer
from ._text import without_specials
from .types import Completion, Reward, Task


class GavelVerifier(VerifierFunction):
    """Scores are rewards of the rubric; they may lie outside of 0 to 1 when it says so."""

    def __init__(self, verifier_config: Any = None, *, name: str = "gavel", **settings: Any):
        super().__init__(name, verifier_config=verifier_config, weight=1.0)
        self.settings = Settings.of(settings)

    async def async_call(
        self,
        tokenized_prediction: Any,
        prediction: str,
        label: Any,
        query: str | None = None,
        *_: Any,
        **__: Any,
    ) -> VerificationResult:
        """The result for one completion."""
        judge = coalescer(self.settings)
        n_tokens = len(tokenized_prediction) if tokenized_prediction is not None else None
        completion = Completion(without_specials(prediction), n_tokens=n_tokens)
        reward = await judge.score(completion, Task(prompt=query, reference=label))
        return _result(reward, judge.number(reward))

    def __call__(
        self,
        tokenized_prediction: Any,
        prediction: str,
        label: Any,
        query: str | None = None,
        *_: Any,
        **__: Any,
    ) -> VerificationResult:
        """As ``async_call``, blocking."""
        return background(self.async_call(tokenized_prediction, prediction, label, query))


def _result(reward: Reward, score: float) -> VerificationResult:
    return VerificationResult(score=score, cost=0.0, reasoning=reward.reason)
