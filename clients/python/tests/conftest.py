"""A real server for all tests, and one that fails as it is told."""

import json
import os
import pathlib
import socket
import struct
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


def binary() -> str:
    """The server to test against: ``GAVEL_BIN``, else the newest that was built."""
    if "GAVEL_BIN" in os.environ:
        return os.environ["GAVEL_BIN"]
    target = os.environ.get("CARGO_TARGET_DIR", os.path.expanduser("~/.cache/gavel/target"))
    built = [p for kind in ("release", "debug") if (p := pathlib.Path(target, kind, "gavel")).exists()]
    if not built:
        raise RuntimeError("there is no gavel to test against: build it, or set GAVEL_BIN")
    return str(max(built, key=lambda path: path.stat().st_mtime))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of a real server."""
    folder = tmp_path_factory.mktemp("gavel")
    url = f"http://127.0.0.1:{(port := free_port())}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GAVEL_")}
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [binary(), "serve", "--listen", f"127.0.0.1:{port}", "--store", str(folder / "store.db")],
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(url + "/readyz", timeout=1).read()
                break
            except OSError:
                if process.poll() is not None:
                    break
                time.sleep(0.05)
        else:
            process.kill()
        if process.poll() is not None:
            raise RuntimeError("gavel serve did not start:\n" + (folder / "log").read_text())
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    for name in ("GAVEL_URL", "GAVEL_API_KEY", "GAVEL_RUBRIC", "GAVEL_ON_INFRA_FAILURE"):
        monkeypatch.delenv(name, raising=False)


def judged(body, reward=1.0, kind=None):
    """A reply that has the same reward, or failure, for all completions of a request."""
    error = {"component": "accuracy", "kind": kind, "message": "as told"} if kind else None
    component = {
        "name": "accuracy",
        "score": reward,
        "weight": 1.0,
        "reason": kind or "equivalent",
        "detail": {},
    }
    one = {
        "reward": None if kind else reward,
        "components": [component],
        **({"error": error} if kind else {}),
    }
    if kind:
        component["score"] = None
    groups = [
        {"index": i, "rewards": [one] * len(group["completions"])} for i, group in enumerate(body["groups"])
    ]
    return 200, {}, {"groups": groups, "elapsed_ms": 0.1}


def problem(status, detail="as told", errors=(), headers=None):
    return (
        status,
        headers or {},
        {
            "type": "urn:gavel:problem:test",
            "title": "told",
            "status": status,
            "detail": detail,
            "errors": list(errors),
        },
    )


class Faulty:
    """Answers requests by a script: one entry for each, the last one for all that follow.

    An entry is a function of the request's body that returns status, headers and JSON, or ``"reset"`` (the
    connection is torn), ``"hang"`` (no answer for a second), ``"garbage"`` (200 and no JSON).
    """

    def __init__(self):
        self.script = [judged]
        self.requests = []
        self.connections = set()
        self.lock = threading.Lock()
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.answer(None)

            def do_POST(self):
                self.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def answer(self, body):
                with faulty.lock:
                    seen = {"path": self.path, "headers": dict(self.headers.items()), "body": body}
                    faulty.requests.append({**seen, "at": time.monotonic()})
                    faulty.connections.add(self.client_address)
                    if self.path.startswith("/v1/rubrics/"):
                        entry = lambda _: (200, {}, {"rubric": {"components": [{"name": "accuracy"}]}})  # noqa: E731
                    else:
                        entry = faulty.script.pop(0) if len(faulty.script) > 1 else faulty.script[0]
                if entry == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True
                    return
                if entry == "hang":
                    time.sleep(1.0)
                    self.close_connection = True
                    return
                status, headers, reply = (200, {}, None) if entry == "garbage" else entry(body)
                text = b"<html>not Gavel</html>" if reply is None else json.dumps(reply).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def keys(self):
        return [request["headers"].get("idempotency-key") for request in self.requests]


@pytest.fixture
def faulty():
    found = Faulty()
    yield found
    found.server.shutdown()
    found.server.server_close()
