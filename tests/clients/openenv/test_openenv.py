"""OpenEnv's generic client and verifiers' task set on top of it, against a Gavel server."""

import asyncio
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from openenv import GenericEnvClient
from running import server

CONFIG = """
[[datasets]]
name = "sums"
rubric = "math"
train = "sums.jsonl"

[[datasets]]
name = "unjudged"
rubric = "math"
train = "unjudged.jsonl"
"""
SUMS = [{"prompt": "What is 1+1?", "reference": "2"}, {"prompt": "What is 2+2?", "reference": "4"}]
UNJUDGED = [{"prompt": "What is the weather like?"}]


@pytest.fixture(scope="module")
def url():
    files = {"sums.jsonl": SUMS, "unjudged.jsonl": UNJUDGED}
    with server(CONFIG, {name: "\n".join(map(json.dumps, rows)) for name, rows in files.items()}) as url:
        yield url


@pytest.mark.parametrize("base", ["/openenv/sums", "/openenv"])
def test_rewards(url, base):
    with GenericEnvClient(base_url=f"{url}{base}").sync() as client:
        for index, answer, reward in [(0, "\\boxed{2}", 1.0), (1, "\\boxed{2}", 0.0), (3, "\\boxed{4}", 1.0)]:
            which = {"index": index} if index < 2 else {"seed": index}
            shown = client.reset(set="sums", episode_id=f"e{index}", **which)
            assert shown.observation == {"prompt": SUMS[index % 2]["prompt"], "error": None}
            assert (shown.reward, shown.done) == (None, False)
            shown = client.step({"answer": answer})
            assert (shown.reward, shown.done) == (reward, True)
            assert shown.metadata["components"] == {"accuracy": reward}
            assert client.state()["episode_id"] == f"e{index}"
            with pytest.raises(RuntimeError, match="EXECUTION_ERROR"):
                client.step({"answer": answer})


def test_an_environment(url):
    with GenericEnvClient(base_url=f"{url}/openenv/arithmetic@2").sync() as client:
        first, same, other = (client.reset(seed=seed).observation["prompt"] for seed in (7, 7, 8))
        assert first == same != other


def test_not_judged(url):
    with GenericEnvClient(base_url=f"{url}/openenv/unjudged").sync() as client:
        client.reset(index=0)
        with pytest.raises(RuntimeError, match="could not be judged"):
            client.step({"answer": "sunny"})
        client.reset(index=0, on_infra_failure="null")
        shown = client.step({"answer": "sunny"})
        assert (shown.reward, shown.done, shown.metadata["judged"]) == (None, True, False)
        assert "invalid_task" in shown.observation["error"]


def test_many_at_once(url):
    async def episode(index):
        async with GenericEnvClient(base_url=f"{url}/openenv/sums") as client:
            await client.reset(index=index % 2)
            return (await client.step({"answer": "\\boxed{2}"})).reward

    async def all_of_them():
        return await asyncio.gather(*(episode(index) for index in range(64)))

    assert asyncio.run(all_of_them()) == [1.0, 0.0] * 32


def test_verifiers(url):
    """The environment of verifiers' OpenEnv task set, with a scripted agent in place of a model."""
    pytest.importorskip("verifiers")
    from types import ModuleType, SimpleNamespace
    from unittest.mock import MagicMock

    # verifiers 0.4.0 needs mcp 2, and OpenEnv's server half needs fastmcp, which needs mcp 1. Only the task set of
    # NeMo-Gym beside this one misses it.
    tools = sys.modules["mcp.server.mcpserver"] = ModuleType("mcp.server.mcpserver")
    tools.Context = tools.MCPServer = MagicMock
    from verifiers.v1.tasksets.openenv.taskset import OpenEnvConfig, OpenEnvEnv, OpenEnvTaskset

    class Interaction:
        def __init__(self, reply):
            self.reply, self.asked, self.rewards = reply, [], {}
            self.trace = SimpleNamespace(record_reward=self.rewards.__setitem__, stop=lambda reason: None)

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            return None

        async def turn(self, message):
            self.asked.append(json.loads(message))
            return SimpleNamespace(terminated=False, last_reply=self.reply)

    def play(base, reset, reply):
        config = OpenEnvConfig(id="openenv", base_url=f"{url}{base}", resets=[reset])
        (task,) = OpenEnvTaskset(config).load()
        interaction = Interaction(reply)
        agents = SimpleNamespace(player=SimpleNamespace(interaction=lambda _: interaction))
        asyncio.run(OpenEnvEnv.run(SimpleNamespace(), task, agents))
        return interaction

    for reply, reward in [
        ("It is \\boxed{2}.", 1.0),
        ("It is \\boxed{3}.", 0.0),
        ('{"answer": "\\\\boxed{2}"}', 1.0),
        # JSON that is no action of ours is an answer all the same.
        ('{"x": 2}', 0.0),
        ("[1]", 0.0),
    ]:
        interaction = play("/openenv/sums", {"index": 0}, reply)
        assert interaction.rewards == {"openenv_reward": reward}, reply
        assert interaction.asked[0]["observation"]["prompt"] == "What is 1+1?"
        assert interaction.asked[0]["action_schema"]["required"] == ["answer"]
    # verifiers takes a null reward for 0, so what could not be judged has to raise: the rollout is not scored.
    with pytest.raises(RuntimeError, match="could not be judged"):
        play("/openenv/unjudged", {"index": 0}, "sunny")
