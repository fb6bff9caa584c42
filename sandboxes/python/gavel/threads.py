"""Threads where there are none: each runs from its start to its end when it is started.

That is enough for programs that start a thread for its larger stack, or a pool for the looks of it. One that waits for
another thread, which cannot go on meanwhile, gets an error instead of waiting for ever.
"""

import _thread
import concurrent.futures
import queue
import sys
import threading
import time
from threading import ThreadError

_pending = []


def _start(self):
    if not self._initialized:
        raise RuntimeError("thread.__init__() not called")
    if self._started.is_set():
        raise RuntimeError("threads can only be started once")
    self._started.set()
    if isinstance(self, threading.Timer):
        self._due = time.monotonic() + self.interval
        _pending.append(self)
        return
    _run(self)


def _run(self):
    before = threading._active.get(_thread.get_ident())
    threading._active[_thread.get_ident()] = self
    self._ident = _thread.get_ident()
    try:
        self.run()
    except SystemExit:
        pass
    except BaseException:
        threading.excepthook(threading.ExceptHookArgs([*sys.exc_info(), self]))
    finally:
        self._gavel_ended = True
        if before is None:
            threading._active.pop(_thread.get_ident(), None)
        else:
            threading._active[_thread.get_ident()] = before


def _fire(timer):
    _pending.remove(timer)
    if not timer.finished.is_set():
        time.sleep(max(0.0, timer._due - time.monotonic()))
        # It has waited already.
        timer.interval = 0
        _run(timer)


def _join(self, timeout=None):
    if not self._initialized:
        raise RuntimeError("Thread.__init__() not called")
    if not self._started.is_set():
        raise RuntimeError("cannot join thread before it is started")
    if self in _pending:
        if timeout is not None and self._due - time.monotonic() > timeout:
            time.sleep(max(0.0, timeout))
        else:
            _fire(self)


def _is_alive(self):
    return self in _pending or (self._started.is_set() and not getattr(self, "_gavel_ended", False))


def wait():
    """Lets the timers go off that are still set, the earliest first."""
    while waiting := [timer for timer in _pending if not timer.daemon]:
        _fire(min(waiting, key=lambda timer: timer._due))


def _submit(self, function, /, *arguments, **by_name):
    if getattr(self, "_shutdown", False):
        raise RuntimeError("cannot schedule new futures after shutdown")
    future = concurrent.futures.Future()
    future.set_running_or_notify_cancel()
    try:
        result = function(*arguments, **by_name)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
    return future


def _executor(self, max_workers=None, *others, initializer=None, initargs=(), **ignored):
    if max_workers is not None and max_workers <= 0:
        raise ValueError("max_workers must be greater than 0")
    self._max_workers = max_workers or 1
    self._shutdown = False
    if initializer is not None:
        initializer(*initargs)


def _shut_down(self, wait=True, *, cancel_futures=False):
    self._shutdown = True


def _start_new_thread(function, arguments, by_name={}, /):
    threading.Thread(target=function, args=arguments, kwargs=by_name).start()
    return _thread.get_ident()


_put, _get = queue.Queue.put, queue.Queue.get


def _patient_get(self, block=True, timeout=None):
    if block and timeout is None and not self._qsize():
        raise _deadlock("an empty queue")
    return _get(self, block, timeout)


def _patient_put(self, item, block=True, timeout=None):
    if block and timeout is None and 0 < self.maxsize <= self._qsize():
        raise _deadlock("a full queue")
    return _put(self, item, block, timeout)


def _wait_condition(self, timeout=None):
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    if timeout is None:
        raise _deadlock("another thread")
    # Nobody can notify meanwhile.
    time.sleep(max(0.0, timeout))
    return False


def _deadlock(what):
    return ThreadError(f"deadlock: waiting for {what}, but threads of this sandbox run one after another")


def install():
    """Puts all this in place of the real thing."""
    thread = threading.Thread
    thread.start, thread.join, thread.is_alive = _start, _join, _is_alive
    threading.stack_size = _thread.stack_size = lambda size=0, /: 0
    threading.Condition.wait = _wait_condition
    _thread.start_new_thread = _thread.start_new = _start_new_thread
    queue.Queue.get, queue.Queue.put = _patient_get, _patient_put
    pool = concurrent.futures.ThreadPoolExecutor
    pool.__init__, pool.submit, pool.shutdown = _executor, _submit, _shut_down
