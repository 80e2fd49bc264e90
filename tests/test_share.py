"""What is shared, file by file: the gallery's data, lists, tables, coordinates, and the folder they lie in."""

import json
import re
from dataclasses import replace
from html import unescape
from types import SimpleNamespace

import mistune
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hosts import refusal
from share_games import ALBUM, EXTRAS, GAMES, HOSTILE, MANIFEST, MATCHES

import share
from share import folder, lists
from utils import files
from utils.banners import Banner
from utils.errors import SettingsError, StorageError
from utils.names import visible

FILES = {"index.html", "gallery.css", "gallery.js", "search.js", "filters.js", "map.js", "data", ".lock"}
FILES |= {"popular.md", "unique.md", "matches.csv", "manifest.json", "files.txt"}
APPIDS = MATCHES.appids.tolist()


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """An export that begins with the hostile names, with one popular game that has no matches."""
    place = tmp_path_factory.mktemp("web") / "gallery"
    return share.gallery(MATCHES, GAMES, {}, place, popular=[*GAMES["appid"][:10], 999], extras=EXTRAS)


def data(gallery, file):
    """What a script of data/ hands over."""
    script = (gallery.parent / "data" / f"{file}.js").read_text(encoding="utf-8")
    assert not re.search("[<\u2028\u2029]", script)
    return json.loads(script.removeprefix(f'gallery("{file}",').removesuffix(");"))


def popular_pictures(gallery):
    """The addresses of the popular games' banners, as the page puts them together."""
    start = data(gallery, "start")
    pictures = [start["shown"][str(appid)][1] for appid in start["popular"]]
    return [picture and start["pictures"] + picture for picture in pictures]


def read(gallery, file):
    return (gallery.parent / file).read_text(encoding="utf-8")


def test_the_lists_are_the_matches_and_the_manifest_says_whose(gallery):
    assert {file.name for file in gallery.parent.iterdir()} == FILES | {"duplicates.md"}
    table = pd.read_csv(gallery.parent / "matches.csv")
    k = MATCHES.neighbours.shape[1]
    np.testing.assert_array_equal(table["appid"], MATCHES.appids.repeat(k))
    np.testing.assert_array_equal(table["match"], MATCHES.neighbours.ravel())
    np.testing.assert_allclose(table["cosine"], MATCHES.cosines.ravel(), atol=5.1e-5)
    assert table["rank"].tolist() == list(range(1, k + 1)) * len(APPIDS)
    assert table["match_name"].notna().all()
    ranks = re.findall(r"^\| (\d+) \|", read(gallery, "unique.md"), re.MULTILINE)
    assert len(ranks) == min(250, len(APPIDS))
    assert f"- 3 games, cosine {MATCHES.cosines[:3, 0].min():.2f} or more:" in read(gallery, "duplicates.md")
    assert data(gallery, "lists")["cosines"] == [pytest.approx(MATCHES.cosines[:3, 0].tolist(), abs=5.1e-5)]
    manifest = json.loads(read(gallery, "manifest.json"))
    assert manifest["features"] == MATCHES.manifest
    assert (manifest["games"], manifest["matches"], manifest["pictures"]) == (len(APPIDS), k, "store")
    assert all(str(MANIFEST[name])[:12] in data(gallery, "start")["made"] for name in MANIFEST)


def test_no_name_is_a_formula_in_a_spreadsheet():
    assert {lists.in_csv(name)[0] for name in ("=1+1", "+SUM(A1)", "-2", "@x")} == {"'"}
    assert [lists.in_csv(name) for name in ("\t=1", "A-Train")] == ["'=1", "A-Train"]


def test_markdown_shows_names_as_text(gallery):
    """Rendered by mistune, each cell is a picture and a name that lead to the store, whatever the name is."""
    render = mistune.create_markdown(escape=False, plugins=["table", "url", "strikethrough", "math"])
    page = render(read(gallery, "popular.md"))
    cells = re.findall("<td.*?>(.*?)</td>", page, re.DOTALL)
    assert len(cells) == 10 * 9  # popular games, each with eight matches
    tags = set(re.findall("<(/?[a-z0-9]+)", page.partition("<tbody>")[2]))
    assert tags == {"tr", "td", "a", "img", "br", "/tr", "/td", "/a", "/tbody", "/table"}
    links = re.findall('href="(.*?)"', page)
    assert all(re.fullmatch(r"https://store\.steampowered\.com/app/\d+", link) for link in links)
    shown = [unescape(re.sub("<.*?>", "", cell)) for cell in cells[::9]]
    assert shown[: len(HOSTILE)] == [visible(name) for name in HOSTILE]


def test_embedding_atlas_gets_one_parquet(tmp_path):
    album = {appid: ALBUM[appid] for appid in APPIDS[1:]}
    dates = dict(zip(APPIDS, [0, 1_600_000_000, None], strict=False))
    games = GAMES.assign(release_date=GAMES["appid"].map(lambda appid: dates.get(appid, 1)))
    file = share.atlas(MATCHES, games, album, EXTRAS.coordinates, tmp_path / "atlas.parquet")
    table = pq.read_table(file).to_pylist()
    assert [row["appid"] for row in table] == APPIDS
    assert table[0]["image"] is None
    assert table[1]["image"]["bytes"] == ALBUM[APPIDS[1]].jpeg
    assert [row["year"] for row in table[:4]] == [None, 2020, None, 1970]
    for row, near in zip(table, MATCHES.neighbours, strict=True):
        assert MATCHES.appids[row["neighbors"]["ids"]].tolist() == near.tolist()
    np.testing.assert_allclose(table[5]["neighbors"]["distances"], 1 - MATCHES.cosines[5], atol=1e-6)


def test_each_chunk_has_all_that_its_games_matches_need(gallery):
    start = data(gallery, "start")
    urls = GAMES.set_index("appid")["banner_url"]
    found = {}
    for chunk in range(start["chunks"]):
        part = data(gallery, chunk)
        for appid, (near, _) in part["matches"].items():
            assert int(appid) // 10 % start["chunks"] == chunk
            found[int(appid)] = near
            for each in (int(appid), *near):
                name, picture, *_ = part["shown"][str(each)]
                assert name == MATCHES.names[np.searchsorted(MATCHES.appids, each)]
                assert (picture and start["pictures"] + picture) == urls[each]
    assert start["chunks"] > 1
    assert found == dict(zip(APPIDS, MATCHES.neighbours.tolist(), strict=True))


def test_pictures_lie_with_several_hosts_and_what_is_no_plain_address_is_none(tmp_path):
    good = ["https://a.test/1/x.jpg", "http://b.test:81/2/y.jpg?t=1"]
    odd = ["javascript:alert(1)", 'https://c.test/"><script>', "https://c.test/b; script-src *", "//c.test/b", "", None]
    addresses = dict(zip(APPIDS, good + odd, strict=False))
    games = GAMES.assign(banner_url=GAMES["appid"].map(addresses).astype(object))
    page = share.gallery(MATCHES, games, {}, tmp_path / "gallery", popular=list(addresses))
    assert popular_pictures(page) == good + [None] * len(odd)
    assert "img-src http://b.test:81 https://a.test data:;" in read(page, "index.html")
    assert "c.test" not in read(page, "index.html")


def test_pictures_are_copied_a_second_export_replaces_the_first_whole_and_one_that_fails_leaves_it(tmp_path):
    missing, *others = APPIDS
    album = {appid: ALBUM[appid] for appid in others}
    asked = {"pictures": "folder", "popular": [missing, others[0]]}
    page = share.gallery(MATCHES, GAMES, album, tmp_path / "gallery", **asked)
    copied = {file.name: file.read_bytes() for file in (page.parent / "pictures").iterdir()}
    assert copied == {f"{appid}.jpg": ALBUM[appid].jpeg for appid in others}
    assert popular_pictures(page) == [None, f"pictures/{others[0]}.jpg"]
    assert "store.test" not in read(page, "index.html")
    assert f'<meta property="og:image" content="pictures/{others[0]}.jpg">' in read(page, "index.html")
    before, broken = page.read_bytes(), album | {APPIDS[9]: Banner(1, "", None)}
    with pytest.raises(TypeError):
        share.gallery(MATCHES, GAMES, broken, tmp_path / "gallery", **asked)
    assert page.read_bytes() == before
    mine = [page.parent / name for name in ("CNAME", ".git/config", "data/mine.js")]
    for file in mine:
        put(file)
    fewer = replace(MATCHES, neighbours=MATCHES.neighbours[:, :2], cosines=MATCHES.cosines[:, :2])
    share.gallery(fewer, GAMES, ALBUM, tmp_path / "gallery")
    assert {file.name for file in page.parent.iterdir()} == FILES | {"CNAME", ".git"}
    assert [file.read_text() for file in mine] == ["mine"] * 3
    assert len(pd.read_csv(page.parent / "matches.csv")) == 2 * len(APPIDS)


def export(place):
    with folder.writing(place) as opened:
        opened.write("index.html", b"x")
        opened.write("thumbs/1.jpg", b"y")


def put(file, text="mine"):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


OURS = f"{folder.LIST}\nindex.html\nthumbs/1.jpg\n"
STRANGE = {
    "a page that is not ours": lambda place: put(place / "index.html"),
    "a list that is not ours": lambda place: put(place / folder.LIST),
    "the list is a folder": lambda place: (place / folder.LIST).mkdir(parents=True),
    "a loop of links": lambda place: place.symlink_to(place),
    "a folder of pictures is a file": lambda place: put(place / "thumbs"),
    "our page became a folder": lambda place: (put(place / folder.LIST, OURS), (place / "index.html").mkdir()),
    "a link out of it": lambda place: (put(place / folder.LIST, OURS), (place / "thumbs").symlink_to("../outside")),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_folder_is_one_line_and_what_is_not_ours_is_never_replaced(tmp_path, kind):
    put(tmp_path / "outside/1.jpg")
    STRANGE[kind](tmp_path / "gallery")
    mine = {file for file in tmp_path.rglob("*") if file.is_file() and file.read_text() == "mine"}
    assert "gallery" in refusal(StorageError, export, tmp_path / "gallery")
    assert {file.read_text() for file in mine} == {"mine"}


def test_a_list_that_somebody_made_up_removes_nothing_but_files_of_ours(tmp_path):
    mine = [tmp_path / "outside/1.jpg", tmp_path / "gallery/.git/config"]
    for file in mine:
        put(file)
    put(tmp_path / "gallery" / folder.LIST, f"{OURS}\n../outside/1.jpg\n{mine[0]}\na/../../outside/1.jpg\n.git/config")
    export(tmp_path / "gallery")
    assert [file.read_text() for file in mine] == ["mine", "mine"]


def test_what_cannot_be_followed_and_two_exports_at_once_are_refused(tmp_path):
    with files.locked(tmp_path / "gallery"):
        assert "gallery" in refusal(StorageError, export, tmp_path / "gallery")
    extras = share.Extras(coordinates=np.zeros((3, 2)))
    assert "(3, 2)" in refusal(SettingsError, share.gallery, MATCHES, GAMES, {}, tmp_path / "gallery", extras=extras)
    assert "'web'" in refusal(SettingsError, share.gallery, MATCHES, GAMES, {}, tmp_path / "gallery", pictures="web")


def test_coordinates_are_pcas_and_kept_for_the_same_features_alone(tmp_path, monkeypatch):
    """What is kept is taken without a look at the vectors, unless it is of other features, damaged or not there."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)  # no UMAP
    vectors = (np.random.default_rng(0).normal(size=(500, 16)) * np.linspace(3, 1, 16) + 5).astype(np.float16)

    def coordinates_of(vectors, fingerprint):
        manifest = {"fingerprint": fingerprint}
        prepared = SimpleNamespace(appids=np.arange(len(vectors)) * 10, vectors=vectors, manifest=manifest)
        return share.projection_2d(prepared, tmp_path)

    first = coordinates_of(vectors, "made up")
    left, values, _ = np.linalg.svd(vectors - vectors.mean(0, dtype=float), full_matrices=False)
    expected = left[:, :2] * values[:2]
    assert first.dtype == np.float32
    np.testing.assert_allclose(first * np.sign((first * expected).sum(0)), expected, atol=0.01)
    np.testing.assert_array_equal(coordinates_of(vectors[::-1], "made up"), first)
    backwards = coordinates_of(vectors[::-1], "backwards")
    np.testing.assert_allclose(backwards[::-1], first, atol=1e-3)
    file = tmp_path / "plane.parquet"
    file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(coordinates_of(vectors, "backwards"), first)
