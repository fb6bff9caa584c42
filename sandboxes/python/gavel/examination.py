"""The tests' side of an examination: names that the tests lack are the program's, which is elsewhere."""

import builtins
import re
import sys
import traceback
import types
import unittest

from _gavel import prelude, program
from _gavel.remote import Kind, NotPlain, tests

FILE = "tests.py"


class Names(dict):
    """The builtins, and behind them the names of the program."""

    def __init__(self, source):
        super().__init__(vars(builtins))
        self.source = source

    def __missing__(self, name):
        module = prelude.MODULES.get(name)
        if module is not None and not re.search(rf"\b{name}\s*\(", self.source):
            self[name] = module
            return module
        if name in ("ListNode", "TreeNode") or name.startswith("__"):
            raise KeyError(name)
        found = tests.ask("lookup", name)
        if type(found) is not list or len(found) != 1:
            if module is None:
                raise KeyError(name)
            found = [module]
        self[name] = found[0]
        return found[0]


@program.job("test")
def test(source, entry_point):
    """Runs the tests and reports how that went."""
    outcome, message = _outcome(source, entry_point)
    program.flush()
    program.report(outcome=outcome, message=message[:2000])
    return 0 if outcome == "passed" else 1


def _outcome(source, entry_point):
    sys.argv[:] = [FILE]
    tests.entry_point, tests.source = entry_point, source
    main = sys.modules["__main__"]
    names = vars(main)
    names.clear()
    lookup = Names(source)
    names.update(__name__="__main__", __file__=FILE, __doc__=None, __builtins__=lookup)
    solution = types.ModuleType(program.NAME)
    solution.__getattr__ = lambda name: _from_module(lookup, name)
    for alias in (program.NAME, "main", "candidate", "submission"):
        sys.modules[alias] = solution
    sys.setrecursionlimit(program.CALL_RECURSION)
    program.linecache.cache[FILE] = (lambda: source,)
    try:
        code = compile(source, FILE, "exec", dont_inherit=True)
    except BaseException as error:
        return "broken", "".join(traceback.format_exception_only(error)).strip()
    try:
        if entry_point is not None:
            (names[entry_point],) = tests.ask("entry", entry_point)
        exec(code, names)
        return _collected(names, source, entry_point)
    except SystemExit as error:
        status = program.exit_code(error)
        if status == 0 and _is_own(error.__traceback__):
            return "passed", ""
        return _failed(f"the tests exited with code {status}")
    except BaseException as error:
        return _judged(error)


def _from_module(lookup, name):
    if name == "__all__":
        return tests.ask("names")
    if name.startswith("__"):
        raise AttributeError(name)
    found = tests.ask("lookup", name)
    if len(found) != 1:
        raise AttributeError(f"module '{program.NAME}' has no attribute '{name}'")
    return found[0]


# Where an exit of the tests may come from, besides the tests: `unittest.main()`, `exit()`.
_EXITS = ("/unittest/", "_sitebuiltins", program.HERE)


def _is_own(trace):
    """Whether only the tests' own text led there, and no text that they evaluated: that may be the program's."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(trace)]
    return all(file == FILE or any(part in file for part in _EXITS) for file in files)


def _imports(trace, module):
    """Whether the tests themselves import the module."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(trace)]
    files = [file for file in files if "importlib" not in file]
    named = rf"^[ \t]*(?:import|from)[ \t].*\b{re.escape(module)}\b"
    return files[-1:] == [FILE] and re.search(named, tests.source, re.MULTILINE) is not None


def _judged(error):
    error.__traceback__ = program.visible(error.__traceback__)
    shown = traceback.TracebackException.from_exception(error)
    shown.stack = traceback.StackSummary.from_list(
        [frame for frame in shown.stack if not frame.filename.startswith(program.HERE)]
    )
    sys.__stderr__.write("".join(shown.format()))
    message = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1:]
    message = message[0] if message else type(error).__name__
    own = not getattr(error, "__dict__", {}).get("_gavel_program")
    if own and isinstance(error, ModuleNotFoundError) and (missing := program.missing_module(error)):
        if _imports(error.__traceback__, missing):
            return "broken", f"the tests need the module {missing}"
    if own and isinstance(error, NotImplementedError):
        return "broken", message
    return _failed(message)


def _failed(message):
    if tests.broken is not None:
        return "broken", tests.broken
    return "failed", message


def _collected(names, source, entry_point):
    """What tests define without running it."""
    check = names.get("check")
    if entry_point is not None and callable(check) and not re.search(r"^check\(", source, re.MULTILINE):
        check(names[entry_point])
    cases = [
        value
        for value in names.values()
        if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == "__main__"
    ]
    if cases:
        suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, cases))
        result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(suite)
        if not result.wasSuccessful():
            first = [trace for _, trace in result.failures + result.errors] or ["an unexpected success"]
            return _failed(first[0].strip().splitlines()[-1])
    for name, value in list(names.items()):
        if name.startswith("test") and isinstance(value, types.FunctionType) and value.__module__ == "__main__":
            _plain_test(value, source)
        elif name.startswith("Test") and isinstance(value, type) and value not in cases and not isinstance(value, Kind):
            for method in vars(value):
                if method.startswith("test"):
                    _plain_test(getattr(value(), method), source)
    return "passed", ""


def _plain_test(function, source):
    # One that the tests call themselves did run.
    if re.search(rf"^\s*{re.escape(function.__name__)}\(", source, re.MULTILINE):
        return
    code = function.__code__
    choices = getattr(function, "_gavel_choices", [{}])
    n_required = code.co_argcount - len(function.__defaults__ or ()) - isinstance(function, types.MethodType)
    if n_required > len(choices[0]) if choices else False:
        tests.broken = f"the test {function.__name__} needs fixtures, which are not supported"
        raise NotPlain(tests.broken)
    for choice in choices:
        try:
            function(**choice)
        except unittest.SkipTest:
            pass
