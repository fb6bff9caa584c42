"""Compares `math_compat` with the packages that it reproduces.

Set-up, outside the repository:

    python3 -m venv venv && venv/bin/pip install math-verify==0.9.0
    venv/bin/pip download verl==0.9.1 --no-deps && unzip verl-*.whl -d verl
    venv/bin/pip download verl==0.8.0 --no-deps -d old && unzip old/verl-*.whl -d verl-0.8

Then, from the root of the repository (rows are `{"gold": …, "pred": …}`, one a line):

    venv/bin/python graders/benches/compat_peers.py --verl verl --old-verl verl-0.8 pairs.jsonl
    venv/bin/python graders/benches/compat_peers.py --verl verl --old-verl verl-0.8 --fuzz 5000 --seed 1

verl's files are loaded one by one, so that none of its dependencies is needed. Each row is judged by every
peer and by `cargo run -p graders --example judge_compat`; the agreement of each mode is printed, with the rows
on which a mode differs. Math-Verify takes tens of milliseconds for a row: `--skip-math-verify` leaves it out.
With `--rows FILE` the peers' verdicts are written down.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import logging
import pathlib
import random
import subprocess
import sys
import tempfile

EXCERPT = 200  # characters that a verdict's detail quotes
EXACT = ["gsm8k_strict", "gsm8k_flexible", "math_dapo", "math_dapo_minerva", "math_dapo_strict_box", "hendrycks_math"]


def load(folder: pathlib.Path, name: str):
    path = folder / "verl/utils/reward_score" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_{id(path)}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peers(arguments):
    gsm8k, dapo, hendrycks = (load(arguments.verl, name) for name in ("gsm8k", "math_dapo", "math_reward"))
    old_dapo = load(arguments.old_verl, "math_dapo") if arguments.old_verl else None

    def by_gsm8k(method):
        def judge(gold, pred):
            return gsm8k.compute_score(pred, gold, method=method), gsm8k.extract_solution(pred, method)
        return judge

    def by_dapo(module, strict):
        def judge(gold, pred):
            result = module.compute_score(pred, gold, strict_box_verify=strict)
            return result["score"], result["pred"]
        return judge

    def by_hendrycks(gold, pred):
        with contextlib.redirect_stdout(io.StringIO()):
            score = hendrycks.compute_score(pred, gold)
            try:
                box = hendrycks.last_boxed_only_string(pred)
                extracted = None if box is None else hendrycks.remove_boxed(box)
            except AssertionError:
                extracted = None
        return score, extracted

    judges = {
        "gsm8k_strict": by_gsm8k("strict"),
        "gsm8k_flexible": by_gsm8k("flexible"),
        "math_dapo": by_dapo(dapo, False),
        "math_dapo_strict_box": by_dapo(dapo, True),
        "hendrycks_math": by_hendrycks,
    }
    if old_dapo:
        judges["math_dapo_minerva"] = by_dapo(old_dapo, False)
    if not arguments.skip_math_verify:
        from math_verify import parse, verify

        logging.disable(logging.CRITICAL)

        def by_math_verify(gold, pred):
            # The extracted value is a tree whose text may be without end: only the verdict is compared.
            return float(bool(verify(parse(gold), parse(pred)))), None

        judges["math_verify"] = by_math_verify
    return judges


PIECES = [
    "\\boxed{", "\\boxed ", "\\boxed", "\\fbox{", "}", "{", "\\frac", "\\frac12", "\\dfrac{1}{2}", "\\tfrac", "\\sqrt",
    "\\sqrt3", "\\text{ cm}", "\\text{m}", "\\text{and}", "\\textbf{", "\\mbox{", "\\overline{", "\\left(", "\\right)",
    "^\\circ", "^{\\circ}", "\\$", "$", "$$", "\\%", "\\\\%", "\\!", "{,}", ",\\!", "\\;", "\\ ", "\\ldots", "\\dots",
    "\\mathrm{th}", "\\text{\ns}", "\\text{}^2", "=", "x=", "ab=", "abc=", " = ", "0.5", ".5", " .", "{.", "-", "/", "1/2", "-3/4",
    "+1/2", "01/2", "-0/1", "0/5", "1,234", "12", "3", "7", "1.0", ".", ",", "#### ", "####", "###### ", "#### -", "#### $",
    "Answer:", "answer :", "ANSWER: ", "an\u017fwer:", "Answer", ":", "\n", "\r", " ", "\u00a0", "\u2028", "\x1c", "\t", "a ", "an ", "square", "units",
    "degrees", "km", "cm", "sue", "²", "٣", "①", "𝟙", "½", "é", "日本", "\U0001f600", "[INVALID]", "\\pi", "(1,2)", "\"", "x", "the answer is",
]


def mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(0, 4)):
        at = chance.randint(0, len(text))
        match chance.randint(0, 3):
            case 0:
                text = text[:at] + text[at + chance.randint(1, 4):]
            case 1:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 2:
                text = text[:at] + text[max(0, at - chance.randint(1, 9)):]
            case 3:
                text = text[:at] + chance.choice("0123456789{}\\$,.=/ -") + text[at:]
    return text


def fuzzed(count: int, seed: int, golds: list[str]):
    """Rows made of pieces and of mutated answers, in the frames that the peers look for."""
    chance = random.Random(seed)
    frames = ["{}", "\\boxed{{{}}}", "So \\boxed{{{}}}.", "Answer: {}", "thus\nAnswer: ${}$\n", "#### {}", "$\\boxed{{{}}}$ and \\boxed{{{}}}",
              "\\boxed {}$", "Answer:\n\n{}", "Answer: \\boxed{{{}}}", "The final answer is ${}$. I hope it is correct.", "{} = {}"]
    for _ in range(count):
        if golds and chance.random() < 0.5:
            gold = chance.choice(golds)
        else:
            gold = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 6)))
        pred = mutated(gold, chance) if chance.random() < 0.7 else gold
        if chance.random() < 0.9:
            pred = chance.choice(frames).replace("{}", "\0").replace("{{", "{").replace("}}", "}").replace("\0", pred)
        if chance.random() < 0.3:
            pred += "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 8)))
        if chance.random() < 0.1:
            pred = chance.choice(PIECES) * chance.choice([90, 290, 3000]) + pred
        if chance.random() < 0.05:
            pred += chance.choice(PIECES) * chance.choice([20, 90, 300])
        if chance.random() < 0.02:
            gold, pred = (side + "7" * chance.choice([4299, 4300, 4301]) + "/" + "3" for side in (gold[:3], pred[:3]))
            pred = "\\boxed{" + pred + "}"
        yield {"gold": gold, "pred": mutated(pred, chance) if chance.random() < 0.3 else pred}


def ours(rows) -> list[dict]:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({"gold": row["gold"], "pred": row["pred"]}) + "\n")
        file.flush()
        command = ["cargo", "run", "-q", "-p", "graders", "--example", "judge_compat", "--", file.name]
        output = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    return [json.loads(line) for line in output.split("\n") if line]


def excerpt(text):
    return text if text is None or len(text) <= EXCERPT else text[:EXCERPT] + "…"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("pairs", nargs="?", type=pathlib.Path)
    arguments.add_argument("--verl", type=pathlib.Path, required=True, help="where verl's wheel was unpacked")
    arguments.add_argument("--old-verl", type=pathlib.Path, help="the same for verl 0.5.0 to 0.8.0")
    arguments.add_argument("--fuzz", type=int, default=0, help="rows to make, mutated from the pairs if there are any")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--skip-math-verify", action="store_true")
    arguments.add_argument("--rows", type=pathlib.Path, help="write the peers' verdicts there")
    arguments.add_argument("--show", type=int, default=10, help="differing rows to print for each mode")
    arguments = arguments.parse_args()
    rows = []
    if arguments.pairs:
        with arguments.pairs.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        for row in rows:
            # Some collections hold bare formulas, which Math-Verify expects between dollar signs.
            if row.get("config", {}).get("raw_latex"):
                row["gold"], row["pred"] = f"${row['gold']}$", f"${row['pred']}$"
    if arguments.fuzz:
        rows = list(fuzzed(arguments.fuzz, arguments.seed, [row["gold"].strip("$") for row in rows]))
    judges = peers(arguments)
    found = ours(rows)
    assert len(found) == len(rows), f"{len(found)} verdicts for {len(rows)} rows"
    failed = False
    written = [{"gold": row["gold"], "pred": row["pred"]} for row in rows]
    for mode, judge in judges.items():
        same, wrong, both = 0, [], [0, 0, 0, 0]
        for row, verdicts, record in zip(rows, found, written):
            score, extracted = judge(row["gold"], row["pred"])
            record[mode] = {"score": score, "extracted": extracted}
            own = verdicts[mode]
            equal = own["score"] == score and (mode not in EXACT or own["extracted"] == excerpt(extracted))
            both[2 * (score > 0) + (own["score"] > 0)] += 1
            same += equal
            if not equal:
                wrong.append((row["gold"], row["pred"], (score, extracted), (own["score"], own["extracted"])))
        slowest = max(verdicts[mode]["us"] for verdicts in found)
        print(f"{mode:22} {same}/{len(rows)} = {100 * same / len(rows):.2f} %   peer accepts {both[2] + both[3]},"
              f" only peer {both[2]}, only ours {both[1]}, slowest {slowest / 1000:.1f} ms")
        for gold, pred, theirs, own in wrong[: arguments.show]:
            print(f"    {gold[:120]!r} | {pred[:200]!r}: {theirs} but ours {own}"[:700])
        failed |= mode in EXACT and bool(wrong)
    if arguments.rows:
        with arguments.rows.open("w", encoding="utf-8") as file:
            for record in written:
                file.write(json.dumps(record) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
