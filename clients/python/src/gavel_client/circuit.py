"""Stops loudly when too many completions could not be judged."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Iterable

from .errors import TooManyInfrastructureFailures
from .types import Reward

log = logging.getLogger("gavel_client")


class Circuit:
    """Counts nulls among the latest rewards, and raises when they are too many.

    It trips when more than ``limit`` of the last ``window`` rewards are null, once ``minimum`` were seen.
    It closes by itself as judged rewards push the nulls out of the window.
    """

    def __init__(self, limit: float = 0.1, window: int = 1000, minimum: int = 50):
        if not 0.0 <= limit <= 1.0 or window < 1 or not 1 <= minimum <= window:
            raise ValueError("a circuit needs 0 <= limit <= 1 and 1 <= minimum <= window")
        self.limit = limit
        self.window = window
        self.minimum = minimum
        self._lock = threading.Lock()
        # The kind of each failure, None for a reward.
        self._latest: deque[str | None] = deque(maxlen=window)
        self._n_null = 0

    def record(self, rewards: Iterable[Reward]) -> None:
        """Counts rewards; raises :class:`TooManyInfrastructureFailures` when the nulls are too many."""
        with self._lock:
            for reward in rewards:
                if len(self._latest) == self.window and self._latest[0] is not None:
                    self._n_null -= 1
                kind = None
                if reward.reward is None:
                    kind = reward.error.kind if reward.error else "unknown"
                    self._n_null += 1
                self._latest.append(kind)
            n_all, n_null = len(self._latest), self._n_null
            if n_all < self.minimum or n_null <= self.limit * n_all:
                return
            kinds = Counter(kind for kind in self._latest if kind is not None)
        error = TooManyInfrastructureFailures(n_null, n_all, self.limit, dict(kinds))
        log.critical("%s", error)
        raise error

    def __reduce__(self) -> tuple[type[Circuit], tuple[float, int, int]]:
        # A copy in another process begins to count anew.
        return Circuit, (self.limit, self.window, self.minimum)
