"""The program's side of an examination: does what its tests ask of it, one request at a time."""

import builtins
import io
import marshal
import operator
import sys
import types

from _gavel import channel, nodes, program
from _gavel.wire import SPECIAL, Wire

class Program(Wire):
    """Its names, and what the other side has handles of."""

    def __init__(self):
        super().__init__()
        self.names = {}
        self.objects = {}
        self.known = set()
        self.wants_nodes = False

    def wrapped(self, value, depth):
        number = id(value)
        self.objects[number] = value
        if number in self.known:
            return {"h": [number]}
        self.known.add(number)
        if isinstance(value, type):
            return {"h": [number, "class", *self._class(value)]}
        if isinstance(value, types.ModuleType):
            return {"h": [number, "module", value.__name__]}
        if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
            return {"h": [number, "function", str(value.__name__), value.__doc__ if type(value.__doc__) is str else None]}
        return {"h": [number, "object", self.wrapped(type(value), depth)]}

    def _class(self, kind):
        base = next((base for base in kind.__mro__[1:] if base.__module__ == "builtins"), object)
        exception = base.__name__ if issubclass(base, BaseException) else None
        parents = [
            self.wrapped(parent, 0) for parent in kind.__bases__ if parent.__module__ not in ("builtins", "typing", "abc")
        ]
        own = (name for name in dir(kind) if getattr(kind, name, None) not in (None, getattr(object, name, None)))
        special = sorted(SPECIAL.intersection(own))
        return [str(kind.__name__), exception, parents, special]

    def unwrapped(self, content):
        return self.objects[content]


_program = Program()


@program.job("load")
def load(source, arguments, entry_point):
    """Loads the program; an exit code if it came to its end."""
    _program.names, code = program.load(source, arguments)
    _program.wants_nodes = "ListNode" in source or "TreeNode" in source
    if code is None and entry_point is not None:
        try:
            found = program.find(_program.names, entry_point)
        except BaseException as error:
            return program.ended_by(error)
        if found is None:
            program.report(ending="no_entry_point")
            return 1
    program.flush()
    return code


def serve():
    """Does one request."""
    try:
        operation, arguments, by_name, captured = _program.decode(channel.ask(channel.JOB))
        usual = sys.stdout
        if captured:
            sys.stdout = io.StringIO()
        try:
            result = _OPERATIONS[operation](*arguments, **dict(by_name))
        finally:
            said = sys.stdout.getvalue() if captured and isinstance(sys.stdout, io.StringIO) else ""
            if captured:
                sys.stdout = usual
        changed = [argument if type(argument) in _MUTABLE else None for argument in arguments]
        reply = _program.encode(["ok", result, changed, said])
    except SystemExit as error:
        program.finish(program.exit_code(error))
    except BaseException as error:
        reply = _failure(error)
    program.flush()
    channel.ask(channel.REPORT, reply)


_MUTABLE = (list, dict, set, bytearray, tuple)


def _failure(error):
    kind = type(error) if isinstance(error, Exception) else RuntimeError
    try:
        message = str(error)
    except Exception:
        message = ""
    remote = None if kind.__module__ == "builtins" else error
    try:
        return _program.encode(["error", kind, list(error.args), message, remote])
    except Exception:
        return _program.encode(["error", RuntimeError, [message[:1000]], message[:1000], None])


def _lookup(name):
    """A name of the program; a list of none or one."""
    if name in _program.names and not (name.startswith("__") and name.endswith("__")):
        return [_program.names[name]]
    return []


def _entry(name):
    """The function to be tested."""
    return _lookup(name) or [lambda *arguments, **by_name: _call(program.find(_program.names, name), *arguments, **by_name)]


def _call(function, *arguments, **by_name):
    returns_node = False
    if _program.wants_nodes:
        converted, returns_node = nodes.convert(function, list(arguments), _program.names)
        if returns_node or any(map(operator.is_not, converted, arguments)):
            result = function(*converted, **by_name)
            flat = nodes.flatten(result, 1_000_000)
            return flat if flat is not None else [] if result is None and returns_node else result
    return function(*arguments, **by_name)


def _get(value, name):
    found = getattr(value, name)
    if isinstance(found, (types.MethodType, types.BuiltinMethodType)) or (
        isinstance(found, types.FunctionType) and isinstance(value, type)
    ):
        return {"method": name}
    return found


def _special(name, value, *arguments):
    if name == "__next__":
        return next(value)
    if name == "__iter__":
        return iter(value)
    if name == "__bool__":
        return bool(value)
    return getattr(type(value), name)(value, *arguments)


def _make(code, name, defaults, by_name, cells, around):
    """A function that the tests handed over."""
    made = types.FunctionType(
        marshal.loads(code),
        {**_program.names, **around, "__builtins__": builtins, "__name__": "tests"},
        name,
        defaults,
        tuple(map(types.CellType, cells)),
    )
    made.__kwdefaults__ = by_name
    made.__globals__.setdefault(name, made)
    return made


_OPERATIONS = {
    "lookup": _lookup,
    "entry": _entry,
    "names": lambda: [name for name in _program.names if not name.startswith("_")],
    "call": _call,
    "method": lambda value, name, /, *arguments, **by_name: getattr(value, name)(*arguments, **by_name),
    "get": _get,
    "set": setattr,
    "delete": delattr,
    "special": _special,
    "str": str,
    "repr": repr,
    "make": _make,
}
