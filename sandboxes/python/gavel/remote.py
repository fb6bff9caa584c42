"""The program as its tests see it: values, and objects that stand for what stays with the program.

A handle is equal to nothing but itself, and never asks the program what it is equal to; values that tests compare with
do not go over.
"""

import builtins
import marshal
import re
import sys
import types

from _gavel import channel, prelude, program
from _gavel.wire import MAX_DEPTH, MAX_ITEMS, SHARED, SPECIAL, Wire

# These need a second operand, which goes over: only for objects that the tests made themselves.
_OPERATORS = frozenset(
    f"__{name}__"
    for name in "lt le gt ge add sub mul truediv floordiv mod pow matmul and or xor".split()
)


class NotPlain(TypeError):
    """An argument cannot go over."""


class Kind(type):
    """A class of the program."""

    def __call__(cls, *arguments, **by_name):
        made = tests.ask("call", cls, *arguments, **by_name)
        if isinstance(made, Remote):
            object.__setattr__(made, "_gavel_own", True)
        return made

    def __getattr__(cls, name):
        return _attribute(cls, name)


class Remote(metaclass=Kind):
    """An object of the program."""

    def __getattr__(self, name):
        return _attribute(self, name)

    def __setattr__(self, name, value):
        tests.ask("set", self, name, value)

    def __delattr__(self, name):
        tests.ask("delete", self, name)

    def __str__(self):
        return _text(tests.ask("str", self))

    def __repr__(self):
        return _text(tests.ask("repr", self))


class RemoteError:
    """What exceptions of the program's own classes have besides what exceptions have."""

    def __str__(self):
        return self.__dict__.get("_gavel_message", "")

    def __getattr__(self, name):
        remote = self.__dict__.get("_gavel_remote")
        if remote is None:
            raise AttributeError(name)
        return _attribute(remote, name)


def _text(value):
    if type(value) is not str:
        raise TypeError("the program gives no text for its object")
    return value


def _attribute(owner, name):
    if name.startswith("__") and name.endswith("__") and name not in ("__dict__", "__name__", "__doc__"):
        raise AttributeError(name)
    found = tests.ask("get", owner, name)
    if type(found) is dict and found.keys() == {"method"}:

        def method(*arguments, **by_name):
            return tests.ask("method", owner, name, *arguments, **by_name)

        method.__name__ = name
        return method
    return found


def _special(name):
    def method(self, *arguments):
        if name in _OPERATORS:
            both = self.__dict__.get("_gavel_own") and all(
                isinstance(other, Remote) and other.__dict__.get("_gavel_own") for other in arguments
            )
            if not both:
                return NotImplemented
            result = tests.ask("special", name, self, *arguments)
            if isinstance(result, Remote):
                object.__setattr__(result, "_gavel_own", True)
            return result
        if name == "__contains__" and not _holds(self):
            return any(item is arguments[0] or item == arguments[0] for item in self)
        return tests.ask("special", name, self, *arguments)

    method.__name__ = name
    return method


def _holds(container):
    """Whether it may be asked what it contains: one that a function returned might say anything."""
    name = type(container).__name__
    if not container.__dict__.get("_gavel_own") or not name[:1].isupper() or name == tests.entry_point:
        return False
    # The tests have to name the class: a function that is one in truth makes objects that nobody asked for.
    return re.search(rf"\b{re.escape(name)}\b", tests.source) is not None


class Tests(Wire):
    """What is known of the program."""

    # What the program may send can be sent back among other arguments.
    max_depth = MAX_DEPTH + 30
    max_items = 2 * MAX_ITEMS

    def __init__(self):
        super().__init__()
        self.handles = {}
        self.numbers = {}
        self.broken = None
        self.entry_point = None
        self.source = ""

    def ask(self, operation, *arguments, **by_name):
        """Has the program do something."""
        captured = sys.stdout is not program._stdout
        try:
            request = self.encode([operation, arguments, list(by_name.items()), captured])
        except (NotPlain, ValueError, RecursionError) as error:
            self.broken = self.broken or str(error)
            raise
        reply = self.decode(channel.ask(channel.FORWARD, request))
        match reply:
            case ["ok", result, list(changed), str(said)]:
                if said:
                    sys.stdout.write(said)
                for old, new in zip(arguments, changed):
                    if new is not None:
                        _merge(old, new)
                return result
            case ["error", kind, list(values), str(message), remote]:
                raise _rebuilt(kind, values, message, remote) from None
        raise RuntimeError("the program's side does not answer")

    def wrapped(self, value, depth):
        number = self.numbers.get(id(value))
        if number is not None:
            return {"h": number}
        if isinstance(value, types.FunctionType):
            return {"h": self._hand_over(value)}
        if isinstance(value, types.ModuleType) and value.__name__ in sys.stdlib_module_names:
            raise NotPlain(f"an argument is a module: {value.__name__}")
        if hasattr(type(value), "__next__"):
            return {"i": self._items(self._bounded(value), depth)}
        raise NotPlain(f"an argument is not plain data: {type(value).__name__}")

    def unwrapped(self, content):
        number, *description = content
        if number not in self.handles:
            made = self._made(number, *description)
            self.handles[number] = made
            self.numbers[id(made)] = number
        return self.handles[number]

    def _made(self, number, kind, *rest):
        if kind == "class":
            name, exception, parents, special = rest
            bases = tuple(parent for parent in parents if isinstance(parent, type))
            if exception is not None:
                builtin = getattr(builtins, exception, RuntimeError)
                if not issubclass(builtin, Exception):
                    builtin = RuntimeError
                own = tuple(base for base in bases if issubclass(base, Exception))
                return type(name, own or (RemoteError, builtin), {"__module__": program.NAME})
            methods = {method: _special(method) for method in special if method in SPECIAL}
            own = tuple(base for base in bases if issubclass(base, Remote))
            return Kind(name, own or (Remote,), {"__module__": program.NAME, **methods})
        if kind == "function":
            name, doc = rest

            def function(*arguments, **by_name):
                return self.ask("call", function, *arguments, **by_name)

            function.__name__ = function.__qualname__ = name
            function.__doc__, function.__module__ = doc, program.NAME
            return function
        if kind == "module":
            (name,) = rest
            # A module that the tests' side may have in its own right; of any other there is a handle.
            return prelude.MODULES[name] if name in SHARED and name in prelude.MODULES else object.__new__(Remote)
        (cls,) = rest
        made = object.__new__(cls if isinstance(cls, type) and issubclass(cls, Remote) else Remote)
        return made

    def _hand_over(self, function):
        """A function of the tests becomes one of the program, as far as it needs nothing of its surroundings but
        plain data."""
        code = function.__code__
        around = {}
        pending, seen = [code], set()
        while pending:
            part = pending.pop()
            pending += [constant for constant in part.co_consts if isinstance(constant, types.CodeType)]
            seen.update(part.co_names)
        for name in seen:
            if name in function.__globals__ and function.__globals__[name] is not function:
                value = function.__globals__[name]
                if not isinstance(value, types.ModuleType):
                    around[name] = value
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        for value in [*around.values(), *cells]:
            if isinstance(value, (list, dict, set, bytearray)):
                raise NotPlain(f"an argument is a function that keeps a {type(value).__name__}: {function.__name__}")
        left = self._left
        made = self.ask(
            "make",
            marshal.dumps(code),
            function.__name__,
            function.__defaults__,
            function.__kwdefaults__,
            cells,
            around,
        )
        self._left = left
        number = self.numbers[id(made)]
        # The same function is handed over once, and comes back as itself.
        self.numbers[id(function)] = number
        self.handles[number] = function
        self._kept = getattr(self, "_kept", []) + [made]
        return number


def _rebuilt(kind, values, message, remote):
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return RuntimeError(message)
    try:
        if issubclass(kind, RemoteError):
            error = kind.__new__(kind)
            error.args = tuple(values)
            error.__dict__.update(_gavel_message=message, _gavel_remote=remote)
        else:
            error = kind(*values)
    except Exception:
        return RuntimeError(message)
    error.__dict__["_gavel_program"] = True
    return error


def _merge(old, new):
    """Changes an argument as the program changed it, keeping what it is made of."""
    kind = type(old)
    if kind is not type(new):
        return new
    if kind is list:
        common = [_merge(*pair) for pair in zip(old, new)]
        old[:] = common + new[len(common) :]
    elif kind is dict:
        merged = {key: _merge(old[key], value) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(merged)
    elif kind is set:
        if old != new:
            old.clear()
            old.update(new)
    elif kind is bytearray:
        old[:] = new
    elif kind is tuple:
        for pair in zip(old, new):
            _merge(*pair)
        return old
    else:
        return new
    return old


tests = Tests()
