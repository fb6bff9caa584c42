"""SandboxFusion's /run_code as its server does it without isolation: a folder and a process for each program."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
# As many at a time as the original lets run by default on a machine of this size.
places = asyncio.Semaphore(os.cpu_count() or 1)
# Bash takes the socket that uvloop gives it for a remote login and reads the user's `.bashrc`, unless it is nested.
ENVIRONMENT = {**os.environ, "SHLVL": "2"}


class RunCodeRequest(BaseModel):
    code: str
    stdin: str | None = None
    language: str
    run_timeout: float = 10


@app.post("/run_code")
async def run_code(asked: RunCodeRequest):
    async with places:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "program.py")
            with open(path, "w") as file:
                file.write(asked.code)
            started = time.time()
            process = await asyncio.create_subprocess_shell(
                f"{sys.executable} {path}", executable="/bin/bash", cwd=folder, start_new_session=True, env=ENVIRONMENT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out, err = await asyncio.wait_for(
                process.communicate((asked.stdin or "").encode()), timeout=asked.run_timeout)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    result = {
        "status": "Finished", "execution_time": time.time() - started, "return_code": process.returncode,
        "stdout": out.decode(), "stderr": err.decode(),
    }
    status = "Success" if process.returncode == 0 else "Failed"
    return {"status": status, "message": "", "compile_result": None, "run_result": result,
            "executor_pod_name": None, "files": {}}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
