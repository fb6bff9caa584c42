"""The clients against a real server: exact rewards, whichever way they are asked for."""

import asyncio
import pickle

import pytest

from gavel_client import (
    AsyncGavel,
    Completion,
    Gavel,
    Group,
    InvalidRequest,
    Retry,
    Sample,
    Task,
    Unreachable,
)

RIGHT, WRONG = "It is \\boxed{0.5}.", "It is \\boxed{2}."
HALF = Task(prompt="What is half of one?", reference="\\frac{1}{2}")


def both(server, call, **settings):
    """What a call gives with the blocking client; the asynchronous one must give the same."""
    with Gavel(server, **settings) as gavel:
        blocking = call(gavel)

    async def unblocked():
        async with AsyncGavel(server, **settings) as gavel:
            return await call(gavel)

    assert asyncio.run(unblocked()) == blocking or not hasattr(blocking, "__eq__")
    return blocking


def test_groups_components_and_provenance(server):
    group = Group([RIGHT, Completion(WRONG, id="b", n_tokens=5), {"text": "dunno", "id": "c"}], HALF, id="q1")
    with Gavel(server) as gavel:
        reply = gavel.grade([group, {"task": {"reference": 2}, "completions": [WRONG]}], "math")
    assert [[reward.reward for reward in group.rewards] for group in reply.groups] == [[1.0, 0.0, 0.0], [1.0]]
    assert reply.rewards == [1.0, 0.0, 0.0, 1.0]
    assert (reply.groups[0].id, reply.groups[0].index, reply.groups[1].index) == ("q1", 0, 1)
    first, second, third = reply.groups[0].rewards
    assert (first.components[0].reason, first.scores) == ("equivalent", {"accuracy": 1.0})
    assert (second.id, third.id, third.reason) == ("b", "c", "accuracy=no_answer")
    assert first.components[0].detail["extracted"] == "0.5"
    assert reply.groups[0].provenance.graders == {"math": 2}
    assert len(reply.groups[0].provenance.rubric_hash) == 64
    assert reply.stored is None


def test_advantages_runs_and_inline_rubrics(server):
    rubric = {
        "components": [
            {"name": "accuracy", "grader": {"type": "math"}},
            {"name": "short", "grader": {"type": "math"}, "weight": {"from_step": 10, "value": 2.0}},
        ]
    }
    with Gavel(server) as gavel:
        early = gavel.grade([Group([RIGHT, WRONG], HALF)], rubric, advantage="rloo", run="client", step=9)
        late = gavel.grade([Group([RIGHT, WRONG], HALF)], rubric, advantage="rloo", run="client", step=10)
    assert (early.rewards, late.rewards) == ([1.0, 0.0], [3.0, 0.0])
    assert [reward.advantage for reward in late.groups[0].rewards] == [3.0, -3.0]
    assert (late.stored.run, late.stored.n_groups, late.stored.error) == ("client", 1, None)


def test_score_one_and_many(server):
    assert both(server, lambda g: g.score(RIGHT, "math", reference="1/2")).reward == 1.0
    samples = [
        Sample(RIGHT, HALF),
        Sample(WRONG, {"reference": "2"}),
        Sample(WRONG, HALF),
        Sample(RIGHT, {"reference": "2"}),
        Sample(RIGHT, HALF),
    ]
    rewards = both(server, lambda g: g.score_many(samples, "math"))
    assert [reward.reward for reward in rewards] == [1.0, 1.0, 0.0, 0.0, 1.0]
    assert both(server, lambda g: g.score_many([], "math")) == []


def test_names_of_components(server):
    assert both(server, lambda g: g.component_names("r1-zero")) == ["accuracy", "format"]
    assert both(server, lambda g: g.component_names({"components": [{"name": "x"}]})) == ["x"]


def test_many_requests_are_one_reply(server):
    groups = [Group([f"\\boxed{{{i}}}", "no"], {"reference": i}, id=str(i)) for i in range(40)]
    expected = [1.0, 0.0] * 40
    with Gavel(server, max_completions=6) as gavel:
        assert gavel.grade(groups, "math", advantage="grpo").rewards == expected
    with Gavel(server, max_body_bytes=300) as gavel:
        reply = gavel.grade(groups, "math")
        assert reply.rewards == expected
        assert [group.index for group in reply.groups] == list(range(40))
        assert [group.id for group in reply.groups] == [str(i) for i in range(40)]

    async def unblocked():
        async with AsyncGavel(server, max_completions=6) as gavel:
            return await gavel.grade(groups, "math")

    assert asyncio.run(unblocked()).rewards == expected


def test_what_is_wrong_is_said_with_its_place(server):
    with Gavel(server) as gavel:
        with pytest.raises(InvalidRequest) as caught:
            gavel.grade([Group(["x"], HALF)], "maths")
        assert caught.value.faults[0].pointer == "/rubric"
        assert "POST " in str(caught.value)
        assert "422" in str(caught.value)
        assert "the presets are math" in str(caught.value)
        with pytest.raises(InvalidRequest, match="/groups/0/task/reference"):
            gavel.grade([Group(["x"])], "math")
        with pytest.raises(InvalidRequest, match="1 to 4096 groups"):
            gavel.grade([], "math")
        with pytest.raises(InvalidRequest, match="unknown field `completion`"):
            gavel.grade([{"task": {"reference": 1}, "completion": ["x"], "completions": ["x"]}], "math")
        with pytest.raises(InvalidRequest):
            gavel.component_names("no-such-rubric")


def test_a_bad_task_harms_no_other_sample(server):
    samples = [
        Sample(RIGHT, HALF),
        Sample(RIGHT, {"prompt": "no reference"}),
        Sample(RIGHT, {"reference": ""}),
    ]
    rewards = both(server, lambda g: g.score_many(samples, "math"))
    assert [reward.reward for reward in rewards] == [1.0, None, None]
    assert [reward.error and reward.error.kind for reward in rewards] == [
        None,
        "invalid_task",
        "invalid_reference",
    ]
    # Alone, the server refuses it; the reply is the same.
    alone = both(server, lambda g: g.score_many(samples[1:2], "math"))
    assert (alone[0].reward, alone[0].error.kind) == (None, "invalid_task")
    assert "needs the right answer" in alone[0].error.message
    with Gavel(server) as gavel:
        gavel.score_many(samples, "math")
        assert (gavel.counts.judged, dict(gavel.counts.null)) == (
            1,
            {"invalid_task": 1, "invalid_reference": 1},
        )


def test_hostile_completions(server):
    hostile = [
        "\\boxed{0.5}\ud800",
        "\x00\x01\\boxed{0.5}",
        "{" * 100_000,
        "\\boxed{" + "9" * 50_000 + "}",
        "\\boxed{\\frac{0}{0}}",
        "x" * ((1 << 20) + 1),
        "é" * (1 << 20),
        RIGHT,
    ]
    rewards = both(server, lambda g: g.score_many([Sample(text, HALF) for text in hostile], "math"))
    found = [reward.reward for reward in rewards]
    # Two are longer than the server judges; they cost the others nothing.
    assert found[5:7] == [None, None]
    assert (found[0], found[7]) == (1.0, 1.0)
    assert all(reward in (0.0, 1.0) for reward in found[:5])


def test_deadline_that_has_passed_is_a_null(server):
    tests = {"language": "python", "cases": [{"stdin": "", "stdout": "1\n"}] * 50}
    program = "```python\nfor i in range(3000000): pass\nprint(1)\n```"
    with Gavel(server) as gavel:
        reply = gavel.grade([Group([program] * 8, Task(tests=tests))], "code", deadline=0.05)
    kinds = {reward.error.kind for reward in reply.groups[0].rewards if reward.error}
    assert None in reply.rewards
    assert kinds <= {"deadline_exceeded", "cancelled", "sandbox_unavailable"}


def test_connections_are_kept(faulty):
    with Gavel(faulty.url) as gavel:
        for _ in range(5):
            gavel.score("x", "math", reference=1)
    assert len(faulty.connections) == 1


def test_settings_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("GAVEL_URL", server + "/")
    assert Gavel().score(RIGHT, "math", reference="1/2").reward == 1.0
    monkeypatch.delenv("GAVEL_URL")
    assert Gavel().url == "http://127.0.0.1:7717"


def test_keys(faulty, monkeypatch):
    Gavel(faulty.url).score("x", "math", reference=1)
    Gavel(faulty.url, "mine").score("x", "math", reference=1)
    monkeypatch.setenv("GAVEL_API_KEY", "env")
    Gavel(faulty.url).score("x", "math", reference=1)
    sent = [request["headers"].get("authorization") for request in faulty.requests]
    assert sent == [None, "Bearer mine", "Bearer env"]


def test_clients_travel_between_processes_and_loops(server):
    gavel = pickle.loads(pickle.dumps(Gavel(server, retry=Retry(tries=2))))
    assert gavel.score(RIGHT, "math", reference="1/2").reward == 1.0
    unblocked = pickle.loads(pickle.dumps(AsyncGavel(server)))
    for _ in range(3):
        assert asyncio.run(unblocked.score(RIGHT, "math", reference="1/2")).reward == 1.0


def test_what_cannot_be_sent():
    gavel = Gavel("http://127.0.0.1:9", retry=Retry(tries=1))
    with pytest.raises(ValueError, match=r"not JSON compliant|Out of range"):
        gavel.score("x", "math", reference=float("nan"))
    with pytest.raises(TypeError, match="cannot be sent as JSON"):
        gavel.score("x", "math", reference=object())
    with pytest.raises(Unreachable, match="is the server up"):
        gavel.score("x", "math", reference=1)
