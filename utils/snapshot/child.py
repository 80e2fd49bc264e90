"""What the downloading process runs: img2dataset, with our download of a picture in the place of its own.

The process is on a leash: when the other end of its standard input closes, it ends its whole process group. Most of
img2dataset's start is imports, repeated in every process that it spawns; here they are done once, in a server that
forks the workers, and without what a download never uses.
"""

import functools
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from multiprocessing import forkserver

START = "from utils.snapshot import child; child.main()"


def main() -> None:
    """Run img2dataset with the options that stand as JSON on the first line of standard input."""
    options = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    bounds = options.pop("bounds")
    if options["distributor"] == "ray":
        _join_ray(options["processes_count"])
    else:
        _start_fork_server()
    _download(options, bounds)


def _end_with_parent() -> None:
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


def _start_fork_server() -> None:
    """Let a server of forks import what the workers need, while this process imports it too."""
    if "forkserver" in multiprocessing.get_all_start_methods():  # Windows has none
        multiprocessing.set_forkserver_preload(["utils.snapshot.bounded"])
        forkserver.ensure_running()


def _join_ray(processes: int) -> None:
    """Connect to the cluster at RAY_ADDRESS, or start one on this machine, which only this machine can reach."""
    import ray

    if "RAY_ADDRESS" not in os.environ:
        ray.init(num_cpus=processes, include_dashboard=False, _node_ip_address="127.0.0.1")


def _download(options: dict, bounds: Mapping[str, object]) -> None:
    from utils.snapshot import bounded  # brings img2dataset

    ours = functools.partial(bounded.BoundedDownloader, bounds)
    vars(bounded.main).update(Downloader=ours, LoggerProcess=_NoLogger)
    vars(bounded.distributor).update(get_context=_context)
    bounded.main.download(**options)


def _context(_: str) -> multiprocessing.context.BaseContext:
    """Return how workers are started, whatever img2dataset asks for."""
    known = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in known else "spawn")


class _NoLogger:
    """Stands for img2dataset's process of speed lines: the update has its own progress bar."""

    done_shards: frozenset[int] = frozenset()

    def __init__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass

    def join(self) -> None:
        pass

    def terminate(self) -> None:
        pass
