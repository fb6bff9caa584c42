"""Imports what programs use, before anything of ours is there: what is allocated here is hardly ever written to."""

import importlib

# What programs use, so that an import only has to look a name up.
WARM = """
    __future__ _strptime abc argparse array ast asyncio atexit base64 binascii bisect builtins bz2 calendar
    cmath collections collections.abc colorsys concurrent.futures concurrent.futures.thread configparser
    contextlib contextvars copy copyreg csv ctypes dataclasses datetime decimal difflib dis doctest email
    email.message encodings encodings.ascii encodings.cp1252 encodings.idna encodings.latin_1 encodings.utf_16
    encodings.utf_8_sig enum errno fileinput fnmatch fractions functools gc getopt glob graphlib gzip hashlib
    heapq hmac html html.parser http inspect io ipaddress itertools json keyword linecache locale logging
    logging.handlers lzma marshal math mmap numbers operator optparse os os.path pathlib pickle platform
    pprint pytest queue random re reprlib resource sched secrets select selectors shelve shlex shutil signal
    socket sqlite3 stat statistics string string.templatelib struct subprocess symtable sys tempfile textwrap
    threading time timeit token tokenize tomllib traceback tracemalloc types typing unicodedata unittest
    unittest.mock urllib.parse uuid warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo
""".split()


def main():
    missing = []
    for name in WARM:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name} ({error})")
    if missing:
        raise SystemExit("the standard library lacks " + ", ".join(missing))


main()
del WARM, main
