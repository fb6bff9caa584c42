"""OpenRLHF's own executor of single turns loads our file and calls it."""

import asyncio
import pathlib
import types

import pytest

torch = pytest.importorskip("torch")
agent = pytest.importorskip("openrlhf.utils.agent")

from conftest import judged  # noqa: E402

FILE = str(pathlib.Path(__file__).parents[2] / "src" / "gavel_client" / "openrlhf.py")


class Tokenizer:
    """Single characters, and an end token that is decoded when it is not skipped."""

    def __call__(self, text, **_):
        return {"input_ids": torch.tensor([[ord(c) for c in text]])}

    def decode(self, ids, skip_special_tokens=False):
        return "".join("<|im_end|>" if i == 0 else chr(i) for i in ids)


def engine(text):
    async def generate(*_, **__):
        output = types.SimpleNamespace(token_ids=[*map(ord, text), 0], finish_reason="stop", logprobs=None)
        return types.SimpleNamespace(outputs=[output])

    return types.SimpleNamespace(generate=generate)


def executed(texts, label="1/2", where=FILE):
    executor = agent.SingleTurnAgentExecutor(where)
    sampling = types.SimpleNamespace(max_tokens=64, logprobs=None)

    async def all_of_them():
        return await asyncio.gather(
            *(
                executor.execute(
                    "<|user|>Half?<|assistant|>", label, sampling, 1024, Tokenizer(), engine(text)
                )
                for text in texts
            )
        )

    return asyncio.run(all_of_them())


def test_rewards(server, monkeypatch):
    monkeypatch.setenv("GAVEL_URL", server)
    monkeypatch.setenv("GAVEL_RUBRIC", "r1-zero")
    found = executed(["<think>a</think><answer>0.5</answer>", "\\boxed{0.5}", "\\boxed{2}", "dunno"])
    assert [one["reward"] for one in found] == [[2.0], [1.0], [0.0], [0.0]]
    assert [one["scores"] for one in found] == [[2.0], [1.0], [0.0], [0.0]]
    assert [one["extra_logs"] for one in found] == [
        {"accuracy": [1.0], "format": [1.0], "judged": [1.0]},
        {"accuracy": [1.0], "format": [0.0], "judged": [1.0]},
        {"accuracy": [0.0], "format": [0.0], "judged": [1.0]},
        {"accuracy": [0.0], "format": [0.0], "judged": [1.0]},
    ]


def test_rewards_over_its_own_wire(server):
    texts = ["<think>a</think><answer>0.5</answer>", "\\boxed{0.5}", "\\boxed{2}", "dunno"]
    found = executed(texts, where=f"{server}/get_reward?rubric=r1-zero&on_infra_failure=-1")
    assert [one["reward"] for one in found] == [[2.0], [1.0], [0.0], [0.0]]
    assert [one["scores"] for one in found] == [[2.0], [1.0], [0.0], [0.0]]
    assert [one["extra_logs"]["format"] for one in found] == [[1.0], [0.0], [0.0], [0.0]]
    # Several servers, and a label as data sets have it.
    both = [f"{server}/get_reward?rubric=math&on_infra_failure=-1"] * 2
    found = executed(texts, label="\\frac{2}{4}", where=both)
    assert [one["reward"] for one in found] == [[1.0], [1.0], [0.0], [0.0]]


def test_a_null_is_no_reward(faulty, monkeypatch, caplog):
    monkeypatch.setenv("GAVEL_URL", faulty.url)
    faulty.script = [lambda body: judged(body, kind="sandbox_failed")]
    # OpenRLHF swallows the error; the reward is missing and not 0, and our log says why.
    assert executed(["x"])[0]["reward"] is None
    assert (
        "the step will fail: 1 of 1 completions could not be judged (sandbox_failed: as told)" in caplog.text
    )
    monkeypatch.setenv("GAVEL_ON_INFRA_FAILURE", "-1")
    found = executed(["x"])[0]
    assert (found["reward"], found["extra_logs"]["judged"]) == ([-1.0], [0.0])
