"""AReaL's wrapper runs our function in its pool of processes."""

import asyncio
import logging

import pytest

api = pytest.importorskip("areal.api.reward_api")

from conftest import judged  # noqa: E402

from gavel_client import NotJudged  # noqa: E402
from gavel_client.areal import GavelReward, gavel_reward  # noqa: E402


def wrapped(function, completions, answer="1/2", **settings):
    reward = api.AsyncRewardWrapper(function, max_workers=2, **settings)

    async def all_of_them():
        calls = (reward("Half?", text, [1, 2], [3, 4, 5], answer=answer, messages=[]) for text in completions)
        return await asyncio.gather(*calls)

    return asyncio.run(all_of_them())


def test_rewards(server):
    reward = GavelReward("r1-zero", url=server, reference="answer")
    texts = [
        "<think>a</think><answer>0.5</answer><|im_end|>",
        "\\boxed{0.5}<|im_end|>",
        "\\boxed{2}",
        "dunno",
    ]
    assert wrapped(reward, texts * 8) == [2.0, 1.0, 0.0, 0.0] * 8


def test_the_function_by_name(server, monkeypatch):
    # A pool of its own, which is forked with this environment.
    api.AsyncRewardWrapper._atexit_shutdown_all()
    monkeypatch.setenv("GAVEL_URL", server)
    assert wrapped(gavel_reward, ["\\boxed{0.5}", "\\boxed{2}"]) == [1.0, 0.0]


def test_a_null_is_no_reward(faulty):
    faulty.script = [lambda body: judged(body, kind="sandbox_failed")]
    # AReaL tries four times and then raises; it never comes to its 0.
    with pytest.raises(NotJudged, match="sandbox_failed: as told"):
        wrapped(GavelReward(url=faulty.url), ["x"])
    assert len(faulty.requests) == 4
    assert wrapped(GavelReward(url=faulty.url, on_infra_failure=-1.0), ["x"]) == [-1.0]


def test_a_server_that_hangs_is_an_error_before_areal_gives_up(faulty):
    logging.getLogger("gavel_client").setLevel(logging.CRITICAL)
    faulty.script = ["hang"]
    with pytest.raises(NotJudged, match="unreachable"):
        wrapped(GavelReward(url=faulty.url, deadline=0.5), ["x"], max_retries=0)
