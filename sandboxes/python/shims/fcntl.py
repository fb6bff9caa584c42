"""Control of files does not exist in this sandbox: the names can be imported, and fail when they are used."""

error = OSError


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    if name.isupper():
        return 0

    def absent(*arguments):
        raise OSError(f"fcntl.{name} is not available in this sandbox")

    return absent
