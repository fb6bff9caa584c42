"""skyrl-gym makes our environment by its name and steps it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

skyrl_gym = pytest.importorskip("skyrl_gym")

from conftest import judged  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from skyrl_gym.envs import register  # noqa: E402

from gavel_client import NotJudged  # noqa: E402

PROMPT = [{"role": "user", "content": "Half?"}]


@pytest.fixture(scope="module", autouse=True)
def _registered():
    register(id="gavel", entry_point="gavel_client.skyrl:GavelEnv")


def step(url, action, truth="1/2", extras=None, **settings):
    config = OmegaConf.create({"url": url, **settings})
    env = skyrl_gym.make(
        "gavel", env_config=config, extras={"reward_spec": {"ground_truth": truth}, **(extras or {})}
    )
    assert env.init(PROMPT) == (PROMPT, {})
    return env, env.step(action)


def test_steps(server):
    env, found = step(server, "\\boxed{0.5}<|im_end|>", rubric="r1-zero")
    assert found == {
        "observations": [],
        "reward": 1.0,
        "done": True,
        "metadata": {
            "judged": True,
            "reason": "accuracy=equivalent format=malformed",
            "components": {"accuracy": 1.0, "format": 0.0},
        },
    }
    assert env.get_metrics() == {"judged": 1.0, "accuracy": 1.0, "format": 0.0}
    assert step(server, "\\boxed{2}")[1]["reward"] == 0.0
    assert (
        step(server, "<think>a</think><answer>0.5</answer>", extras={"rubric": "r1-zero"})[1]["reward"] == 2.0
    )
    metrics = [step(server, text)[0].get_metrics() for text in ("\\boxed{0.5}", "\\boxed{2}")]
    assert (
        type(env.unwrapped if hasattr(env, "unwrapped") else env).aggregate_metrics(metrics)["accuracy"]
        == 0.5
    )


def test_many_at_once(server):
    with ThreadPoolExecutor(32) as threads:
        found = list(
            threads.map(lambda i: step(server, f"\\boxed{{{i % 3}}}", i % 2)[1]["reward"], range(96))
        )
    assert found == [float(i % 3 == i % 2) for i in range(96)]


def test_a_null_is_no_reward(server, faulty):
    with pytest.raises(NotJudged, match="invalid_reference"):
        step(server, "x", truth="")
    env, found = step(server, "x", truth="", on_infra_failure=-1.0)
    assert (found["reward"], found["metadata"]["judged"]) == (-1.0, False)
    assert env.get_metrics() == {"judged": 0.0}
    faulty.script = [lambda body: judged(body, kind="sandbox_failed")]
    with pytest.raises(NotJudged, match="sandbox_failed"):
        step(faulty.url, "x")
    with pytest.raises(ValueError, match="ground_truth"):
        skyrl_gym.make("gavel", env_config={"url": server}, extras={})
