"""Features by many devices: actors of Ray, each with a share of the shards."""

import os
from types import ModuleType
from typing import TYPE_CHECKING

from utils.errors import PlainError
from utils.features.reading import Task
from utils.features.record import FeaturesError
from utils.features.stream import Stream, compute

if TYPE_CHECKING:
    from utils.encoder import Encoder


class _Actor:
    """A process of Ray with a device of its own."""

    def run(self, encoder: "Encoder", device: str, task: Task) -> Stream:
        yield from compute(task, encoder.to(device))


def compute_by_ray(task: Task, encoder: "Encoder", actors: int | None) -> Stream:
    """Compute the features of shards as `stream.compute` does, by actors of Ray.

    Uses the cluster that `ray.init` connected to, else this machine alone. `actors` is by default one for each GPU,
    else one for each core. Raises FeaturesError where Ray is not installed.
    """
    ray = import_ray()
    ours = not ray.is_initialized()
    if ours:
        ray.init("local", include_dashboard=False, log_to_driver=False)
    resources = ray.cluster_resources()
    device = "cuda" if "GPU" in resources else "cpu"
    most = int(resources["GPU" if device == "cuda" else "CPU"])
    kind = ray.remote(num_cpus=1, num_gpus=int(device == "cuda"))(_Actor)
    shares = _shares(task, min(actors or most, len(task.shards)))
    hands = [kind.remote() for _ in shares]
    shared = ray.put(encoder.to("cpu"))
    streaming = {"num_returns": "streaming"}
    streams = [
        hand.run.options(**streaming).remote(shared, device, each) for hand, each in zip(hands, shares, strict=True)
    ]
    try:
        yield from _arriving(ray, streams)
    finally:
        for hand in hands:
            ray.kill(hand)
        if ours:
            ray.shutdown()


def import_ray() -> ModuleType:
    """Return Ray, set to listen on this machine's loopback only if it is started here and not by `ray.init` before."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # read on import, and on every system
    try:
        import ray
    except ModuleNotFoundError:
        raise FeaturesError(
            "engine is 'ray', but Ray is not installed; pip install ray, or leave `engine` out"
        ) from None
    return ray


def _shares(task: Task, count: int) -> list[Task]:
    every = list(task.shards.items())
    return [Task(dict(every[start::count]), task.known, task.batch_size, task.workers) for start in range(count)]


def _arriving(ray: ModuleType, streams: list) -> Stream:
    """Yield what the actors' streams yield, as it comes."""
    while streams:
        ready = ray.wait(streams)[0][0]
        try:
            yield ray.get(next(ready))
        except StopIteration:
            streams.remove(ready)
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, PlainError) else error from None
