"""atroposlib's own server beside Gavel's collector, and our environment with atroposlib's client code."""

import asyncio
import json
import os
import pathlib
import random
import sys
import types

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "clients/python/src"))
os.environ["WANDB_MODE"] = "disabled"
import httpx
from atroposlib.api.server import app
from fastapi.testclient import TestClient
from running import server


@pytest.fixture(scope="module")
def url():
    with server() as url:
        yield url


def trainer(batch_size: int) -> dict:
    return {
        "wandb_group": "g",
        "wandb_project": "p",
        "batch_size": batch_size,
        "max_token_len": 512,
        "checkpoint_dir": "/c",
        "save_checkpoint_interval": 5,
        "starting_step": 3,
        "num_steps": 9,
    }


def group(mark: int, n: int, env_id: int | None) -> dict:
    return {
        "tokens": [[mark, i] for i in range(n)],
        "masks": [[-100, i] for i in range(n)],
        "scores": [i / 3 for i in range(n)],
        "messages": [[{"role": "user", "content": str(mark)}]] * n,
        "inference_logprobs": [[1.0, -0.25]] * n,
        "env_id": env_id,
    }


def operations(seed: int):
    """What environments and a trainer might ask, at random."""
    draw = random.Random(seed)
    largest = draw.choice([2, 4, 8])
    yield "GET", "/info", None
    yield "GET", "/wandb_info", None
    yield "GET", "/status", None
    yield "GET", "/batch", None
    yield "POST", "/register", trainer(largest * draw.choice([1, 2, 3]))
    yield "POST", "/register-env", environment(draw, largest, 0.0)
    yield "GET", "/batch", None
    shares = draw.random() < 0.5
    for _ in range(3):
        yield "POST", "/register-env", environment(draw, largest, draw.choice([0.0, 0.25, 0.6]) if shares else 0.0)
    for mark in range(120):
        kind = draw.random()
        size = draw.choice([size for size in (1, 2, 3, 4, 8) if size <= largest])
        env_id = draw.choice([0, 1, 2, None])
        if kind < 0.5:
            yield "POST", "/scored_data", group(mark, size, env_id)
        elif kind < 0.6:
            yield "POST", "/scored_data_list", [group(mark, size, env_id), group(mark + 1000, 1, 1)]
        elif kind < 0.75:
            yield "GET", "/status-env", {"env_id": draw.choice([0, 1, 2])}
        elif kind < 0.9:
            yield "GET", "/batch", None
        elif kind < 0.97:
            yield "GET", draw.choice(["/status", "/latest_example", "/info", "/wandb_info"]), None
        else:
            yield "POST", "/disconnect-env", {"env_id": draw.choice([2, 9])}


def environment(draw, largest: int, share: float) -> dict:
    return {
        "max_token_length": draw.choice([512, 1024]),
        "desired_name": draw.choice(["a", "b"]),
        "weight": draw.choice([1.0, 0.5]),
        "group_size": draw.choice([size for size in (1, 2, 4, 8) if size <= largest]),
        "min_batch_allocation": share or None,
    }


@pytest.mark.parametrize("seed", range(40))
def test_the_same_answers(url, seed):
    for name in list(app.state._state):
        delattr(app.state, name)
    theirs = TestClient(app)
    with httpx.Client(base_url=f"{url}/atropos") as ours:
        assert ours.get("/reset_data").text == "Reset successful"
        # Every environment is registered here before it sends: what a buffer holds must be said alike.
        for method, path, body in operations(seed):
            left = ours.request(method, path, json=body)
            right = theirs.request(method, path, json=body)
            assert left.status_code == right.status_code == 200, (path, left.text)
            left, right = left.json(), right.json()
            if path == "/register":
                assert isinstance(left["uuid"], int)
                continue
            if path == "/disconnect-env" and right["status"] == "failure":
                left.pop("error"), right.pop("error")
            assert left == right, (seed, path, body)


class Policy:
    """A managed server whose policy says what it is told."""

    def __init__(self, answers):
        self.answers = answers

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def chat_completion(self, messages, n, **_):
        choice = types.SimpleNamespace
        said = [self.answers[i % len(self.answers)] for i in range(n)]
        return choice(choices=[choice(message=choice(content=text), finish_reason="stop") for text in said])

    def get_state(self):
        node = types.SimpleNamespace
        tokens = [[1, 2, 3 + i] for i in range(4)]
        nodes = [node(tokens=t, masked_tokens=[-100, *t[1:]], logprobs=[1.0, -0.5, -0.5]) for t in tokens]
        return {"nodes": nodes}


def test_an_environment(url, tmp_path, monkeypatch):
    """Our environment registers, scores a group and sends it, all with BaseEnv's own calls; a trainer takes it."""
    import atroposlib.envs.base as base

    monkeypatch.setattr(base.AutoTokenizer, "from_pretrained", lambda name: types.SimpleNamespace(decode=str))
    from atroposlib.envs.server_handling.server_baseline import ServerBaseline
    from gavel_client.atropos import GavelEnv, GavelEnvConfig

    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(json.dumps({"prompt": "What is 20+22?", "reference": "42"}))
    config = GavelEnvConfig(
        tasks=str(tasks),
        gavel_url=url,
        rollout_server_url=f"{url}/atropos",
        group_size=4,
        use_wandb=False,
        wandb_name="sums",
        total_steps=-1,
    )
    collector = httpx.Client(base_url=f"{url}/atropos")
    collector.get("/reset_data")
    collector.post("/register", json=trainer(4))
    assert collector.get("/batch").json() == {"batch": None}

    async def run():
        env = GavelEnv(config, ServerBaseline(), testing=True)
        await env.setup()
        await env.register_env()
        await env.get_server_info()
        assert (env.env_id, env.curr_step, env.config.total_steps) == (0, 3, 9)
        env.server.managed_server = lambda **_: Policy(["\\boxed{42}", "\\boxed{41}"])
        sent, backlog = await env.collect_trajectories(await env.get_next_item())
        assert (sent["scores"], backlog) == ([1.0, 0.0, 1.0, 0.0], [])
        await env.handle_send_to_api(sent, None)
        await env.get_status()
        assert env.status_dict["self_queue_size"] == 1
        env.tasks = [{"prompt": "?", "reference": "\\frac{"}]
        assert (await env.collect_trajectories(await env.get_next_item()))[0] is None
        await env.gavel.aclose()

    monkeypatch.setattr(GavelEnv, "load_checkpoint", lambda self: None, raising=False)
    asyncio.run(run())
    (taken,) = collector.get("/batch").json()["batch"]
    assert taken["scores"] == [1.0, 0.0, 1.0, 0.0]
    assert taken["masks"][0] == [-100, 2, 3]
    assert collector.get("/batch").json() == {"batch": None}
