"""Run both notebooks with the settings in the environment: python -m tools.run_notebooks out

Writes each executed notebook, an HTML page of it and a log into a folder, and says where to look. `make match` does
this; without make, settings are given as variables of the environment, such as STEAM_BANNERS_SOURCE=sample.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from utils import settings
from utils.errors import PlainError

NOTEBOOKS = ("download_steam_webdataset", "match_steam_banners_with_BEiT")
PAGES = {NOTEBOOKS[0]: "what was downloaded", NOTEBOOKS[1]: "which banners look alike"}
OPTIONS = ("--log-level=ERROR", "--execute", "--ExecutePreprocessor.timeout=-1")
QUIET = ("--ExecutePreprocessor.store_widget_state=False", "--ExecutePreprocessor.record_timing=False")


def main(folder: Path) -> str:
    """Run the notebooks into a folder; return what to do next. Raises PlainError with the last line of a failed log."""
    chosen = settings.read()
    folder.mkdir(parents=True, exist_ok=True)
    for name in NOTEBOOKS:
        print(f"Running {name}.ipynb on the source '{chosen.source}' ...", flush=True)
        run_one(name, folder)
    pages = [f"  {folder / name}.html    {what}" for name, what in PAGES.items()]
    gallery = f"  {chosen.gallery / 'index.html'}    any game's matches, to browse and to share"
    done = f"Both notebooks ran on the source '{chosen.source}'. Open in a browser:"
    return "\n".join(["", done, *pages, gallery, f"To pick games yourself: {again('play')}"])


def run_one(name: str, folder: Path) -> None:
    """Execute a notebook, drop what is nothing without a kernel, and make a page of it. The output goes to a log."""
    executed = folder / f"{name}.ipynb"
    log = folder / f"{name}.log"
    convert = [sys.executable, "-m", "nbconvert"]
    steps = [
        [*convert, "--to", "notebook", *OPTIONS, *QUIET, f"--output-dir={folder}", f"{name}.ipynb"],
        [sys.executable, "-m", "tools.keep_outputs", str(executed)],
        [*convert, "--to", "html", str(executed)],
    ]
    with log.open("wb") as output:
        for step in steps:
            if subprocess.run(step, stdout=output, stderr=output, check=False).returncode:
                raise PlainError(f"{last_line(log)}\nIt stopped there; the whole story is in {log}")


def last_line(log: Path) -> str:
    """Return the last line of a log that says something: an error's message."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "It said nothing."


def again(goal: str) -> str:
    """Return the command of make with every setting that was given, quoted for a shell."""
    given = {name: os.environ.get(settings.PREFIX + name) for name in settings.known()}
    words = [f"{name}={shlex.quote(value)}" for name, value in given.items() if value]
    return " ".join(["make", goal, *words])


if __name__ == "__main__":
    try:
        print(main(Path(sys.argv[1])))
    except PlainError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped; what is finished is kept, and the same command goes on.")
