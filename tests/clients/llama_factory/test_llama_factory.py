"""LLaMA-Factory's own `get_rewards_from_server` against a Gavel server."""

import functools
import importlib
import importlib.util
import json
import pathlib
import sys
import types

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from running import server

CONFIG = """
[[datasets]]
name = "sums"
rubric = "math"
train = "sums.jsonl"

[wires.llama_factory]
on_infra_failure = -1.0
"""
SUMS = "\n".join(
    json.dumps({"prompt": f"What is {a}+{a}?", "reference": str(2 * a)}) for a in range(1, 9)
)


@functools.cache
def client():
    """The function as it stands in the package, without the packages' own imports of half the world."""
    top = pathlib.Path(importlib.util.find_spec("llamafactory").submodule_search_locations[0])
    for name in ["llamafactory", "llamafactory.extras", "llamafactory.train", "llamafactory.train.ppo"]:
        package = types.ModuleType(name)
        package.__path__ = [str(top.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    return importlib.import_module("llamafactory.train.ppo.ppo_utils").get_rewards_from_server


@pytest.fixture(scope="module")
def url():
    with server(CONFIG, {"sums.jsonl": SUMS}) as url:
        yield url


def chat(question: str, said: str) -> str:
    return (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{said}<|im_end|>"
    )


def test_scores(url):
    rewards = client()
    texts = [chat(f"What is {a}+{a}?", f"\\boxed{{{2 * a + a % 2}}}") for a in range(1, 9)]
    texts.append(chat("What is 100+1?", "\\boxed{101}"))
    scores = rewards(f"{url}/score?rubric=math", texts)
    assert scores.tolist() == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, -1.0]


def test_a_wrong_set_up_stops_the_training(url):
    with pytest.raises(KeyError):
        client()(f"{url}/score?rubric=maths", ["x"])


if __name__ == "__main__":
    raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", __file__]))
