"""Snapshots: real img2dataset against the loopback store, and what is on disk afterwards."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import webdataset
from downloads import asked, fetch, file, jpeg, noise, pictures, png, update
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import sample
from utils import banners, files, snapshot
from utils.errors import SettingsError, StorageError
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


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """A picture of each kind downloaded: appids, report, folder, and the appids that a second update asks for."""
    folder = tmp_path_factory.mktemp("kinds")
    stock = sample.many(21)
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
            appids[17]: jpeg(noise((600, 900)).resize((3_600, 5_400))),  # too large for OpenCV, decoded reduced
            appids[18]: file(noise((600, 900)), "TIFF"),
        }
        store.games = [*store.games[:-1], dataclasses.replace(store.games[-1], banner=None)]
        store.trouble(f"apps/{appids[10]}/", 503)
        store.trouble(f"apps/{appids[15]}/", 410)
        report = update(store, folder)
        store.requests.clear()
        update(store, folder)
        return appids, report, folder, asked(store)


def test_each_kind_of_picture_and_each_reason(kinds):
    appids, report, _, again = kinds
    found = report.table.set_index("appid")
    failed = [5, 6, 10, 18]
    expected = dict.fromkeys([2, 3, 12, 14], "refused") | dict.fromkeys([4, 15, 20], "missing")
    expected |= dict.fromkeys(failed, "failed")
    assert found["status"].tolist() == [expected.get(place, "downloaded") for place in range(21)]
    said = {2: "64", 3: "blank", 4: "404", 10: "503", 12: "blank", 14: "10 times", 15: "410"}
    assert all(text in found["reason"][appids[place]] for place, text in said.items())
    assert str(report) == "21 games asked: 10 downloaded, 3 missing, 4 refused, 4 failed"
    assert {appids[place] for place in failed} == set(again)  # what is missing or refused is never asked again


def test_each_kind_of_picture_shows_what_its_original_showed(kinds):
    appids, _, folder, _ = kinds
    album = banners.Album(folder)
    assert {banner.rgb.shape for banner in album.values()} == {(384, 256, 3)}
    expected = np.asarray(noise((600, 900)).resize((256, 384), Image.Resampling.BOX), "int16")
    for place in (1, 9, 11, 13, 17):  # turned, CMYK, AVIF, WebP, large
        assert np.abs(album[appids[place]].rgb - expected).mean() < 5
    assert np.abs(album[appids[1]].rgb - expected[::-1, ::-1]).mean() > 40
    grey = album[appids[0]].rgb
    assert (grey[..., 0] == grey[..., 2]).all()
    sixteen_bits = album[appids[8]].rgb[200, :, 0]
    assert np.abs(sixteen_bits - np.linspace(0, 255, 256)).max() < 4


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
    assert snapshot.update(games[:1], tmp_path).count("missing") == 1
    wrong = (("[1]", games, "ray"), ("banner_url", games[["appid", "name"]], "ray"), ("'dask'", games[:1], "dask"))
    for named, catalogue, distributor in wrong:
        with pytest.raises(SettingsError) as caught:
            snapshot.update(catalogue, tmp_path, distributor=distributor)
        assert named in str(caught.value)


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
        write_plan(tmp_path, planned.assign(appid=planned["appid"] + 1))  # a stranger's, of games that nobody knows
        report = update(store, tmp_path, games)
        assert other.count("store_item_assets") == 0
    assert report.table["status"].tolist() == ["refused"] * 4 + ["failed", "downloaded"]


@pytest.mark.slow
def test_x_robots_tag_is_honoured(tmp_path, raw_host):
    body = jpeg(noise((300, 450)))
    address = raw_host(f"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    games = pd.DataFrame({"appid": [7], "name": ["A game"], "banner_url": [address + "a.jpg"]})
    report = snapshot.update(games, tmp_path, assets_url=address)
    assert "X-Robots-Tag" in report.table["reason"].item()


@pytest.mark.slow
def test_ray_downloads_the_same(downloaded, tmp_path):
    stock, folder = downloaded
    with sample.Store(stock) as store:
        update(store, tmp_path, shard_size=40, distributor="ray")
    assert pictures(tmp_path) == pictures(folder)
