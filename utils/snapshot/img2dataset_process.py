"""img2dataset in a process group of its own, which does not outlive us, with our download of a picture in it.

img2dataset alone reads a body of any length, decodes a picture of any size, follows any redirect, opens `file:`
addresses, never notices that a worker died, and spends 10 s on imports. What is ours instead stands in `patch`.
"""

import functools
import importlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from utils import http, images
from utils.catalogue import folder
from utils.errors import StorageError
from utils.snapshot import shards
from utils.snapshot.plan import Plan

MOST_BYTES = 8_000_000  # of a picture as the store serves it; Steam's largest banners take a tenth
PATIENCE = 60.0  # seconds within which a picture must be whole
MOST_IN_VAIN = 100  # pictures in a row that a process gets none of before it is over
DISTRIBUTORS = ("multiprocessing", "ray")

OPTIONS = {  # img2dataset's, in every run
    "input_format": "parquet",
    "url_col": "url",
    "save_additional_columns": ["appid", "name", "picture"],
    "output_format": "webdataset",
    "image_size": images.WIDTH,
    "resize_mode": "keep_ratio",
    "encode_quality": 95,
    "min_image_size": shards.SMALLEST,
    "max_aspect_ratio": shards.LONGEST,
    "incremental_mode": "incremental",  # safe because a plan never changes
    "extract_exif": False,  # pictures come upright
    "compute_hash": None,
}

_START = "from utils.snapshot import img2dataset_process; img2dataset_process.main()"
_TRIES = 2
_AS_IT_IS = 1_000_000  # bytes of a file that is handed on; a larger one is shrunk first, as many wait in memory
_MOST_REWRITTEN = 16_000_000  # pixels of a picture that is decoded here
_DECODING = threading.Lock()  # one picture at a time takes memory
_COUNTING = threading.Lock()
_in_vain = [0]  # pictures in a row that this process asked for in vain, whichever shards they belong to


@dataclass(frozen=True)
class Run:
    """A running img2dataset."""

    process: subprocess.Popen
    tmp: Path  # its own folder: a file in `asked` a process, a byte a picture, and `refused` where too many failed, why
    log: Path

    def is_over(self) -> bool:
        """Return whether it has ended, or the store seems to be down, or to refuse us."""
        return self.process.poll() is not None or (self.tmp / "refused").exists()

    def asked(self) -> int:
        """Return how many pictures have been asked for since it began."""
        with suppress(OSError):
            return sum(file.stat().st_size for file in (self.tmp / "asked").iterdir())
        return 0

    def exit_message(self) -> str:
        """Return how it ended, and the last answer or the last line that it wrote."""
        if (self.tmp / "refused").exists():
            why = (self.tmp / "refused").read_text(errors="replace")
            return f"{MOST_IN_VAIN} pictures in a row gave none, the last as {why}: the store is down or refuses us"
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["nothing"]
        is_running = self.process.returncode is None
        ended = "downloads nothing more" if is_running else f"ended with code {self.process.returncode}"
        return f"img2dataset {ended}; its last words in {self.log}: {lines[-1]!r}"


@contextmanager
def img2dataset(
    plan: Plan, addresses: pd.DataFrame, numbers: Sequence[int], allowed: Sequence[str], options: Mapping[str, Any]
) -> Iterator[Run]:
    """Run img2dataset over a plan's shards of these numbers, until it ends or the block does.

    addresses: the plan's table with the url of each picture. allowed: what those must begin with. options: how many
    processes and threads a process, and one of DISTRIBUTORS, in img2dataset's words.
    """
    tmp, log = plan.folder.absolute() / "shards" / "_tmp", plan.folder / "download.log"
    shutil.rmtree(tmp, ignore_errors=True)
    (tmp / "asked").mkdir(parents=True)
    addresses.to_parquet(tmp / "addresses.parquet", index=False)
    bounds = {"shards": list(numbers), "allowed": allowed, "deadline": PATIENCE, "most_in_vain": MOST_IN_VAIN}
    processes = min(options["processes_count"], len(numbers))
    sizes = {"processes_count": processes, "number_sample_per_shard": plan.shard_size}
    (tmp / "options.json").write_text(json.dumps({**OPTIONS, **options, **sizes, "bounds": bounds}))
    with log.open("ab") as said, _started(tmp, said) as process:
        try:
            yield Run(process, tmp, log)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    shutil.rmtree(tmp, ignore_errors=True)


def _started(tmp: Path, log: BinaryIO) -> subprocess.Popen:
    limits = {"OPENCV_IO_MAX_IMAGE_PIXELS": str(images.MOST_PIXELS), "NO_ALBUMENTATIONS_UPDATE": "1"}
    return subprocess.Popen(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", _START, str(tmp)],
        stdin=subprocess.PIPE,  # closes when we end, however that is
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd=Path(__file__).parents[2],  # where it finds this package
        env=os.environ | limits,
    )


# What runs in the downloading process and in its workers.


def main() -> None:
    """Run img2dataset in the folder that is named on the command line, with the options and addresses in there.

    When the other end of standard input closes, the whole process group ends.
    """
    tmp = Path(sys.argv[1])
    options = json.loads((tmp / "options.json").read_text())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if options["distributor"] == "ray":
        import ray

        if "RAY_ADDRESS" not in os.environ:  # a cluster on this machine, which only this machine can reach
            ray.init(num_cpus=options["processes_count"], include_dashboard=False, _node_ip_address="127.0.0.1")
    bounds = options.pop("bounds") | {"tmp": str(tmp)}
    patch(bounds).download(url_list=str(tmp / "addresses.parquet"), output_folder=str(tmp.parent), **options)


def _end_with_parent() -> None:
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


def patch(bounds: Mapping[str, Any]) -> types.ModuleType:
    """Put ours in the places of img2dataset's functions, in whichever process this runs, and return its main module.

    What it imports and a download does not use is left out: torch and ray alone take longer than all the rest. bounds:
    `shards`, the numbers of those to download; `allowed`, what addresses must begin with; `deadline`, seconds for a
    picture; `most_in_vain`, a process's pictures in a row; `tmp`, the folder of a Run.
    """
    unused: dict[str, Any] = {"wandb": types.ModuleType("wandb"), "torch": None, "ray": None}  # None: no such module
    sys.modules.update({name: stub for name, stub in unused.items() if name not in sys.modules})
    start = importlib.import_module("img2dataset.main")  # the package's name `main` is a function
    downloader = importlib.import_module("img2dataset.downloader")
    vars(downloader).update(download_image_with_retry=functools.partial(fetch, bounds=bounds))
    scale = functools.cache(importlib.import_module("albumentations").SmallestMaxSize)  # else made for each picture
    vars(importlib.import_module("img2dataset.resizer")).update(A=types.SimpleNamespace(SmallestMaxSize=scale))
    vars(start).update(
        Downloader=lambda **options: functools.partial(_download_shard, bounds, options),
        LoggerProcess=lambda *_: threading.Thread(),  # that does nothing: the update has its own progress bar
        multiprocessing_distributor=functools.partial(_distribute, bounds),
    )
    return start


def _download_shard(bounds: Mapping[str, Any], options: Mapping[str, Any], row: tuple[int, str]) -> tuple[bool, tuple]:
    """Download a shard by img2dataset with our `fetch`, if it is wanted, in whichever process this runs.

    img2dataset finds out by a glob which shards are there, and finds none under a folder named "[1]".
    """
    if row[0] not in bounds["shards"]:
        return True, row
    patch(bounds)
    return importlib.import_module("img2dataset.downloader").Downloader(**options)(row)


def _distribute(bounds: Mapping[str, Any], processes: int, downloader: Callable, reader: Iterable, *_: object) -> None:
    """Download shards in several processes; ends with an error as soon as one of them dies.

    The workers are forked before the reader starts threads, where that is safe; what is imported is theirs then.
    """
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(processes, context, patch, (bounds,)) as workers:
        workers.submit(os.getpid).result()
        for done in as_completed([workers.submit(downloader, row) for row in reader]):
            done.result()


def fetch(
    row: tuple[int, str], *, disallowed_header_directives: set[str] | None, bounds: Mapping[str, Any], **_: object
) -> tuple[int, io.BytesIO | None, str | None]:
    """Return a picture's key with its file, or with the reason why there is none, as img2dataset's function does."""
    key, address = row
    is_file = address.startswith("file:")
    content = error = None
    try:
        if is_file:
            own = folder.read_file(address, root=bounds["allowed"][0], limit=images.MOST_BYTES)
            content = io.BytesIO(for_opencv(own, images.OWN_FORMATS))
        else:
            content = io.BytesIO(for_opencv(_from_store(address, bounds, disallowed_header_directives)))
    except (http.HttpError, StorageError) as failed:
        error = str(failed)
    except Exception as failed:  # noqa: BLE001 - whatever it is, it costs this picture alone
        error = str(failed) if str(failed).startswith(images.TOO_LARGE) else f"damaged: {failed}"
    _count(bounds, None if is_file else error)
    return key, content, error


def for_opencv(content: bytes, formats: tuple[str, ...] = images.FORMATS) -> bytes:
    """Return a picture file that img2dataset's OpenCV shows as Pillow does; raises PictureError.

    OpenCV makes 16 bits white, cannot read every format and knows no colour profiles; img2dataset forgets EXIF's
    rotation. A plain JPEG is returned as it is; others are rewritten as an upright BMP, not much larger than a banner.
    """
    if len(content) <= _AS_IT_IS and images.is_plain(content, _MOST_REWRITTEN):
        return content
    with _DECODING:
        image = images.upright_rgb(images.open_picture(content, formats, most_pixels=_MOST_REWRITTEN))
        scale = max(1, min(image.width // images.WIDTH, image.height // images.HEIGHT))
        file = io.BytesIO()
        image.reduce(scale).save(file, "BMP")
        return file.getvalue()


def _from_store(address: str, bounds: Mapping[str, Any], disallowed: set[str] | None) -> bytes:
    answer = http.get(address, limit=MOST_BYTES, deadline=bounds["deadline"], allowed=bounds["allowed"], tries=_TRIES)
    if answer.status != HTTPStatus.OK:
        raise http.HttpError(f"status {answer.status}")
    is_disallowed = importlib.import_module("img2dataset.downloader").is_disallowed
    if disallowed and is_disallowed(answer.headers, None, disallowed):
        raise http.HttpError("disallowed by X-Robots-Tag")
    return answer.body


def _count(bounds: Mapping[str, Any], error: str | None) -> None:
    """Add a byte to this process's file, for the progress bar; where too many pictures in a row failed, say so.

    Then this process asks for nothing more, so that none of its shards is finished, and waits to be ended.
    """
    status, reason = ("", "") if error is None else shards.of_error(error)
    refused = False
    with _COUNTING, suppress(OSError):
        with Path(bounds["tmp"], "asked", str(os.getpid())).open("ab") as counted:
            counted.write(b".")
        _in_vain[0] = _in_vain[0] + 1 if status == "failed" else 0
        refused = _in_vain[0] >= bounds["most_in_vain"]
        if refused:
            Path(bounds["tmp"], "refused").write_text(reason)
    if refused:
        threading.Event().wait()
