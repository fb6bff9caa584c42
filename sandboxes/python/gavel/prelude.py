"""Names that functions to be called may use without importing them, as the problems' own sites provide them.

They become builtins where there is no builtin of that name, so that they hide neither those nor the program's own
names. A program that is run with standard input does not have them.
"""

import builtins
import importlib

from _gavel import nodes

# In this order; the later ones hide the earlier ones.
_STARS = (
    "string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json"
    " typing"
).split()
_MODULES = _STARS + "time os abc enum dataclasses fractions decimal cmath array queue threading".split()

MODULES = {name: importlib.import_module(name) for name in _MODULES}


def _everything():
    names = {}
    for module in _STARS:
        exported = getattr(MODULES[module], "__all__", None)
        if exported is None:
            exported = [name for name in vars(MODULES[module]) if not name.startswith("_")]
        names |= {name: getattr(MODULES[module], name) for name in exported}
    names |= MODULES
    # A class of that name hides its module, as in every prelude of this kind.
    names |= {"datetime": MODULES["datetime"].datetime, "ListNode": nodes.ListNode, "TreeNode": nodes.TreeNode}
    return names


_NAMES = {name: value for name, value in _everything().items() if not hasattr(builtins, name)}


def install():
    """Makes the names available."""
    vars(builtins).update(_NAMES)
