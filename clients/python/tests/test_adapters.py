"""The adapters as their trainers call them; the trainers themselves are driven in ``real/``."""

import asyncio
import math
import pickle
import sys
import threading
import types
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from conftest import judged, problem

from gavel_client import (
    NotJudged,
    StopTraining,
    TooManyInfrastructureFailures,
    _adapter,
    areal,
    openrlhf,
    trl,
    verl,
)
from gavel_client._exchange import GRACE_S
from gavel_client._text import text_of, without_prompt, without_specials

RIGHT, WRONG = "It is \\boxed{0.5}.", "It is \\boxed{2}."


@pytest.fixture(autouse=True)
def _apart():
    """No test sees another one's connections, counts or circuits."""
    _adapter._coalescers.clear()


def null(body):
    return judged(body, kind="sandbox_failed")


def invalid(body):
    return judged(body, kind="invalid_reference")


def test_texts():
    assert text_of([{"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}]) == "a"
    assert (
        text_of([{"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]) == "a"
    )
    assert text_of([{"role": "user", "content": "a"}]) == ""
    assert [text_of(None), text_of("x"), text_of({"content": None})] == ["", "x", ""]
    assert without_specials("a<|im_end|>\n<|endoftext|>") == "a"
    assert without_specials("a </s>") == "a"
    assert without_specials("<|im_end|> a") == "<|im_end|> a"
    assert without_specials("a  ") == "a  "
    assert without_specials(" " * 2_000_000).strip() == ""
    assert (without_prompt("pq", "p"), without_prompt("pq", "x"), without_prompt("q", "")) == ("q", "pq", "q")


def test_settings(monkeypatch):
    with pytest.raises(TypeError, match=r"unknown setting ruric; there are api_key, "):
        trl.GavelReward(ruric="math")
    with pytest.raises(ValueError, match='"raise" or a number'):
        _adapter.Settings.of({"on_infra_failure": "zero"})
    with pytest.raises(ValueError, match="finite"):
        _adapter.Settings.of({"on_infra_failure": "nan"})
    monkeypatch.setenv("GAVEL_RUBRIC", "r1-zero")
    monkeypatch.setenv("GAVEL_ON_INFRA_FAILURE", "-1")
    found = _adapter.Settings.of({})
    assert (found.rubric, found.on_infra_failure) == ("r1-zero", -1.0)
    assert _adapter.Settings.of({"rubric": "math"}).rubric == "math"


class Logs:
    def __init__(self):
        self.extra, self.metrics = {}, {}

    def log_extra(self, column, values):
        self.extra.setdefault(column, []).extend(values)

    def log_metric(self, name, value):
        self.metrics.setdefault(name, []).append(value)


def call_trl(reward, completions, logs=None, **columns):
    logs = logs or Logs()
    n = len(completions)
    columns.setdefault("prompts", ["Half?"] * n)
    return asyncio.run(
        reward(
            completions=completions,
            completion_ids=[[1, 2, 3]] * n,
            trainer_state=types.SimpleNamespace(global_step=7),
            log_extra=logs.log_extra,
            log_metric=logs.log_metric,
            **columns,
        )
    )


def test_trl(server):
    reward, logs = trl.GavelReward("math", url=server, name="acc"), Logs()
    assert reward.__name__ == "acc"
    assert call_trl(reward, [RIGHT, WRONG, "?"], logs, answer=["1/2", "1/2", "1/2"]) == [1.0, 0.0, 0.0]
    assert logs.metrics == {"acc/null_fraction": [0.0], "acc/accuracy": [1 / 3]}
    assert (
        logs.extra == {"acc_reason": ["accuracy=equivalent", "accuracy=different", "accuracy=no_answer"]}
        or [reason.split("=")[0] for reason in logs.extra["acc_reason"]] == ["accuracy"] * 3
    )
    chat = [[{"role": "assistant", "content": RIGHT}], [{"role": "assistant", "content": WRONG}]]
    prompts = [[{"role": "user", "content": "Half?"}]] * 2
    assert call_trl(reward, chat, prompts=prompts, solution=["1/2", 2]) == [1.0, 1.0]
    copy = pickle.loads(pickle.dumps(reward))
    assert (copy.__name__, call_trl(copy, [RIGHT], answer=["1/2"])) == ("acc", [1.0])
    with pytest.raises(ValueError, match="no column 'gold'; it has answer, prompt"):
        call_trl(trl.GavelReward(url=server, reference="gold"), [RIGHT], answer=["1/2"])
    own = trl.GavelReward(url=server, task=lambda row: {"reference": row["a"] + row["b"]})
    assert call_trl(own, ["\\boxed{3}", "\\boxed{4}"], a=[1, 1], b=[2, 2]) == [1.0, 0.0]


def test_trl_sends_one_request_with_the_step_and_lengths(faulty):
    reward = trl.GavelReward(url=faulty.url)
    assert call_trl(reward, ["a", "b", "c", "d"], answer=[1, 1, 2, 2]) == [1.0] * 4
    assert len(faulty.requests) == 1
    body = faulty.requests[0]["body"]
    assert (body["step"], len(body["groups"])) == (7, 2)
    assert body["groups"][0] == {
        "task": {"prompt": "Half?", "reference": 1},
        "completions": [{"text": "a", "n_tokens": 3}, {"text": "b", "n_tokens": 3}],
    }


def test_trl_gives_none_for_what_is_not_judged(faulty):
    reward, logs = trl.GavelReward(url=faulty.url, deadline=0.2), Logs()
    faulty.script = [invalid]
    assert call_trl(reward, ["a", "b"], logs, answer=[1, 1]) == [None, None]
    assert logs.metrics == {"gavel/null_fraction": [1.0]}
    assert logs.extra == {"gavel_reason": ["accuracy=invalid_reference"] * 2}
    faulty.script = [lambda _: problem(503)]
    assert call_trl(reward, ["a"], logs, answer=[1]) == [None]
    assert logs.extra["gavel_reason"][-1] == "unreachable"
    with pytest.raises(TooManyInfrastructureFailures, match="unreachable 48, invalid_reference 2"):
        call_trl(reward, ["a"] * 47, answer=[1] * 47)


def verl_scores(completions, **kwargs):
    async def all_of_them():
        return await asyncio.gather(
            *(
                verl.compute_score(
                    data_source="d",
                    solution_str=text,
                    ground_truth="1/2",
                    extra_info={"num_turns": 1},
                    **kwargs,
                )
                for text in completions
            ),
            return_exceptions=True,
        )

    return asyncio.run(all_of_them())


def test_verl(server):
    found = verl_scores([RIGHT, WRONG], url=server, rubric="r1-zero", reward_router_address="ignored")
    assert found[0] == {"score": 1.0, "acc": 1.0, "judged": 1.0, "accuracy": 1.0, "format": 0.0}
    assert found[1] == {"score": 0.0, "acc": 0.0, "judged": 1.0, "accuracy": 0.0, "format": 0.0}


def test_verl_rubrics_by_data_source_have_the_same_keys(server):
    async def both():
        more = {"url": server, "rubric": "math", "rubrics": {"chat": "r1-zero"}}
        return [
            await verl.compute_score("gsm8k", RIGHT, "1/2", **more),
            await verl.compute_score("chat", "<think>x</think><answer>0.5</answer>", "1/2", **more),
        ]

    plain, chat = asyncio.run(both())
    assert list(plain) == list(chat) == ["score", "acc", "judged", "accuracy", "format"]
    assert (plain["score"], chat["score"], chat["format"]) == (1.0, 2.0, 1.0)
    assert math.isnan(plain["format"])


def test_verl_sends_what_comes_together_together(faulty):
    found = verl_scores(["a"] * 100, url=faulty.url, window_ms=50)
    assert [one["score"] for one in found] == [1.0] * 100
    posts = [request for request in faulty.requests if request["path"] == "/v1/grade"]
    assert len(posts) == 1
    # Each is a group of its own: no reward depends on which others happened to be near.
    assert [len(group["completions"]) for group in posts[0]["body"]["groups"]] == [1] * 100
    verl_scores(["a"] * 10, url=faulty.url, window_ms=50, max_batch=4)
    sizes = [len(request["body"]["groups"]) for request in faulty.requests if request["path"] == "/v1/grade"]
    assert sorted(sizes[1:]) == [2, 4, 4]


def test_verl_never_makes_a_number_up(faulty, caplog):
    faulty.script = [null]
    found = verl_scores(["a"], url=faulty.url)
    assert isinstance(found[0], StopTraining)
    assert isinstance(found[0].args[0], NotJudged)
    assert not isinstance(found[0], Exception)
    assert "sandbox_failed" in str(found[0])
    found = verl_scores(["a"], url=faulty.url, on_infra_failure=-0.5)
    assert list(found[0]) == ["score", "acc", "judged", "accuracy"]
    assert (found[0]["score"], found[0]["judged"]) == (-0.5, 0.0)
    assert math.isnan(found[0]["accuracy"])
    settings = _adapter.Settings.of({"url": faulty.url, "on_infra_failure": -0.5})
    assert dict(_adapter.coalescer(settings).client.counts.replaced) == {"sandbox_failed": 1}
    # A number for single failures is no number for an outage.
    found = verl_scores(["a"] * 60, url=faulty.url, on_infra_failure=-0.5, circuit_minimum=10)
    assert {type(one) for one in found} == {StopTraining}
    assert "more than 10%" in str(found[0])
    found = verl_scores(["a"], url=faulty.url, ruric="math", on_infra_failure="zero")
    assert '"raise" or a number' in str(found[0])
    assert caplog.text.count("compute_score does not know 'ruric'; its settings are rubric, url") == 1
    assert "reward_router_address" not in caplog.text


def test_areal(server, monkeypatch):
    reward = areal.GavelReward("math", url=server, reference="answer")
    assert reward("Half?", RIGHT + "<|im_end|>", [1], [2, 3], answer="1/2", messages=[]) == 1.0
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(reward, "Half?", WRONG, [1], [2], answer="1/2").result() == 0.0
    monkeypatch.setenv("GAVEL_URL", server)
    assert areal.gavel_reward("Half?", RIGHT, [1], [2, 3], answer="1/2") == 1.0
    assert areal.GavelReward().settings.deadline + GRACE_S < 15.0


def test_areal_raises_before_areal_gives_up(faulty):
    faulty.script = [null]
    with pytest.raises(NotJudged):
        areal.GavelReward(url=faulty.url)("p", "c", answer=1)
    assert areal.GavelReward(url=faulty.url, on_infra_failure=0.25)("p", "c", answer=1) == 0.25
    with ProcessPoolExecutor(1) as pool, pytest.raises(NotJudged, match="sandbox_failed: as told"):
        pool.submit(areal.GavelReward(url=faulty.url), "p", "c", answer=1).result()


def test_openrlhf(server, monkeypatch):
    monkeypatch.setenv("GAVEL_URL", server)
    monkeypatch.setenv("GAVEL_RUBRIC", "r1-zero")
    found = openrlhf.reward_func(["<|user|>Half?" + RIGHT + "<|im_end|>"], ["<|user|>Half?"], ["1/2"])
    assert found == {
        "rewards": [1.0],
        "scores": [1.0],
        "extra_logs": {"accuracy": [1.0], "format": [0.0], "judged": [1.0]},
    }
    with ThreadPoolExecutor(16) as threads:
        texts = [f"p\\boxed{{{i % 2}}}" for i in range(64)]
        found = list(threads.map(lambda text: openrlhf.reward_func([text], ["p"], [1])["rewards"][0], texts))
    assert found == [0.0, 1.0] * 32


def test_openrlhf_logs_what_openrlhf_swallows(faulty, monkeypatch, caplog):
    monkeypatch.setenv("GAVEL_URL", faulty.url)
    faulty.script = [null]
    with pytest.raises(NotJudged):
        openrlhf.reward_func(["pc"], ["p"], [1])
    assert "the step will fail" in caplog.text
    monkeypatch.setenv("GAVEL_ON_INFRA_FAILURE", "0.5")
    found = openrlhf.reward_func(["pc"], ["p"], [1])
    assert (found["rewards"], found["extra_logs"]["judged"]) == ([0.5], [0.0])
    assert math.isnan(found["extra_logs"]["accuracy"][0])


def module(monkeypatch, name, **contents):
    found = types.ModuleType(name)
    found.__dict__.update(contents)
    monkeypatch.setitem(sys.modules, name, found)
    return found


def test_ms_swift(server, faulty, monkeypatch):
    class ORM:
        def __init__(self, args=None, **_):
            self.args = args

    module(monkeypatch, "swift")
    module(monkeypatch, "swift.rewards", ORM=ORM)
    from gavel_client.ms_swift import gavel_orm

    state = types.SimpleNamespace(global_step=1)
    orm = gavel_orm("math", url=server, reference="solution")(args=1)
    messages = [[{"role": "user", "content": "Half?"}, {"role": "assistant", "content": RIGHT}]] * 2
    columns = {"solution": ["1/2", "1/2"], "messages": messages, "trainer_state": state}
    assert orm([RIGHT, WRONG], **columns) == [1.0, 0.0]
    columns["solution"] = ["1/2", ""]
    with pytest.raises(NotJudged, match="invalid_reference"):
        orm([RIGHT, WRONG], **columns)
    number = gavel_orm("math", url=server, reference="solution", on_infra_failure=-1)
    assert number()([RIGHT, WRONG], **columns) == [1.0, -1.0]
    assert dict(number.counts.replaced) == {"invalid_reference": 1}

    def last_is_null(body):
        status, headers, reply = judged(body, 0.5)
        reply["groups"][0]["rewards"][-1:] = invalid(body)[2]["groups"][0]["rewards"][-1:]
        return status, headers, reply

    faulty.script = [last_is_null]
    mean = gavel_orm("math", url=faulty.url, on_infra_failure="group_mean")()
    assert mean(["a", "b", "c"], solution=[1, 1, 1]) == [0.5, 0.5, 0.5]
    with pytest.raises(NotJudged, match="1 of 1"):
        mean(["a"], solution=[1])


def test_rllm(server, monkeypatch):
    @dataclass
    class Signal:
        name: str
        value: float
        metadata: dict = field(default_factory=dict)

    @dataclass
    class EvalOutput:
        reward: float
        is_correct: bool
        signals: list = field(default_factory=list)
        metadata: dict = field(default_factory=dict)

    for name in ("rllm", "rllm.eval"):
        module(monkeypatch, name)
    module(monkeypatch, "rllm.eval.types", Signal=Signal, EvalOutput=EvalOutput)
    from gavel_client.rllm import GavelEvaluator

    evaluator = GavelEvaluator("r1-zero", url=server)
    task = types.SimpleNamespace(instruction="Half?", metadata={"ground_truth": "1/2"})
    step = types.SimpleNamespace(output=RIGHT)
    episodes = [
        types.SimpleNamespace(artifacts={"answer": RIGHT}),
        types.SimpleNamespace(artifacts={}, trajectories=[types.SimpleNamespace(output=None, steps=[step])]),
        types.SimpleNamespace(artifacts={}, trajectories=[]),
    ]
    found = [evaluator.evaluate(task, episode) for episode in episodes]
    assert [(one.reward, one.is_correct) for one in found] == [(1.0, True), (1.0, True), (0.0, False)]
    assert [(s.name, s.value) for s in found[0].signals] == [
        ("judged", 1.0),
        ("accuracy", 1.0),
        ("format", 0.0),
    ]
    assert evaluator.evaluate({"question": "Half?", "ground_truth": "1/2"}, episodes[0]).reward == 1.0
    with pytest.raises(NotJudged):
        evaluator.evaluate({"ground_truth": ""}, episodes[0])


def test_open_instruct(server, monkeypatch):
    class VerifierFunction:
        def __init__(self, name, weight=1.0, verifier_config=None):
            self.name, self.weight, self.verifier_config = name, weight, verifier_config

    @dataclass
    class VerificationResult:
        score: float
        cost: float = 0.0
        reasoning: str | None = None

    module(monkeypatch, "open_instruct")
    module(
        monkeypatch,
        "open_instruct.ground_truth_utils",
        VerifierFunction=VerifierFunction,
        VerificationResult=VerificationResult,
    )
    monkeypatch.delitem(sys.modules, "gavel_client.open_instruct", raising=False)
    monkeypatch.setenv("GAVEL_URL", server)
    from gavel_client.open_instruct import GavelVerifier

    verifier = GavelVerifier(None)
    assert (verifier.name, verifier.weight) == ("gavel", 1.0)
    asked = {"tokenized_prediction": [1, 2], "prediction": RIGHT, "label": "1/2", "query": "Half?"}
    assert asyncio.run(verifier.async_call(**asked, rollout_state={})).score == 1.0
    assert verifier(**{**asked, "prediction": WRONG}).score == 0.0
    with pytest.raises(NotJudged):
        verifier(**{**asked, "label": ""})


def test_threads_share_requests(faulty):
    judge = _adapter.coalescer(_adapter.Settings.of({"url": faulty.url, "window_ms": 100}))
    barrier = threading.Barrier(20)

    def one(_):
        barrier.wait()
        return judge.score_blocking("x", {"reference": 1}).reward

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(one, range(20))) == [1.0] * 20
    assert len(faulty.requests) <= 3
