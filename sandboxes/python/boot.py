"""Prepares the interpreter of the snapshot: everything that is the same for all programs is done here, once.

The library is imported already (`imports.py`), so that what runs write to, the streams and the harness, lies together.
It runs with the clock standing still and with fixed random bytes, so that two builds give the same bytes. At the end
it prints where the harness's functions are in memory.
"""

import atexit
import builtins
import importlib
import importlib.util
import io
import json
import os
import random
import re
import sys
import weakref

# Each after those that it needs.
HARNESS = "notation channel nodes plain prelude system threads wire program service remote examination".split()


def streams():
    """The three streams as an interpreter has them whose output goes to a file."""
    binary = io.FileIO(0, "rb", closefd=False)
    binary.name = "<stdin>"
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(binary), "utf-8", "strict", "\n")
    for number, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        binary = io.FileIO(number, "wb", closefd=False)
        binary.name = f"<{name}>"
        stream = io.TextIOWrapper(io.BufferedWriter(binary, 65536), "utf-8", errors, "\n", number == 2)
        stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stdin.mode = "r"


def harness():
    """The harness's modules, with builtins of their own: programs that replace builtins do so for themselves."""
    importlib.import_module("_gavel")
    own = vars(builtins).copy()
    modules = {}
    for name in HARNESS:
        spec = importlib.util.find_spec(f"_gavel.{name}")
        module = modules[name] = importlib.util.module_from_spec(spec)
        vars(module)["__builtins__"] = own
        sys.modules[spec.name] = module
        setattr(sys.modules["_gavel"], name, module)
    for module in modules.values():
        module.__spec__.loader.exec_module(module)
    return modules


def exercise():
    """Does what most programs do, so that code is specialized, caches are filled and memory is laid out."""
    from _gavel import plain

    value = [1, 2.5, "x", None, True, (1, 2), {3}, {"a": [1]}, b"b", 1j]
    for _ in range(20):
        assert plain.decode(plain.encode(*value)) == value
        json.loads(json.dumps({"a": [1, 2.5, None]}))
        code = compile("print(*sorted(map(int, '3 1 2'.split())), file=out)", "exercise", "exec")
        exec(code, {"__name__": "exercise", "out": io.StringIO()})
    re.compile(r"(\d+)\s*").match("12 ")
    "{:.2f} {!r}".format(1.5, f"{2:>5}")


def main():
    os.environ.clear()
    streams()
    modules = harness()
    modules["threads"].install()
    modules["system"].install()
    random.seed(0)
    exercise()
    sys.path[:] = ["/", *(path for path in sys.path if path.startswith("/usr/"))]
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    entries = {"main": id(modules["program"].main), "serve": id(modules["service"].serve)}
    # What modules registered for the end is not worth the time: nothing of theirs is left to be written then.
    atexit._clear()
    weakref.finalize._registered_with_atexit = False
    sys.setrecursionlimit(1000)
    sys.set_int_max_str_digits(0)
    print(json.dumps(entries), flush=True)


main()
__import__("_gavel.settle").settle.settle(sys.modules["__main__"].__dict__)
