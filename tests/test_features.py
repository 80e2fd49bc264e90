import hashlib
import io
import itertools
import json
import multiprocessing
import shutil
import tarfile
import tempfile
import time
import warnings
from pathlib import Path

import checkpoints
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from utils import banners, encoder, features, files, snapshot
from utils.errors import CheckpointError, DamagedError, PlainError, SettingsError, StorageError
from utils.features import parts

SIZE = 20  # banners a shard


def jpeg(seed: int) -> bytes:
    noise = Image.fromarray(np.random.RandomState(seed).randint(0, 256, (6, 4, 3)).astype(np.uint8))
    content = io.BytesIO()
    noise.resize((256, 384), Image.Resampling.BICUBIC).save(content, "JPEG", quality=95)
    return content.getvalue()


def write_snapshot(folder: Path, pictures: dict[int, bytes]) -> Path:
    """Write a further snapshot as img2dataset leaves it, and have it verified: appid -> JPEG."""
    place = folder / f"{len(list(folder.glob('0*'))) + 1:04}"
    (place / "shards").mkdir(parents=True)
    (place / "verified").mkdir()
    plan = pd.DataFrame({"appid": list(pictures), "name": [f"Game {appid} é" for appid in pictures], "picture": "/a?1"})
    plan["banner_url"] = [f"http://store/{appid}" for appid in pictures]
    planned = pa.Table.from_pandas(plan, snapshot.plan.SCHEMA, preserve_index=False)
    files.write_table(place / "plan.parquet", planned, {"shard_size": str(SIZE)})
    for number, start in enumerate(range(0, len(plan), SIZE)):
        write_shard(place / "shards", number, plan[start : start + SIZE], pictures)
    verify(folder)
    return folder


def write_shard(place: Path, number: int, rows: pd.DataFrame, pictures: dict[int, bytes]) -> None:
    rows = rows.assign(key=[f"{number:05}{row:04}" for row in range(len(rows))])
    with tarfile.open(place / f"{number:05}.tar", "w") as tar:
        for appid, key in zip(rows["appid"], rows["key"], strict=True):
            member = tarfile.TarInfo(f"{key}.jpg")
            member.size = len(pictures[appid])
            tar.addfile(member, io.BytesIO(pictures[appid]))
            said = json.dumps({"appid": int(appid)}).encode()
            member = tarfile.TarInfo(f"{key}.json")
            member.size = len(said)
            tar.addfile(member, io.BytesIO(said))
    rows.assign(url=rows["banner_url"], status="success", error_message=None, exif=None).to_parquet(
        place / f"{number:05}.parquet"
    )
    (place / f"{number:05}_stats.json").write_text(json.dumps({"count": len(rows)}))


def verify(folder: Path) -> None:
    snapshot.update(pd.DataFrame({"appid": [], "name": [], "banner_url": []}), folder)


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
    files = (file for file in sorted(out.rglob("[!.]*")) if file.is_file())
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


def counted(one: encoder.Encoder) -> list[tuple[int, ...]]:
    """Return a list that grows by the shape of each batch that an encoder embeds from now on."""
    shapes, embed = [], one.embed

    def embed_and_count(batch):
        shapes.append(tuple(batch.shape))
        return embed(batch)

    one.embed = embed_and_count
    return shapes


# ------------------------------------------------------------------------------------------------------ extraction


def test_features_are_the_encoder_s_in_the_order_of_the_shards(undisturbed, pictures, tiny):
    found = features.load(undisturbed)
    assert found.appids.tolist() == list(pictures)
    assert found.names.tolist() == [f"Game {appid} é" for appid in pictures]
    assert (found.appids.dtype, found.vectors.dtype, found.vectors.shape) == (np.int64, np.float16, (69, 32))
    assert len(found) == 69
    expected = tiny([banners.decode(each) for each in pictures.values()]).numpy()
    assert np.abs(found.vectors - expected).max() < 4e-3  # float16 has a step of 2e-3 at 2 to 4
    assert found.manifest == tiny.identity | {"preparation": "as they are", "refused": {}}


def test_files_are_those_of_clip_retrieval(undisturbed, pictures):
    """embedding-reader finds unit vectors, and beside them whose they are, what to show and where it is."""
    reading = pytest.importorskip("embedding_reader")
    columns = ["appid", "name", "caption", "url", "jpeg_sha256", "norm"]
    reader = reading.EmbeddingReader(
        str(undisturbed / "img_emb"),
        metadata_folder=str(undisturbed / "metadata"),
        meta_columns=columns,
        file_format="parquet_npy",
    )
    assert (reader.count, reader.dimension) == (69, 32)
    batches = list(reader(batch_size=30, start=0, end=reader.count, show_progress=False))
    vectors = np.concatenate([vectors for vectors, _ in batches])
    rows = pd.concat([rows for _, rows in batches])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    restored = (vectors * rows["norm"].to_numpy()[:, None]).astype(np.float16)
    np.testing.assert_array_equal(restored, features.load(undisturbed).vectors)
    assert rows["appid"].tolist() == list(pictures)
    assert rows["caption"].tolist() == rows["name"].tolist() == [f"Game {appid} é" for appid in pictures]
    assert rows["url"].tolist() == [f"http://store/{appid}" for appid in pictures]
    assert rows["jpeg_sha256"].tolist() == [hashlib.sha256(jpeg).hexdigest() for jpeg in pictures.values()]


@given(arrays(np.float16, (4, 5), elements=st.floats(-65504, 65504, width=16)))
def test_dividing_by_the_length_loses_nothing(vectors):
    with tempfile.TemporaryDirectory() as place:
        names, key = np.array(list("abcd"), object), parts.Key("0001", "00000", "plan")
        part = parts.Part(key, "tar", {"dims": 5}, np.arange(4), names, [""] * 4, [""] * 4, vectors, [(7, "broken")])
        parts.write_part(Path(place), 0, part)
        read = parts.read_part(Path(place), 0, parts.Manifest({"dims": 5}, [key], frozenset([0])))
    np.testing.assert_array_equal(read.vectors, vectors)
    assert (read.refused, read.names.tolist()) == (part.refused, list("abcd"))


def test_batches_are_full_across_shards_and_of_one_shape(snapshots, tiny, tmp_path):
    shapes = counted(tiny)
    features.extract(snapshots, tiny, tmp_path, batch_size=32, workers=0)
    assert shapes == [(32, 64, 64, 3)] * 3


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(snapshots, tiny, tmp_path, undisturbed, workers):
    torch.rand(500, 500) @ torch.rand(500, 500)  # its threads are there when the workers start
    features.extract(snapshots, tiny, tmp_path, workers=workers)
    assert content(tmp_path) == content(undisturbed)


def test_a_finished_extraction_is_only_read(snapshots, tiny, undisturbed):
    before, shapes = content(undisturbed), counted(tiny)
    written = [file.stat().st_mtime_ns for file in sorted(undisturbed.rglob("*.*"))]
    assert len(features.extract(snapshots, tiny, undisturbed)) == 69
    assert shapes == []
    assert content(undisturbed) == before
    assert [file.stat().st_mtime_ns for file in sorted(undisturbed.rglob("*.*"))] == written


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


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_shard_stops_with_whole_shards_kept(tmp_path, pictures, tiny, undisturbed, workers):
    folder, out = write_snapshot(tmp_path / "snapshots", pictures), tmp_path / "out"
    tar = folder / "0001/shards/00002.tar"
    good = tar.read_bytes()
    tar.write_bytes(good[:5000] + bytes([good[5000] ^ 1]) + good[5001:])
    with pytest.raises(DamagedError) as caught:
        features.extract(folder, tiny, out, batch_size=4, workers=workers)
    assert "Traceback" not in str(caught.value)
    with pytest.raises(StorageError):
        features.load(out)
    tar.write_bytes(good)
    features.extract(folder, tiny, out, workers=workers)
    assert content(out) == content(undisturbed)


def test_too_little_memory_halves_the_batch(snapshots, tiny, tmp_path, undisturbed):
    embed, sizes = tiny.embed, []

    def embed_in_little_memory(batch):
        sizes.append(len(batch))
        if len(batch) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return embed(batch)

    tiny.embed = embed_in_little_memory
    found = features.extract(snapshots, tiny, tmp_path, batch_size=16, workers=0)
    assert sizes[:4] == [16, 8, 4, 4]
    assert set(sizes[4:]) == {4}
    assert np.abs(found.vectors - features.load(undisturbed).vectors.astype(np.float32)).max() < 4e-3


def test_features_that_overflow_are_an_error(snapshots, tiny, tmp_path):
    embed = tiny.embed
    tiny.embed = lambda batch: embed(batch) * 1e5
    with pytest.raises(CheckpointError) as error:
        features.extract(snapshots, tiny, tmp_path, workers=0)
    assert "game 10 " in str(error.value)


# -------------------------------------------------------------------------------------------------- ends and resumes


def test_ctrl_c_leaves_whole_shards(snapshots, tiny, tmp_path, undisturbed):
    embed, passes = tiny.embed, itertools.count()

    def embed_until_ctrl_c(batch):
        if next(passes) == 4:
            raise KeyboardInterrupt
        return embed(batch)

    tiny.embed = embed_until_ctrl_c
    with pytest.raises(KeyboardInterrupt):
        features.extract(snapshots, tiny, tmp_path, batch_size=16, workers=1)
    assert 2 < len(content(tmp_path)) < 9
    tiny.embed = embed
    features.extract(snapshots, tiny, tmp_path, batch_size=16, workers=0)
    assert content(tmp_path) == content(undisturbed)


def extract_slowly(checkpoint: Path, snapshots: Path, out: Path) -> None:
    one = encoder.load(checkpoint, device="cpu", dtype="float32")
    embed = one.embed
    one.embed = lambda batch: (time.sleep(0.02), embed(batch))[1]
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


# ------------------------------------------------------------------------------------------- updates and mismatches


def test_an_update_adds_files_and_its_banners_win(tmp_path, pictures, tiny):
    first = {appid: pictures[appid] for appid in range(10, 310, 10)}
    second = {20: jpeg(1), 5000: jpeg(2)}
    folder, out = write_snapshot(tmp_path / "snapshots", first), tmp_path / "out"
    features.extract(folder, tiny, out)
    before = content(out)
    write_snapshot(folder, second)
    found = features.extract(folder, tiny, out)
    after = content(out)
    assert {name for name in after if after[name] != before.get(name)} == {
        "manifest.json",
        "img_emb/img_emb_00002.npy",
        "metadata/metadata_00002.parquet",
    }
    assert found.appids.tolist() == [appid for appid in first if appid != 20] + [20, 5000]
    expected = tiny([banners.decode((first | second)[appid]) for appid in found.appids]).numpy()
    assert np.abs(found.vectors - expected).max() < 4e-3


def test_a_shard_fetched_again_is_computed_again(tmp_path, pictures, tiny):
    folder, out = write_snapshot(tmp_path / "snapshots", pictures), tmp_path / "out"
    features.extract(folder, tiny, out)
    before = content(out)
    games = pd.read_parquet(folder / "0001/plan.parquet")[20:40]
    write_shard(folder / "0001/shards", 1, games, pictures | {250: jpeg(3)})
    (folder / "0001/verified/00001.parquet").unlink()
    verify(folder)
    found = features.extract(folder, tiny, out)
    after = content(out)
    changed = {"img_emb/img_emb_00001.npy", "metadata/metadata_00001.parquet"}
    assert {name for name in after if after[name] != before[name]} == changed
    expected = tiny([banners.decode(jpeg(3))]).numpy()[0]
    assert np.abs(found.vectors[found.appids == 250][0] - expected).max() < 4e-3


def test_features_of_another_encoder_are_never_mixed(snapshots, checkpoint, undisturbed, tmp_path):
    other = checkpoints.write(tmp_path / "other", image_size=64, num_labels=3)
    for changed, says in [
        ((checkpoint, "mean"), ("pooling pooled", "pooling mean")),
        ((checkpoint, "pooled", "crop"), ("image squash", "image crop")),
        ((checkpoint, "complex"), ("dims 32", "dims 64")),
        ((other,), ("checkpoint tiny", "checkpoint other")),
    ]:
        before = content(undisturbed)
        with pytest.raises(SettingsError) as caught:
            features.extract(snapshots, encoder.load(*changed, device="cpu", dtype="float32"), undisturbed)
        assert all(each in str(caught.value) for each in (*says, str(undisturbed), "another `out`"))
        assert content(undisturbed) == before


def test_another_precision_may_read_but_not_go_on(snapshots, checkpoint, undisturbed, tmp_path):
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    half = encoder.load(checkpoint, device="cpu", dtype="bfloat16")
    assert features.extract(snapshots, half, out).manifest["dtype"] == "float32"
    (out / "metadata/metadata_00000.parquet").unlink()
    with pytest.raises(SettingsError) as error:
        features.extract(snapshots, half, out)
    assert "bfloat16" in str(error.value)


def test_features_are_those_of_the_folder_that_is_given(snapshots, tiny, undisturbed, tmp_path, pictures):
    """What another folder's shards gave stays on disk, is not returned, and need not be computed again."""
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    others = {appid: pictures[appid] for appid in range(10, 400, 10)} | {7: jpeg(7)}
    fewer = write_snapshot(tmp_path / "fewer", others)
    shapes = counted(tiny)
    found = features.extract(fewer, tiny, out)
    assert len(shapes) == 1  # for the one picture that is new
    assert found.appids.tolist() == list(others)
    known = dict(zip(features.load(undisturbed).appids, features.load(undisturbed).vectors, strict=True))
    for appid, vector in zip(found.appids, found.vectors, strict=True):
        assert appid == 7 or np.array_equal(vector, known[appid])
    shapes.clear()
    assert features.extract(snapshots, tiny, out).appids.tolist() == list(pictures)
    assert shapes == []


def test_features_travel_without_their_banners(tmp_path, pictures, tiny, undisturbed):
    """The same JPEGs, packed elsewhere in another order: their features are known already."""
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    other = write_snapshot(tmp_path / "other", dict(reversed(pictures.items())))
    shapes = counted(tiny)
    assert features.extract(other, tiny, out).appids.tolist() == list(pictures)[::-1]
    assert shapes == []


# ------------------------------------------------------------------------------------------------------ damage


def swap(out: Path, *kinds: str) -> None:
    for kind in kinds:
        first, second = sorted(out.glob(kind))[1:3]
        kept = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(kept)


VECTORS = "img_emb/img_emb_00001.npy"
ROWS = "metadata/metadata_00001.parquet"


def assert_made_again(snapshots, tiny, out, undisturbed, embedded, sound):
    """What is damaged is named, is not among what is finished, and is made again of the pictures that it takes."""
    with pytest.raises(PlainError, match=r"00001|00002|manifest.json|lacks 1 of 4"):
        features.load(out)
    left = features.finished_files(out.parent, check=True)
    assert len([pair for pair in left if len(pair) == 2]) == sound
    shapes = counted(tiny)
    features.extract(snapshots, tiny, out, batch_size=20)
    assert len(shapes) == embedded // 20
    assert content(out) == content(undisturbed)


@pytest.mark.parametrize(("name", "embedded", "sound"), [(VECTORS, 20, 3), (ROWS, 20, 3), ("manifest.json", 0, 0)])
@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:600] + bytes([whole[600] ^ 4]) + whole[601:],
        lambda whole: whole[:600],
        lambda whole: b"[" * len(whole),
        lambda whole: whole[:0],
    ],
    ids=["flip", "cut", "nested", "empty"],
)
def test_a_damaged_file_is_named_and_made_again(snapshots, tiny, tmp_path, undisturbed, damage, name, embedded, sound):
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    (out / name).write_bytes(damage((out / name).read_bytes()))
    assert_made_again(snapshots, tiny, out, undisturbed, embedded, sound)


@pytest.mark.parametrize(
    ("kinds", "embedded"), [(["img_emb/*"], 40), (["metadata/*"], 40), (["img_emb/*", "metadata/*"], 0)]
)
def test_files_that_change_places_are_not_believed(snapshots, tiny, tmp_path, undisturbed, kinds, embedded):
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    swap(out, *kinds)
    assert_made_again(snapshots, tiny, out, undisturbed, embedded, 2)


@pytest.mark.parametrize(
    ("column", "values"),
    [("appid", [str(row) for row in range(20)]), ("appid", [7] * 20), ("norm", np.full(20, np.inf, np.float32))],
)
def test_rows_that_say_something_else_are_made_again(snapshots, tiny, tmp_path, undisturbed, column, values):
    """Whatever their checksum."""
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    table, about = files.read_table(out / ROWS, parts.SCHEMA)
    place = table.column_names.index(column)
    files.write_table(out / ROWS, table.set_column(place, column, pa.array(values)), about)
    assert_made_again(snapshots, tiny, out, undisturbed, 20, 3)


def test_an_encoder_may_have_no_key_that_the_features_lack_or_the_other_way(snapshots, tiny, tmp_path, undisturbed):
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    tiny.identity = tiny.identity | {"told": "apart"}
    with pytest.raises(SettingsError):
        features.extract(snapshots, tiny, out)
    features.extract(snapshots, tiny, tmp_path / "other")
    tiny.identity.pop("told")
    with pytest.raises(SettingsError):
        features.extract(snapshots, tiny, tmp_path / "other")


def test_a_folder_that_another_process_computes_into_is_left_alone(snapshots, tiny, tmp_path):
    with files.locked(tmp_path), pytest.raises(StorageError):
        features.extract(snapshots, tiny, tmp_path)
    assert content(tmp_path) == {}


def test_finished_files_count_together(tmp_path, undisturbed):
    out = Path(shutil.copytree(undisturbed, tmp_path / "eye"))
    (out / ROWS).unlink()
    (out / "img_emb/img_emb_00002.npy.part").write_bytes(b"")
    found = [tuple(str(file.relative_to(out)) for file in each) for each in features.finished_files(tmp_path)]
    numbers = ("00000", "00002", "00003")
    pairs = [(f"img_emb/img_emb_{number}.npy", f"metadata/metadata_{number}.parquet") for number in numbers]
    assert found == [("manifest.json",), *pairs]
    assert features.finished_files(tmp_path, check=True) == features.finished_files(tmp_path)


def test_what_is_not_there_is_said(tmp_path, tiny, snapshots):
    with pytest.raises(StorageError):
        features.load(tmp_path)
    with pytest.raises(StorageError):
        features.extract(tmp_path, tiny, tmp_path / "out")
    with pytest.raises(SettingsError):
        features.extract(snapshots, tiny, tmp_path / "out", engine="spark")


# ------------------------------------------------------------------------------------------------------- with Ray


@pytest.fixture
def patient_ray(monkeypatch):
    """Ray, which waits as long as it takes a busy machine to start it."""
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")


@pytest.mark.usefixtures("patient_ray")
def test_two_actors_of_ray_compute_the_same(snapshots, tiny, tmp_path, undisturbed, capsys):
    features.extract(snapshots, tiny, tmp_path / "out", engine="ray", actors=2)
    assert content(tmp_path / "out") == content(undisturbed)
    assert "69/69" in capsys.readouterr().err


@pytest.mark.usefixtures("patient_ray")
def test_a_cluster_of_ray_that_is_there_is_used_and_left(snapshots, tiny, tmp_path, undisturbed):
    import ray

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
