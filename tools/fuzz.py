"""Run the property tests again and again with new cases, for some minutes: python -m tools.fuzz MINUTES"""

import re
import subprocess
import sys
import time

OPTIONS = ("-q", "-m", "hypothesis", "--hypothesis-profile=fuzz", "--hypothesis-show-statistics", "-n", "auto")


def main(minutes: float) -> int:
    """Return 0 where every round passed until the time was up; the first round that fails is printed, and ends it."""
    end = time.monotonic() + 60 * minutes
    cases = 0
    rounds = 0
    while not rounds or time.monotonic() < end:
        command = [sys.executable, "-m", "pytest", *OPTIONS, f"--hypothesis-seed={time.time_ns()}"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        rounds += 1
        cases += sum(int(count) for count in re.findall(r"(\d+) (?:passing|failing|invalid) examples", ran.stdout))
        print(f"round {rounds}: {cases:,} cases so far", flush=True)
        if ran.returncode:
            print(ran.stdout)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
