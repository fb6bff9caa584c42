"""Prepares the interpreter of the snapshot: everything that is the same for all programs is done here, once.

It runs with the clock standing still and with fixed random bytes, so that two builds give the same bytes. At the end
it prints where the harness's functions are in memory.
"""

import importlib
import io
import json
import os
import random
import re
import sys

# What programs use, so that an import only has to look a name up.
WARM = """
    __future__ _strptime abc argparse array ast asyncio atexit base64 binascii bisect builtins bz2 calendar cmath
    collections collections.abc colorsys concurrent.futures concurrent.futures.thread configparser contextlib
    contextvars copy copyreg csv ctypes dataclasses datetime decimal difflib dis doctest email email.message encodings
    encodings.ascii encodings.cp1252 encodings.idna encodings.latin_1 encodings.utf_16 encodings.utf_8_sig enum errno
    fileinput fnmatch fractions functools gc getopt glob graphlib gzip hashlib heapq hmac html html.parser http
    inspect io ipaddress itertools json keyword linecache locale logging logging.handlers lzma marshal math mmap
    numbers operator optparse os os.path pathlib pickle platform pprint queue random re reprlib resource sched secrets
    select selectors shelve shlex shutil signal socket sqlite3 stat statistics string string.templatelib struct
    subprocess symtable sys tempfile textwrap threading time timeit token tokenize tomllib traceback tracemalloc types
    typing unicodedata unittest unittest.mock urllib.parse uuid warnings weakref xml.etree.ElementTree zipfile zlib
    zoneinfo
""".split()

HARNESS = ["channel", "nodes", "plain", "prelude", "system", "threads", "wire", "program", "service", "examination"]


def streams():
    """The three streams as an interpreter has them whose output goes to a file."""
    binary = io.FileIO(0, "rb", closefd=False)
    binary.name = "<stdin>"
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(binary), "utf-8", "strict")
    for number, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        binary = io.FileIO(number, "wb", closefd=False)
        binary.name = f"<{name}>"
        stream = io.TextIOWrapper(io.BufferedWriter(binary, 65536), "utf-8", errors, "\n", number == 2)
        stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stdin.mode = "r"


def exercise():
    """Does what most programs do, so that code is specialized, caches are filled and memory is laid out."""
    from _gavel import plain

    value = [1, 2.5, "x", None, True, (1, 2), {3}, {"a": [1]}, b"b", 1j]
    for _ in range(20):
        assert plain.decode(plain.encode(*value).decode()) == value
        json.loads(json.dumps({"a": [1, 2.5, None]}))
        names = {"__name__": "exercise"}
        exec(compile("print(*sorted(map(int, '3 1 2'.split())), file=out)", "exercise", "exec"), names | {"out": io.StringIO()})
    re.compile(r"(\d+)\s*").match("12 ")
    "{:.2f} {!r}".format(1.5, f"{2:>5}")


def main():
    missing = []
    for name in WARM:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name} ({error})")
    if missing:
        raise SystemExit("the standard library lacks " + ", ".join(missing))
    os.environ.clear()
    streams()
    modules = {name: importlib.import_module(f"_gavel.{name}") for name in HARNESS}
    modules["threads"].install()
    modules["system"].install()
    random.seed(0)
    exercise()
    sys.path[:] = ["/", *(path for path in sys.path if path.startswith("/usr/"))]
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    entries = {"main": id(modules["program"].main), "serve": id(modules["service"].serve)}
    sys.setrecursionlimit(1000)
    sys.set_int_max_str_digits(0)
    print(json.dumps(entries), flush=True)


main()
__import__("_gavel.settle").settle.settle(sys.modules["__main__"].__dict__)
