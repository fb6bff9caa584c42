"""SandboxFusion's wire under the clients that speak it: verl's scorer and tinker-cookbook's client, as they are."""

import asyncio
import threading

import pytest

pytest.importorskip("verl")

from verl.utils.reward_score.sandbox_fusion import compute_score

SUM = "```python\na, b = map(int, input().split())\nprint(a + b)\n```"
CALL = "```python\ndef add(a, b):\n    return a + b\n```"
STDIN = {"inputs": ["1 2\n", "3 4\n", "5 6\n", "7 8\n"], "outputs": ["3\n", "7\n", "11\n", "15\n"]}


def score(server, completion, tests, **settings):
    semaphore = threading.Semaphore(8)
    return compute_score(f"{server}/run_code", semaphore, 1024, completion, tests, **settings)


@pytest.mark.parametrize(
    ("completion", "tests", "expected", "results"),
    [
        (SUM, STDIN, 1.0, [True] * 4),
        (SUM.replace("+", "-"), STDIN, 0.0, [False] * 4),
        # Right for one case in four, and verl's score is the share of the cases.
        ("```python\nprint(3)\n```", STDIN, 0.25, [True, False, False, False]),
        ("```python\nraise ValueError\n```", STDIN, 0.0, [-2] * 4),
        ("```python\nwhile True: pass\n```", STDIN, 0.0, [-3] * 4),
        (CALL, {"fn_name": "add", "inputs": ["1\n2", "3\n4"], "outputs": ["3", "7"]}, 1.0, [True] * 2),
        (CALL.replace("+", "*"), {"fn_name": "add", "inputs": ["1\n3"], "outputs": ["4"]}, 0.0, [False]),
    ],
)
def test_verl_scores(server, completion, tests, expected, results):
    found, metadata = score(server, completion, tests, continuous=True, timeout=1)
    assert found == expected, metadata
    statuses = {True: "success", False: "wrong_answer", -2: "runtime_error", -3: "timeout"}
    assert [case["status"] for case in metadata] == [statuses[result] for result in results]
    assert not any(case.get("api_request_error") for case in metadata)


def test_verl_runs_c_plus_plus(server):
    language = {"language": "cpp"}
    code = "```cpp\n#include <bits/stdc++.h>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }\n```"
    from verl.utils.reward_score.sandbox_fusion.utils import call_sandbox_api

    source = code.split("```cpp\n")[1].split("```")[0]
    reply, error = call_sandbox_api(f"{server}/run_code", source, "1 2", 10, 5, 1024, **language)
    if reply and reply["status"] == "SandboxError":
        pytest.skip(reply["message"])
    assert error is None
    assert (reply["status"], reply["run_result"]["stdout"]) == ("Success", "3")


def test_what_cannot_be_run_is_no_verdict(server):
    from verl.utils.reward_score.sandbox_fusion.utils import call_sandbox_api

    reply, error = call_sandbox_api(f"{server}/run_code", "fn main() {}", None, 10, 5, 1024, "rust")
    assert error is None
    assert reply["status"] == "SandboxError"
    assert "there is no sandbox for rust" in reply["message"]


def test_tinker_cookbook_runs_programs(server):
    module = pytest.importorskip("tinker_cookbook.sandbox.sandboxfusion")

    async def run():
        client = module.SandboxFusionClient(url=f"{server}/run_code", max_concurrency=8)
        asked = [
            client.run("print(open('data.txt').read() + '!')", {"data.txt": "hello"}, timeout=5),
            client.run("raise SystemExit(3)", {}, timeout=5),
            client.run("while True: pass", {}, timeout=1),
        ]
        replies = await asyncio.gather(*asked)
        await client.close()
        return replies

    (right, first), (wrong, second), (late, third) = asyncio.run(run())
    assert (right, first["run_result"]["stdout"]) == (True, "hello!\n")
    assert (wrong, second["run_result"]["return_code"]) == (False, 3)
    assert (late, third["run_result"]["status"]) == (False, "TimeLimitExceeded")
