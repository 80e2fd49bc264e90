"""Somebody's own pictures as a catalogue, whose addresses are files."""

import os
import sys

import pytest
from hosts import refusal
from PIL import Image

from utils import catalogue, images, settings
from utils.catalogue import folder
from utils.errors import SettingsError, StorageError


def paint(file, colour="red", **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 45), colour).save(file, **options)


@pytest.fixture
def own(tmp_path):
    place = tmp_path / "own"
    for name in ("11.jpg", "deep/er/12.png", "deep/Thirteen.webp", "14.GIF", ".hidden/15.jpg", ".16.jpg"):
        paint(place / name)
    return place


def content(games, name):
    address = games.set_index("name").loc[name, "banner_url"]
    return folder.read_file(address, root=games.attrs["assets_url"], limit=10_000)


def test_a_folder_without_a_csv(own):
    games = folder.read(own)
    assert (games["name"].tolist(), games.attrs["notes"]) == (["11", "14", "Thirteen", "12"], [])
    assert (games["appid"] >= 1_000_000_000).all()
    assert games["release_date"].sum() == games["review_count"].sum() == games["review_score"].notna().sum() == 0
    assert content(games, "Thirteen") == (own / "deep/Thirteen.webp").read_bytes()
    paint(own / "aaa.jpg")
    assert set(games["appid"]) < set(folder.read(own)["appid"])  # ids stay


def test_a_folder_with_a_csv(own):
    rows = ["AppId;Name;Title;Developer;File", "11;Éléven;Series;Me;", "12;Twelve;Series;;"]
    (own / "list.csv").write_text("\n".join([*rows, "13;Thirteen;;;deep/Thirteen.webp"]), "utf-8-sig")
    paint(own / "deep" / "11.png")  # of the same stem
    games = folder.read(own)
    assert games["franchises"].tolist() == [["Series"], ["Series"], [], [], []]
    assert games["developers"].tolist() == [["Me"], [], [], [], []]
    (note,) = games.attrs["notes"]
    assert note.endswith(": 14.GIF, deep/11.png")
    assert folder.read(own, 3)["name"].tolist() == games["name"].tolist()[:3] == ["Éléven", "Twelve", "Thirteen"]


def test_what_is_amiss_with_a_csv_is_named_and_the_rest_goes_on(own):
    rows = 'id,name,file\n11,"One, two",\n99,Nowhere,\n11,Again,\nabc,Letters,\n\n12,Out,../11.jpg\n14,Taken,11.jpg\n'
    (own / "list.csv").write_text(rows + "99999999999,Endless,\n")
    (own / "other.csv").write_text("id\n11\n")
    (own / "about.csv").write_text("name\nx\n")
    (own / "broken.csv").write_bytes(b"appid,name\n11,\xff\xfe\n")
    os.mkfifo(own / "pipe.csv")
    games = folder.read(own)
    assert (len(games), games["name"][0]) == (4, "One, two")
    parts = ["99 (Nowhere)", "line 4 of list.csv", "'abc'", "12 (Out)", "14 (Taken)", "'99999999999'"]
    parts += ["14.GIF, deep/Thirteen.webp, deep/er/12.png", "other.csv", "about.csv", "broken.csv", "pipe.csv"]
    lines = catalogue.summary(games).splitlines()
    assert [sum(part in line for line in lines) for part in parts] == [1] * len(games.attrs["notes"])


def test_every_ending_is_read_what_is_left_out_is_named_and_without_a_picture_it_is_an_error(tmp_path):
    for place in (tmp_path / "nowhere", tmp_path):
        assert str(place) in refusal(SettingsError, folder.read, place)
    for ending in images.ENDINGS:
        paint(tmp_path / f"{ending[1:]}{ending}", format={".jfif": "JPEG", ".jpe": "JPEG"}.get(ending))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "draft.psd").write_bytes(b"8BPS")
    games = folder.read(tmp_path)
    assert set(games["name"]) == {ending[1:] for ending in images.ENDINGS}
    (note,) = games.attrs["notes"]
    assert note.endswith(": draft.psd, notes.txt")


def test_links_are_followed_within_the_folder_only(own, tmp_path):
    secret = tmp_path / "elsewhere" / "secret.jpg"
    paint(secret)
    (secret.parent / "list.csv").write_text("id,name\n11,Secret\n")
    links = {"out.jpg": secret, "folder": secret.parent, "twin.jpg": own / "11.jpg", "one.jpg": own / "two.jpg"}
    for name, target in (links | {"two.jpg": own / "one.jpg", "list.csv": secret.parent / "list.csv"}).items():
        (own / name).symlink_to(target)
    games = folder.read(own)
    assert games["name"].tolist() == ["11", "14", "Thirteen", "12", "twin"]
    left_out, table = games.attrs["notes"]
    assert (left_out.endswith(": one.jpg, out.jpg, two.jpg"), "list.csv" in table) == (True, True)
    root = games.attrs["assets_url"]
    for address in (secret.as_uri(), f"{root}out.jpg", f"{root}../elsewhere/secret.jpg", "x/11.jpg"):
        assert "is not a file in" in refusal(StorageError, folder.read_file, address, root=root, limit=10_000)
    assert "10 bytes" in refusal(StorageError, folder.read_file, f"{root}11.jpg", root=root, limit=10)


def test_the_settings_lead_to_it_and_no_store_is_asked(own, tmp_path, monkeypatch):
    odd = b"\xff#?%41.jpg" if sys.platform == "linux" else b"#?%41.jpg"  # elsewhere the names of files are text
    (own / "11.jpg").rename(own / os.fsdecode(odd))
    monkeypatch.setenv("STEAM_API_URL", "http://127.0.0.1:9")
    chosen = settings.read(SOURCE="folder", FOLDER=own, DATA=tmp_path / "data")
    games = catalogue.load_or_fetch(chosen.catalogue_file, **chosen.request)
    assert content(games, "#?%41").startswith(b"\xff\xd8")
    assert catalogue.load(chosen.catalogue_file)["banner_url"].tolist() == games["banner_url"].tolist()
    assert games["banner_url"].str.startswith(chosen.assets_url).all()
    assert catalogue.popular(games, 2, api_url=chosen.api_url) == games["appid"].tolist()[:2]
    paint(own / "new.png")
    assert len(catalogue.load_or_fetch(chosen.catalogue_file, **chosen.request)) == 5  # read again
