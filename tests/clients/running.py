"""A Gavel server of its own for a test: GAVEL_BIN names the program."""

import os
import pathlib
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from socket import socket


@contextmanager
def server(config: str = "", files: dict[str, str] | None = None):
    """Starts a server on a free port with this configuration file and these files beside it; gives its URL."""
    with tempfile.TemporaryDirectory() as name, socket() as free:
        folder = pathlib.Path(name)
        for path, text in (files or {}).items():
            (folder / path).write_text(text)
        (folder / "gavel.toml").write_text(config)
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        command = [os.environ["GAVEL_BIN"], "serve", "--config", "gavel.toml", "--listen", address]
        process = subprocess.Popen([*command, "--store", "sqlite::memory:"], cwd=folder)
        url = f"http://{address}"
        try:
            wait_for(f"{url}/readyz", process)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def wait_for(url: str, process: subprocess.Popen) -> None:
    """Waits until the server answers."""
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(url)
