"""Values between a program and its tests, which are in two interpreters.

Plain data goes over as it is, by the exact type it has: what inherits from a builtin type arrives as that type, so
that an object which calls itself equal to everything does not. Everything else stays where it is and the other side
gets a handle of it. As in `plain`, every object of the JSON is a tag.
"""

import types
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from itertools import islice

from _gavel import notation

MAX_DEPTH = 90
MAX_ITEMS = 2_000_000

# Classes and functions of these are the same thing on both sides.
SHARED = frozenset(
    "builtins bisect collections copy datetime decimal fractions functools heapq itertools json math operator random re"
    " statistics string typing".split()
)

# Methods that tests may call by the syntax that stands for them. Equality and hashes are not among them.
SPECIAL = frozenset(
    f"__{name}__"
    for name in (
        "len iter next reversed getitem setitem delitem call enter exit bool int float index round contains lt le gt ge"
        " add sub mul truediv floordiv mod pow matmul and or xor neg pos invert abs"
    ).split()
)

_SIMPLE = frozenset({int, str, bool, float, type(None)})
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType)


class TooMuch(ValueError):
    """A value is too deep or too large to go over."""


class Wire:
    """Writes and reads values. The sides differ in what they do with what is not plain."""

    max_depth = MAX_DEPTH
    max_items = MAX_ITEMS

    def __init__(self):
        self.decode = notation.reader(self._untag)

    def encode(self, value):
        """JSON, as bytes."""
        self._left = self.max_items
        return notation.write(self._tree(value, 0))

    def wrapped(self, value, depth):
        """The tag of something that is not plain."""
        raise NotImplementedError

    def unwrapped(self, content):
        """What the tag of a handle stands for."""
        raise NotImplementedError

    def _tree(self, value, depth):
        kind = type(value)
        if kind in _SIMPLE:
            return value
        if depth > self.max_depth:
            raise TooMuch(f"a value is nested more than {self.max_depth} deep")
        if kind is list:
            return self._items(value, depth)
        if kind is tuple:
            return {"t": self._items(value, depth)}
        if kind is dict:
            return {"d": self._pairs(value.items(), depth)}
        write = _WRITERS.get(kind)
        if write is not None:
            return write(self, value, depth)
        return self._inherited(value, kind, depth)

    def _items(self, values, depth):
        values = list(values)
        self._left -= len(values)
        if self._left < 0:
            raise TooMuch(f"a value has more than {self.max_items} items")
        if _SIMPLE.issuperset(map(type, values)):
            return values
        return [self._tree(value, depth + 1) for value in values]

    def _pairs(self, pairs, depth):
        return [self._items(pair, depth + 1) for pair in self._bounded(pairs)]

    def _bounded(self, values):
        values = list(islice(values, self._left + 1))
        self._left -= len(values)
        if self._left < 0:
            raise TooMuch(f"a value has more than {self.max_items} items")
        return values

    def _inherited(self, value, kind, depth):
        ancestors = type.__dict__["__mro__"].__get__(kind)
        if types.FunctionType in ancestors or type in ancestors or types.BuiltinFunctionType in ancestors:
            if name := shared_name(value):
                return {"g": name}
        elif Enum_ not in map(id, map(type, ancestors)):
            if int in ancestors:
                return int.__index__(value)
            if float in ancestors:
                return float.__pos__(value)
            if str in ancestors:
                return str.__str__(value)
            if list in ancestors:
                return self._items(list.__iter__(value), depth)
            if tuple in ancestors:
                items = self._items(tuple.__iter__(value), depth)
                fields = kind.__dict__.get("_fields")
                return {"n": [kind.__name__, list(fields), items]} if type(fields) is tuple else {"t": items}
            if dict in ancestors:
                return {"d": self._pairs(dict.items(value), depth)}
            if set in ancestors:
                return {"s": self._items(set.__iter__(value), depth)}
            if frozenset in ancestors:
                return {"z": self._items(frozenset.__iter__(value), depth)}
        return self.wrapped(value, depth)

    def _untag(self, tagged):
        for tag, content in tagged.items():
            if tag == "h":
                return self.unwrapped(content)
            return _READERS[tag](content)
        return None


# What enumerations have in common; their members are themselves and not the numbers they may be.
Enum_ = id(import_module("enum").EnumType)


def shared_name(value):
    """The name by which both sides know a class or function."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if type(module) is str and type(name) is str and module in SHARED and name.isidentifier():
        if getattr(import_module(module), name, None) is value:
            return f"{module}.{name}"
    return None


def _shared(name):
    module, _, name = name.partition(".")
    if module not in SHARED:
        raise ValueError(f"{module} is not shared")
    value = getattr(import_module(module), name)
    # An instance might call itself equal to anything.
    if not isinstance(value, _NAMED):
        raise ValueError(f"{name} is neither a class nor a function")
    return value


_TIMES = {"date": date, "datetime": datetime, "time": time, "timedelta": timedelta}
_WRITERS = {
    set: lambda wire, value, depth: {"s": wire._items(value, depth)},
    frozenset: lambda wire, value, depth: {"z": wire._items(value, depth)},
    bytes: lambda wire, value, depth: {"b": value.hex()},
    bytearray: lambda wire, value, depth: {"a": value.hex()},
    complex: lambda wire, value, depth: {"c": [value.real, value.imag]},
    range: lambda wire, value, depth: {"r": [value.start, value.stop, value.step]},
    slice: lambda wire, value, depth: {"l": wire._items((value.start, value.stop, value.step), depth)},
    type(...): lambda wire, value, depth: {"e": 0},
    deque: lambda wire, value, depth: {"q": [wire._items(value, depth), value.maxlen]},
    Counter: lambda wire, value, depth: {"k": wire._pairs(value.items(), depth)},
    OrderedDict: lambda wire, value, depth: {"O": wire._pairs(value.items(), depth)},
    defaultdict: lambda wire, value, depth: {"d": wire._pairs(value.items(), depth)},
    Decimal: lambda wire, value, depth: {"D": str(value)},
    Fraction: lambda wire, value, depth: {"F": [value.numerator, value.denominator]},
    date: lambda wire, value, depth: {"T": ["date", value.year, value.month, value.day]},
    timedelta: lambda wire, value, depth: {"T": ["timedelta", value.days, value.seconds, value.microseconds]},
    datetime: lambda wire, value, depth: (
        {"T": ["datetime", *value.timetuple()[:6], value.microsecond]}
        if value.tzinfo is None
        else wire.wrapped(value, depth)
    ),
    time: lambda wire, value, depth: (
        {"T": ["time", value.hour, value.minute, value.second, value.microsecond]}
        if value.tzinfo is None
        else wire.wrapped(value, depth)
    ),
}
_READERS = {
    "t": tuple,
    "s": set,
    "z": frozenset,
    "d": dict,
    "b": bytes.fromhex,
    "a": bytearray.fromhex,
    "c": lambda content: complex(*content),
    "r": lambda content: range(*content),
    "l": lambda content: slice(*content),
    "e": lambda content: ...,
    "q": lambda content: deque(*content),
    "k": lambda content: Counter(dict(content)),
    "O": OrderedDict,
    "D": Decimal,
    "F": lambda content: Fraction(*content),
    "T": lambda content: _TIMES[content[0]](*content[1:]),
    "n": lambda content: _named(content[0], tuple(content[1]))(*content[2]),
    "i": iter,
    "g": _shared,
}
_named_types = {}


def _named(name, fields):
    key = (name, fields)
    if key not in _named_types:
        _named_types[key] = namedtuple(name, fields)
    return _named_types[key]
