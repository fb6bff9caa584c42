"""A program from its text to its end."""

import atexit
import builtins
import gc
import importlib.util
import linecache
import sys
import traceback
import types
from posix import _exit

from _gavel import channel, nodes, notation, plain, prelude, threads

FILE = "main.py"
NAME = "solution"
HERE = __file__.removesuffix("program.py")

# As deep as sites that call functions allow.
CALL_RECURSION = 50_000

_stdout, _stderr = sys.stdout, sys.stderr


def report(**fields):
    """Tells the host something that the exit code cannot."""
    channel.ask(channel.REPORT, notation.write(fields))


def main():
    """Does what the host asks for. Comes back only when there is more to be asked for."""
    kind, *rest = plain.decode(channel.ask(channel.JOB))
    code = _JOBS[kind](*rest)
    if code is not None:
        finish(code)


def job(name):
    """Makes a function one of those that the host asks for; it gives an exit code, or None to be asked for more."""

    def register(function):
        _JOBS[name] = function
        return function

    return register


_JOBS = {}


@job("run")
def run(source, arguments):
    """Runs a program as `python3 main.py` would; gives its exit code."""
    sys.argv[:] = [FILE, *arguments]
    names = vars(sys.modules["__main__"])
    names.clear()
    names.update(
        __name__="__main__",
        __doc__=None,
        __package__=None,
        __loader__=None,
        __spec__=None,
        __file__=FILE,
        __cached__=None,
        __builtins__=builtins,
    )
    code = compiled(source, FILE)
    if code is None:
        return 1
    try:
        exec(code, names)
        status = 0
    except BaseException as error:
        status = ended_by(error)
    return leave(names, status, "__del__" in source)


@job("call")
def call(source, arguments, entry_point, positional, by_name):
    """Calls one function and reports what it returned; gives an exit code."""
    names, code = load(source, arguments)
    if code is not None:
        return code
    try:
        function = find(names, entry_point)
        if function is None:
            report(ending="no_entry_point")
            return 1
        returns_node = False
        if "ListNode" in source or "TreeNode" in source:
            positional, returns_node = nodes.convert(function, positional, names)
        result = function(*positional, **dict(by_name))
        if returns_node and result is None:
            result = []
    except BaseException as error:
        return ended_by(error)
    try:
        reply = plain.encode(result, positional)
    except BaseException as error:
        reason = str(error) if isinstance(error, plain.TooMuch) else f"{type(error).__name__}: {error}"
        report(ending="invalid_result", message=reason[:1000])
        return 1
    flush()
    channel.ask(channel.REPORT, b"=" + reply)
    return 0


def load(source, arguments):
    """Runs a program as a module that others call into. Gives its names, and an exit code if it came to an end."""
    sys.argv[:] = [FILE, *arguments]
    sys.setrecursionlimit(CALL_RECURSION)
    module = types.ModuleType(NAME)
    sys.modules[NAME] = module
    names = vars(module)
    names.update(__file__=FILE, __builtins__=builtins)
    prelude.install()
    code = compiled(source, FILE)
    if code is None:
        return names, 1
    try:
        exec(code, names)
    except BaseException as error:
        return names, ended_by(error)
    return names, None


def find(names, entry_point):
    """The function of that name, or the method of a fresh `Solution`."""
    if callable(found := names.get(entry_point)):
        return found
    solution = names.get("Solution")
    if isinstance(solution, type) and callable(getattr(solution, entry_point, None)):
        return getattr(solution(), entry_point)
    return None


def compiled(source, file):
    """The code of a text; None if it has none, after the host was told."""
    # The traceback reads its lines from here.
    linecache.cache[file] = (lambda: source,)
    try:
        return compile(source, file, "exec", dont_inherit=True)
    except BaseException as error:
        message = "".join(traceback.format_exception_only(error))
        _stderr.write(message)
        flush()
        report(ending="compile_error", message=message)
        return None


def ended_by(error):
    """The exit code of an exception that nobody caught, after what there is to say about it was said."""
    if isinstance(error, SystemExit):
        return exit_code(error)
    error.__traceback__ = visible(error.__traceback__)
    if isinstance(error, ModuleNotFoundError) and (missing := missing_module(error)):
        report(ending="missing_module", name=missing)
    elif isinstance(error, MemoryError):
        report(ending="out_of_memory")
    try:
        sys.stdout.flush()
    except Exception:
        pass
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except SystemExit as other:
        return exit_code(other)
    except BaseException:
        sys.__excepthook__(type(error), error, error.__traceback__)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def exit_code(error):
    """The exit code of a `SystemExit`."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 255
    print(error.code, file=sys.stderr)
    return 1


def missing_module(error):
    """The name of the package that an import did not find, unless it found that and not a part of it."""
    if not isinstance(error.name, str):
        return None
    name = error.name.partition(".")[0]
    try:
        return None if name in sys.modules or importlib.util.find_spec(name) else name
    except Exception:
        return None


def visible(trace):
    """A traceback without the harness at its beginning."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    return trace


def leave(names, status, has_finalizers):
    """What an interpreter does at its end; gives the exit code."""
    try:
        threads.wait()
    except BaseException as error:
        status = ended_by(error)
    atexit._run_exitfuncs()
    flush()
    # Files that the program left open are written when nothing holds them any more.
    for single in (True, False):
        for name in list(names):
            if (name[:1] == "_" and name[1:2] != "_") == single and name != "__builtins__":
                names[name] = None
    if has_finalizers:
        gc.collect()
    return status


def finish(status):
    """Ends the instance."""
    if not flush() and status == 0:
        # As CPython does when it cannot write what is left.
        status = 120
    _exit(status)


def flush():
    """Writes what is buffered, also by streams that took the place of the usual ones."""
    done = True
    for stream in (sys.stdout, sys.stderr, _stdout, _stderr):
        try:
            stream.flush()
        except Exception:
            # A stream that was closed has nothing to write.
            done = done and (stream is not _stdout or _stdout.closed)
    return done
