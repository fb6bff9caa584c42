"""Measures Math-Verify on the pairs of `math_pairs.txt`, for comparison with `cargo bench --bench math`.

Needs `pip install math-verify`. Both sides are parsed for each pair and the caches are cleared between rounds,
as for answers that were never seen before. The best of the rounds counts, in processor time.
With `--against SECONDS` (our time for one pass over the pairs) it prints the ratio.
"""

import argparse
import gc
import pathlib
import time

from math_verify import parse, verify
from sympy.core.cache import clear_cache

ROUNDS = 5


def one_round(pairs: list[tuple[str, str]]) -> tuple[float, int]:
    clear_cache()
    for cached in gc.get_objects():
        if type(cached).__name__ == "_lru_cache_wrapper" and "math_verify" in (cached.__module__ or ""):
            cached.cache_clear()
    equal = 0
    start = time.process_time()
    for reference, answer in pairs:
        gold = parse(f"${reference}$")
        found = parse(f"So it is $\\boxed{{{answer}}}$.")
        equal += bool(verify(gold, found))
    return time.process_time() - start, equal


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--against", type=float, help="our seconds for one pass")
    against = arguments.parse_args().against
    text = (pathlib.Path(__file__).parent / "math_pairs.txt").read_text(encoding="utf-8")
    pairs = [tuple(line.split("\t")) for line in text.splitlines()]
    one_round(pairs)  # imports and first-use tables
    seconds, equal = min(one_round(pairs) for _ in range(ROUNDS))
    print(f"math-verify: {len(pairs)} pairs in {seconds * 1e3:.1f} ms, {len(pairs) / seconds:.0f} pairs/s, {equal} equal")
    if against:
        print(f"ratio: {seconds / against:.0f}")


if __name__ == "__main__":
    main()
