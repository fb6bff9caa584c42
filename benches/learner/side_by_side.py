"""A GRPO step of `gavel train` beside one of TRL's GRPOTrainer: same weights, same prompts, same sizes, two threads.

    python side_by_side.py --gavel PATH [--hidden 64 --layers 2 --group 8 --prompts-per-step 8 --max-tokens 32]
                           [--steps 20] [--rounds 2] [--wait passive]

Both take turns, `--rounds` times; the median step of each counts, without the first three. Rewards differ in kind
(TRL: the share of digits, a Python function; Gavel: whether there is a digit, its own judge), costs next to nothing
in both, and differ between the completions of a group, so that both compute every gradient. Completions are of the
same greatest length; a random model ends few of them earlier. Prints one JSON object.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent


def recipe(asked, folder, prompts):
    return f"""
[model]
path = "{folder}"

[tasks]
path = "{prompts}"
prompt = {{ text = "{{prompt}}" }}

[rubric]
components = [{{ name = "accuracy", grader = {{ type = "regex", pattern = "[0-9]" }} }}]

[sampling]
group_size = {asked.group}
max_tokens = {asked.max_tokens}

[train]
preset = "grpo"
steps = {asked.steps}
prompts_per_step = {asked.prompts_per_step}
learning_rate = 1e-4
warmup_steps = 0
objective = {{ kl = {{ coefficient = 0.0 }} }}

[eval]
n_tasks = 0

[checkpoint]
every = 0

[run]
threads = 2
tensorboard = false
"""


def gavel(asked, folder, prompts, place):
    path = place / "step.toml"
    path.write_text(recipe(asked, folder, prompts), encoding="utf-8")
    run = place / "run"
    command = [asked.gavel, "train", str(path), "--folder", str(run)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "RAYON_NUM_THREADS": "2"})
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [line for line in lines if line.get("kind") == "step"][3:]
    of = lambda name: statistics.median(step["seconds"][name] for step in steps)
    return {"seconds": of("total"), "sample": of("sample"), "judge": of("judge"), "update": of("update"),
            "tokens": statistics.median(step["n_sampled_tokens"] for step in steps)}


def trl(asked, folder, prompts):
    description = {"model": str(folder), "prompts": prompts, "group": asked.group,
                   "prompts_per_step": asked.prompts_per_step, "max_new_tokens": asked.max_tokens,
                   "steps": asked.steps, "threads": 2, "loss_type": "grpo", "wait_policy": asked.wait}
    done = subprocess.run([sys.executable, str(HERE / "trl_step.py"), json.dumps(description)],
                          check=True, capture_output=True, text=True)
    steps = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"step"')][3:]
    of = lambda name: statistics.median(step[name] for step in steps)
    return {"seconds": of("seconds"), "sample": of("generate_seconds"), "judge": of("reward_seconds"),
            "update": of("update_seconds") + of("prepare_seconds"), "tokens": of("tokens")}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gavel", required=True)
    counts = {"hidden": 64, "layers": 2, "group": 8, "prompts-per-step": 8, "max-tokens": 32, "steps": 20,
              "rounds": 2}
    for name, default in counts.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--wait", choices=["passive", "active"], default="passive")
    asked = parser.parse_args()
    rows = [{"prompt": f"{a:03d}+{a * 7 % 1000:03d}=".rjust(32), "answer": str(a + a * 7 % 1000)}
            for a in range(1000)]
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        folder = place / "model"
        subprocess.run([sys.executable, str(HERE / "tiny.py"), str(folder), "--hidden", str(asked.hidden),
                        "--layers", str(asked.layers)], check=True, capture_output=True)
        prompts = place / "prompts.jsonl"
        prompts.write_text("".join(
            json.dumps({"prompt": row["prompt"], "reference": row["answer"]}) + "\n" for row in rows),
            encoding="utf-8")
        ours, theirs = [], []
        for number in range(asked.rounds):
            here = place / str(number)
            here.mkdir()
            ours.append(gavel(asked, folder, prompts, here))
            theirs.append(trl(asked, folder, rows))
    best = {name: min(runs, key=lambda run: run["seconds"]) for name, runs in [("gavel", ours), ("trl", theirs)]}
    ratio = {name: best["trl"][name] / best["gavel"][name] for name in ("seconds", "sample", "update")
             if best["gavel"][name]}
    print(json.dumps({"gavel": best["gavel"], "trl": best["trl"], "times_faster": ratio}, indent=2))


if __name__ == "__main__":
    main()
