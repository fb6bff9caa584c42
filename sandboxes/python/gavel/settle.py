"""The last step before the snapshot: what is alive now stays."""

import array
import gc
import posix
import types

FILE = "/tmp/addresses"


def settle(names):
    """Clears `names`, collects garbage, and leaves the addresses of all objects and of their types in a file.

    The host makes these objects immortal in the snapshot. Then nobody counts references to them, and a program writes
    to fewer pages. The few that die between here and the snapshot are recognized by what stands at their addresses."""
    names.clear()
    gc.collect()
    descriptor = posix.open(FILE, posix.O_WRONLY | posix.O_CREAT)
    waiting = gc.get_objects()
    found = {id(one): one for one in waiting}
    while waiting:
        one = waiting.pop()
        below = gc.get_referents(one)
        if type(one) is types.CodeType:
            # The collector does not look into code.
            below += (one.co_consts, one.co_names, one.co_filename, one.co_name, one.co_qualname)
            below += (one.co_linetable, one.co_exceptiontable)
        for other in below:
            if id(other) not in found:
                found[id(other)] = other
                waiting.append(other)
    pairs = array.array("I")
    for one in found.values():
        pairs.extend((id(one), id(type(one))))
    left = memoryview(pairs).cast("B")
    while left:
        left = left[posix.write(descriptor, left) :]
    posix.close(descriptor)
    # Collecting garbage must neither look at what lives as long as the instance nor write to its pages.
    gc.freeze()
