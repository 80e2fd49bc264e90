"""Snapshots: real img2dataset against the loopback store, and what is on disk afterwards."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import webdataset
from downloads import asked, fetch, file, jpeg, noise, pictures, png, update
from PIL import Image

import sample
from utils import banners, files, snapshot
from utils.errors import SettingsError, StorageError
from utils.snapshot.plan import picture_identity


def test_shards_are_webdatasets_with_the_appid_in_each_sample(downloaded):
    stock, folder = downloaded
    had = pictures(folder)
    paths = [str(shard.path) for shard in snapshot.verified(folder)]
    dataset = webdataset.WebDataset(paths, shardshuffle=False, empty_check=False).decode("rgb8").to_tuple("jpg", "json")
    samples = {meta["appid"]: (picture, meta["name"]) for picture, meta in dataset}
    assert {appid: name for appid, (_, name) in samples.items()} == {game.appid: game.name for game in stock.games}
    assert all(picture.shape == (384, 256, 3) for picture, _ in samples.values())
    assert all(np.array_equal(banners.decode(had[appid]), picture) for appid, (picture, _) in samples.items())


def test_banners_are_read_in_the_plans_order_and_told_apart_by_checksum(downloaded):
    stock, folder = downloaded
    read = list(banners.read(folder))
    assert [banner.appid for banner in read] == [game.appid for game in stock.games]
    assert len({banner.sha256 for banner in read}) == 240
    album = banners.Album(folder)
    assert [album[banner.appid] for banner in read[::40]] == read[::40]


def test_nothing_new_is_nothing_done(downloaded):
    stock, folder = downloaded
    with sample.Store(stock) as store:
        report = update(store, folder)
        assert asked(store) == []
    assert report.downloaded == 240
    assert not (folder / "0002").exists()


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """A store with a picture of each kind, and the report of its download: appids, table by appid, folder."""
    folder = tmp_path_factory.mktemp("kinds")
    stock = sample.many(20)
    appids = [game.appid for game in stock.games]
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn clockwise makes it upright
    levels = np.tile(np.linspace(0, 65_535, 600).astype("uint16"), (900, 1))
    clear = noise((600, 900))
    clear.putalpha(0)
    with sample.Store(stock) as store:
        store.pictures = {
            appids[0]: jpeg(noise((300, 450)).convert("L")),
            appids[1]: jpeg(noise((600, 900)).transpose(Image.Transpose.ROTATE_90), exif=turned),
            appids[2]: png((1, 1), "red"),
            appids[3]: png((600, 900), "white"),
            appids[4]: None,
            appids[5]: b"<html>a block page</html>",
            appids[6]: jpeg(noise((600, 900)))[:2_000],
            appids[7]: jpeg(noise((460, 215))),
            appids[8]: file(Image.fromarray(levels), "PNG"),
            appids[9]: jpeg(noise((600, 900)).convert("CMYK")),
            appids[11]: file(noise((600, 900)), "AVIF"),
            appids[12]: file(clear, "PNG"),
            appids[13]: file(noise((600, 900)), "WEBP"),
            appids[14]: jpeg(noise((100, 3_000))),
            appids[16]: file(noise((600, 900)), "GIF"),
        }
        store.games = [*store.games[:-1], dataclasses.replace(store.games[-1], banner=None)]
        store.trouble(f"apps/{appids[10]}/", 503)
        store.trouble(f"apps/{appids[15]}/", 410)
        report = update(store, folder)
    return appids, report, folder


def test_each_kind_of_picture_and_each_reason(kinds):
    appids, report, _ = kinds
    found = report.table.set_index("appid")
    statuses = found["status"].tolist()
    assert statuses[:9] == [
        "downloaded",
        "downloaded",
        "refused",
        "refused",
        "missing",
        *["failed"] * 2,
        *["downloaded"] * 2,
    ]
    assert statuses[9:15] == ["downloaded", "failed", "downloaded", "refused", "downloaded", "refused"]
    assert statuses[15:] == ["missing", "downloaded", "downloaded", "downloaded", "missing"]
    reasons = found["reason"].to_dict()
    assert "smaller than 64 pixels" in reasons[appids[2]]
    assert reasons[appids[3]] == reasons[appids[12]] == "the picture is blank"
    assert "404" in reasons[appids[4]]
    assert "410" in reasons[appids[15]]
    assert "not a picture" in reasons[appids[5]]
    assert "503" in reasons[appids[10]]
    assert "10 times as long as wide" in reasons[appids[14]]
    assert "no vertical banner" in reasons[appids[19]]
    assert str(report) == "20 games asked: 10 downloaded, 3 missing, 4 refused, 3 failed"


def test_each_kind_of_picture_shows_what_its_original_showed(kinds):
    appids, _, folder = kinds
    album = banners.Album(folder)
    assert {banner.rgb.shape for banner in album.values()} == {(384, 256, 3)}
    expected = np.asarray(noise((600, 900)).resize((256, 384), Image.Resampling.BOX), "int16")
    for place in (1, 9, 11, 13):  # turned, CMYK, AVIF, WebP
        assert np.abs(album[appids[place]].rgb - expected).mean() < 5
    assert np.abs(album[appids[1]].rgb - expected[::-1, ::-1]).mean() > 40
    grey = album[appids[0]].rgb
    assert (grey[..., 0] == grey[..., 2]).all()
    sixteen_bits = album[appids[8]].rgb[200, :, 0]
    assert np.abs(sixteen_bits - np.linspace(0, 255, 256)).max() < 4


@pytest.mark.slow
def test_snapshots_grow_by_what_is_new(tmp_path):
    stock = sample.many(60)
    first = stock.games[0].appid
    second = stock.games[1].appid
    with sample.Store(stock) as store:
        store.trouble(f"apps/{first}/", 500, times=2)
        store.trouble("apps/100000590/", 404)
        assert update(store, tmp_path).failed == 1
        old = pictures(tmp_path)
        store.pictures[second] = jpeg(noise((600, 900)))
        changed = dataclasses.replace(store.games[1], updated=store.games[1].updated + 5)
        added = dataclasses.replace(store.games[2], appid=100_000_900, name="A new one")
        store.games = [store.games[0], changed, *store.games[3:], added]
        store.requests.clear()
        games = fetch(store)
        report = update(store, tmp_path, games)
        assert asked(store) == [first, second, 100_000_900]
    assert report.downloaded == 59
    new = pictures(tmp_path)
    assert new.keys() - old.keys() == {first, 100_000_900}
    assert new[second] != old[second]
    assert banners.Album(tmp_path)[second].jpeg == new[second]
    assert {appid for appid in new if new[appid] != old.get(appid)} == {first, second, 100_000_900}
    removed = stock.games[2].appid
    assert removed in new
    assert removed not in {banner.appid for banner in banners.read(tmp_path, games)}


@pytest.mark.slow
def test_a_picture_behind_a_content_hash_is_asked_once_though_its_t_moves(tmp_path):
    stock = sample.many(8)
    hashed = [dataclasses.replace(game, banner=f"{game.appid:040x}/library_capsule.jpg") for game in stock.games[:4]]
    with sample.Store(sample.Stock([*hashed, *stock.games[4:]], stock.picture)) as store:
        update(store, tmp_path)
        before = {banner.appid: banner.sha256 for banner in banners.read(tmp_path)}
        store.games = [dataclasses.replace(game, updated=game.updated + 86_400) for game in store.games]
        store.requests.clear()
        report = update(store, tmp_path)
        assert asked(store) == [game.appid for game in stock.games[4:]]
    assert report.downloaded == 8
    after = {banner.appid: banner.sha256 for banner in banners.read(tmp_path)}
    assert after == before  # the same bytes: their features are kept


def test_a_picture_is_known_by_its_path_and_where_that_holds_no_hash_by_its_t():
    old = "/store_item_assets/steam/apps/620/23c8f5a00000000000000000000000000000051a/library_600x900.jpg?t=1781089207"
    assert (
        picture_identity(old)
        == picture_identity("https://elsewhere" + old.replace("1781089207", "1"))
        == old.partition("?")[0]
    )
    assert picture_identity("https://a/b.jpg?t=1") == "/b.jpg?t=1"
    assert picture_identity(None) == picture_identity("http://[::1/") == ""


def test_wrong_input_is_named(tmp_path):
    games = pd.DataFrame({"appid": [1, 1], "name": ["a", "b"], "banner_url": [None, None]})
    with pytest.raises(SettingsError, match=r"appids twice, such as \[1\]"):
        snapshot.update(games, tmp_path)
    with pytest.raises(SettingsError, match="no column banner_url"):
        snapshot.update(games[["appid", "name"]], tmp_path)
    with pytest.raises(SettingsError, match="unknown distributor 'dask'; allowed are multiprocessing, ray"):
        snapshot.update(games.iloc[:1], tmp_path, distributor="dask")
    assert snapshot.update(games.iloc[:1], tmp_path).missing == 1


def test_a_second_run_is_told_to_wait(downloaded):
    stock, folder = downloaded
    with (
        sample.Store(stock) as store,
        files.locked(folder),
        pytest.raises(StorageError, match="another process"),
    ):
        update(store, folder)


@pytest.mark.slow
def test_ray_downloads_the_same(downloaded, tmp_path):
    pytest.importorskip("ray")
    stock, folder = downloaded
    with sample.Store(stock) as store:
        update(store, tmp_path, shard_size=40, distributor="ray")
    assert pictures(tmp_path) == pictures(folder)
