"""What the adapters have in common: settings, one completion at a time in batches, what a null becomes."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import threading
import weakref
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, Union

from . import _wire
from ._core import Core
from .circuit import Circuit
from .client import AsyncGavel
from .errors import OUTAGE, NotJudged
from .retry import Retry
from .types import Completion, Failure, Reward, Rubric, Sample, Task

T = TypeVar("T")

OnInfraFailure = Union[Literal["raise"], float]
"""What becomes of a null where the trainer cannot leave a completion out: an error, or this number."""

ENVIRONMENT = {
    "rubric": "GAVEL_RUBRIC",
    "url": "GAVEL_URL",
    "api_key": "GAVEL_API_KEY",
    "on_infra_failure": "GAVEL_ON_INFRA_FAILURE",
}
"""Settings that are read from the environment when they are not given."""


@dataclass(frozen=True)
class Settings:
    """How an adapter talks to the server."""

    rubric: Rubric = "math"
    """A preset's or stored rubric's name, or the rubric itself."""
    url: str | None = None
    api_key: str | None = None
    on_infra_failure: OnInfraFailure = "raise"
    """``"raise"``, or the number that a completion gets which could not be judged."""
    deadline: float | None = 120.0
    """Seconds that a request may take with all its tries."""
    tries: int = 2
    """How often a completion is judged when the judge itself fails."""
    window_ms: float = 4.0
    """How long a completion waits for others to be sent with."""
    max_batch: int = 512
    """As many completions are sent at once without waiting any longer."""
    circuit_limit: float = 0.1
    """The share of nulls among the latest rewards above which training ends with an error."""
    circuit_window: int = 1000
    circuit_minimum: int = 50

    @classmethod
    def of(cls, given: Mapping[str, Any], **defaults: Any) -> Settings:
        """Settings out of keyword arguments, then the environment, then ``defaults``; others are errors."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise TypeError(f"unknown setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        values = {**defaults}
        for name, variable in ENVIRONMENT.items():
            if os.environ.get(variable):
                values[name] = os.environ[variable]
        values.update({name: _wire.plain(value) for name, value in given.items() if value is not None})
        asked = values.get("on_infra_failure", "raise")
        if asked != "raise":
            try:
                values["on_infra_failure"] = float(asked)
            except (TypeError, ValueError):
                raise ValueError(f'on_infra_failure is "raise" or a number, not {asked!r}') from None
            if not math.isfinite(values["on_infra_failure"]):
                raise ValueError(f"on_infra_failure must be finite, not {asked!r}")
        return cls(**values)

    def key(self) -> bytes:
        """The same for the same settings."""
        return _wire.encode({f.name: _wire.plain(getattr(self, f.name)) for f in fields(self)})

    def client(self) -> AsyncGavel:
        """A client with these settings."""
        return AsyncGavel(
            self.url,
            self.api_key,
            retry=Retry(budget=self.deadline or 120.0),
            circuit=Circuit(self.circuit_limit, self.circuit_window, self.circuit_minimum),
        )


async def judged(
    client: AsyncGavel,
    samples: Sequence[Sample],
    settings: Settings,
    *,
    run: str | None = None,
    step: int | None = None,
) -> list[Reward]:
    """Rewards of samples; a server that does not answer gives nulls of the kind ``unreachable``.

    Raises:
        InvalidRequest, Unauthorized: the settings have to change.
        TooManyInfrastructureFailures: too many of the latest rewards are null.
    """
    try:
        return await client.score_many(
            samples, settings.rubric, run=run, step=step, deadline=settings.deadline, tries=settings.tries
        )
    except OUTAGE as error:
        rewards = [Reward(None, error=Failure("", "unreachable", str(error)))] * len(samples)
        client.record(rewards)
        return rewards


def number(core: Core, reward: Reward, on_infra_failure: OnInfraFailure) -> float:
    """The reward as a number, for trainers that take nothing else.

    Raises:
        NotJudged: it is null, and no number was set for that.
    """
    if reward.reward is not None:
        return reward.reward
    if on_infra_failure == "raise":
        raise NotJudged(reward.error)
    core.replaced(reward, on_infra_failure)
    return on_infra_failure


class Coalescer:
    """Sends completions that are scored at about the same time in one request.

    Each is a group of its own, so that its reward does not depend on which others happened to be near.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.client = settings.client()
        self._waiting: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, list[tuple[Sample, int | None, asyncio.Future[Reward]]]
        ] = weakref.WeakKeyDictionary()
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._names: list[str] | None = None
        self._asked: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[list[str]]] = (
            weakref.WeakKeyDictionary()
        )

    async def score(
        self, completion: str | Completion, task: Task | Mapping[str, Any], step: int | None = None
    ) -> Reward:
        """The reward of one completion."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.setdefault(loop, [])
        future: asyncio.Future[Reward] = loop.create_future()
        waiting.append((Sample(completion, task, next(self._numbers)), step, future))
        if len(waiting) >= self.settings.max_batch:
            self._flush(loop)
        elif len(waiting) == 1:
            loop.call_later(self.settings.window_ms / 1000.0, self._flush, loop)
        return await future

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = self._waiting.pop(loop, None)
        if not waiting:
            return
        for step in dict.fromkeys(step for _, step, _ in waiting):
            batch = [(sample, future) for sample, its, future in waiting if its == step and not future.done()]
            task = loop.create_task(self._send(batch, step))
            # The loop itself keeps only a weak reference.
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: Sequence[tuple[Sample, asyncio.Future[Reward]]], step: int | None) -> None:
        try:
            rewards = await judged(self.client, [sample for sample, _ in batch], self.settings, step=step)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), reward in zip(batch, rewards, strict=True):
            if not future.done():
                future.set_result(reward)

    async def names(self) -> list[str]:
        """The names of the rubric's components; the server is asked once."""
        if self._names is None:
            loop = asyncio.get_running_loop()
            asked = self._asked.get(loop)
            if asked is None or (asked.done() and (asked.cancelled() or asked.exception())):
                asked = self._asked[loop] = loop.create_task(
                    self.client.component_names(self.settings.rubric)
                )
            # One caller that goes away does not take the answer from the others.
            self._names = await asyncio.shield(asked)
        return self._names

    def number(self, reward: Reward) -> float:
        """As :func:`number`, by these settings."""
        return number(self.client, reward, self.settings.on_infra_failure)

    def score_blocking(self, completion: str | Completion, task: Task | Mapping[str, Any]) -> Reward:
        """As :meth:`score`, for threads."""
        return background(self.score(completion, task))


_lock = threading.Lock()
_coalescers: dict[tuple[int, bytes], Coalescer] = {}
_loops: dict[int, asyncio.AbstractEventLoop] = {}


def coalescer(settings: Settings) -> Coalescer:
    """The coalescer of this process for these settings: its connections, counts and circuit are shared."""
    key = (os.getpid(), settings.key())
    with _lock:
        if key not in _coalescers:
            _coalescers[key] = Coalescer(settings)
        return _coalescers[key]


def background(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine in this process's background loop and waits for it."""
    pid = os.getpid()
    with _lock:
        loop = _loops.get(pid)
        if loop is None:
            loop = _loops[pid] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="gavel-client", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(work, loop).result()


def _after_fork() -> None:
    # The lock may have been held by a thread that does not exist in the child.
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
