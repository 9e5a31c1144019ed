"""Runs cases of the official suite from the command line: `python tests/official/run_cases.py [PATTERN..]`.

A PATTERN is a regular expression looked for in the case's name, or the name of a group. --dynamic runs the cases with an unknown for
every dimension of their inputs and outputs; those of which needs_constants.txt says how they end must end so. --reasons counts what
stops those that do not pass.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence

from official_cases import DYNAMIC, GROUPS, SIZES, Case, all_forms, load_cases, needed_constants
from official_pool import Outcome, Pool, held_against


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("-v", "--verbose", action="store_true", help="show what passes, with its time")
    parser.add_argument("--dynamic", action="store_true", help="the cases' dynamic forms")
    parser.add_argument("--sizes", action="store_true", help="one case an operator on other sizes than those of its data")
    parser.add_argument("--opt-level", type=int, choices=range(4), help="for all cases; else 3, and 0 for dynamic forms")
    parser.add_argument("--reasons", action="store_true", help="count the reasons of failures")
    asked = parser.parse_args(arguments)
    start = time.perf_counter()
    cases = all_forms(load_cases())
    form = DYNAMIC if asked.dynamic else SIZES if asked.sizes else ""
    chosen = [case for case in _chosen(cases, asked.patterns) if case.form == form]
    if not chosen:
        print("no case matches", file=sys.stderr)
        return 2
    outcomes = _run(chosen, asked)
    if asked.reasons:
        _print_reasons(outcomes)
    _print_counts(cases, outcomes, time.perf_counter() - start)
    return int(not all(o.passed for o in outcomes))


def _chosen(cases: dict[str, Case], patterns: Sequence[str]) -> list[Case]:
    if not patterns:
        return list(cases.values())
    groups = {p for p in patterns if p in GROUPS}
    expressions = [re.compile(p) for p in patterns if p not in GROUPS]
    return [c for c in cases.values() if c.group in groups or any(e.search(c.name) for e in expressions)]


def _run(chosen: Sequence[Case], asked: argparse.Namespace) -> list[Outcome]:
    outcomes: list[Outcome] = []
    constants = {name + DYNAMIC: error for name, error in needed_constants().items()}
    pool = Pool((case.name for case in chosen), asked.jobs, asked.opt_level)
    try:
        for ran in pool:
            outcome = held_against(ran, constants.get(ran.name))
            outcomes.append(outcome)
            if not outcome.passed:
                print(f"{outcome.status.upper():7} {outcome.name}: {outcome.detail}", flush=True)
            elif asked.verbose:
                print(f"{'pass':7} {outcome.name} ({outcome.seconds:.2f} s)", flush=True)
    finally:
        pool.close()
    return outcomes


def _print_reasons(outcomes: Sequence[Outcome]) -> None:
    reasons = Counter(_reason(o) for o in outcomes if not o.passed)
    print("\nwhat stops cases:")
    for reason, count in reasons.most_common():
        print(f"{count:5}  {reason}")


def _reason(outcome: Outcome) -> str:
    missing = re.findall(r"(\S+): no lowering yet", outcome.detail)
    if missing:
        return "no lowering: " + ", ".join(sorted(set(missing)))
    code = re.match(r"ITG\d{4}", outcome.detail)
    words = re.sub(r'"[^"]*"', "..", outcome.detail)
    return f"{outcome.status}: {words[:100]}" if code or outcome.status != "wrong" else "wrong outputs"


def _print_counts(cases: dict[str, Case], outcomes: Sequence[Outcome], seconds: float) -> None:
    ran = Counter(cases[o.name].group for o in outcomes)
    passed = Counter(cases[o.name].group for o in outcomes if o.passed)
    print()
    for group in GROUPS:
        if ran[group]:
            print(f"{group:18} {passed[group]:5} of {ran[group]:5}")
    print(f"{'all':18} {sum(passed.values()):5} of {sum(ran.values()):5}   in {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
