"""What is sent, waited for and tried again, without doing any of it.

Generators yield a :class:`Send` or a :class:`Wait`; whoever drives them does it, blocking or not, and sends
back the response or the exception that httpx raised. So there is one logic for both clients.
"""

from __future__ import annotations

import logging
import random
import re
import time
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import httpx

from . import _wire
from .errors import BadReply, CannotSplit, InvalidRequest, ProblemError, TooLarge, Unreachable, problem_error
from .retry import RETRIED_STATUSES, Retry, retry_after
from .types import Fault, GradeReply, GroupReply, grade_reply

log = logging.getLogger("gavel_client")

GRACE_S = 5.0
"""For the answer after the deadline: what was at work by then has to end first."""
CONNECT_S = 5.0
"""How long a connection may take to come about."""

_GROUP = re.compile(r"^/groups/(\d+)(?:/|$)")


@dataclass(frozen=True)
class Send:
    """Send this and tell what came back."""

    method: str
    path: str
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds for this try; none for the client's own."""

    def httpx(self) -> dict[str, Any]:
        """Arguments of httpx's ``request``."""
        arguments: dict[str, Any] = {
            "method": self.method,
            "url": self.path,
            "content": self.content,
            "headers": self.headers,
        }
        if self.timeout is not None:
            arguments["timeout"] = httpx.Timeout(self.timeout, connect=min(CONNECT_S, self.timeout))
        return arguments


@dataclass(frozen=True)
class Wait:
    """Wait so many seconds."""

    seconds: float


Answer = httpx.Response | httpx.TransportError | None
Steps = Generator[Send | Wait, Answer, Any]


@dataclass
class Context:
    """What one client's exchanges share."""

    where: str
    retry: Retry
    rng: random.Random
    on_retry: Callable[[], None]


class _Split(Exception):
    """The server would rather have this in two."""


def request(
    context: Context, send: Send, deadline: float | None = None, splittable: bool = False
) -> Generator[Send | Wait, Answer, httpx.Response]:
    """One logical request: sent until it is answered, refused for good, or not to be tried any more."""
    retry, begun = context.retry, time.monotonic()
    where = f"{send.method} {context.where}{send.path}"
    budget = retry.budget if deadline is None else min(retry.budget, deadline)
    n_tried, n_full = 0, 0
    while True:
        if deadline is not None:
            left = max(0.05, begun + deadline + max(GRACE_S, 0.1 * deadline) - time.monotonic())
            send = Send(send.method, send.path, send.content, send.headers, left)
        answer = yield send
        n_tried += 1
        if isinstance(answer, httpx.Response):
            if answer.is_success:
                return answer
            error: Exception = _problem(where, answer)
            asked = error.retry_after if isinstance(error, ProblemError) else None
            # A conflict that passes is one with the same request, which is still at work.
            passes = answer.status_code in RETRIED_STATUSES or (
                answer.status_code == 409 and asked is not None
            )
            if not passes:
                if splittable and answer.status_code == 413:
                    raise _Split from error
                raise error
            n_full += answer.status_code == 429
            if splittable and n_full >= 2:
                # A smaller request finds room earlier.
                raise _Split from error
        else:
            asked = None
            error = Unreachable(
                f"{where}: {type(answer).__name__}: {answer or 'no answer in time'}; tried {n_tried} times; "
                f"is the server up (GET {context.where}/healthz), and is the address right?"
            )
            error.__cause__ = answer
        seconds = retry.wait(n_tried, asked, context.rng)
        if n_tried >= retry.tries or time.monotonic() - begun + seconds > budget:
            raise error
        context.on_retry()
        log.warning("trying again in %.2f s: %s", seconds, error)
        yield Wait(seconds)


def _problem(where: str, response: httpx.Response) -> Exception:
    try:
        described = response.json()
        if not isinstance(described, dict):
            raise ValueError("not an object")
    except ValueError:
        described = {"title": response.reason_phrase, "detail": response.text[:500]}
    return problem_error(where, response.status_code, described, retry_after(response.headers))


def grade(
    context: Context,
    beginning: bytes,
    part: _wire.Part,
    *,
    deadline: float | None,
    whole: bool,
    tolerant: bool,
) -> Generator[Send | Wait, Answer, list[GradeReply]]:
    """Grades one part, in smaller requests when the server says so.

    ``tolerant``: a request of which no group can be read is answered group by group, as it would be if one
    of its groups could be read.
    """
    headers = {"content-type": "application/json", "idempotency-key": uuid.uuid4().hex}
    send = Send("POST", "/v1/grade", _wire.body(beginning, part), headers)
    splittable = len(part.groups) > 1 and not whole
    try:
        response = yield from request(context, send, deadline, splittable)
    except _Split:
        replies: list[GradeReply] = []
        for half in part.halves():
            replies += yield from grade(
                context, beginning, half, deadline=deadline, whole=whole, tolerant=True
            )
        return replies
    except TooLarge as error:
        if whole and len(part.groups) > 1:
            raise CannotSplit(
                f"{error}; this advantage looks at all groups of a request, so they cannot be sent in several: "
                f"start the server with a larger --max-body-bytes, or use an advantage within groups"
            ) from error
        raise
    except InvalidRequest as error:
        reply = _group_faults(error, part) if tolerant else None
        if reply is None:
            raise
        return [reply]
    try:
        read = grade_reply(response.json())
    except (ValueError, KeyError, TypeError) as error:
        raise BadReply(
            f"{send.method} {context.where}{send.path}: not a reply of Gavel ({error!r})"
        ) from error
    told = [len(group.rewards) for group in read.groups]
    if len(told) != len(part.sizes) or any(
        group.error is None and n != size
        for group, n, size in zip(read.groups, told, part.sizes, strict=True)
    ):
        raise BadReply(
            f"{send.method} {context.where}{send.path}: the reply has not a reward for each completion"
        )
    return [read]


def _group_faults(error: InvalidRequest, part: _wire.Part) -> GradeReply | None:
    """The refusal of a whole request as errors of its groups, when it is nothing but them."""
    faults: dict[int, Fault] = {}
    for fault in error.faults:
        found = _GROUP.match(fault.pointer)
        if found is None:
            return None
        faults.setdefault(int(found[1]), fault)
    if not faults:
        return None
    groups = (
        GroupReply(i, (), error=faults.get(i, Fault(f"/groups/{i}", error.detail)))
        for i in range(len(part.groups))
    )
    return GradeReply(tuple(groups), 0.0)
