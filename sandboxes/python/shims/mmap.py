"""A file in memory: a copy of it, for reading."""

import io
import os

ACCESS_DEFAULT, ACCESS_READ, ACCESS_WRITE, ACCESS_COPY = range(4)
MAP_SHARED, MAP_PRIVATE, MAP_ANON, MAP_ANONYMOUS = 1, 2, 32, 32
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
PAGESIZE = ALLOCATIONGRANULARITY = 65536
error = OSError


class mmap(io.BytesIO):
    """What a file holds when this is made, or zeros."""

    def __init__(self, fileno, length, *others, access=ACCESS_DEFAULT, offset=0, **by_name):
        if fileno == -1:
            super().__init__(bytes(length))
            return
        if access not in (ACCESS_READ, ACCESS_COPY) and by_name.get("prot", PROT_READ) != PROT_READ:
            raise OSError("files cannot be mapped for writing in this sandbox")
        parts = []
        os.lseek(fileno, offset, os.SEEK_SET)
        while part := os.read(fileno, 1 << 16):
            parts.append(part)
        content = b"".join(parts)
        super().__init__(content[:length] if length else content)

    def __len__(self):
        return len(self.getbuffer())

    def __getitem__(self, where):
        return self.getvalue()[where]

    def find(self, wanted, *where):
        return self.getvalue().find(wanted, *where)

    def rfind(self, wanted, *where):
        return self.getvalue().rfind(wanted, *where)

    def size(self):
        return len(self)

    def flush(self, *where):
        pass
