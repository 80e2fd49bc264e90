"""Run the property tests again and again with new cases, for some minutes: python -m tools.fuzz MINUTES"""

import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

OPTIONS = ("-q", "-m", "hypothesis", "--hypothesis-profile=fuzz", "--hypothesis-show-statistics", "-n", "auto")
DAMAGING = "test_fuzz_files.py::"  # each example of its properties damages a file
PROPERTY = re.compile(r"^(\S+\.py::\S+):$")
EXAMPLES = re.compile(r"^ +- (\d+) passing, (\d+) failing, and \d+ invalid ")  # hypothesis's statistics of a phase
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)")


@dataclass
class Tally:
    """What the rounds so far tried, and what they found."""

    rounds: int = 0
    examples: Counter[str] = field(default_factory=Counter)  # of each property
    failures: Counter[str] = field(default_factory=Counter)  # property -> the rounds in which it failed
    began: float = field(default_factory=time.monotonic)

    def add(self, output: str) -> None:
        """Count what a round of pytest printed."""
        self.rounds += 1
        tested = ""
        for line in output.splitlines():
            if found := PROPERTY.match(line):
                tested = found[1]
            elif found := EXAMPLES.match(line):
                self.examples[tested] += int(found[1]) + int(found[2])
            elif found := FAILED.match(line):
                self.failures[found[1]] += 1

    def __str__(self) -> str:
        damaged = sum(count for name, count in self.examples.items() if DAMAGING in name)
        return (
            f"{self.rounds} rounds, {self.examples.total():,} examples, {damaged:,} of them damaged files, "
            f"{len(self.failures)} properties failed, {time.monotonic() - self.began:,.0f} s"
        )

    def table(self) -> str:
        """Return a line a property: its examples, and the rounds in which it failed."""
        names = sorted(self.examples | self.failures)
        return "\n".join(f"{self.examples[name]:>9,}{self.failures[name]:>5} failed  {name}" for name in names)


def main(minutes: float, tests: str = "tests") -> int:
    """Run rounds until the time is up, at least one, and return 0 where every property held in each.

    A round that fails is printed, with what reproduces it, and the next one goes on.
    """
    tally = Tally()
    try:
        while not tally.rounds or time.monotonic() - tally.began < 60 * minutes:
            ran = _round(tests)
            tally.add(ran.stdout)
            if ran.returncode:
                print(ran.stdout, ran.stderr, flush=True)
            print(tally, flush=True)
            if not tally.examples:
                sys.exit("no property was tried; what pytest said stands above")
    except KeyboardInterrupt:
        print("stopped")
    print(tally.table())
    return 1 if tally.failures else 0


def _round(tests: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", tests, *OPTIONS, f"--hypothesis-seed={time.time_ns()}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def minutes_of(text: str) -> float:
    """Return the minutes that FUZZ_MINUTES gives; ends the program in one line for anything else."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes < float("inf"):
        sys.exit(f"FUZZ_MINUTES is {text!r}; allowed is a number of minutes, as in make fuzz FUZZ_MINUTES=10")
    return minutes


if __name__ == "__main__":
    sys.exit(main(minutes_of(sys.argv[1] if len(sys.argv) > 1 else "")))
