"""eval-protocol's own remote reward function against a Gavel server."""

import os
import pathlib
import sys

# litellm, which eval-protocol and its plugin for pytest import, would fetch a list of prices and does not start
# without it. So run this file itself, with Python: pytest alone loads the plugin before it comes here.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import requests
from eval_protocol.models import EvaluateResult
from eval_protocol.reward_function import RewardFunction
from running import server


@pytest.fixture(scope="module")
def url():
    with server() as url:
        yield url


def said(text: str) -> list[dict]:
    return [{"role": "user", "content": "What is 20+22?"}, {"role": "assistant", "content": text}]


@pytest.mark.parametrize(
    ("text", "truth", "score"),
    [("\\boxed{42}", "42", 1.0), ("\\boxed{41}", "42", 0.0), ("", "42", 0.0), ("\\boxed{42}", '["41", "42"]', 1.0)],
)
def test_remote(url, text, truth, score):
    reward = RewardFunction(mode="remote", endpoint=f"{url}/reward?rubric=math&on_infra_failure=-1")
    result = reward(messages=said(text), ground_truth=truth)
    assert result.score == score
    assert result.metrics["accuracy"].score == score
    assert result.metrics["accuracy"].is_score_valid
    assert result.metrics["judged"].is_score_valid


def test_what_is_not_judged(url):
    reward = RewardFunction(mode="remote", endpoint=f"{url}/reward?on_infra_failure=-1")
    result = reward(messages=said("\\boxed{42}"), ground_truth="\\frac{", rubric="math")
    assert result.score == -1.0
    assert not result.metrics["judged"].is_score_valid
    assert not result.metrics["accuracy"].is_score_valid


def test_a_wrong_set_up_raises(url):
    reward = RewardFunction(mode="remote", endpoint=f"{url}/reward?rubric=math")
    with pytest.raises(requests.HTTPError):
        reward(messages=said("1"), ground_truth="1")


def test_evaluate_is_an_evaluate_result(url):
    sent = {"messages": said("\\boxed{42}"), "ground_truth": "42", "kwargs": {"rubric": "math"}}
    reply = requests.post(f"{url}/evaluate?on_infra_failure=-1", json=sent, timeout=60)
    result = EvaluateResult.model_validate(reply.json())
    assert (result.score, result.is_score_valid, result.error) == (1.0, True, None)


def test_the_trl_adapter(url):
    reward = RewardFunction(mode="remote", endpoint=f"{url}/reward?rubric=math&on_infra_failure=-1")
    adapter = reward.get_trl_adapter()
    prompts = [said("")[:1]] * 2
    rewards = adapter(prompts, ["\\boxed{42}", "\\boxed{1}"], solution=["42", "42"])
    assert rewards == [1.0, 0.0]


if __name__ == "__main__":
    raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", __file__]))
