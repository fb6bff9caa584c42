"""nemo-gym's own agents, environment server, wire models and metrics against a Gavel server."""

import asyncio
import json
import pathlib
import socket
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import httpx
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from nemo_gym.base_resources_server import (
    BaseMultiRewardVerifyResponse,
    BaseVerifyResponse,
    ResourcesSeedSessionRequest,
    ResourcesSeedSessionResponse,
)
from nemo_gym.config_types import AggregateMetrics, BaseServerConfig
from nemo_gym.failure_kinds import is_namespaced, is_registered
from nemo_gym.global_config import NEMO_GYM_CONFIG_DICT_ENV_VAR_NAME
from nemo_gym.reward_profile import AggregateMetricsMixin, compute_aggregate_metrics, compute_pass_majority_metrics
from nemo_gym.server_utils import ServerClient
from nemo_gym.testing.session_conformance import check_resources_session_contract
from omegaconf import OmegaConf
from responses_api_agents.gymnasium_agent.app import GymnasiumAgent, GymnasiumAgentConfig
from responses_api_agents.simple_agent.app import SimpleAgent, SimpleAgentConfig
from running import server

CONFIG = '[wires.nemo_gym]\nrubric = "math"\n'
PARAMS = {"input": [{"role": "user", "content": "What is 20+22?"}]}


@pytest.fixture(scope="module")
def url():
    with server(CONFIG) as url:
        yield url


def response(text: str, **more) -> dict:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    return {
        "id": "resp_1",
        "created_at": 1.0,
        "model": "policy",
        "object": "response",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "status": "completed",
    } | more


def verify(url: str, row: dict, path: str = "/verify") -> dict:
    reply = httpx.post(url + path, content=orjson.dumps(row))
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize(
    ("fields", "text", "reward", "masked"),
    [
        ({"expected_answer": "42"}, "\\boxed{42}", 1.0, False),
        ({"expected_answer": "\\(42\\)"}, "\\boxed{42}", 1.0, False),
        ({"expected_answer": "42"}, "\\boxed{41}", 0.0, False),
        ({"expected_answer": "42"}, "", 0.0, False),
        ({"expected_answer": "\\frac{"}, "\\boxed{42}", 0.0, True),
        ({}, "\\boxed{42}", 0.0, True),
    ],
)
def test_verify(url, fields, text, reward, masked):
    row = fields | {"responses_create_params": PARAMS, "response": response(text), "uuid": "u"}
    reply = verify(url, row)
    assert {name: reply[name] for name in row} == row
    for model in (BaseVerifyResponse, BaseMultiRewardVerifyResponse):
        verdict = model.model_validate(reply)
        assert (verdict.reward, verdict.mask_sample) == (reward, masked)
        assert (verdict.failure_kind is not None) == masked
        assert not masked or is_registered(verdict.failure_kind) or is_namespaced(verdict.failure_kind)
    assert verdict.reward_components == {"accuracy": reward}


@pytest.mark.parametrize(
    "output",
    [
        [],
        [{"id": "rs_1", "type": "reasoning", "summary": []}],
        [{"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}],
    ],
)
def test_rows_without_an_answer(url, output):
    row = {"expected_answer": "42", "responses_create_params": PARAMS, "response": response("") | {"output": output}}
    assert BaseVerifyResponse.model_validate(verify(url, row)).reward == 0.0


def test_sessions(url):
    """Their own check, through an application that passes everything on."""
    proxy = FastAPI()

    @proxy.post("/{path:path}")
    async def forward(path: str, request: Request):
        async with httpx.AsyncClient() as client:
            reply = await client.post(f"{url}/{path}", content=await request.body())
        return Response(reply.content, reply.status_code, media_type="application/json")

    seed = ResourcesSeedSessionRequest(
        resources_session_id="s-1",
        episode_id={"rollout_id": "r"},
        task_id={"taskset": "t", "task_id": "1"},
        task_data={"expected_answer": "42"},
    )
    check_resources_session_contract(proxy, seed, keeps_state=False)
    reply = httpx.post(f"{url}/seed_session", content=seed.model_dump_json())
    assert ResourcesSeedSessionResponse.model_validate(reply.json()).resources_session_id == "s-1"
    assert reply.cookies, "single_agent_turn refuses a seed without a cookie"
    assert httpx.get(f"{url}/reverify_mode").json() == "stateless"


class Mixin(AggregateMetricsMixin):
    """A server that adds pass@k, as their math and code servers do."""

    def compute_metrics(self, tasks):
        metrics = compute_pass_majority_metrics(tasks)[0]
        metrics.pop("per_sample_aggregate")
        return metrics


@pytest.mark.parametrize("masked", [set(), {1}, {0, 1, 2}, set(range(12))])
def test_metrics(url, masked):
    rows = [
        {
            "_ng_task_index": index // 3,
            "_ng_rollout_index": index % 3,
            "reward": float(index % 5 == 0) if index < 6 else index / 10,
            "solved": index % 2 == 0,
            "mask_sample": index in masked,
            "response": {"usage": {"output_tokens": index * 7, "input_tokens": 3}},
        }
        for index in range(12)
    ]
    reply = httpx.post(f"{url}/aggregate_metrics", json={"verify_responses": rows}).json()
    ours = AggregateMetrics.model_validate(reply)
    theirs = compute_aggregate_metrics(rows, compute_metrics_fn=Mixin().compute_metrics)

    def same(left, right):
        """Ours has what theirs has, but for confidence intervals."""
        for name, value in right.items():
            if name.startswith("ci_"):
                continue
            if isinstance(value, float):
                assert left[name] == pytest.approx(value, abs=1e-12), name
            elif name == "rollout_infos":
                for one, other in zip(left[name], value, strict=True):
                    same(one, other)
            else:
                assert left[name] == value, name

    same(ours.agent_metrics, theirs.agent_metrics)
    same(ours.key_metrics, theirs.key_metrics)
    for left, right in [
        (ours.group_level_metrics, theirs.group_level_metrics),
        (ours.repeat_level_metrics, theirs.repeat_level_metrics),
    ]:
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            same(one, other)


def serving(apps):
    """Serves applications on their sockets in one thread, as NeMo-Gym's HTTP client belongs to one event loop."""
    servers = [uvicorn.Server(uvicorn.Config(app, log_level="warning")) for app, _ in apps]

    async def run():
        await asyncio.gather(*(one.serve([free]) for one, (_, free) in zip(servers, apps, strict=True)))

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    while not all(one.started for one in servers):
        assert thread.is_alive()
        time.sleep(0.02)
    return servers, thread


def listener():
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    return free


@pytest.fixture(scope="module")
def agents(url):
    """SimpleAgent and GymnasiumAgent with a policy that says what the task tells it to say."""
    monkeypatch = pytest.MonkeyPatch()
    policy = FastAPI()

    @policy.post("/v1/responses")
    async def answer(request: Request):
        asked = await request.json()
        return response(asked["input"][-1]["content"].partition("say ")[2])

    sockets = {name: listener() for name in ("simple", "gymnasium", "policy")}
    ports = {name: free.getsockname()[1] for name, free in sockets.items()}
    ports["gavel"] = httpx.URL(url).port
    kinds = {"gavel": "resources_servers", "policy": "responses_api_models"}
    config = OmegaConf.create(
        {
            name: {kinds.get(name, "responses_api_agents"): {name: {"host": "127.0.0.1", "port": port, "entrypoint": "a"}}}
            for name, port in ports.items()
        }
    )
    client = ServerClient(head_server_config=BaseServerConfig(host="127.0.0.1", port=1), global_config_dict=config)
    # What a process that NeMo-Gym starts finds there.
    monkeypatch.setenv(NEMO_GYM_CONFIG_DICT_ENV_VAR_NAME, json.dumps(OmegaConf.to_container(config)))
    apps = [(policy, sockets["policy"])]
    for name, agent, settings in [
        ("simple", SimpleAgent, SimpleAgentConfig),
        ("gymnasium", GymnasiumAgent, GymnasiumAgentConfig),
    ]:
        settings = settings(
            name=name,
            host="127.0.0.1",
            port=ports[name],
            entrypoint="app.py",
            resources_server={"type": "resources_servers", "name": "gavel"},
            model_server={"type": "responses_api_models", "name": "policy"},
        )
        apps.append((agent(config=settings, server_client=client).setup_webserver(), sockets[name]))
    servers, thread = serving(apps)
    yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    for one in servers:
        one.should_exit = True
    thread.join(10)
    monkeypatch.undo()


@pytest.mark.parametrize("agent", ["simple", "gymnasium"])
@pytest.mark.parametrize(("said", "reward"), [("\\boxed{42}", 1.0), ("\\boxed{41}", 0.0), ("", 0.0)])
def test_agents(agents, agent, said, reward):
    params = {"input": [{"role": "user", "content": f"say {said}"}]}
    row = {"expected_answer": "42", "responses_create_params": params}
    reply = httpx.post(f"{agents[agent]}/run", json=row, timeout=60)
    assert reply.status_code == 200, reply.text
    result = reply.json()
    assert result["reward"] == reward
    if agent == "simple":
        assert (result["mask_sample"], result["expected_answer"]) == (False, "42")


def test_an_agent_sees_a_masked_sample(agents):
    row = {"expected_answer": "\\frac{", "responses_create_params": PARAMS}
    result = httpx.post(f"{agents['simple']}/run", json=row, timeout=60).json()
    assert (result["mask_sample"], result["failure_kind"]) == (True, "gavel:invalid_reference")
    # The gymnasium agent drops the mark, so the step has no number and the rollout fails.
    assert httpx.post(f"{agents['gymnasium']}/run", json=row, timeout=60).status_code == 500
