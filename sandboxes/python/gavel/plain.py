"""Plain data as JSON, for the host.

JSON has no tuples, sets, bytes or dictionaries with keys that are not text, so every object of the JSON is a tag:
`{"t": [...]}` a tuple, `{"s": [...]}` a set, `{"d": [[key, value], ...]}` a dictionary, `{"b": "00ff"}` bytes,
`{"c": [re, im]}` a complex number, `{"f": "nan"}` a float that JSON has no number for, `{"o": "name"}` anything else,
by the name of its type. What inherits from a builtin type is taken for an instance of that type, by that type's own
methods: nothing that overrides `__eq__` leaves as what it was.
"""

import array
from collections import OrderedDict, deque
from itertools import islice

from _gavel import nodes, notation

MAX_DEPTH = 90
MAX_ITEMS = 2_000_000

_SIMPLE = frozenset({int, str, bool, float, type(None)})
_SEQUENCES = (range, array.array, type({}.keys()), type({}.values()), type({}.items()), memoryview)


class TooMuch(Exception):
    """A value is too deep or too large to leave."""


def encode(*values):
    """These values as a JSON list of bytes."""
    left = [MAX_ITEMS]
    return notation.write([_tree(value, 0, left) for value in values])


def _tree(value, depth, left):
    kind = type(value)
    if kind in _SIMPLE:
        return value
    if depth > MAX_DEPTH:
        raise TooMuch(f"it is nested more than {MAX_DEPTH} deep")
    if kind is list:
        return _items(value, depth, left)
    if kind is tuple:
        return {"t": _items(value, depth, left)}
    if kind is dict:
        return _pairs(value.items(), depth, left)
    if kind is set or kind is frozenset:
        return {"s": _items(value, depth, left)}
    if kind is bytes or kind is bytearray:
        return {"b": value.hex()}
    if kind is complex:
        return {"c": [value.real, value.imag]}
    return _flattened(value, kind, depth, left)


def _items(values, depth, left):
    values = list(values)
    left[0] -= len(values)
    if left[0] < 0:
        raise TooMuch(f"it has more than {MAX_ITEMS} items")
    if _SIMPLE.issuperset(map(type, values)):
        return values
    return [_tree(value, depth + 1, left) for value in values]


def _pairs(pairs, depth, left):
    pairs = list(pairs)
    left[0] -= len(pairs)
    if left[0] < 0:
        raise TooMuch(f"it has more than {MAX_ITEMS} items")
    return {"d": [[_tree(key, depth + 1, left), _tree(value, depth + 1, left)] for key, value in pairs]}


def _flattened(value, kind, depth, left):
    try:
        ancestors = kind.__mro__
        if int in ancestors:
            return int.__index__(value)
        if float in ancestors:
            return float.__pos__(value)
        if str in ancestors:
            return str.__str__(value)
        if list in ancestors:
            return _items(list.__iter__(value), depth, left)
        if tuple in ancestors:
            return {"t": _items(tuple.__iter__(value), depth, left)}
        if OrderedDict in ancestors:
            return _pairs(OrderedDict.items(value), depth, left)
        if dict in ancestors:
            return _pairs(dict.items(value), depth, left)
        if set in ancestors:
            return {"s": _items(set.__iter__(value), depth, left)}
        if frozenset in ancestors:
            return {"s": _items(frozenset.__iter__(value), depth, left)}
        if bytes in ancestors:
            return {"b": bytes.hex(value)}
        if bytearray in ancestors:
            return {"b": bytearray.hex(value)}
        if deque in ancestors:
            return _items(deque.__iter__(value), depth, left)
        if kind in _SEQUENCES or "__next__" in dir(kind):
            return _items(islice(value, left[0] + 1), depth, left)
    except TypeError:
        pass
    flat = nodes.flatten(value, MAX_ITEMS)
    if flat is not None:
        return _items(flat, depth, left)
    return {"o": str.__str__(getattr(kind, "__name__", "object"))[:200]}


def _untag(tagged):
    for tag, content in tagged.items():
        match tag:
            case "t":
                return tuple(content)
            case "s":
                return set(map(_hashable, content))
            case "d":
                return {_hashable(key): value for key, value in content}
            case "b":
                return bytes.fromhex(content)
            case "c":
                return complex(*content)
            case "f":
                return float(content)
    return None


def _hashable(value):
    """Keys and members have to be hashable, which JSON's lists are not."""
    if type(value) is list:
        return tuple(map(_hashable, value))
    if type(value) is set:
        return frozenset(value)
    return value


decode = notation.reader(_untag)
