"""Somebody's own pictures as a store."""

import os
import sys
from pathlib import Path

import pytest
from PIL import Image
from store_client import (
    picture,
)

import sample
from utils import settings

ROOT = Path(__file__).parents[1]
COVERS = ROOT.parent / "shared" / "real-covers"


def paint(file, colour="red", **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 45), colour).save(file, **options)


@pytest.fixture
def own(tmp_path):
    for place in ("11.jpg", "deep/er/12.png", "deep/Thirteen.webp", "14.GIF", ".hidden/15.jpg", ".16.jpg"):
        paint(tmp_path / place)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_without_a_csv(own):
    stock = sample.folder(own)
    assert [game.name for game in stock.games] == ["11", "14", "Thirteen", "12"]
    assert stock.notes == []
    assert all(game.appid >= 1_000_000_000 for game in stock.games)
    assert stock.picture(stock.games[2].appid) == (own / "deep/Thirteen.webp").read_bytes()
    paint(own / "aaa.jpg")
    again = sample.folder(own)
    assert {game.appid for game in stock.games} < {game.appid for game in again.games}  # ids stay


def test_a_folder_with_a_csv(own):
    rows = [
        "AppId;Name;Title;Developer;File",
        "11;Éléven;Series;Me;",
        "12;Twelve;Series;;",
        "13;Thirteen;;;deep/Thirteen.webp",
    ]
    (own / "list.csv").write_text("\n".join(rows), "utf-8-sig")
    stock = sample.folder(own)
    games = {game.appid: game for game in stock.games}
    assert [games[appid].name for appid in (11, 12, 13)] == ["Éléven", "Twelve", "Thirteen"]
    assert games[11].franchises == games[12].franchises == ("Series",)
    assert (games[11].developers, games[12].developers, games[13].franchises) == (("Me",), (), ())
    assert stock.picture(13) == (own / "deep/Thirteen.webp").read_bytes()
    assert len(games) == 4
    assert stock.notes == ["without a row in the CSV, so named by their files: 14.GIF"]


def test_what_is_amiss_with_a_csv_is_named_and_the_rest_goes_on(own):
    rows = 'id,name,file\n11,"One, two",\n99,Nowhere,\n11,Again,\nabc,Letters,\n\n12,Out,../11.jpg\n14,Taken,11.jpg\n'
    (own / "list.csv").write_text(rows)
    (own / "other.csv").write_text("id\n11\n")
    (own / "about.csv").write_text("name\nx\n")
    (own / "broken.csv").write_bytes(b"appid,name\n11,\xff\xfe\n")
    stock = sample.folder(own)
    assert len(stock.games) == 4
    assert next(game for game in stock.games if game.appid == 11).name == "One, two"
    said = "\n".join(stock.notes)
    for words in (
        "appid 99 (Nowhere) in the CSV has no picture of its own",
        "line 4 of list.csv is left out: appid 11 stands in line 2 already",
        "line 5 of list.csv is left out: its appid is 'abc'",
        "appid 12 (Out) in the CSV has no picture of its own",
        "appid 14 (Taken) in the CSV has no picture of its own",
        "without a row in the CSV, so named by their files: 14.GIF, deep/Thirteen.webp, deep/er/12.png",
        "other.csv is not read: list.csv is",
        "about.csv is not read: it has no column appid or id, but name",
        "broken.csv is not read: 'utf-8' codec",
    ):
        assert words in said
    assert len(stock.notes) == 9


def test_links_are_followed_within_the_folder_only(own, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.jpg"
    paint(secret)
    (own / "out.jpg").symlink_to(secret)
    (own / "folder").symlink_to(secret.parent)
    (own / "twin.jpg").symlink_to(own / "11.jpg")
    (own / "gone.jpg").symlink_to(own / "nothing.jpg")
    (secret.parent / "list.csv").write_text("id,name\n11,Secret\n")
    (own / "list.csv").symlink_to(secret.parent / "list.csv")
    stock = sample.folder(own)
    assert [game.name for game in stock.games] == ["11", "14", "Thirteen", "12", "twin"]
    assert stock.notes == ["list.csv is not read: it is a link that leads out of the folder"]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text on this system")
def test_a_file_may_be_named_by_any_bytes(own):
    paint(own / "x.jpg")
    (own / "x.jpg").rename(os.fsdecode(os.fsencode(own) + b"/\xff.jpg"))
    (own / "list.csv").write_text("id\n11\n")
    stock = sample.folder(own)
    assert "?" in [game.name for game in stock.games]
    assert "?.jpg" in stock.notes[0]


def test_broken_pictures_are_served_as_they_are(own):
    (own / "11.jpg").write_bytes(b"broken")
    stock = sample.folder(own)
    with sample.Store(stock) as store:
        assert picture(store, stock.games[0]).content == b"broken"
        (own / "11.jpg").unlink()
        assert picture(store, stock.games[0]).status_code == 404


def test_no_folder_and_no_pictures(tmp_path):
    with pytest.raises(settings.SettingsError, match=r"FOLDER is '.*nowhere', which is no folder; give one"):
        sample.folder(tmp_path / "nowhere")
    with pytest.raises(settings.SettingsError, match=r"holds no picture; it may hold \.bmp, \.gif, \.jpeg"):
        sample.folder(tmp_path)


@pytest.mark.skipif(not COVERS.is_dir(), reason="the real covers are not beside this repository")
def test_the_real_covers_go_through_whole():
    stock = sample.folder(COVERS)
    assert len(stock.games) == 339
    assert stock.notes == []
    assert len({game.franchises for game in stock.games}) < 339
    assert all(stock.picture(game.appid).startswith(b"\xff\xd8") for game in stock.games)


def test_a_loop_of_links_is_no_picture(own):
    (own / "one.jpg").symlink_to(own / "two.jpg")
    (own / "two.jpg").symlink_to(own / "one.jpg")
    (own / "list.csv").symlink_to(own / "list.csv")
    stock = sample.folder(own)
    assert [game.name for game in stock.games] == ["11", "14", "Thirteen", "12"]
