"""What the client does when the server fails."""

import asyncio
import pickle
import random
import time

import pytest
from conftest import judged, problem

from gavel_client import (
    AsyncGavel,
    BadReply,
    CannotSplit,
    Circuit,
    Failure,
    Gavel,
    Group,
    InvalidRequest,
    NotJudged,
    Overloaded,
    ProblemError,
    Retry,
    Reward,
    Sample,
    ServerError,
    StopTraining,
    TooLarge,
    TooManyInfrastructureFailures,
    Unauthorized,
    Unreachable,
)
from gavel_client.errors import problem_error
from gavel_client.retry import retry_after

QUICK = Retry(tries=4, base=0.01, cap=0.02)
TASK = {"reference": 1}


def score(faulty, kind=Gavel, **settings):
    settings = {"retry": QUICK, **settings}
    if kind is Gavel:
        with Gavel(faulty.url, **settings) as gavel:
            return gavel.score("x", "math", TASK)

    async def unblocked():
        async with AsyncGavel(faulty.url, **settings) as gavel:
            return await gavel.score("x", "math", TASK)

    return asyncio.run(unblocked())


@pytest.mark.parametrize("kind", [Gavel, AsyncGavel])
@pytest.mark.parametrize(
    "fault",
    ["reset", lambda _: problem(429), lambda _: problem(503), lambda _: problem(502), lambda _: problem(408)],
)
def test_tried_again_under_the_same_key(faulty, fault, kind):
    faulty.script = [fault, fault, judged]
    assert score(faulty, kind).reward == 1.0
    assert len(faulty.requests) == 3
    assert len(set(faulty.keys())) == 1
    assert len(faulty.keys()[0]) == 32
    bodies = [request["body"] for request in faulty.requests]
    assert bodies[0] == bodies[1] == bodies[2]


def test_each_request_has_a_key_of_its_own(faulty):
    with Gavel(faulty.url) as gavel:
        gavel.score("x", "math", TASK)
        gavel.score("x", "math", TASK)
    assert len(set(faulty.keys())) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("reset", Unreachable),
        (lambda _: problem(429), Overloaded),
        (lambda _: problem(503, "stopping"), Overloaded),
        (lambda _: problem(502), ServerError),
    ],
)
def test_given_up_in_the_end(faulty, fault, error):
    faulty.script = [fault]
    with pytest.raises(error):
        score(faulty)
    assert len(faulty.requests) == 4


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequest),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, InvalidRequest),
        (409, InvalidRequest),
        (413, TooLarge),
        (422, InvalidRequest),
        (500, ServerError),
    ],
)
def test_not_tried_again(faulty, status, error):
    faulty.script = [lambda _: problem(status, "because", [{"pointer": "/rubric", "message": "wrong"}])]
    with pytest.raises(error, match=f"{status} told; because; at /rubric: wrong") as caught:
        score(faulty)
    assert (caught.value.status, caught.value.kind) == (status, "urn:gavel:problem:test")
    assert len(faulty.requests) == 1


def test_an_answer_that_does_not_come_in_time(faulty):
    faulty.script = ["hang", judged]
    begun = time.monotonic()
    assert score(faulty, timeout=0.2).reward == 1.0
    assert time.monotonic() - begun < 1.0
    faulty.script = ["hang"]
    with pytest.raises(Unreachable, match="ReadTimeout"):
        score(faulty, timeout=0.1, retry=Retry(tries=2, base=0.01))


def test_retry_after_is_honoured(faulty):
    faulty.script = [lambda _: problem(429, headers={"retry-after": "0.3"}), judged]
    assert score(faulty).reward == 1.0
    first, second = (request["at"] for request in faulty.requests)
    assert second - first >= 0.3


def test_a_conflict_that_passes(faulty):
    faulty.script = [lambda _: problem(409, headers={"retry-after": "0"}), judged]
    assert score(faulty).reward == 1.0


def test_no_try_begins_after_the_budget_or_the_deadline(faulty):
    faulty.script = [lambda _: problem(503, headers={"retry-after": "60"})]
    begun = time.monotonic()
    with pytest.raises(Overloaded):
        score(faulty, retry=Retry(budget=1.0))
    with Gavel(faulty.url) as gavel, pytest.raises(Overloaded):
        gavel.score("x", "math", TASK, deadline=0.5)
    assert time.monotonic() - begun < 1.0
    assert faulty.requests[-1]["body"]["deadline_ms"] == 500
    assert len(faulty.requests) == 2


def test_a_hanging_server_costs_the_deadline_and_little_more(faulty):
    faulty.script = ["hang"]
    begun = time.monotonic()
    with Gavel(faulty.url, retry=QUICK) as gavel, pytest.raises(Unreachable):
        gavel.score("x", "math", TASK, deadline=0.3)
    assert time.monotonic() - begun < 2.5


def test_waits_have_full_jitter():
    rng = random.Random(0)
    retry = Retry(base=1.0, cap=8.0)
    for n, bound in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (9, 8.0)]:
        waits = [retry.wait(n, None, rng) for _ in range(2000)]
        assert 0.0 <= min(waits) < 0.01 * bound
        assert 0.99 * bound < max(waits) <= bound
        assert abs(sum(waits) / len(waits) - bound / 2) < 0.05 * bound
    assert 5.0 <= retry.wait(1, 5.0, rng) <= 6.0


def test_dates_in_retry_after():
    assert retry_after({"retry-after": "7"}) == 7.0
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}) > 3000
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_replies_that_are_not_ours(faulty):
    faulty.script = ["garbage"]
    with pytest.raises(BadReply, match="not a reply of Gavel"):
        score(faulty)
    faulty.script = [lambda body: judged({"groups": [{"completions": []}]})]
    with pytest.raises(BadReply, match="for each completion"):
        score(faulty)


def groups(n):
    return [Group(["x", "y"], {"reference": i}) for i in range(n)]


@pytest.mark.parametrize("status", [413, 429])
def test_split_where_the_server_says_so(faulty, status):
    def small_only(body):
        return judged(body, float(len(body["groups"]))) if len(body["groups"]) <= 2 else problem(status)

    faulty.script = [small_only]
    with Gavel(faulty.url, retry=QUICK) as gavel:
        reply = gavel.grade(groups(7), "math")
    # 7 is halved to 3 and 4, those to 1 and 2, 2 and 2.
    assert reply.rewards == [1.0] * 2 + [2.0] * 12
    assert [group.index for group in reply.groups] == list(range(7))
    answered = [request for request in faulty.requests if len(request["body"]["groups"]) <= 2]
    assert len({request["headers"]["idempotency-key"] for request in answered}) == 4


def test_not_split_where_the_advantage_needs_the_whole(faulty):
    faulty.script = [lambda _: problem(413)]
    for advantage in ("gdpo", "gpg", {"estimator": "grpo", "scale": "batch"}):
        with Gavel(faulty.url) as gavel, pytest.raises(CannotSplit, match="max-body-bytes"):
            gavel.grade(groups(4), "math", advantage=advantage)
    with Gavel(faulty.url, max_completions=2) as gavel, pytest.raises(CannotSplit):
        gavel.grade(groups(4), "math", advantage="gdpo")
    assert all(len(request["body"]["groups"]) == 4 for request in faulty.requests)
    with Gavel(faulty.url) as gavel, pytest.raises(TooLarge):
        gavel.grade(groups(1), "math")


def null(body):
    return judged(body, kind="sandbox_unavailable")


def test_nulls_that_may_pass_are_judged_again(faulty):
    faulty.script = [null, judged]
    with Gavel(faulty.url) as gavel:
        rewards = gavel.score_many([Sample("x", TASK), Sample("y", TASK)], "math")
        assert [reward.reward for reward in rewards] == [1.0, 1.0]
        assert (gavel.counts.judged, gavel.counts.retries, dict(gavel.counts.null)) == (2, 1, {})
    assert len(set(faulty.keys())) == 2


def test_what_was_judged_before_an_outage_stands(faulty):
    def first_is_null(body):
        status, headers, reply = judged(body)
        reply["groups"][0] = null(body)[2]["groups"][0]
        return status, headers, reply

    faulty.script = [first_is_null, lambda _: problem(500)]
    samples = [Sample("x", TASK), Sample("y", {"reference": 2})]
    with Gavel(faulty.url) as gavel:
        assert [reward.reward for reward in gavel.score_many(samples, "math")] == [None, 1.0]
        assert len(faulty.requests[1]["body"]["groups"]) == 1
        with pytest.raises(ServerError):
            gavel.score_many(samples, "math")

    async def unblocked():
        async with AsyncGavel(faulty.url) as gavel:
            return await gavel.score_many(samples, "math")

    faulty.script = [first_is_null, lambda _: problem(500)]
    assert [reward.reward for reward in asyncio.run(unblocked())] == [None, 1.0]


def test_nulls_that_stay_are_not(faulty):
    faulty.script = [lambda body: judged(body, kind="invalid_reference")]
    with Gavel(faulty.url) as gavel:
        assert [r.reward for r in gavel.score_many([Sample("x", TASK)], "math")] == [None]
        assert len(faulty.requests) == 1
        faulty.script = [null]
        assert [r.reward for r in gavel.score_many([Sample("x", TASK)], "math", run="r")] == [None]
        assert len(faulty.requests) == 2
        assert [r.reward for r in gavel.score_many([Sample("x", TASK)], "math", tries=3)] == [None]
        assert len(faulty.requests) == 5
        assert dict(gavel.counts.null) == {"invalid_reference": 1, "sandbox_unavailable": 2}


FAILED = Reward(None, error=Failure("tests", "sandbox_failed", "told"))
GOOD = Reward(1.0)


def test_the_circuit_needs_a_minimum_and_a_share():
    circuit = Circuit()
    circuit.record([FAILED] * 49)
    with pytest.raises(
        TooManyInfrastructureFailures, match=r"50 of the last 50 rewards are null, more than 10%"
    ) as e:
        circuit.record([FAILED])
    assert e.value.kinds == {"sandbox_failed": 50}
    circuit = Circuit()
    circuit.record([GOOD] * 900 + [FAILED] * 100)
    with pytest.raises(TooManyInfrastructureFailures, match="101 of the last 1000"):
        circuit.record([FAILED])
    # It closes as rewards push the nulls out.
    with pytest.raises(TooManyInfrastructureFailures):
        circuit.record([GOOD] * 899)
    circuit.record([GOOD])
    Circuit(limit=1.0).record([FAILED] * 5000)
    with pytest.raises(ValueError, match="minimum"):
        Circuit(window=10)


def test_the_circuit_of_a_client_is_loud(faulty, caplog):
    faulty.script = [null]
    with Gavel(faulty.url) as gavel:
        assert gavel.grade([Group(["x"] * 49, TASK)], "math").rewards == [None] * 49
        with pytest.raises(TooManyInfrastructureFailures, match="sandbox_unavailable 50") as caught:
            gavel.grade([Group(["x"], TASK)], "math")
        assert caught.value.reply.rewards == [None]
        assert dict(gavel.counts.null) == {"sandbox_unavailable": 50}
    levels = [record.levelname for record in caplog.records]
    assert "CRITICAL" in levels
    assert "WARNING" in levels
    assert "gavel doctor" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        problem_error("POST x", 422, {"detail": "d", "errors": [{"pointer": "/a", "message": "m"}]}, None),
        problem_error("POST x", 429, {}, 2.0),
        Unreachable("gone"),
        NotJudged(FAILED.error, 1, 2),
        TooManyInfrastructureFailures(2, 3, 0.1, {"a": 2}),
        StopTraining(NotJudged(FAILED.error)),
    ],
)
def test_errors_travel_between_processes(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), str(error))
    if isinstance(error, ProblemError):
        assert (copy.status, copy.faults, copy.retry_after) == (error.status, error.faults, error.retry_after)
