"""Judges the same pairs with Gavel, with Math-Verify and with string graders, one after the other on one core.

Rows are `{"gold": …, "pred": …, "expected": true, "kind": …, "clean": true}`, one a line; those with `clean`
false are left out. From the root of the repository:

    python3 -m venv venv && venv/bin/pip install math-verify==0.9.0
    venv/bin/pip download verl==0.9.1 --no-deps && unzip verl-*.whl -d verl
    cargo build --release -p graders --example judge_pairs
    venv/bin/python graders/benches/equivalence.py --gavel target/release/examples/judge_pairs pairs.jsonl

Prints recall, false positives, pairs per second of processor time, and the time of the median and of the
slowest hundredth; then how many times as many pairs Gavel judges. Without rows it takes `math_pairs.txt`, of
whose 50 pairs 42 are equal: the most that recall can show there is 84 %. Every grader extracts by its own rules; bare LaTeX is put between dollar signs for
Math-Verify, which reads none without, and into a box for the string graders. With `--verl FOLDER` verl's string
graders take part.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import pathlib
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).parent


def rows(path):
    if path is None:
        lines = (HERE / "math_pairs.txt").read_text(encoding="utf-8").splitlines()
        pairs = (line.split("\t") for line in lines)
        return [{"gold": gold, "pred": pred, "expected": True, "config": {"raw_latex": True}} for gold, pred in pairs]
    loaded = (json.loads(line) for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines())
    return [row for row in loaded if row.get("clean", True)]


def math_verify():
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig, parse, verify

    kinds = {"latex": LatexExtractionConfig, "expr": ExprExtractionConfig, "string": StringExtractionConfig}

    def judge(row):
        config = row.get("config") or {}

        def read(text):
            if config.get("raw_latex") and "$" not in text and "\\boxed" not in text:
                text = f"${text}$"
            types = config.get("match_types") or ["latex", "expr"]
            chosen = []
            for kind in types:
                if kind == "latex" and "boxed_priority" in config:
                    chosen.append(LatexExtractionConfig(boxed_match_priority=config["boxed_priority"]))
                elif kind in kinds:
                    chosen.append(kinds[kind]())
            return parse(text, extraction_config=chosen)

        return bool(verify(read(row["gold"]), read(row["pred"]), float_rounding=config.get("precision", 6)))

    return judge


def verl(folder, name):
    spec = importlib.util.spec_from_file_location(name, folder / "verl/utils/reward_score" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def judge(row):
        gold, pred = (text.strip().strip("$") for text in (row["gold"], row["pred"]))
        text = pred if "\\boxed" in pred else f"\\boxed{{{pred}}}"
        with contextlib.redirect_stdout(io.StringIO()):
            if name == "math_dapo":
                return module.compute_score(f"Answer: {pred}", gold)["acc"]
            return module.compute_score(text, gold) > 0

    return judge


def measured(judge, pairs):
    for row in pairs[:20]:
        judge(row)
    times, verdicts = [], []
    for row in pairs:
        start = time.process_time()
        try:
            verdicts.append(judge(row))
        except Exception:
            verdicts.append(False)
        times.append(time.process_time() - start)
    return times, verdicts


def by_gavel(binary, pairs):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for row in pairs:
            file.write(json.dumps(row) + "\n")
        file.flush()
        out = subprocess.run([binary, file.name, "--json"], check=True, capture_output=True, text=True).stdout
    found = [json.loads(line) for line in out.splitlines()]
    return [row["seconds"] for row in found], [row["accepted"] for row in found]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("rows", nargs="?", help="pairs, JSON Lines")
    arguments.add_argument("--gavel", required=True, help="the built example `judge_pairs`")
    arguments.add_argument("--verl", type=pathlib.Path, help="an unpacked wheel of verl")
    arguments = arguments.parse_args()
    pairs = rows(arguments.rows)
    graders = {"gavel": lambda: by_gavel(arguments.gavel, pairs), "math-verify": lambda: measured(math_verify(), pairs)}
    if arguments.verl:
        for name in ("math_reward", "math_dapo"):
            graders[f"verl {name}"] = lambda name=name: measured(verl(arguments.verl, name), pairs)
    equal = sum(row["expected"] for row in pairs)
    print(f"{len(pairs)} pairs, {equal} of them equal")
    print(f"{'grader':18} {'recall %':>9} {'false + %':>9} {'pairs/s':>10} {'median ms':>10} {'p99 ms':>8} {'most ms':>8}")
    speeds = {}
    for name, run in graders.items():
        times, verdicts = run()
        accepted = sum(v and row["expected"] for v, row in zip(verdicts, pairs))
        wrong = sum(v and not row["expected"] for v, row in zip(verdicts, pairs))
        times_sorted = sorted(times)
        at = lambda share: times_sorted[min(len(times) - 1, int(share * len(times)))] * 1e3
        speeds[name] = len(pairs) / sum(times)
        false = 100 * wrong / max(1, len(pairs) - equal)
        print(
            f"{name:18} {100 * accepted / equal:9.1f} {false:9.2f} {speeds[name]:10.0f} {at(0.5):10.4f} "
            f"{at(0.99):8.3f} {times_sorted[-1] * 1e3:8.2f}"
        )
    for name, speed in speeds.items():
        if name != "gavel":
            print(f"gavel judges {speeds['gavel'] / speed:.1f} times as many pairs as {name}")


if __name__ == "__main__":
    main()
