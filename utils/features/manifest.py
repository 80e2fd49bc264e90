"""The manifest of a folder of features: what made them, and which shard has which number."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from utils import files
from utils.features.record import FeaturesDamaged, FeaturesError, FeaturesMissing
from utils.snapshot import Shard

_REMEDY = "features.extract makes it again from the files beside it"


class Key(NamedTuple):
    """What tells a shard from all others, and stays when the shard is fetched again."""

    snapshot: str
    shard: str
    plan: str  # hash of the snapshot's plan


def key_of(shard: Shard) -> Key:
    return Key(shard.snapshot, shard.path.stem, shard.plan)


class Manifest(NamedTuple):
    """What made the features, and whose they are."""

    about: dict  # Encoder.identity, and "preparation"
    keys: list[Key]  # by the number of a shard's files, whether the shard is still there or not
    here: frozenset[int]  # numbers of the shards that are in the folder of snapshots

    @property
    def identity(self) -> dict:
        """Encoder.identity of the encoder that the features were begun with."""
        return {name: value for name, value in self.about.items() if name != "preparation"}


def read_manifest(out: Path) -> Manifest:
    """Return the manifest of a folder; raises FeaturesMissing, or FeaturesDamaged for one that cannot be believed."""
    file = out / "manifest.json"
    if not file.is_file():
        raise FeaturesMissing(f"{out} holds no features; features.extract computes them")
    try:
        content = json.loads(file.read_bytes())
        written = content.pop("checksum", None)  # the first edition wrote none
        sound = written is None or written == _checksum(content)
        keys = []
        here = set()
        for number, each in enumerate(content.pop("shards")):
            keys.append(Key(str(each["snapshot"]), str(each["shard"]), str(each["plan"])))
            if not each.get("gone"):
                here.add(number)
        sound = sound and isinstance(content["dims"], int) and isinstance(content["dtype"], str)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise FeaturesDamaged(f"{file} is not what was written; {_REMEDY}")
    return Manifest(content, keys, frozenset(here))


def write_manifest(out: Path, manifest: Manifest) -> None:
    """Write the manifest whole or not at all, unless it stands there already."""
    shards = []
    for number, key in enumerate(manifest.keys):
        gone = {} if number in manifest.here else {"gone": True}
        shards.append(key._asdict() | gone)
    content = manifest.about | {"shards": shards}
    text = json.dumps(content | {"checksum": _checksum(content)}, indent=1).encode()
    file = out / "manifest.json"
    if not file.is_file() or file.read_bytes() != text:
        files.write(file, text)


def enrolled(manifest: Manifest, keys: Iterable[Key]) -> Manifest:
    """Return a manifest for the shards that are there now; a shard keeps the number that it once had."""
    wanted = list(keys)
    every = list(dict.fromkeys([*manifest.keys, *wanted]))
    numbers = dict(zip(every, range(len(every)), strict=True))
    return Manifest(manifest.about, every, frozenset(map(numbers.__getitem__, wanted)))


def check_identity(identity: dict, about: dict, out: Path) -> None:
    """Raise FeaturesError where the features on disk are not those of an encoder."""
    differ = [name for name, value in identity.items() if about.get(name) != value]
    if differ:
        raise FeaturesError(
            f"{out} holds features of {_told(about, differ)}, but the encoder is of {_told(identity, differ)}; "
            f"load it as the features were made, give another `out`, or delete {out} to compute them again"
        )


def _told(about: dict, names: list[str]) -> str:
    return ", ".join(f"{name} {about.get(name)}" for name in names)


def _checksum(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
