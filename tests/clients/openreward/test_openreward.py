"""The openreward SDK and TRL's environment on top of it, against a Gavel server."""

import asyncio
import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
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
        os.environ["OPENREWARD_API_URL"] = os.environ["OPENREWARD_SESSION_URL"] = url
        yield url


@pytest.fixture
def client(url):
    from openreward import OpenReward

    with OpenReward(base_url=url) as client:
        yield client


def test_tasks(client):
    sums = client.environments.get("sums")
    assert sums.list_splits() == ["train"]
    assert sums.num_tasks("train") == 2
    assert [task.task_spec["index"] for task in sums.list_tasks("train")] == [0, 1]
    assert [task.task_spec["index"] for task in sums.get_task_range("train", -1)] == [1]
    arithmetic = client.environments.get("arithmetic@2")
    assert set(arithmetic.list_splits()) == {"train", "validation", "test"}
    assert arithmetic.num_tasks("test") == 1000
    assert [tool.name for tool in sums.list_tools()] == ["submit"]
    assert sums.terminal_tool().arg == "answer"


@pytest.mark.parametrize("variant", [None, "sums"])
@pytest.mark.parametrize(("answer", "reward"), [("\\boxed{4}", 1.0), ("\\boxed{5}", 0.0), ("", 0.0)])
@pytest.mark.parametrize("terminal", [False, True])
def test_rewards(client, variant, answer, reward, terminal):
    from openreward.api.environments.types import ToolCallError

    sums = client.environments.get("sums", variant=variant)
    task = sums.get_task("train", 1)
    with sums.session(task=task) as session:
        (block,) = session.get_prompt()
        assert block.text == "What is 2+2?"
        (message,) = session.get_messages()
        assert (message.role, message.blocks[0].text) == ("user", "What is 2+2?")
        if terminal:
            result = session.call_terminal_tool(answer)
        else:
            result = session.call_tool("submit", {"answer": answer})
        assert (result.reward, result.finished) == (reward, True)
        assert result.metadata["components"] == {"accuracy": reward}
        with pytest.raises(ToolCallError) as refused:
            session.call_tool("submit", {"answer": answer})
        assert refused.value.reason == "episode_finished"


def test_reasons_and_null(client):
    from openreward.api.environments.types import ToolCallError

    with client.environments.get("unjudged").session(split="train", index=0) as session:
        for tool, input, reason in [("shell", {}, "not_found"), ("submit", {}, "input_validation")]:
            with pytest.raises(ToolCallError) as refused:
                session.call_tool(tool, input)
            assert refused.value.reason == reason
        result = session.call_tool("submit", {"answer": "sunny"})
        assert (result.reward, result.finished, result.metadata["judged"]) == (None, True, False)


def test_groups(client):
    from openreward.api.environments.types import Message, TextBlock

    def said(text):
        return [Message(role="assistant", blocks=[TextBlock(text=text)])]

    with client.environments.get("sums").session(split="train", index=0) as session:
        assert session.supports_score_group()
        scores = session.score_group([said("\\boxed{2}"), said("\\boxed{3}"), said(" \n" * 5000 + "\\boxed{2}")])
        assert [score.reward for score in scores] == [1.0, 0.0, 1.0]


def test_many_at_once(url):
    from openreward import AsyncOpenReward

    async def episode(environment, index):
        async with environment.session(split="train", index=index % 2) as session:
            answer = "\\boxed{2}" if index % 3 else "no"
            return (await session.call_tool("submit", {"answer": answer})).reward

    async def all_of_them():
        environment = AsyncOpenReward(base_url=url).environments.get("sums")
        return await asyncio.gather(*(episode(environment, index) for index in range(64)))

    assert asyncio.run(all_of_them()) == [1.0 if index % 3 and index % 2 == 0 else 0.0 for index in range(64)]


def test_trl(url):
    pytest.importorskip("trl")
    from trl.experimental.openreward import OpenRewardSpec

    spec = OpenRewardSpec(url, env_name="sums")
    rows = spec.train_dataset
    assert rows["task_index"] == [0, 1]
    environments = [spec.environment_factory() for _ in range(3)]
    for environment, index, answer in zip(environments, (0, 1, 1), ("\\boxed{2}", "\\boxed{2}", None)):
        assert environment.reset(task_index=index) == SUMS[index]["prompt"]
        if answer is not None:
            environment.submit(answer=answer)
    assert spec.reward_funcs(environments=environments) == [1.0, 0.0, None]
    unjudged = OpenRewardSpec(url, env_name="unjudged").environment_factory()
    unjudged.reset(task_index=0)
    unjudged.submit(answer="sunny")
    assert (unjudged.reward, unjudged.finished) == (None, True)
    for environment in [*environments, unjudged]:
        environment._close()
