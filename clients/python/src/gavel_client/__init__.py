r"""Rewards from a Gavel server.

    from gavel_client import Gavel

    with Gavel() as gavel:
        reward = gavel.score("It is \\boxed{0.5}.", "math", reference="1/2")

A reward is ``None`` when the judge could not judge; that is never 0. The modules ``trl``, ``verl``,
``ms_swift``, ``skyrl``, ``areal``, ``rllm``, ``open_instruct``, ``verifiers`` and ``openrlhf`` of this package
are what those trainers take; importing this package imports none of them.
"""

from .circuit import Circuit
from .client import AsyncGavel, Gavel
from .errors import (
    BadReply,
    CannotSplit,
    GavelError,
    InvalidRequest,
    NotJudged,
    Overloaded,
    ProblemError,
    ServerError,
    StopTraining,
    TooLarge,
    TooManyInfrastructureFailures,
    Unauthorized,
    Unreachable,
)
from .retry import Retry
from .types import (
    Completion,
    Component,
    Failure,
    Fault,
    GradeReply,
    Group,
    GroupReply,
    Provenance,
    Reward,
    Rubric,
    Sample,
    Stored,
    Task,
)

__version__ = "0.1.0"

__all__ = [
    "AsyncGavel",
    "BadReply",
    "CannotSplit",
    "Circuit",
    "Completion",
    "Component",
    "Failure",
    "Fault",
    "Gavel",
    "GavelError",
    "GradeReply",
    "Group",
    "GroupReply",
    "InvalidRequest",
    "NotJudged",
    "Overloaded",
    "ProblemError",
    "Provenance",
    "Retry",
    "Reward",
    "Rubric",
    "Sample",
    "ServerError",
    "StopTraining",
    "Stored",
    "Task",
    "TooLarge",
    "TooManyInfrastructureFailures",
    "Unauthorized",
    "Unreachable",
]
