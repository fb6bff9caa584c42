"""verifiers scores tasks of its own with our judge, found by its id, and with our reward in a task."""

import asyncio

import pytest

vf = pytest.importorskip("verifiers.v1")

from conftest import judged  # noqa: E402
from verifiers.v1.graph import MessageNode  # noqa: E402

from gavel_client.verifiers import GavelJudge, gavel_reward  # noqa: E402


class Data(vf.TaskData):
    answer: str


class Plugged(vf.Task[Data]):
    """Scored by the judge of its configuration alone."""


class Written(vf.Task[Data]):
    """Scored by a reward of its own."""

    url = ""

    @vf.reward(weight=0.5)
    async def correct(self, trace) -> float:
        return await gavel_reward(self.data, trace, rubric="r1-zero", url=self.url)


def trace_of(task, text):
    data = vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash)
    agent = vf.AgentInfo(config=vf.AgentConfig.model_construct())
    trace = vf.Trace.model_construct(task=data, agent=agent)
    node = MessageNode.model_construct(message=vf.AssistantMessage(content=text), sampled=True, parent=None)
    trace.nodes = [node]
    trace.root_reply = None
    trace.rewards, trace.metrics = {}, {}
    return trace


def scored(task, text):
    trace = trace_of(task, text)
    asyncio.run(task.score(trace))
    return trace


def plugged(url, answer="1/2", **more):
    config = vf.TaskConfig(judges=[{"id": "gavel-judge", "url": url, "rubric": "r1-zero", **more}])
    return Plugged(Data(prompt="Half?", answer=answer), config)


TEXTS = {
    "<think>a</think><answer>0.5</answer>": (2.0, 1.0, 1.0),
    "\\boxed{0.5}": (1.0, 1.0, 0.0),
    "no": (0.0, 0.0, 0.0),
}


def test_the_judge_by_its_id(server):
    assert isinstance(plugged(server).plugged_judges()[0], GavelJudge)
    for text, (reward, accuracy, form) in TEXTS.items():
        trace = scored(plugged(server, weight=2.0), text)
        assert {name: (one.score, one.weight) for name, one in trace.rewards.items()} == {
            "gavel": (reward, 2.0)
        }
        assert trace.metrics == {"gavel/accuracy": accuracy, "gavel/format": form, "gavel/judged": 1.0}


def test_a_reward_of_a_task(server):
    Written.url = server
    for text, (reward, _, _) in TEXTS.items():
        trace = scored(Written(Data(prompt="Half?", answer="1/2")), text)
        assert {name: (one.score, one.value) for name, one in trace.rewards.items()} == {
            "correct": (reward, reward * 0.5)
        }


def test_a_null_is_an_error_of_the_rollout(faulty):
    faulty.script = [lambda body: judged(body, kind="sandbox_failed")]
    with pytest.raises(vf.TaskError, match="sandbox_failed: as told"):
        scored(plugged(faulty.url), "x")
    trace = scored(plugged(faulty.url, on_infra_failure=-1.0), "x")
    assert trace.rewards["gavel"].score == -1.0
    assert trace.metrics == {"gavel/judged": 0.0}
