"""The part of pytest that plain tests use. Fixtures and plug-ins are not among it."""

import math
import re
import unittest


class Failed(AssertionError):
    pass


def fail(reason="", pytrace=True):
    raise Failed(reason)


def skip(reason="", **ignored):
    raise unittest.SkipTest(reason)


class _Raised:
    def __init__(self, expected, match):
        self.expected, self.match, self.value = expected, match, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            fail(f"DID NOT RAISE {self.expected}")
        if not issubclass(kind, self.expected):
            return False
        self.type, self.value, self.tb = kind, error, trace
        if self.match is not None and not re.search(self.match, str(error)):
            fail(f"pattern {self.match!r} not found in {str(error)!r}")
        return True


def raises(expected, function=None, *arguments, match=None, **by_name):
    raised = _Raised(expected, match)
    if function is None:
        return raised
    with raised:
        function(*arguments, **by_name)
    return raised


class approx:
    """Equal within a tolerance: numbers, and sequences and dictionaries of them."""

    __hash__ = None

    def __init__(self, expected, rel=None, abs=None, nan_ok=False):
        self.expected, self.rel, self.abs, self.nan_ok = expected, rel, abs, nan_ok

    def __eq__(self, actual):
        return self._equal(actual, self.expected)

    def _equal(self, actual, expected):
        if isinstance(expected, dict):
            return (
                isinstance(actual, dict)
                and actual.keys() == expected.keys()
                and all(self._equal(actual[key], expected[key]) for key in expected)
            )
        if isinstance(expected, (list, tuple)):
            return (
                isinstance(actual, (list, tuple))
                and len(actual) == len(expected)
                and all(map(self._equal, actual, expected))
            )
        if not isinstance(expected, (int, float)) or not isinstance(actual, (int, float)):
            return actual == expected
        if math.isnan(expected):
            return self.nan_ok and math.isnan(actual)
        if math.isinf(expected) or math.isinf(actual):
            return actual == expected
        absolute = 1e-12 if self.abs is None else self.abs
        relative = (1e-6 if self.abs is None else 0.0) if self.rel is None else self.rel
        return abs(actual - expected) <= max(absolute, relative * abs(expected))

    def __repr__(self):
        return f"approx({self.expected!r})"


class param(tuple):
    """One set of values."""

    def __new__(cls, *values, **ignored):
        return super().__new__(cls, values)


class _Marks:
    def parametrize(self, names, rows, **ignored):
        if isinstance(names, str):
            names = [name.strip() for name in names.split(",")]
        rows = [row if len(names) > 1 or isinstance(row, param) else (row,) for row in rows]
        choices = [dict(zip(names, row, strict=True)) for row in rows]

        def mark(function):
            before = getattr(function, "_gavel_choices", [{}])
            function._gavel_choices = [one | other for one in choices for other in before]
            return function

        return mark

    def __getattr__(self, name):
        def mark(*arguments, **by_name):
            if len(arguments) == 1 and not by_name and callable(arguments[0]):
                return arguments[0]
            return lambda function: function

        return mark


mark = _Marks()


def fixture(*arguments, **by_name):
    raise NotImplementedError("fixtures of pytest are not available in this sandbox")


def main(*arguments, **by_name):
    return 0
