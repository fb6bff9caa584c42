"""What CPython on a common system has and the sandbox has not, where doing nothing is a fair answer."""

import asyncio
import os
import signal
import sys
import time


class _Waiting:
    """Stands for the selector of an event loop: there is nothing to wait for but time."""

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("deadlock: the event loop waits for something that cannot happen in this sandbox")
        if timeout > 0:
            time.sleep(timeout)
        return []

    def close(self):
        pass


class EventLoop(asyncio.base_events.BaseEventLoop):
    """An event loop of timers and callbacks, without sockets and subprocesses."""

    def __init__(self):
        super().__init__()
        self._selector = _Waiting()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass

    def run_in_executor(self, executor, function, *arguments):
        future = self.create_future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def _alarm(seconds, /):
    """No alarm goes off: the sandbox itself limits the time."""
    return 0


def _set_timer(which, seconds, interval=0.0, /):
    return (0.0, 0.0)


_set_handler = signal.signal
_handlers = {}


def _handle(number, handler):
    try:
        return _set_handler(number, handler)
    except (OSError, ValueError):
        before = _handlers.get(number, signal.SIG_DFL)
        _handlers[number] = handler
        return before


def install():
    """Puts all this where programs look for it."""
    asyncio.SelectorEventLoop = asyncio.EventLoop = EventLoop
    asyncio.events._set_event_loop_policy(None)
    asyncio.DefaultEventLoopPolicy._loop_factory = EventLoop
    for name, number in (("SIGALRM", 14), ("SIGVTALRM", 26), ("SIGPROF", 27), ("SIGUSR1", 10), ("SIGXCPU", 24)):
        if not hasattr(signal, name):
            setattr(signal, name, number)
    signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF = 0, 1, 2
    signal.alarm = _alarm
    signal.setitimer = _set_timer
    signal.getitimer = lambda which, /: (0.0, 0.0)
    signal.signal = _handle
    sys.platform = "linux"
    os.cpu_count = os.process_cpu_count = lambda: 1
    os.getpid = lambda: 2
    os.getppid = lambda: 1
