"""Runs programs the way SandboxFusion's server does without isolation, and prints how many a second."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

workers, rounds, programs = json.load(sys.stdin)


async def drain(stream, kept):
    while chunk := await stream.read(65536):
        kept.extend(chunk)


async def feed(stream, data):
    try:
        stream.write(data)
        await stream.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass
    stream.close()


async def run(source, stdin):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "program.py")
        with open(path, "w") as file:
            file.write(source)
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} {path}", executable="/bin/bash", cwd=folder, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = bytearray(), bytearray()
        await asyncio.wait_for(asyncio.gather(
            feed(process.stdin, stdin.encode()), drain(process.stdout, out), drain(process.stderr, err),
            process.wait()), timeout=20)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return out


async def main():
    queue = asyncio.Queue()
    for _ in range(rounds):
        for program in programs:
            queue.put_nowait(program)
    n = queue.qsize()

    async def worker():
        while not queue.empty():
            await run(*queue.get_nowait())

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(workers)))
    print(n / (time.perf_counter() - start))


asyncio.run(main())
