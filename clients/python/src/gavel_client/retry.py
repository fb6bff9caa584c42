"""When to try again, and how long to wait before."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

RETRIED_STATUSES = frozenset({408, 429, 502, 503, 504})
"""Answers after which the same request may succeed."""


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with full jitter (the wait is uniform between 0 and the bound)."""

    tries: int = 8
    """How often a request is sent at most."""
    base: float = 0.25
    """The bound of the first wait in seconds; it doubles with each try."""
    cap: float = 15.0
    """The bound is never larger than this."""
    budget: float = 120.0
    """No new try begins when this many seconds have passed since the first one."""

    def wait(self, n_tried: int, retry_after: float | None, rng: random.Random) -> float:
        """Seconds to wait after ``n_tried`` tries; never less than the server asked for."""
        jitter = rng.uniform(0.0, min(self.cap, self.base * 2.0 ** (n_tried - 1)))
        return jitter if retry_after is None else retry_after + jitter


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The header ``Retry-After`` in seconds; it may be a number or a date."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
