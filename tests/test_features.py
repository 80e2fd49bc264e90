import hashlib
import json
import multiprocessing
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import checkpoints
import downloads
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
import webdataset
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from utils import banners, encoder, features, files, snapshot
from utils.errors import CheckpointError, DamagedError, SettingsError, StorageError
from utils.features import parts

SIZE = 20  # banners a shard
VECTORS, ROWS = "img_emb/img_emb_00001.npy", "metadata/metadata_00001.parquet"


def jpeg(seed: int) -> bytes:
    return downloads.jpeg(downloads.noise((256, 384), seed))


def write_snapshot(folder: Path, pictures: dict[int, bytes]) -> Path:
    """Write a further snapshot as img2dataset leaves it, and have it verified: appid -> JPEG."""
    games = pd.DataFrame([(appid, f"Game {appid} é", "/a?1", f"http://store/{appid}") for appid in pictures])
    plan = snapshot.plan.write_plan(folder, games.set_axis(snapshot.plan.SCHEMA.names, axis=1), SIZE)
    for number in plan.shards:
        write_shard(plan.folder / "shards", number, plan.part_of_table(number), pictures)
    snapshot.update(pd.DataFrame({"appid": [], "name": [], "banner_url": []}), folder)
    return folder


def write_shard(place: Path, number: int, rows: pd.DataFrame, pictures: dict[int, bytes]) -> None:
    place.mkdir(exist_ok=True)
    rows = rows.assign(key=[f"{number:05}{row:04}" for row in range(len(rows))])
    with webdataset.TarWriter(str(place / f"{number:05}.tar")) as tar:
        for appid, key in zip(rows["appid"], rows["key"], strict=True):
            tar.write({"__key__": key, "jpg": pictures[appid], "json": {"appid": int(appid)}})
    rows = rows.assign(url=rows["banner_url"], status="success", error_message=None, exif=None)
    rows.to_parquet(place / f"{number:05}.parquet")
    (place / f"{number:05}_stats.json").write_text(json.dumps({"count": len(rows)}))


@pytest.fixture(scope="module")
def pictures() -> dict[int, bytes]:
    return {appid: jpeg(appid) for appid in range(10, 700, 10)}  # 69: three shards and a short one


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory, pictures) -> Path:
    return write_snapshot(tmp_path_factory.mktemp("snapshots"), pictures)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return checkpoints.write(tmp_path_factory.mktemp("checkpoints") / "tiny", image_size=64)


@pytest.fixture
def tiny(checkpoint) -> encoder.Encoder:
    return encoder.load(checkpoint, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, snapshots, checkpoint) -> Path:
    out = tmp_path_factory.mktemp("features")
    features.extract(snapshots, encoder.load(checkpoint, device="cpu", dtype="float32"), out, workers=0)
    return out


def content(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("[!.]*")) if file.is_file()}


def assert_embedded(found: features.Features, one: encoder.Encoder, pictures: dict[int, bytes]) -> None:
    """These games have the features of these pictures."""
    expected = one([banners.decode(pictures[appid]) for appid in found.appids]).numpy()
    assert np.abs(found.vectors - expected).max() < 4e-3  # float16 has a step of 2e-3 at 2 to 4


def counted(one: encoder.Encoder, before=lambda _: None) -> list[tuple[int, ...]]:
    """Return a list that grows by the shape of each batch that an encoder embeds; `before` is called with it first."""
    shapes, embed = [], one.embed

    def embed_and_count(batch):
        shapes.append(tuple(batch.shape))
        before(shapes)
        return embed(batch)

    one.embed = embed_and_count
    return shapes


def test_features_are_the_encoder_s_in_the_order_of_the_shards(snapshots, tiny, tmp_path, pictures):
    """Batches are full across shards, and all of one shape."""
    shapes = counted(tiny)
    features.extract(snapshots, tiny, tmp_path, batch_size=32, workers=0)
    assert shapes == [(32, 64, 64, 3)] * 3
    found = features.load(tmp_path)
    assert found.appids.tolist() == list(pictures)
    assert found.names.tolist() == [f"Game {appid} é" for appid in pictures]
    assert (found.appids.dtype, found.vectors.dtype, found.vectors.shape) == (np.int64, np.float16, (len(found), 32))
    assert_embedded(found, tiny, pictures)
    assert found.manifest == tiny.identity | {"preparation": "as they are", "refused": {}}


def test_files_are_those_of_clip_retrieval(undisturbed, pictures):
    """embedding-reader finds unit vectors, and beside them whose they are, what to show and where it is."""
    reading = pytest.importorskip("embedding_reader")
    reader = reading.EmbeddingReader(
        str(undisturbed / "img_emb"),
        metadata_folder=str(undisturbed / "metadata"),
        meta_columns=parts.SCHEMA.names,
        file_format="parquet_npy",
    )
    batches = list(reader(batch_size=30, start=0, end=reader.count, show_progress=False))
    vectors = np.concatenate([vectors for vectors, _ in batches])
    rows = pd.concat([rows for _, rows in batches])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    restored = (vectors * rows["norm"].to_numpy()[:, None]).astype(np.float16)
    np.testing.assert_array_equal(restored, features.load(undisturbed).vectors)
    for row, (appid, picture) in zip(rows.itertuples(), pictures.items(), strict=True):
        assert (row.appid, row.url) == (appid, f"http://store/{appid}")
        assert row.name == row.caption == f"Game {appid} é"
        assert row.jpeg_sha256 == hashlib.sha256(picture).hexdigest()


@given(arrays(np.float16, (4, 5), elements=st.floats(-65504, 65504, width=16)))
def test_dividing_by_the_length_loses_nothing(vectors):
    games = pd.DataFrame({"appid": [1, 2, 3, 4, 7], "name": list("abcde"), "banner_url": ""})
    shard = SimpleNamespace(snapshot="0001", path=Path("00000.tar"), plan="plan", sha256="tar", rows=games)
    part = parts.part_of(shard, {"dims": 5}, [""] * 4, vectors, [(7, "broken")])
    with tempfile.TemporaryDirectory() as place:
        parts.write_part(Path(place), 0, part)
        ((_, read),) = parts.read_parts(Path(place), {"dims": 5})
    np.testing.assert_array_equal(read.vectors, vectors)
    assert read.rows.equals(part.rows)
    assert (read.key, read.refused) == (parts.Key("0001", "00000", "plan"), [(7, "broken")])


def test_a_broken_picture_is_reported_and_left_out(tmp_path, pictures, tiny):
    broken = pictures | {30: pictures[30][:9000]}
    folder = write_snapshot(tmp_path / "snapshots", broken)
    with pytest.warns(UserWarning, match="00000.tar"):
        found = features.extract(folder, tiny, tmp_path / "out")
    assert found.appids.tolist() == [appid for appid in pictures if appid != 30]
    assert list(found.manifest["refused"]) == [30]
    assert "truncated" in found.manifest["refused"][30]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert features.extract(folder, tiny, tmp_path / "out").manifest == found.manifest


def test_ctrl_c_and_a_damaged_shard_leave_whole_shards(tmp_path, snapshots, tiny, undisturbed):
    """Later, only what is lacking is embedded; and how many processes decode changes nothing."""
    folder, out = Path(shutil.copytree(snapshots, tmp_path / "snapshots")), tmp_path / "out"
    tar = folder / "0001/shards/00002.tar"
    downloads.flip(tar)
    with pytest.raises(DamagedError) as caught:
        features.extract(folder, tiny, out, batch_size=4, workers=2)
    assert "Traceback" not in str(caught.value)
    with pytest.raises(DamagedError):
        features.load(out)
    downloads.flip(tar)

    def press(shapes):
        if len(shapes) == 7:
            raise KeyboardInterrupt

    begun, shapes = len(content(out)), counted(tiny, press)
    with pytest.raises(KeyboardInterrupt):
        features.extract(folder, tiny, out, batch_size=4, workers=1)
    assert 1 < begun < len(content(out)) < 9
    features.extract(folder, tiny, out, batch_size=4, workers=1)
    assert len(shapes) < 18  # batches that all take
    assert content(out) == content(undisturbed)


def test_too_little_memory_halves_the_batch(snapshots, tiny, tmp_path, undisturbed):
    def refuse_many(shapes):
        if shapes[-1][0] > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")

    shapes = counted(tiny, refuse_many)
    found = features.extract(snapshots, tiny, tmp_path, batch_size=16, workers=0)
    sizes = [shape[0] for shape in shapes]
    assert (sizes[:4], {*sizes[4:]}) == ([16, 8, 4, 4], {4})
    assert np.abs(found.vectors - features.load(undisturbed).vectors.astype(np.float32)).max() < 4e-3


def test_features_that_overflow_are_an_error(snapshots, tiny, tmp_path):
    tiny.embed = lambda batch, embed=tiny.embed: embed(batch) * 1e5
    with pytest.raises(CheckpointError) as error:
        features.extract(snapshots, tiny, tmp_path, workers=0)
    assert "game 10 " in str(error.value)


def extract_slowly(checkpoint: Path, snapshots: Path, out: Path) -> None:
    one = encoder.load(checkpoint, device="cpu", dtype="float32")
    counted(one, lambda _: time.sleep(0.02))
    features.extract(snapshots, one, out, workers=0)


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_is_as_undisturbed(snapshots, checkpoint, tmp_path, undisturbed):
    context = multiprocessing.get_context("forkserver")  # a clean process each, with the imports done once
    context.set_forkserver_preload(["utils.encoder", "utils.features"])
    moments, kills = np.random.default_rng(1), 0
    while True:
        before = len(content(tmp_path))
        process = context.Process(target=extract_slowly, args=(checkpoint, snapshots, tmp_path))
        process.start()
        while process.is_alive() and len(content(tmp_path)) <= before:
            time.sleep(0.001)
        process.join(moments.uniform(0, 0.02))
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        kills += 1
    assert process.exitcode == 0
    assert kills >= 3
    assert content(tmp_path) == content(undisturbed)


def test_what_is_new_or_fetched_again_is_computed_and_the_newest_banner_wins(
    tmp_path, snapshots, pictures, tiny, undisturbed
):
    folder = Path(shutil.copytree(snapshots, tmp_path / "snapshots"))
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    games = pd.read_parquet(folder / "0001/plan.parquet")[20:40]
    changed, second = pictures | {250: jpeg(3)}, {20: jpeg(1), 5000: jpeg(2)}
    write_shard(folder / "0001/shards", 1, games, changed)
    (folder / "0001/verified/00001.parquet").unlink()
    write_snapshot(folder, second)
    found = features.extract(folder, tiny, out)
    before, added = content(undisturbed), map(str, parts.pair(Path(), 4))
    differing = {name for name, held in content(out).items() if held != before.get(name)}
    assert differing == {"manifest.json", VECTORS, ROWS, *added}
    assert found.appids.tolist() == [appid for appid in pictures if appid != 20] + [20, 5000]
    assert_embedded(found, tiny, changed | second)


def test_features_of_another_encoder_are_never_mixed(snapshots, tiny, undisturbed):
    """Not even those of one whose identity has a key more, or a key less."""
    own, before = tiny.identity, content(undisturbed)
    fewer = {name: told for name, told in own.items() if name != "views"}
    for identity, says in [(own | {"image": "crop"}, "image crop"), (own | {"a": "b"}, "a b"), (fewer, "views None")]:
        tiny.identity = identity
        with pytest.raises(SettingsError, match=says):
            features.extract(snapshots, tiny, undisturbed)
    assert content(undisturbed) == before


def test_another_precision_may_read_but_not_go_on(snapshots, checkpoint, undisturbed, tmp_path):
    """What is finished is only read, whoever asks."""
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    written = [file.stat().st_mtime_ns for file in sorted(out.rglob("*.*"))]
    half = encoder.load(checkpoint, device="cpu", dtype="bfloat16")
    shapes = counted(half)
    assert features.extract(snapshots, half, out).manifest["dtype"] == "float32"
    assert (shapes, [file.stat().st_mtime_ns for file in sorted(out.rglob("*.*"))]) == ([], written)
    (out / ROWS).unlink()
    with pytest.raises(SettingsError, match="bfloat16"):
        features.extract(snapshots, half, out)


def test_features_are_those_of_the_folder_that_is_given(snapshots, tiny, undisturbed, tmp_path, pictures):
    """What another folder's shards gave stays on disk, is not returned, and need not be computed again."""
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    others = {appid: pictures[appid] for appid in range(390, 0, -10)} | {7: jpeg(7)}
    fewer = write_snapshot(tmp_path / "fewer", others)
    shapes = counted(tiny)
    found = features.extract(fewer, tiny, out)
    assert len(shapes) == 1  # for the one picture that is new
    assert found.appids.tolist() == list(others)
    np.testing.assert_array_equal(found.vectors[:-1], features.load(undisturbed).vectors[: len(others) - 1][::-1])
    assert features.extract(snapshots, tiny, out).appids.tolist() == list(pictures)
    assert len(shapes) == 1


def column(name, values):
    """Return what replaces a column of the rows, and gives it a right checksum."""

    def change(out):
        table, about = files.read_table(out / ROWS, parts.SCHEMA)
        place = table.column_names.index(name)
        files.write_table(out / ROWS, table.set_column(place, name, pa.array(values)), about)

    return change


@pytest.mark.parametrize(
    ("damage", "embedded", "sound"),
    [
        (lambda out: downloads.flip(out / VECTORS), 20, (0, 2, 3)),
        (lambda out: downloads.flip(out / "manifest.json"), 0, ()),
        (lambda out: (out / "manifest.json").unlink(), 0, ()),
        (lambda out: (out / ROWS).unlink(), 20, (0, 2, 3)),
        (lambda out: shutil.copy(out / VECTORS, parts.pair(out, 2)[0]), 20, (0, 1, 3)),
        (lambda out: list(map(shutil.copy, parts.pair(out, 2), parts.pair(out, 1))), 20, (0, 2, 3)),
        (column("appid", [str(row) for row in range(20)]), 20, (0, 2, 3)),
        (column("appid", [7] * 20), 20, (0, 2, 3)),
        (column("norm", np.full(20, np.inf, np.float32)), 20, (0, 2, 3)),
    ],
)
def test_what_is_damaged_is_said_and_made_again(snapshots, tiny, tmp_path, undisturbed, damage, embedded, sound):
    """It is not among what is finished, and only the pictures that it takes are embedded again."""
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    damage(out)
    with pytest.raises((DamagedError, StorageError)) as caught:
        features.load(out)
    assert str(out) in str(caught.value)
    pairs = [parts.pair(out, number) for number in sound]
    assert features.finished_files(tmp_path, check=True) == ([(out / "manifest.json",), *pairs] if sound else [])
    shapes = counted(tiny)
    features.extract(snapshots, tiny, out, batch_size=20)
    assert len(shapes) == embedded // 20
    assert content(out) == content(undisturbed)


def test_what_is_not_there_or_in_use_is_said(tmp_path, tiny, snapshots):
    with pytest.raises(StorageError):
        features.load(tmp_path)
    with pytest.raises(StorageError):
        features.extract(tmp_path, tiny, tmp_path / "out")
    with pytest.raises(SettingsError):
        features.extract(snapshots, tiny, tmp_path / "out", engine="spark")
    with files.locked(tmp_path), pytest.raises(StorageError):
        features.extract(snapshots, tiny, tmp_path)
    assert content(tmp_path) == {}


@pytest.mark.slow
def test_ray_computes_the_same_alone_or_on_a_cluster_that_is_there(
    snapshots, tiny, tmp_path, undisturbed, capsys, monkeypatch
):
    import ray

    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")  # a busy machine takes long to start it
    features.extract(snapshots, tiny, tmp_path / "alone", engine="ray", actors=2)
    assert content(tmp_path / "alone") == content(undisturbed)
    assert "69/69" in capsys.readouterr().err
    assert not ray.is_initialized()
    damaged = Path(shutil.copytree(snapshots, tmp_path / "damaged"))
    (damaged / "0001/shards/00001.tar").write_bytes(b"")
    ray.init("local", include_dashboard=False, num_cpus=2)
    try:
        features.extract(snapshots, tiny, tmp_path / "out", engine="ray")
        assert content(tmp_path / "out") == content(undisturbed)
        with pytest.raises(DamagedError, match=r"^/.*00001.tar changed"):
            features.extract(damaged, tiny, tmp_path / "other", engine="ray")
        assert ray.is_initialized()
    finally:
        ray.shutdown()
