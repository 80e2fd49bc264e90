"""img2dataset in a process group of its own, which does not outlive us."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from utils import images
from utils.snapshot import child, found
from utils.snapshot.errors import SnapshotError
from utils.snapshot.plan import Plan

WIDTH = 256  # pixels of a stored banner
HEIGHT = 384
PATIENCE = 60.0  # seconds within which a picture must be whole
IN_VAIN = 100  # pictures in a row that a process gets no answer for, or that of a server in trouble, before it is over
DISTRIBUTORS = ("multiprocessing", "ray")

OPTIONS = {  # img2dataset's, in every run
    "input_format": "parquet",
    "url_col": "url",
    "save_additional_columns": ["appid", "name", "picture"],
    "output_format": "webdataset",
    "image_size": WIDTH,
    "resize_mode": "keep_ratio",
    "encode_quality": 95,
    "min_image_size": found.SMALLEST,
    "max_aspect_ratio": found.LONGEST,
    "incremental_mode": "incremental",  # safe because a plan never changes
    "extract_exif": False,  # pictures come upright
    "compute_hash": None,
}


@dataclass(frozen=True)
class Options:
    """How to download."""

    allowed: tuple[str, ...]  # what addresses must begin with
    processes: int
    threads: int  # a process
    distributor: str  # one of DISTRIBUTORS

    def __post_init__(self) -> None:
        if self.distributor not in DISTRIBUTORS:
            raise SnapshotError(f"unknown distributor {self.distributor!r}; allowed are {', '.join(DISTRIBUTORS)}")
        if self.distributor == "ray" and not importlib.util.find_spec("ray"):
            raise SnapshotError("the distributor 'ray' needs the package ray: pip install ray")


@dataclass(frozen=True)
class Run:
    """A running img2dataset."""

    plan: Plan
    process: subprocess.Popen

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def asked(self) -> int:
        """Return how many pictures have been asked for since it began."""
        with suppress(OSError):
            return sum(file.stat().st_size for file in _counted(self.plan).iterdir())
        return 0

    @property
    def in_vain(self) -> bool:
        """Whether the store seems to be down."""
        return _down(self.plan).exists()

    def last_words(self) -> str:
        """Return how it ended and the last line that it wrote."""
        if self.in_vain:
            return f"the store seems to be down: {IN_VAIN} pictures in a row got no answer, or that it is in trouble"
        log = _log(self.plan)
        lines = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
        ended = f"ended with code {self.process.returncode}" if self.ended else "downloads nothing more"
        return f"img2dataset {ended}; its last words in {log}: {lines[-1]!r}"


@contextmanager
def img2dataset(plan: Plan, addresses: pd.DataFrame, shards: Sequence[int], options: Options) -> Iterator[Run]:
    """Run img2dataset over a plan's unfinished shards, until it ends or the block does.

    addresses: appid, name, picture and url of each planned game, in the plan's order.
    """
    addresses.to_parquet(plan.folder / "addresses.parquet", index=False)
    shutil.rmtree(_counted(plan), ignore_errors=True)
    _down(plan).unlink(missing_ok=True)
    _counted(plan).mkdir(parents=True)
    with _log(plan).open("ab") as log:
        reading, writing = os.pipe()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
            [sys.executable, "-c", child.START],
            stdin=reading,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=_environment(),
        )
        os.close(reading)
    try:
        with suppress(BrokenPipeError):  # it has ended already: its last words say why
            os.write(writing, json.dumps(_child_options(plan, shards, options)).encode() + b"\n")
        yield Run(plan, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(writing)


def _child_options(plan: Plan, shards: Sequence[int], options: Options) -> dict:
    """Return the options that the process reads from its standard input."""
    bounds = {"allowed": options.allowed, "deadline": PATIENCE, "shards": list(shards), "in_vain": IN_VAIN}
    places = {"counted": str(_counted(plan).absolute()), "down": str(_down(plan).absolute())}
    return OPTIONS | {
        "url_list": str(plan.folder.absolute() / "addresses.parquet"),
        "output_folder": str(plan.folder.absolute() / "shards"),
        "number_sample_per_shard": plan.shard_size,
        "processes_count": min(options.processes, len(shards)),
        "thread_count": options.threads,
        "distributor": options.distributor,
        "bounds": bounds | places,
    }


def _environment() -> dict[str, str]:
    """Return the process's environment: it finds this package, and decodes no picture larger than is allowed."""
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    bounds = {"OPENCV_IO_MAX_IMAGE_PIXELS": str(images.MOST_PIXELS)}
    return os.environ | bounds | {"PYTHONPATH": path, "NO_ALBUMENTATIONS_UPDATE": "1"}


def _counted(plan: Plan) -> Path:
    return plan.folder / "shards" / "_tmp" / "asked"


def _down(plan: Plan) -> Path:
    return plan.folder / "shards" / "_tmp" / "down"


def _log(plan: Plan) -> Path:
    return plan.folder / "download.log"
