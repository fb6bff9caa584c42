"""What the blocking and the asynchronous client have in common."""

from __future__ import annotations

import logging
import os
import random
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx

from . import _exchange, _wire
from .circuit import Circuit
from .errors import OUTAGE, BadReply, TooManyInfrastructureFailures
from .retry import Retry
from .types import Failure, GradeReply, Group, GroupReply, Reward, Rubric, Sample, Stored

log = logging.getLogger("gavel_client")

DEFAULT_URL = "http://127.0.0.1:7717"
USER_AGENT = "gavel-client/0.1.0"
PAUSE_S = 0.5
"""Before completions that were not judged are sent again."""

Plan = list[_exchange.Steps]
"""Exchanges that do not depend on each other."""


class Counts:
    """What a client has seen since it was made."""

    def __init__(self) -> None:
        self.judged = 0
        """Rewards that are numbers."""
        self.null: Counter[str] = Counter()
        """Rewards that are null, by the kind of failure."""
        self.retries = 0
        """Tries after the first one."""
        self.replaced: Counter[str] = Counter()
        """Nulls that an adapter answered with a number, by the kind of failure."""


class Core:
    """Settings, counts and the circuit of a client."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 150.0,
        retry: Retry | None = None,
        circuit: Circuit | None = None,
        max_completions: int = 2048,
        max_body_bytes: int = 24 << 20,
        max_connections: int = 32,
        trust_env: bool = False,
        transport: Any = None,
    ):
        """Makes a client; nothing is sent yet.

        Args:
            url: where the server is; else ``GAVEL_URL``, else ``http://127.0.0.1:7717``.
            api_key: sent as a bearer token; else ``GAVEL_API_KEY``, else none.
            timeout: seconds that one try may take, from the last byte sent to the first one received.
            retry: when to try again; ``Retry(tries=1)`` never does.
            circuit: when to give up; ``Circuit(limit=1.0)`` never does.
            max_completions: more completions than these go in several requests.
            max_body_bytes: larger bodies go in several requests.
            max_connections: open at a time.
            trust_env: whether proxies of the environment are used; a judge is seldom behind one.
            transport: of httpx, for tests.
        """
        self.url = (url or os.environ.get("GAVEL_URL") or DEFAULT_URL).rstrip("/")
        self._api_key = api_key or os.environ.get("GAVEL_API_KEY") or None
        self._timeout = timeout
        self._retry = retry or Retry()
        self.circuit = circuit or Circuit()
        self._max_completions = max_completions
        self._max_body_bytes = max_body_bytes
        self._max_connections = max_connections
        self._trust_env = trust_env
        self._transport = transport
        self._forget()

    def _forget(self) -> None:
        """Begins anew, as a copy in another process does."""
        self.counts = Counts()
        self._lock = threading.Lock()
        self._context = _exchange.Context(self.url, self._retry, random.Random(), self._retried)

    def __getstate__(self) -> dict[str, Any]:
        """Settings only: connections, counts and the circuit's memory stay in their process."""
        names = (
            "url",
            "_api_key",
            "_timeout",
            "_retry",
            "circuit",
            "_max_completions",
            "_max_body_bytes",
            "_max_connections",
            "_trust_env",
            "_transport",
        )
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _retried(self) -> None:
        with self._lock:
            self.counts.retries += 1

    def _httpx(self) -> dict[str, Any]:
        """Arguments of httpx's clients."""
        headers = {"user-agent": USER_AGENT, "accept": "application/json"}
        if self._api_key:
            headers["authorization"] = f"Bearer {self._api_key}"
        n = self._max_connections
        return {
            "base_url": self.url,
            "headers": headers,
            # Waiting for a free connection is no fault of the server.
            "timeout": httpx.Timeout(self._timeout, connect=_exchange.CONNECT_S, pool=None),
            "limits": httpx.Limits(max_connections=n, max_keepalive_connections=n),
            "transport": self._transport,
            "trust_env": self._trust_env,
        }

    def _rubric(self, name: str) -> _exchange.Steps:
        return _exchange.request(self._context, _exchange.Send("GET", f"/v1/rubrics/{quote(name, safe='')}"))

    def _plan(
        self,
        groups: Sequence[Any],
        rubric: Rubric,
        advantage: Any,
        run: str | None,
        step: int | None,
        deadline: float | None,
        metrics: Mapping[str, float] | None,
        tolerant: bool,
    ) -> list[_exchange.Steps]:
        """One exchange for each request that has to be made."""
        whole = _wire.indivisible(advantage)
        beginning = _wire.head(rubric, advantage, run, step, deadline, metrics)
        found = _wire.parts(groups, self._max_completions, self._max_body_bytes, whole)
        tolerant = tolerant or len(found) > 1
        return [
            _exchange.grade(self._context, beginning, part, deadline=deadline, whole=whole, tolerant=tolerant)
            for part in found
        ]

    def _grade(
        self,
        groups: Iterable[Group | Mapping[str, Any]],
        rubric: Rubric,
        advantage: Any,
        run: str | None,
        step: int | None,
        deadline: float | None,
        metrics: Mapping[str, float] | None,
    ) -> Generator[Plan | _exchange.Wait, list[GradeReply] | None, GradeReply]:
        """What ``grade`` does, without doing it."""
        listed = list(groups)
        replies = yield self._plan(listed, rubric, advantage, run, step, deadline, metrics, tolerant=False)
        reply = self._joined(replies or ())
        sizes = [
            len(group["completions"] if isinstance(group, Mapping) else group.completions) for group in listed
        ]
        try:
            self.record([reward for group in all_rewards(reply, sizes) for reward in group])
        except TooManyInfrastructureFailures as error:
            error.reply = reply
            raise
        return reply

    def _score_many(
        self,
        samples: Sequence[Sample],
        rubric: Rubric,
        run: str | None,
        step: int | None,
        deadline: float | None,
        tries: int,
    ) -> Generator[Plan | _exchange.Wait, list[GradeReply] | None, list[Reward]]:
        """What ``score_many`` does, without doing it."""
        rewards: list[Reward] = [Reward(None)] * len(samples)
        asked: Sequence[int] = range(len(samples))
        for n_left in range(max(1, tries) - 1, -1, -1):
            if not asked:
                break
            groups, places = _wire.grouped([samples[i] for i in asked])
            try:
                replies = yield self._plan(groups, rubric, None, run, step, deadline, None, tolerant=True)
            except OUTAGE as error:
                if len(asked) == len(samples):
                    raise
                log.warning("what was judged before stands: %s", error)
                break
            per_group = all_rewards(self._joined(replies or ()), [len(group.completions) for group in groups])
            for i, (group, place) in zip(asked, places, strict=True):
                rewards[i] = per_group[group][place]
            if n_left == 0 or run is not None:
                break
            # Whole groups, because some components compare completions with each other.
            failed = {
                group
                for i, (group, _) in zip(asked, places, strict=True)
                if (failure := rewards[i].error) is not None
                and rewards[i].reward is None
                and failure.transient
            }
            asked = [i for i, (group, _) in zip(asked, places, strict=True) if group in failed]
            if asked:
                self._retried()
                yield _exchange.Wait(PAUSE_S)
        self.record(rewards)
        return rewards

    def _joined(self, replies: Sequence[GradeReply]) -> GradeReply:
        """Parts as if they had been one reply; counted."""
        groups: list[GroupReply] = []
        for reply in replies:
            first = len(groups)
            groups.extend(replace(group, index=first + i) for i, group in enumerate(reply.groups))
        stored = [reply.stored for reply in replies if reply.stored]
        joined = GradeReply(
            tuple(groups),
            sum(reply.elapsed_ms for reply in replies),
            Stored(
                stored[0].run,
                sum(part.n_groups for part in stored),
                next((part.error for part in stored if part.error), None),
            )
            if stored
            else None,
        )
        if joined.stored and joined.stored.error:
            log.error(
                "the rewards stand, but run %s was not kept: %s", joined.stored.run, joined.stored.error
            )
        return joined

    def record(self, rewards: Sequence[Reward]) -> None:
        """Counts rewards; raises when the circuit trips.

        Raises:
            TooManyInfrastructureFailures: too many of the latest rewards are null.
        """
        null = [reward for reward in rewards if reward.reward is None]
        with self._lock:
            self.counts.judged += len(rewards) - len(null)
            self.counts.null.update(reward.error.kind if reward.error else "unknown" for reward in null)
        if null:
            error = null[0].error
            log.warning(
                "%d of %d completions could not be judged; the first one: %s",
                len(null),
                len(rewards),
                f"{error.kind}: {error.message}" if error else "no reason was given",
            )
        self.circuit.record(rewards)

    def replaced(self, reward: Reward, number: float) -> None:
        """Counts that an adapter answers a null with a number, and says so."""
        kind = reward.error.kind if reward.error else "unknown"
        with self._lock:
            self.counts.replaced[kind] += 1
            n = sum(self.counts.replaced.values())
        if n & (n - 1) == 0:
            log.error(
                "%d completions that could not be judged were answered with a number, the latest with %g (%s); "
                "they teach what nobody judged",
                n,
                number,
                kind,
            )


def all_rewards(reply: GradeReply, sizes: Sequence[int]) -> list[list[Reward]]:
    """The rewards of each group, also of those that could not be read."""
    found = []
    for group, size in zip(reply.groups, sizes, strict=True):
        if group.error is None:
            found.append(list(group.rewards))
            continue
        failure = Failure("", "invalid_task", f"at {group.error.pointer}: {group.error.message}")
        found.append([Reward(None, error=failure)] * size)
    return found


def component_names(body: Any) -> list[str]:
    """The names of a rubric's components, in its order."""
    try:
        return [str(component["name"]) for component in body["components"]]
    except (KeyError, TypeError) as error:
        raise BadReply(f"a rubric has a list of components with names, this has not ({error!r})") from error
