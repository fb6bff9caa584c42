"""What can go wrong, each saying what, where and what to do about it.

All of them survive pickling, because trainers send them between processes.
"""

from __future__ import annotations

from typing import Any

from .types import Failure, Fault, GradeReply


class GavelError(Exception):
    """Everything that this package raises."""


class Unreachable(GavelError):
    """No answer came: the connection was refused, reset or too slow, also after trying again."""


class BadReply(GavelError):
    """An answer came that is not Gavel's; is something else listening there?"""


class CannotSplit(GavelError):
    """The request is too large for the server, and its advantage looks at all groups at once."""


class ProblemError(GavelError):
    """The server refused the request and said why (RFC 9457)."""

    def __init__(self, where: str, status: int, problem: dict[str, Any], retry_after: float | None = None):
        self.where = where
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        super().__init__(where, status, problem, retry_after)

    @property
    def kind(self) -> str:
        """A stable name of the problem, such as ``urn:gavel:problem:invalid``."""
        return str(self.problem.get("type", ""))

    @property
    def detail(self) -> str:
        """What happened and what to do about it."""
        return str(self.problem.get("detail", ""))

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The places in the request that are wrong."""
        errors = self.problem.get("errors") or ()
        return tuple(Fault(str(e.get("pointer", "")), str(e.get("message", ""))) for e in errors)

    def __str__(self) -> str:
        title = self.problem.get("title", "")
        parts = [f"{self.where}: {self.status} {title}".rstrip()]
        if self.detail:
            parts.append(self.detail)
        for fault in self.faults[:5]:
            # The detail often repeats the only fault; its place is what is new then.
            said = "" if fault.message == self.detail else f": {fault.message}"
            parts.append(f"at {fault.pointer or 'the body'}{said}")
        if len(self.faults) > 5:
            parts.append(f"and {len(self.faults) - 5} more places")
        return "; ".join(parts)


class InvalidRequest(ProblemError):
    """400, 404, 409, 415, 422: trying again cannot help; the request has to change."""


class Unauthorized(ProblemError):
    """401, 403: no key, or one that is not valid; pass ``api_key`` or set ``GAVEL_API_KEY``."""


class TooLarge(ProblemError):
    """413: a single group is larger than the server takes; see its ``--max-body-bytes``."""


class Overloaded(ProblemError):
    """429, 503: full or stopping, also after trying again; nothing was begun."""


class ServerError(ProblemError):
    """Another 5xx: a fault of the server."""


class NotJudged(GavelError):
    """There is no reward, and the trainer has no way to leave the completion out.

    Raised instead of inventing a number; ``on_infra_failure`` of the adapter sets one.
    """

    def __init__(self, failure: Failure | None, n_null: int = 1, n_all: int = 1):
        self.failure = failure
        self.n_null = n_null
        self.n_all = n_all
        super().__init__(failure, n_null, n_all)

    def __str__(self) -> str:
        why = f"{self.failure.kind}: {self.failure.message}" if self.failure else "no reason was given"
        return (
            f"{self.n_null} of {self.n_all} completions could not be judged ({why}); mend the judge or the "
            f"task, or set on_infra_failure to the number that such completions shall get"
        )


class TooManyInfrastructureFailures(GavelError):
    """More of the latest rewards are null than the circuit allows: what is left is no basis for training."""

    def __init__(
        self, n_null: int, n_all: int, limit: float, kinds: dict[str, int], reply: GradeReply | None = None
    ):
        self.n_null = n_null
        self.n_all = n_all
        self.limit = limit
        self.kinds = kinds
        self.reply = reply
        """The rewards that were answered all the same, where the call was ``grade``."""
        super().__init__(n_null, n_all, limit, kinds)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(self.kinds.items(), key=lambda pair: -pair[1]))
        return (
            f"{self.n_null} of the last {self.n_all} rewards are null, more than {self.limit:.0%} ({kinds}); "
            f"look at the server's log and `gavel doctor`, and go on from the last checkpoint when it judges "
            f"again; Circuit(limit=…) sets how many are borne"
        )


OUTAGE = (Unreachable, Overloaded, ServerError)
"""Errors that say nothing about the request."""


class StopTraining(BaseException):
    """Carries another error past trainers that catch every ``Exception`` and go on with 0."""

    def __init__(self, cause: Exception):
        super().__init__(cause)

    def __str__(self) -> str:
        return str(self.args[0])


_BY_STATUS: dict[int, type[ProblemError]] = {
    401: Unauthorized,
    403: Unauthorized,
    413: TooLarge,
    429: Overloaded,
    503: Overloaded,
}


def problem_error(
    where: str, status: int, problem: dict[str, Any], retry_after: float | None
) -> ProblemError:
    """The error for a reply that is not a success."""
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else InvalidRequest)
    return kind(where, status, problem, retry_after)
