"""Snapshots: real img2dataset against the loopback store, and what is on disk afterwards."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import webdataset
from downloads import asked, fetch, file, jpeg, noise, pictures, png, update
from hosts import refusal
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import sample
from utils import banners, files, snapshot
from utils.errors import SettingsError, StorageError
from utils.snapshot import img2dataset_process
from utils.snapshot.plan import lie_under, picture_addresses, picture_identity, write_plan
from utils.snapshot.shards import of_error


def test_shards_are_webdatasets_that_are_read_in_the_plans_order(downloaded):
    stock, folder = downloaded
    paths = [str(shard.path) for shard in snapshot.verified(folder)]
    dataset = webdataset.WebDataset(paths, shardshuffle=False, empty_check=False).decode("rgb8").to_tuple("jpg", "json")
    samples = {meta["appid"]: (picture, meta["name"]) for picture, meta in dataset}
    assert {appid: name for appid, (_, name) in samples.items()} == {game.appid: game.name for game in stock.games}
    read = list(banners.read(folder))
    assert [banner.appid for banner in read] == [game.appid for game in stock.games]
    assert len({banner.sha256 for banner in read}) == 240
    assert all(np.array_equal(banner.rgb, samples[banner.appid][0]) for banner in read)
    album = banners.Album(folder)
    assert [album[banner.appid] for banner in read[::40]] == read[::40]


def test_nothing_new_is_nothing_done_and_a_second_run_is_told_to_wait(downloaded):
    stock, folder = downloaded
    with sample.Store(stock) as store:
        assert update(store, folder).count("downloaded") == 240
        assert asked(store) == []
        with files.locked(folder), pytest.raises(StorageError):
            update(store, folder)
    assert not (folder / "0002").exists()


def kinds():
    """Yield pictures, or the trouble there instead, what becomes of each, and a word of the reason."""
    turned, clear, original = Image.Exif(), noise((600, 900)), noise((600, 900))
    turned[0x0112] = 6  # a quarter turn clockwise makes it upright
    clear.putalpha(0)
    levels = np.tile(np.linspace(0, 65_535, 600).astype("uint16"), (900, 1))
    yield jpeg(original.transpose(Image.Transpose.ROTATE_90), exif=turned), "downloaded", ""
    yield jpeg(original.convert("CMYK")), "downloaded", ""
    yield "html", "failed", ""
    yield file(original, "AVIF"), "downloaded", ""
    yield file(original, "WEBP"), "downloaded", ""
    yield jpeg(original)[:2_000], "failed", ""
    yield jpeg(original.resize((3_600, 5_400))), "downloaded", ""  # too large for OpenCV, decoded reduced
    yield file(original, "TIFF"), "failed", ""
    yield jpeg(noise((300, 450)).convert("L")), "downloaded", ""
    yield 503, "failed", "503"
    yield file(Image.fromarray(levels), "PNG"), "downloaded", ""
    yield file(original, "GIF"), "downloaded", ""
    yield jpeg(noise((460, 215))), "downloaded", ""
    yield png((1, 1), "red"), "refused", "64"
    yield png((600, 900), "white"), "refused", "blank"
    yield file(clear, "PNG"), "refused", "blank"
    yield jpeg(noise((100, 3_000))), "refused", "10 times"
    yield "noai", "refused", "X-Robots-Tag"
    yield None, "missing", "404"
    yield 410, "missing", "410"


@pytest.mark.slow
def test_each_kind_of_picture_shows_what_its_original_showed_or_has_a_reason(tmp_path, monkeypatch):
    pictures, statuses, reasons = zip(*kinds(), strict=True)
    stock = sample.many(len(pictures) + 1)
    with sample.Store(stock) as store:
        for game, picture in zip(stock.games, pictures, strict=False):
            if isinstance(picture, int | str):
                store.trouble(f"apps/{game.appid}/", picture)
            else:
                store.pictures[game.appid] = picture
        store.games = [*store.games[:-1], dataclasses.replace(store.games[-1], banner=None)]
        monkeypatch.setattr(img2dataset_process, "MOST_IN_VAIN", 2)  # in a row; there are more, but not in a row
        report = update(store, tmp_path, processes=1, threads=1)
        monkeypatch.undo()
        store.requests.clear()
        update(store, tmp_path)
        again = set(asked(store))
    assert report.table["status"].tolist() == [*statuses, "missing"]
    assert all(map(str.__contains__, report.table["reason"], reasons))
    assert str(report) == "21 games asked: 9 downloaded, 3 missing, 5 refused, 4 failed"
    assert again == set(report.table["appid"][report.table["status"] == "failed"])
    shown = [banner.rgb for banner in banners.Album(tmp_path).values()]
    assert {rgb.shape for rgb in shown} == {(384, 256, 3)}
    expected = np.asarray(noise((600, 900)).resize((256, 384), Image.Resampling.BOX), "int16")
    assert all(np.abs(rgb - expected).mean() < 5 for rgb in shown[:5])
    assert np.abs(shown[0] - expected[::-1, ::-1]).mean() > 40
    assert (shown[5][..., 0] == shown[5][..., 2]).all()
    assert np.abs(shown[6][200, :, 0] - np.linspace(0, 255, 256)).max() < 4


def test_a_picture_is_known_by_its_path_and_where_that_holds_no_hash_by_its_t():
    path = "/store_item_assets/steam/apps/620/23c8f5a00000000000000000000000000000051a/library_600x900.jpg"
    assert picture_identity(f"https://a{path}?t=1781089207") == picture_identity(f"https://b{path}?t=1") == path
    assert picture_identity("https://a/b.jpg?t=1") == "/b.jpg?t=1"
    assert picture_identity(f"file://{path}?t=1") == f"{path}?t=1"
    steams = picture_addresses("https://shared.akamai.steamstatic.com/store_item_assets/")
    assert "https://shared.fastly.steamstatic.com/store_item_assets/" in steams
    assert picture_addresses("http://127.0.0.1:5/store_item_assets") == ("http://127.0.0.1:5/store_item_assets/",)


below = st.text(alphabet="abc/.", min_size=1).map(lambda path: "https://store.example/items/" + path)


@given(st.one_of(below, st.none(), st.text(), st.integers(), st.just("http://[::1/"), st.just("file:///etc/passwd")))
def test_any_address_has_an_identity_and_only_the_stores_that_do_not_climb_are_allowed(address):
    assert isinstance(picture_identity(address), str)
    is_below = str(address).startswith("https://store.example/items/") and ".." not in address.split("/")
    assert lie_under(pd.Series([address], dtype=object), ("https://store.example/items/",)).item() == is_below


@given(st.integers(100, 599), st.text())
def test_a_status_is_judged_by_its_number_and_any_other_message_may_pass(status, rest):
    assert (of_error(f"status {status}")[0] == "missing") == (status in (404, 410))
    assert of_error(f"port {status}04{rest}")[0] in snapshot.STATUSES
    assert of_error(f"127.0.0.1:4{status} broke off, 404 bytes read")[0] == "failed"


def test_wrong_input_is_named(tmp_path):
    games = pd.DataFrame({"appid": [1, 1], "name": ["a", "b"], "banner_url": [None, None]})
    assert snapshot.update(games[:1], tmp_path / "snapshots").count("missing") == 1
    wrong = (("[1]", games, "ray"), ("banner_url", games[["appid", "name"]], "ray"), ("'dask'", games[:1], "dask"))
    for named, catalogue, distributor in wrong:
        assert named in refusal(SettingsError, snapshot.update, catalogue, tmp_path, distributor=distributor)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert str(tmp_path / "loop") in refusal(StorageError, snapshot.update, games[:1], tmp_path / "loop")


@pytest.mark.slow
def test_files_below_a_folder_are_banners_too_and_no_others(tmp_path):
    place = tmp_path / "my pictures"
    place.mkdir()
    names = ["a #1.tif", "b.jpg", "out.jpg", "gone.png"]
    (place / names[0]).write_bytes(file(noise((600, 900)), "TIFF"))
    (place / names[1]).write_bytes(b"no picture")
    (tmp_path / "out.jpg").write_bytes(jpeg(noise((600, 900))))
    (place / names[2]).symlink_to(tmp_path / "out.jpg")
    urls = [f"{(place / name).as_uri()}?t=1" for name in names] + [(tmp_path / "out.jpg").as_uri()]
    games = pd.DataFrame({"appid": range(1, 6), "name": "A game", "banner_url": urls})
    report = snapshot.update(games, tmp_path / "snapshots", assets_url=f"{place.as_uri()}/")
    assert report.table["status"].tolist() == ["downloaded", "failed", "failed", "failed", "refused"]
    expected = np.asarray(noise((600, 900)).resize((256, 384), Image.Resampling.BOX), "int16")
    assert np.abs(banners.Album(tmp_path / "snapshots")[1].rgb - expected).mean() < 5


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
        planned = fetch(other).assign(picture=lambda found: found["banner_url"].map(picture_identity))
        (tmp_path / "0001").mkdir()  # in use, as a crash leaves it
        write_plan(tmp_path, planned.assign(appid=planned["appid"] + 1))  # a stranger's, of games that nobody knows
        report = update(store, tmp_path, games)
        assert other.count("store_item_assets") == 0
    assert report.table["status"].tolist() == ["refused"] * 4 + ["failed", "downloaded"]
    assert not any((tmp_path / "0001").iterdir())


@pytest.mark.slow
def test_ray_downloads_the_same(downloaded, tmp_path):
    stock, folder = downloaded
    with sample.Store(stock) as store:
        update(store, tmp_path, shard_size=40, distributor="ray")
    assert pictures(tmp_path) == pictures(folder)
