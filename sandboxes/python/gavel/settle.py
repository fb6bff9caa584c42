"""The last step before the snapshot: what is alive now stays."""

import array
import gc
import posix
import types

FILE = "/tmp/addresses"


def settle(names):
    """Clears `names`, collects garbage, and leaves the addresses of all objects in a file.

    The host makes these objects immortal in the snapshot. Then nobody counts references to them, and a program writes
    to fewer pages. So none of them may die after it was written down: what this function itself needs is made before
    it looks, or is not looked at."""
    names.clear()
    gc.collect()
    descriptor = posix.open(FILE, posix.O_WRONLY | posix.O_CREAT)
    found = {}
    waiting = gc.get_objects()
    waiting = [one for one in waiting if one is not found]
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
    left = memoryview(array.array("I", found)).cast("B")
    while left:
        left = left[posix.write(descriptor, left) :]
    posix.close(descriptor)
    # Collecting garbage must neither look at what lives as long as the instance nor write to its pages.
    gc.freeze()
