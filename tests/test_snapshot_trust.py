"""What a hostile store, catalogue or folder can do to a download: nothing but cost one game its banner."""

import struct
import subprocess
import sys
import time
import zlib

import pandas as pd
import psutil
import pytest
from downloads import fetch, jpeg, noise, update
from test_snapshot_faults import copy_of, start

import sample
from utils import files, snapshot
from utils.snapshot.plan import SCHEMA, picture_addresses

GIGABYTE = 1 << 30


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of_zeros(width, height):
    """A small PNG file of very many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pressed = zlib.compressobj(6)
    rows = b"".join([pressed.compress(bytes(4 * width + 1)) for _ in range(height)]) + pressed.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def peak_of_all(child):
    """Return the most bytes that a process and all its descendants held together, until it ended."""
    root = psutil.Process(child.pid)
    most = 0
    while child.poll() is None:
        held = 0
        for each in [root, *root.children(recursive=True)]:
            try:
                held += each.memory_full_info().pss
            except psutil.Error:
                continue
        most = max(most, held)
        time.sleep(0.1)
    return most


@pytest.mark.slow
def test_bombs_cost_a_game_its_banner_and_no_memory(tmp_path):
    """Pictures of very many pixels, endless bodies and zipped gigabytes, all at once, in less than 1.5 GB."""
    stock = sample.many(64)
    bomb = png_of_zeros(12_000, 12_000)
    large = png_of_zeros(3_900, 3_900)
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 90\nshowpage\n"
    with sample.Store(stock) as store:
        appids = [game.appid for game in store.games]
        for appid in appids[:20]:
            store.pictures[appid] = bomb
        for appid in appids[20:40]:
            store.pictures[appid] = large
        store.pictures[appids[40]] = postscript
        for appid in appids[41:50]:
            store.trouble(f"apps/{appid}/", "endless")
        for appid in appids[50:56]:
            store.trouble(f"apps/{appid}/", "bomb")
        games = fetch(store)
        child = start(store, games, tmp_path)
        most = peak_of_all(child)
        assert child.wait() == 0
    report = snapshot.report(games, tmp_path / "snapshots", assets_url=store.assets_url)
    statuses = report.table["status"].tolist()
    assert statuses[:20] == ["refused"] * 20
    assert statuses[40] == "failed"
    assert set(statuses[41:56]) == {"refused"}
    assert statuses[56:] == ["downloaded"] * 8
    assert "12000 x 12000 pixels" in report.table["reason"][0]
    print(f"peak {most / GIGABYTE:.2f} GB")
    assert most < 1.5 * GIGABYTE


@pytest.mark.slow
def test_only_the_stores_own_addresses_are_asked(tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg(noise((600, 900))))
    with sample.Store(sample.many(6)) as other, sample.Store(sample.many(6)) as store:
        games = fetch(store)
        games.loc[0, "banner_url"] = secret.as_uri()
        games.loc[1, "banner_url"] = games["banner_url"][1].replace(store.api_url, other.api_url)
        games.loc[2, "banner_url"] = store.assets_url + "../secrets/library_600x900.jpg"
        games.loc[3, "banner_url"] = "ftp://127.0.0.1/library_600x900.jpg"
        store.trouble(f"apps/{games['appid'][4]}/", "redirect", to=other.assets_url + "steam/apps/100000040/x.jpg")
        report = update(store, tmp_path / "snapshots", games)
        assert other.count() == 0
    statuses = report.table["status"].tolist()
    assert statuses == ["refused"] * 4 + ["failed", "downloaded"]
    assert "its address is not under http://127.0.0.1" in report.table["reason"][0]
    assert "not where this may be asked for" in report.table["reason"][4]


@pytest.mark.slow
def test_a_strangers_plan_does_not_lead_elsewhere_either(downloaded, tmp_path):
    """A shard is missing of a snapshot whose plan, with its hash, has other addresses than the store's."""
    _, folder = downloaded
    folder = copy_of(folder, tmp_path / "snapshots")
    (folder / "0001/verified/00000.parquet").unlink()
    (folder / "0001/shards/00000_stats.json").unlink()
    with sample.Store(sample.many(40)) as other, sample.Store(sample.many(240)) as store:
        file = folder / "0001/plan.parquet"
        plan, noted = files.read_table(file, SCHEMA)
        elsewhere = [
            other.assets_url + f"steam/apps/{appid}/library_600x900.jpg" for appid in plan["appid"].to_pylist()
        ]
        plan = plan.set_column(3, "banner_url", [elsewhere])
        files.write_table(file, plan, {"shard_size": noted["shard_size"]})
        games = fetch(store).iloc[100:]
        update(store, folder, games)
        assert other.count() == 0


def test_steams_mirrors_belong_to_steam():
    mirrors = picture_addresses("https://shared.akamai.steamstatic.com/store_item_assets/")
    assert "https://shared.fastly.steamstatic.com/store_item_assets/" in mirrors
    assert picture_addresses("http://127.0.0.1:5/store_item_assets") == ("http://127.0.0.1:5/store_item_assets/",)


@pytest.mark.slow
def test_a_new_snapshot_takes_no_number_that_is_in_use(tmp_path):
    (tmp_path / "0001").mkdir(parents=True)
    (tmp_path / "0001" / "theirs.txt").write_text("not ours")
    (tmp_path / "0002.part").mkdir()
    with sample.Store(sample.many(2)) as store:
        assert update(store, tmp_path).downloaded == 2
    assert (tmp_path / "0001" / "theirs.txt").is_file()
    assert (tmp_path / "0002" / "plan.parquet").is_file()
    assert not (tmp_path / "0002.part").exists()


@pytest.mark.slow
def test_x_robots_tag_is_honoured(tmp_path, raw_host):
    body = jpeg(noise((300, 450)))
    head = f"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    address = raw_host(head + body)
    games = pd.DataFrame({"appid": [7], "name": ["A game"], "banner_url": [address + "a.jpg"]})
    report = snapshot.update(games, tmp_path, assets_url=address)
    assert "asks not to use the picture" in report.table["reason"].item()


@pytest.mark.slow
def test_the_downloading_process_leaves_out_what_a_download_does_not_use():
    """Start-up is imports: without torch, ray and wandb it takes a third."""
    start = "import sys; from utils.snapshot import img2dataset_process; img2dataset_process.patch({})"
    listed = f"{start}; print(*[n for n, m in sys.modules.items() if m])"
    said = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True).stdout.split()
    assert "img2dataset" in said
    assert not {"torch", "ray", "wandb.sdk", "IPython", "matplotlib"} & set(said)
