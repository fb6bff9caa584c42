"""There is no network in this sandbox, so nothing to encrypt: the names can be imported, and fail when used."""


class SSLError(OSError):
    pass


class CertificateError(SSLError, ValueError):
    pass


class SSLContext:
    def __init__(self, *arguments, **by_name):
        raise SSLError("SSL is not available in this sandbox")


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    if name.isupper() or name.partition("_")[0] in ("PROTOCOL", "OP", "CERT", "VERIFY"):
        return 0
    if name[:1].isupper():
        return type(name, (SSLError if name.endswith("Error") else object,), {})
    return SSLContext
