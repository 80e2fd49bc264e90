import contextlib
import dataclasses
import importlib.util
import io
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import tarfile
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import checkpoints
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import sample
from utils import banners, encoder, features, snapshot

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
    plan.to_parquet(place / "plan.parquet")
    described = {"games": len(plan), "shard_size": SIZE, "sha256": snapshot._hash(place / "plan.parquet")}
    (place / "plan.json").write_text(json.dumps(described))
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
    rows.assign(url="http://store/a", status="success", error_message=None, exif=None).to_parquet(
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
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


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


def test_files_are_laid_out_for_clip_retrieval(undisturbed, snapshots):
    names = [f"{number:05}" for number in range(4)]
    assert list(content(undisturbed)) == [
        *(f"img_emb/img_emb_{name}.npy" for name in names),
        "manifest.json",
        *(f"metadata/metadata_{name}.parquet" for name in names),
    ]
    for number, shard in enumerate(snapshot.verified(snapshots)):
        table = pq.read_table(undisturbed / f"metadata/metadata_{number:05}.parquet")
        assert table.column_names == ["appid", "name"]
        assert table["appid"].to_pylist() == list(shard.appids)
        about = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        assert about["sha256"] == shard.sha256
        assert (about["snapshot"], about["shard"]) == ("0001", f"{number:05}")


def test_embedding_reader_reads_them(undisturbed):
    reading = pytest.importorskip("embedding_reader", reason="embedding-reader is not installed")
    reader = reading.EmbeddingReader(
        str(undisturbed / "img_emb"),
        metadata_folder=str(undisturbed / "metadata"),
        meta_columns=["appid", "name"],
        file_format="parquet_npy",
    )
    assert (reader.count, reader.dimension) == (69, 32)
    batches = list(reader(batch_size=30, start=0, end=reader.count, show_progress=False))
    found = features.load(undisturbed)
    assert np.array_equal(np.concatenate([vectors for vectors, _ in batches]), found.vectors)
    assert pd.concat([rows for _, rows in batches])["appid"].tolist() == found.appids.tolist()


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
    assert len(features.extract(snapshots, tiny, undisturbed)) == 69
    assert shapes == []
    assert content(undisturbed) == before


def test_the_bar_names_the_device_and_counts(snapshots, tiny, tmp_path, undisturbed, capsys):
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    (tmp_path / "metadata/metadata_00002.parquet").unlink()
    features.extract(snapshots, tiny, tmp_path, workers=0)
    shown = capsys.readouterr().err
    assert "Features on CPU" in shown
    assert "49/69" in shown
    assert "69/69" in shown
    assert content(tmp_path) == content(undisturbed)


def test_a_broken_picture_is_reported_and_left_out(tmp_path, pictures, tiny):
    broken = pictures | {30: pictures[30][:9000]}
    folder = write_snapshot(tmp_path / "snapshots", broken)
    with pytest.warns(UserWarning, match=r"1 banners of .*00000.tar were left out.*30.*truncated"):
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
    with pytest.raises(banners.ShardDamaged) as caught:
        features.extract(folder, tiny, out, batch_size=4, workers=workers)
    assert "Traceback" not in str(caught.value)
    with pytest.raises(features.FeaturesMissing, match=r"lacks [23] of 4 shards"):
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


def test_no_memory_at_all_is_an_error(snapshots, tiny, tmp_path):
    def embed(_batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    tiny.embed = embed
    with pytest.raises(torch.OutOfMemoryError):
        features.extract(snapshots, tiny, tmp_path, workers=0)


def test_features_that_overflow_are_an_error(snapshots, tiny, tmp_path):
    embed = tiny.embed
    tiny.embed = lambda batch: embed(batch) * 1e5
    with pytest.raises(features.FeaturesError, match=r"game 10 .*not finite in float16.*float32"):
        features.extract(snapshots, tiny, tmp_path, workers=0)


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
        os.kill(process.pid, signal.SIGKILL)
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


def test_a_shard_that_comes_late_changes_no_number(tmp_path, pictures, tiny):
    folder, late = write_snapshot(tmp_path / "snapshots", pictures), tmp_path / "late.parquet"
    record = folder / "0001/verified/00001.parquet"
    shutil.move(record, late)
    features.extract(folder, tiny, tmp_path / "out")
    before = content(tmp_path / "out")
    write_snapshot(folder, {20: jpeg(1)})
    features.extract(folder, tiny, tmp_path / "out")
    shutil.move(late, record)
    found = features.extract(folder, tiny, tmp_path / "out")
    after = content(tmp_path / "out")
    assert {name for name in before if before[name] != after[name]} == {"manifest.json"}
    at_once = features.extract(folder, tiny, tmp_path / "at-once")
    assert np.array_equal(found.appids, at_once.appids)
    assert np.array_equal(found.vectors, at_once.vectors)


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
        with pytest.raises(features.FeaturesError) as caught:
            features.extract(snapshots, encoder.load(*changed, device="cpu", dtype="float32"), undisturbed)
        assert all(each in str(caught.value) for each in (*says, str(undisturbed), "another `out`"))
        assert content(undisturbed) == before


def test_another_precision_may_read_but_not_go_on(snapshots, checkpoint, undisturbed, tmp_path):
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    half = encoder.load(checkpoint, device="cpu", dtype="bfloat16")
    assert features.extract(snapshots, half, out).manifest["dtype"] == "float32"
    (out / "metadata/metadata_00000.parquet").unlink()
    with pytest.raises(features.FeaturesError, match=r"dtype float32.*dtype bfloat16"):
        features.extract(snapshots, half, out)


def test_features_of_other_snapshots_are_never_mixed(snapshots, tiny, undisturbed, tmp_path, pictures):
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    fewer = write_snapshot(tmp_path / "fewer", {appid: pictures[appid] for appid in range(10, 400, 10)})
    with pytest.raises(features.FeaturesError) as caught:
        features.extract(fewer, tiny, out)
    plans = [json.loads((each / "0001/plan.json").read_text())["sha256"][:12] for each in (snapshots, fewer)]
    assert all(each in str(caught.value) for each in (*plans, str(fewer), str(out), "delete"))
    lost = Path(shutil.copytree(snapshots, tmp_path / "lost"))
    (lost / "0001/verified/00003.parquet").unlink()
    with pytest.raises(features.FeaturesError, match=r"snapshot 0001, shard 00003.*no such shard.*snapshot.update"):
        features.extract(lost, tiny, out)
    assert content(out) == content(undisturbed)


def test_what_is_not_there_is_said(tmp_path, tiny, undisturbed, snapshots):
    with pytest.raises(features.FeaturesMissing, match=r"no features.*features\.extract"):
        features.load(tmp_path)
    with pytest.raises(features.FeaturesMissing, match=r"no verified banners.*download notebook"):
        features.extract(tmp_path, tiny, tmp_path / "out")
    with pytest.raises(features.FeaturesError, match=r"'spark'.*local, ray"):
        features.extract(snapshots, tiny, tmp_path / "out", engine="spark")
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    shutil.copy(out / "img_emb/img_emb_00003.npy", out / "img_emb/img_emb_00001.npy")
    with pytest.raises(features.FeaturesError, match=r"img_emb_00001.npy holds \(9, 32\).*\(20, 32\).*extract again"):
        features.load(out)


# ----------------------------------------------------------------------------------------------------- one picture


@pytest.fixture
def web():
    """A server of one answer: a status, and the body that it is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if server.body else 404)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                for _ in range(server.times):
                    self.wfile.write(server.body)

        def log_message(self, *_arguments) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.body, server.times = b"", 1
    server.address = f"http://127.0.0.1:{server.server_port}/banner.jpg"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_one_picture_in_every_form(tmp_path, pictures, tiny, web):
    jpeg_bytes = pictures[10]
    file = tmp_path / "banner.jpg"
    file.write_bytes(jpeg_bytes)
    web.body = jpeg_bytes
    rgb = banners.decode(jpeg_bytes)
    expected = tiny([rgb])[0].numpy()
    image = Image.open(file)
    forms = (
        jpeg_bytes,
        file,
        str(file),
        image,
        rgb,
        Image.fromarray(rgb),
        web.address,
        web.address.replace("http", "HTTP", 1),
    )
    for form in forms:
        found = features.encode(tiny, form)
        assert (found.shape, found.dtype) == ((32,), np.float32)
        assert np.array_equal(found, expected)


def test_a_picture_of_any_kind_is_prepared_as_the_stored_ones_are(tiny):
    big = Image.fromarray(np.random.RandomState(0).randint(0, 256, (900, 600, 3)).astype(np.uint8))
    for mode in ("RGB", "RGBA", "L", "P", "CMYK", "1"):
        image = big.convert(mode)
        content = io.BytesIO()
        image.save(content, "TIFF")
        assert np.array_equal(features.encode(tiny, image), features.encode(tiny, content.getvalue())), mode
    turned, content = Image.Exif(), io.BytesIO()
    turned[274] = 6
    big.rotate(90, expand=True).save(content, "PNG", exif=turned)
    assert np.array_equal(features.encode(tiny, Image.open(content)), features.encode(tiny, big))
    assert np.array_equal(features.encode(tiny, content.getvalue()), features.encode(tiny, big))


def test_a_game_of_the_store(tiny, monkeypatch):
    with sample.Store() as store:
        monkeypatch.setenv("STEAM_API_URL", store.api_url)
        monkeypatch.setenv("STEAM_ASSETS_URL", store.assets_url)
        game = next(game for game in store.games if game.banner and store.picture(game.appid))
        content = store.picture(game.appid)
        assert np.array_equal(features.encode(tiny, game.appid), features.encode(tiny, content))
        assert np.array_equal(features.encode(tiny, np.int64(game.appid)), features.encode(tiny, content))
        with pytest.raises(banners.Refused, match="no game with appid 7"):
            features.encode(tiny, 7)
        store.games = [dataclasses.replace(game, banner=None)]
        with pytest.raises(banners.Refused, match=f"no vertical banner of game {game.appid}"):
            features.encode(tiny, game.appid)


def test_what_is_no_picture_is_refused(tmp_path, tiny, web):
    address = web.address
    for form, reason in [
        (b"<html>", "not a whole picture"),
        (tmp_path / "none.jpg", "none.jpg.*No such file"),
        ("ftp://host/a.jpg", "nor an http"),
        (tmp_path, "directory"),
        (address, "404"),
        ("http://127.0.0.1:9/a.jpg", "cannot be had"),
        (np.zeros((9, 9), np.uint8), r"uint8 \(9, 9\).*address"),
        (np.zeros((9, 9, 3)), "float64"),
        (None, "NoneType"),
    ]:
        with pytest.raises(banners.Refused, match=reason):
            features.encode(tiny, form)
    web.body = b"<html>blocked</html>"
    with pytest.raises(banners.Refused, match="not a whole picture"):
        features.encode(tiny, address)
    web.body, web.times = b"x" * 1_000_000, 60
    with pytest.raises(banners.Refused, match="more than 50,000,000 bytes"):
        features.encode(tiny, address)


# ------------------------------------------------------------------------------------------------------- with Ray


RAY = importlib.util.find_spec("ray") is not None


@pytest.mark.skipif(not RAY, reason="ray is not installed; it is only needed beyond one GPU")
def test_two_actors_of_ray_compute_the_same(snapshots, tiny, tmp_path, undisturbed, capsys):
    features.extract(snapshots, tiny, tmp_path / "out", engine="ray", actors=2)
    assert content(tmp_path / "out") == content(undisturbed)
    assert "69/69" in capsys.readouterr().err


@pytest.mark.skipif(not RAY, reason="ray is not installed; it is only needed beyond one GPU")
def test_a_cluster_that_is_there_is_used_and_left(snapshots, tiny, tmp_path, undisturbed):
    ray = features._import_ray()
    damaged = Path(shutil.copytree(snapshots, tmp_path / "damaged"))
    (damaged / "0001/shards/00001.tar").write_bytes(b"")
    ray.init("local", include_dashboard=False, num_cpus=2)
    try:
        features.extract(snapshots, tiny, tmp_path / "out", engine="ray")
        assert content(tmp_path / "out") == content(undisturbed)
        with pytest.raises(banners.ShardDamaged, match=r"^/.*00001.tar changed"):
            features.extract(damaged, tiny, tmp_path / "other", engine="ray")
        assert ray.is_initialized()
    finally:
        ray.shutdown()


@pytest.mark.skipif(RAY, reason="ray is installed")
def test_ray_is_asked_for_where_it_is_missing(snapshots, tiny, tmp_path):
    with pytest.raises(features.FeaturesError, match="pip install ray"):
        features.extract(snapshots, tiny, tmp_path, engine="ray")
