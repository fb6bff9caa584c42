"""ms-swift computes rewards and advantages with our class from its own registry."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("swift")

from conftest import judged  # noqa: E402
from swift.rewards import ORM, orms  # noqa: E402
from swift.rl_core.advantage import compute_advantages  # noqa: E402
from swift.rl_core.data import GRPOSample  # noqa: E402
from swift.rl_core.grpo_algorithm import score_completions  # noqa: E402

from gavel_client import NotJudged  # noqa: E402
from gavel_client.ms_swift import gavel_orm  # noqa: E402

TEXTS = ["\\boxed{0.5}", "\\boxed{2}", "dunno", "<think>a</think><answer>0.5</answer>"]


def samples(texts, solution="1/2"):
    return [
        GRPOSample(
            messages=[{"role": "user", "content": "Half?"}, {"role": "assistant", "content": text}],
            prompt_id="p",
            request_id=str(i),
            extra={"solution": solution},
        )
        for i, text in enumerate(texts)
    ]


def rewards(name, texts, **more):
    orm = orms[name](args=None)
    assert isinstance(orm, ORM)
    return score_completions(samples(texts, **more), [orm], [None], False, torch.device("cpu"))


def test_rewards_and_advantages(server):
    orms["gavel"] = gavel_orm("r1-zero", url=server, reference="solution")
    found = rewards("gavel", TEXTS)
    assert found.tolist() == [[1.0], [0.0], [0.0], [2.0]]
    advantages, totals = compute_advantages(found, torch.ones(1), num_generations=4, scale_rewards="none")
    assert totals.tolist() == [1.0, 0.0, 0.0, 2.0]
    assert advantages.tolist() == pytest.approx([0.25, -0.75, -0.75, 1.25], abs=1e-5)


def one_null(body):
    """Rewards 0, 1, 2, and the fourth completion is not judged."""
    status, headers, reply = judged(body)
    one = {"groups": [{"completions": ["x"]}]}
    for group in reply["groups"]:
        each = [
            judged(one, float(i), "sandbox_failed" if i == 3 else None) for i in range(len(group["rewards"]))
        ]
        group["rewards"] = [found["groups"][0]["rewards"][0] for _, _, found in each]
    return status, headers, reply


def test_what_ms_swift_makes_of_none():
    """The reason that our class never gives None: it would count as 0."""
    column = torch.tensor([[1.0], [1.0], [float("nan")]])
    advantages, totals = compute_advantages(column, torch.ones(1), num_generations=3, scale_rewards="none")
    assert totals.tolist() == [1.0, 1.0, 0.0]
    assert advantages[2] < -0.6


def test_a_null_is_no_reward(faulty):
    faulty.script = [one_null]
    orms["gavel"] = gavel_orm(url=faulty.url, reference="solution")
    with pytest.raises(NotJudged, match="sandbox_failed: as told"):
        rewards("gavel", TEXTS)
    orms["gavel"] = gavel_orm(url=faulty.url, reference="solution", on_infra_failure=-1)
    assert rewards("gavel", TEXTS).tolist() == [[0.0], [1.0], [2.0], [-1.0]]
    orms["gavel"] = gavel_orm(url=faulty.url, reference="solution", on_infra_failure="group_mean")
    found = rewards("gavel", TEXTS)
    assert found.tolist() == [[0.0], [1.0], [2.0], [1.0]]
    advantages, _ = compute_advantages(found, torch.ones(1), num_generations=4, scale_rewards="none")
    assert advantages[3].item() == 0.0
    assert dict(orms["gavel"].counts.replaced) == {"sandbox_failed": 1}
