"""The two clients: :class:`Gavel` blocks, :class:`AsyncGavel` does not; else they are the same."""

from __future__ import annotations

import asyncio
import os
import time
import weakref
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from . import _exchange
from ._core import Core, Plan, component_names
from .errors import GavelError
from .types import Completion, GradeReply, Group, Reward, Rubric, Sample, Task

T = TypeVar("T")
Work = Generator[Plan | _exchange.Wait, list[GradeReply] | None, T]


class Gavel(Core):
    """A blocking client. Threads may share it; a forked process opens connections of its own."""

    _http: httpx.Client | None
    _pid: int

    def _forget(self) -> None:
        super()._forget()
        self._http = None
        self._pid = 0

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._http is None or self._pid != os.getpid():
                self._pid = os.getpid()
                self._http = httpx.Client(**self._httpx())
            return self._http

    def _run(self, steps: _exchange.Steps) -> Any:
        answer: _exchange.Answer = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            answer = None
            if isinstance(step, _exchange.Wait):
                time.sleep(step.seconds)
                continue
            try:
                answer = self._client().request(**step.httpx())
            except httpx.TransportError as error:
                answer = error

    def _do(self, work: Work[T]) -> T:
        replies: list[GradeReply] | None = None
        error: GavelError | None = None
        while True:
            try:
                asked = work.send(replies) if error is None else work.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            replies, error = None, None
            if isinstance(asked, _exchange.Wait):
                time.sleep(asked.seconds)
                continue
            try:
                replies = [reply for steps in asked for reply in self._run(steps)]
            except GavelError as raised:
                error = raised

    def grade(
        self,
        groups: Iterable[Group | Mapping[str, Any]],
        rubric: Rubric,
        *,
        advantage: str | Mapping[str, Any] | None = None,
        run: str | None = None,
        step: int | None = None,
        deadline: float | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> GradeReply:
        """Grades groups of completions.

        What is too large for one request goes in several, each under an idempotency key of its own.

        Args:
            groups: tasks with their completions.
            rubric: a name, or the rubric itself.
            advantage: an estimator's name, or an object with its parameters.
            run: keeps the groups under this run.
            step: the optimiser step, for schedules of weights.
            deadline: seconds after which nothing more is begun or tried again.
            metrics: what schedules of weights look at.

        Raises:
            InvalidRequest: the request has to change.
            Unreachable, Overloaded, ServerError: no answer, also after trying again.
            TooManyInfrastructureFailures: the circuit tripped; its ``reply`` has the rewards all the same.
        """
        return self._do(self._grade(groups, rubric, advantage, run, step, deadline, metrics))

    def score(
        self,
        completion: str | Completion,
        rubric: Rubric,
        task: Task | Mapping[str, Any] | None = None,
        *,
        deadline: float | None = None,
        **fields: Any,
    ) -> Reward:
        """Scores one completion: ``score(text, "math", reference="1/2")``."""
        group = Group([completion], task if task is not None else fields)
        return self.grade([group], rubric, deadline=deadline).groups[0].rewards[0]

    def score_many(
        self,
        samples: Sequence[Sample],
        rubric: Rubric,
        *,
        run: str | None = None,
        step: int | None = None,
        deadline: float | None = None,
        tries: int = 2,
    ) -> list[Reward]:
        """Scores a flat list of completions in as few requests as possible; the rewards are in its order.

        Completions of the same task are one group. A task that cannot be read gives nulls of the kind
        ``invalid_task``, and harms no other. What could not be judged for a reason that may have passed is
        judged again, up to ``tries`` times, but for those of a ``run``.
        """
        return self._do(self._score_many(samples, rubric, run, step, deadline, tries))

    def component_names(self, rubric: Rubric) -> list[str]:
        """The names of a rubric's components; asks the server when the rubric is a name."""
        if not isinstance(rubric, str):
            return component_names(rubric)
        return component_names(self._run(self._rubric(rubric)).json().get("rubric"))

    def close(self) -> None:
        """Closes the connections; the next request opens new ones."""
        http, self._http = self._http, None
        if http is not None and self._pid == os.getpid():
            http.close()

    def __enter__(self) -> Gavel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncGavel(Core):
    """A client for coroutines. It may be used from several event loops; each has connections of its own."""

    _https: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]

    def _forget(self) -> None:
        super()._forget()
        self._https = weakref.WeakKeyDictionary()

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        http = self._https.get(loop)
        if http is None:
            http = self._https[loop] = httpx.AsyncClient(**self._httpx())
        return http

    async def _run(self, steps: _exchange.Steps) -> Any:
        answer: _exchange.Answer = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value
            answer = None
            if isinstance(step, _exchange.Wait):
                await asyncio.sleep(step.seconds)
                continue
            try:
                answer = await self._client().request(**step.httpx())
            except httpx.TransportError as error:
                answer = error

    async def _do(self, work: Work[T]) -> T:
        # Several requests of one call go a few at a time, so that they do not crowd out others' requests.
        turns = asyncio.Semaphore(4)

        async def one(steps: _exchange.Steps) -> list[GradeReply]:
            async with turns:
                found: list[GradeReply] = await self._run(steps)
                return found

        replies: list[GradeReply] | None = None
        error: GavelError | None = None
        while True:
            try:
                asked = work.send(replies) if error is None else work.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            replies, error = None, None
            if isinstance(asked, _exchange.Wait):
                await asyncio.sleep(asked.seconds)
                continue
            try:
                parts = await asyncio.gather(*(one(steps) for steps in asked))
                replies = [reply for part in parts for reply in part]
            except GavelError as raised:
                error = raised

    async def grade(
        self,
        groups: Iterable[Group | Mapping[str, Any]],
        rubric: Rubric,
        *,
        advantage: str | Mapping[str, Any] | None = None,
        run: str | None = None,
        step: int | None = None,
        deadline: float | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> GradeReply:
        """As :meth:`Gavel.grade`."""
        return await self._do(self._grade(groups, rubric, advantage, run, step, deadline, metrics))

    async def score(
        self,
        completion: str | Completion,
        rubric: Rubric,
        task: Task | Mapping[str, Any] | None = None,
        *,
        deadline: float | None = None,
        **fields: Any,
    ) -> Reward:
        """As :meth:`Gavel.score`."""
        group = Group([completion], task if task is not None else fields)
        return (await self.grade([group], rubric, deadline=deadline)).groups[0].rewards[0]

    async def score_many(
        self,
        samples: Sequence[Sample],
        rubric: Rubric,
        *,
        run: str | None = None,
        step: int | None = None,
        deadline: float | None = None,
        tries: int = 2,
    ) -> list[Reward]:
        """As :meth:`Gavel.score_many`."""
        return await self._do(self._score_many(samples, rubric, run, step, deadline, tries))

    async def component_names(self, rubric: Rubric) -> list[str]:
        """As :meth:`Gavel.component_names`."""
        if not isinstance(rubric, str):
            return component_names(rubric)
        return component_names((await self._run(self._rubric(rubric))).json().get("rubric"))

    async def aclose(self) -> None:
        """Closes the connections of this event loop; the next request opens new ones."""
        http = self._https.pop(asyncio.get_running_loop(), None)
        if http is not None:
            await http.aclose()

    async def __aenter__(self) -> AsyncGavel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
