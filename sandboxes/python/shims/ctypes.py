"""The numbers of C and no libraries: programs use them to have a sum wrap around."""

import struct as _struct


class ArgumentError(Exception):
    pass


class _SimpleCData:
    _default = 0

    def __init__(self, value=None):
        self.value = self._default if value is None else value

    def __repr__(self):
        return f"{type(self).__name__}({self.value!r})"

    @classmethod
    def __class_getitem__(cls, item):
        return cls

    def __mul__(self, other):
        return NotImplemented


def _whole(name, bits, signed):
    def get(self):
        return self._value

    def set(self, value):
        value = value.__index__() & (1 << bits) - 1
        self._value = value - (1 << bits) if signed and value >> bits - 1 else value

    return type(name, (_SimpleCData,), {"value": property(get, set), "_size": bits // 8})


def _real(name, code):
    def get(self):
        return self._value

    def set(self, value):
        (self._value,) = _struct.unpack(code, _struct.pack(code, value))

    return type(name, (_SimpleCData,), {"value": property(get, set), "_default": 0.0, "_size": _struct.calcsize(code)})


c_int8, c_int16, c_int32, c_int64 = (_whole(f"c_int{bits}", bits, True) for bits in (8, 16, 32, 64))
c_uint8, c_uint16, c_uint32, c_uint64 = (_whole(f"c_uint{bits}", bits, False) for bits in (8, 16, 32, 64))
# As on a common 64-bit system.
c_byte, c_short, c_int, c_long, c_longlong, c_ssize_t = c_int8, c_int16, c_int32, c_int64, c_int64, c_int64
c_ubyte, c_ushort, c_uint, c_ulong, c_ulonglong, c_size_t = c_uint8, c_uint16, c_uint32, c_uint64, c_uint64, c_uint64
c_float, c_double = _real("c_float", "f"), _real("c_double", "d")


class c_bool(_SimpleCData):
    _default = False
    _size = 1

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, value):
        self._value = bool(value)


def sizeof(kind, /):
    return kind._size


def _absent(*arguments, **by_name):
    raise OSError("there are no shared libraries in this sandbox")


class CDLL:
    def __init__(self, *arguments, **by_name):
        _absent()


PyDLL = CDLL
Structure = Union = Array = type("Structure", (), {"__init__": _absent})
byref = pointer = POINTER = cast = create_string_buffer = CFUNCTYPE = PYFUNCTYPE = addressof = _absent
memmove = memset = string_at = _absent


class _Loader:
    def __getattr__(self, name):
        _absent()

    LoadLibrary = staticmethod(_absent)


cdll = pydll = pythonapi = _Loader()
