"""The server of OpenRLHF's serve_rm (FastAPI, one process, the model called in the handler), with Math-Verify in the
place of the neural model: what its users make of it for verifiable rewards."""

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from math_verify import parse, verify

app = FastAPI()


def score(query: str, label: str) -> float:
    return float(verify(parse(f"${label}$", parsing_timeout=None), parse(query, parsing_timeout=None), timeout_seconds=None))


@app.post("/get_reward")
async def get_reward(request: Request):
    asked = await request.json()
    rewards = [score(query, label) for query, label in zip(asked["query"], asked["labels"], strict=True)]
    return JSONResponse({"rewards": rewards, "scores": rewards, "extra_logs": {"dummy_scores": rewards}})


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
