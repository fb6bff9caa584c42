"""Atropos (0.4): an environment whose answers Gavel judges.

    python -m gavel_client.atropos serve --env.tasks train.jsonl --env.rubric math --env.gavel_url http://127.0.0.1:7717

A task is a line of JSON with ``prompt`` (a text, or
messages) and the fields of a task in ``POST /v1/grade``: ``reference``, ``tests``, …. A group of which an answer could
not be judged is not sent: the trainer never sees a 0 that nobody gave.
"""

from __future__ import annotations

import json
import logging
import random
from typing import Any

from atroposlib.envs.base import BaseEnv, BaseEnvConfig, ScoredDataGroup
from pydantic import Field

from gavel_client import AsyncGavel, Completion, GavelError, Group

logger = logging.getLogger(__name__)


class GavelEnvConfig(BaseEnvConfig):
    """What ``--env.`` may say besides Atropos's own settings."""

    tasks: str = Field(default="", description="JSON lines, a task in each")
    rubric: str = Field(default="math", description="A preset's or stored rubric's name")
    gavel_url: str | None = Field(default=None, description="Where the server is; else GAVEL_URL")
    temperature: float = Field(default=1.0, description="The temperature of sampling")
    seed: int = Field(default=0, description="The order of the tasks")


class GavelEnv(BaseEnv):
    """Samples groups of answers, has them judged, and sends what was judged whole."""

    name = "gavel"
    env_config_cls = GavelEnvConfig

    async def setup(self) -> None:
        """Reads the tasks."""
        # Once, before anything else runs.
        with open(self.config.tasks, encoding="utf-8") as lines:  # noqa: ASYNC230
            self.tasks: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
        if not self.tasks:
            raise ValueError(f"no task in {self.config.tasks}")
        self.gavel = AsyncGavel(self.config.gavel_url)
        self.order: list[int] = []
        self.draw = random.Random(self.config.seed)
        self.rewards: list[float] = []

    async def get_next_item(self) -> dict[str, Any]:
        """The next task; all of them, in an order of chance, before any comes again."""
        if not self.order:
            self.order = list(range(len(self.tasks)))
            self.draw.shuffle(self.order)
        return self.tasks[self.order.pop()]

    async def collect_trajectories(self, item: dict[str, Any]) -> tuple[ScoredDataGroup | None, list[Any]]:
        """A group of answers with their rewards, or nothing where not all of them have one."""
        prompt = item["prompt"]
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        async with self.server.managed_server(tokenizer=self.tokenizer) as managed:
            said = await managed.chat_completion(
                messages=messages,
                n=self.config.group_size,
                max_tokens=self.config.max_token_length,
                temperature=self.config.temperature,
            )
            nodes = managed.get_state()["nodes"]
        answers = [
            Completion(
                choice.message.content or "",
                n_tokens=sum(token != -100 for token in node.masked_tokens),
                finish_reason=choice.finish_reason,
            )
            for choice, node in zip(said.choices, nodes, strict=True)
        ]
        try:
            reply = await self.gavel.grade([Group(answers, item)], self.config.rubric)
        except GavelError as error:
            logger.error("a group was not judged and is not sent: %s", error)
            return None, []
        rewards = [reward.reward for reward in reply.groups[0].rewards]
        if len(rewards) != len(nodes) or None in rewards:
            logger.error("a group was not judged whole and is not sent: %s", reply.groups[0])
            return None, []
        self.rewards.extend(reward for reward in rewards if reward is not None)
        group = ScoredDataGroup(
            tokens=[node.tokens for node in nodes],
            masks=[node.masked_tokens for node in nodes],
            scores=rewards,
            inference_logprobs=[node.logprobs for node in nodes],
        )
        return group, []

    async def evaluate(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: evaluate with ``gavel eval``, or with an environment of your own."""

    async def wandb_log(self, wandb_metrics: dict[str, Any] | None = None) -> None:
        """Adds the mean reward since the last time."""
        metrics = wandb_metrics or {}
        if self.rewards:
            metrics["train/reward"] = sum(self.rewards) / len(self.rewards)
            self.rewards.clear()
        await super().wandb_log(metrics)


if __name__ == "__main__":
    GavelEnv.cli()
