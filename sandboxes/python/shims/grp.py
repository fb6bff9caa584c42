"""Groups: there is one."""

from collections import namedtuple

struct_group = namedtuple("struct_group", "gr_name gr_passwd gr_gid gr_mem")
_GROUP = struct_group("user", "x", 1000, ["user"])


def getgrnam(name, /):
    if name != _GROUP.gr_name:
        raise KeyError(f"getgrnam(): name not found: {name!r}")
    return _GROUP


def getgrgid(gid, /):
    if gid != _GROUP.gr_gid:
        raise KeyError(f"getgrgid(): gid not found: {gid}")
    return _GROUP


def getgrall():
    return [_GROUP]
