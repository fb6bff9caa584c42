"""verifiers' nemo_gym task set, which prime-rl trains on, against a Gavel server."""

import asyncio
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import verifiers.v1 as vf
from running import server
from verifiers.v1.errors import TaskError
from verifiers.v1.graph import MessageNode
from verifiers.v1.tasksets.nemo_gym import NeMoGymConfig, NeMoGymTaskset
from verifiers.v1.tasksets.nemo_gym.toolset import NeMoGymState

ROW = {"responses_create_params": {"input": [{"role": "user", "content": "What is 20+22?"}]}}


@pytest.fixture(scope="module")
def url():
    with server() as url:
        yield url


def task(folder: pathlib.Path, resources_url: str, fields: dict):
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(ROW | fields) + "\n")
    config = NeMoGymConfig(dataset=path, task={"resources_url": resources_url})
    (task,) = NeMoGymTaskset(config).load()
    return task


def trace_of(task, text: str):
    data = vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash)
    agent = vf.AgentInfo(config=vf.AgentConfig.model_construct())
    trace = vf.Trace.model_construct(task=data, agent=agent)
    node = MessageNode.model_construct(message=vf.AssistantMessage(content=text), sampled=True, parent=None, timestamp=1.0)
    trace.nodes = [node]
    trace.root_reply = None
    trace.id = "t"
    trace.rewards, trace.metrics, trace.info = {}, {}, {}
    trace.state = NeMoGymState()
    return trace


def scored(task, text: str):
    trace = trace_of(task, text)

    async def run():
        await task.setup(trace, None)
        await task.score(trace)

    asyncio.run(run())
    return trace


@pytest.mark.parametrize(("text", "reward"), [("\\boxed{42}", 1.0), ("\\boxed{41}", 0.0), ("", 0.0)])
@pytest.mark.parametrize(
    ("path", "fields"), [("/verifiers/math", {}), ("/verifiers", {"rubric": "math"}), ("", {"rubric": "math"})]
)
def test_rewards(url, tmp_path, path, fields, text, reward):
    trace = scored(task(tmp_path, url + path, fields | {"expected_answer": "42"}), text)
    assert {name: one.value for name, one in trace.rewards.items()} == {"nemo_gym": reward}
    assert trace.metrics == {"mask_sample": 0.0, "score/accuracy": reward}
    assert trace.info["nemo_gym"]["reward_components"] == {"accuracy": reward}


def test_what_is_not_judged_is_an_error_and_no_reward(url, tmp_path):
    with pytest.raises(TaskError):
        scored(task(tmp_path, f"{url}/verifiers/math", {"expected_answer": "\\frac{"}), "\\boxed{42}")


def test_at_the_root_there_is_a_number(url, tmp_path):
    """Why the prefix is there: the root answers as NeMo-Gym reads it, and verifiers does not read `mask_sample`."""
    row = {"expected_answer": "\\frac{", "rubric": "math"}
    trace = scored(task(tmp_path, url, row), "\\boxed{42}")
    assert trace.rewards["nemo_gym"].value == 0.0
    assert trace.metrics["mask_sample"] == 1.0
