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
from share_games import HOSTILE, MANIFEST, extras_of, games_of_sample, jpeg, matches_of_series

import share
from share import folder, lists
from utils import files
from utils.banners import Banner
from utils.errors import PlainError, SettingsError, StorageError
from utils.names import visible

FILES = {"index.html", "gallery.css", "gallery.js", "search.js", "filters.js", "map.js", "data", ".lock"}
FILES |= {"popular.md", "unique.md", "matches.csv", "manifest.json", "files.txt"}


@pytest.fixture(scope="module")
def games():
    return games_of_sample()


@pytest.fixture(scope="module")
def matches(games):
    return matches_of_series(games)


@pytest.fixture(scope="module")
def extras(matches):
    return extras_of(matches)


@pytest.fixture(scope="module")
def gallery(games, matches, extras, tmp_path_factory):
    """An export that begins with the hostile names, with one popular game that has no matches."""
    popular = [*games["appid"][:10], 999]
    place = tmp_path_factory.mktemp("web") / "gallery"
    return share.gallery(matches, games, {}, place, popular=popular, extras=extras)


def data(gallery, file):
    """What a script of data/ hands over."""
    script = (gallery.parent / "data" / f"{file}.js").read_text(encoding="utf-8")
    assert not re.search("[<\u2028\u2029]", script)
    return json.loads(script.removeprefix(f'gallery("{file}",').removesuffix(");"))


def read(gallery, file):
    return (gallery.parent / file).read_text(encoding="utf-8")


def test_the_table_for_a_spreadsheet_is_the_matches_and_the_manifest_says_whose(gallery, matches):
    assert {file.name for file in gallery.parent.iterdir()} == FILES | {"duplicates.md"}
    table = pd.read_csv(gallery.parent / "matches.csv", encoding="utf-8")
    k = matches.neighbours.shape[1]
    np.testing.assert_array_equal(table["appid"].to_numpy().reshape(-1, k)[:, 0], matches.appids)
    np.testing.assert_array_equal(table["match"].to_numpy().reshape(-1, k), matches.neighbours)
    np.testing.assert_allclose(table["cosine"].to_numpy().reshape(-1, k), matches.cosines, atol=5.1e-5)
    assert table["rank"].tolist() == list(range(1, k + 1)) * len(matches.appids)
    assert table["match_name"].notna().all()
    manifest = json.loads(read(gallery, "manifest.json"))
    assert manifest["features"] == matches.manifest
    assert (manifest["games"], manifest["matches"], manifest["pictures"]) == (len(matches.appids), k, "store")
    assert all(str(MANIFEST[name])[:12] in data(gallery, "start")["made"] for name in MANIFEST)


@pytest.mark.parametrize("name", ["=1+1", "+SUM(A1)", "-2", "@x", "\t=1"])
def test_no_name_is_a_formula_in_a_spreadsheet(name):
    assert lists.in_csv(name)[0] in "'1"
    assert lists.in_csv("A-Train") == "A-Train"


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


def test_the_most_unique_and_the_near_duplicates_are_listed(gallery, matches):
    ranks = re.findall(r"^\| (\d+) \|", read(gallery, "unique.md"), re.MULTILINE)
    assert len(ranks) == min(250, len(matches.appids))
    least = matches.cosines[:3, 0].min()
    assert f"- 3 games, cosine {least:.2f} or more:" in read(gallery, "duplicates.md")
    assert data(gallery, "lists")["cosines"] == [pytest.approx(matches.cosines[:3, 0].tolist(), abs=5.1e-5)]


@pytest.mark.parametrize("unknown", [0, None])
def test_embedding_atlas_gets_one_parquet(games, matches, extras, tmp_path, unknown):
    album = {appid: Banner(appid, "", jpeg(appid)) for appid in matches.appids.tolist()[1:]}
    dates = {int(matches.appids[0]): unknown, int(matches.appids[1]): 1_600_000_000}
    games = games.assign(release_date=games["appid"].map(lambda appid: dates.get(appid, 1)))
    file = share.atlas(matches, games, album, extras.coordinates, tmp_path / "atlas.parquet")
    table = pq.read_table(file).to_pylist()
    assert [row["appid"] for row in table] == matches.appids.tolist()
    assert table[0]["image"] is None
    assert table[1]["image"]["bytes"] == jpeg(table[1]["appid"])
    assert [row["year"] for row in table[:3]] == [None, 2020, 1970]
    for row, near in zip(table, matches.neighbours, strict=True):
        assert matches.appids[row["neighbors"]["ids"]].tolist() == near.tolist()
    np.testing.assert_allclose(table[5]["neighbors"]["distances"], 1 - matches.cosines[5], atol=1e-6)


def test_each_chunk_has_all_that_its_games_matches_need(gallery, games, matches):
    start = data(gallery, "start")
    urls = games.set_index("appid")["banner_url"]
    found = {}
    for chunk in range(start["chunks"]):
        part = data(gallery, chunk)
        assert part["mirrored"].keys() == part["matches"].keys()
        for appid, (near, _) in part["matches"].items():
            assert int(appid) // 10 % start["chunks"] == chunk
            found[int(appid)] = near
            for each in (int(appid), *near):
                name, picture, *_ = part["shown"][str(each)]
                assert name == matches.names[np.searchsorted(matches.appids, each)]
                assert (picture and start["pictures"] + picture) == urls[each]
    assert start["chunks"] > 1
    assert found == dict(zip(matches.appids.tolist(), matches.neighbours.tolist(), strict=True))
    names = data(gallery, "names")
    known = games[games["appid"].isin(matches.appids)].sort_values("review_count", ascending=False)
    assert sorted(names["appids"]) == sorted(matches.appids.tolist())
    assert names["appids"][0] == known["appid"].iloc[0]  # most reviewed first


def test_pictures_can_be_copied_into_the_folder(games, matches, tmp_path):
    missing, *others = matches.appids.tolist()
    album = {appid: Banner(appid, "", jpeg(appid)) for appid in others}
    page = share.gallery(matches, games, album, tmp_path / "gallery", pictures="folder", popular=[missing, others[0]])
    copied = {file.name: file.read_bytes() for file in (page.parent / "pictures").iterdir()}
    assert copied == {f"{appid}.jpg": jpeg(appid) for appid in others}
    start = data(page, "start")
    assert start["pictures"] == "pictures/"
    assert [start["shown"][str(appid)][1] for appid in start["popular"]] == [None, f"{others[0]}.jpg"]
    assert "store.test" not in read(page, "index.html")
    assert f'<meta property="og:image" content="pictures/{others[0]}.jpg">' in read(page, "index.html")


def test_pictures_lie_with_several_hosts_and_what_is_no_plain_address_is_none(games, matches, tmp_path):
    good = ["https://a.test/1/x.jpg", "http://b.test:81/2/y.jpg?t=1"]
    odd = ["javascript:alert(1)", 'https://c.test/"><script>', "https://c.test/b; script-src *", "//c.test/b", "", None]
    addresses = dict(zip(matches.appids.tolist(), good + odd, strict=False))
    games = games.assign(banner_url=games["appid"].map(addresses).astype(object))
    page = share.gallery(matches, games, {}, tmp_path / "gallery", popular=list(addresses))
    start = data(page, "start")
    shown = [start["shown"][str(appid)][1] for appid in start["popular"]]
    assert [picture and start["pictures"] + picture for picture in shown] == good + [None] * len(odd)
    assert "img-src http://b.test:81 https://a.test data:;" in read(page, "index.html")
    assert "c.test" not in read(page, "index.html")


# ------------------------------------------------------------ the folder


def test_a_second_export_replaces_the_first_whole_and_one_that_fails_leaves_it(games, matches, tmp_path):
    album = {appid: Banner(appid, "", jpeg(appid)) for appid in matches.appids.tolist()}
    page = share.gallery(matches, games, album, tmp_path / "gallery", pictures="folder")
    before, broken = page.read_bytes(), album | {matches.appids.item(9): Banner(1, "", None)}
    with pytest.raises(TypeError):
        share.gallery(matches, games, broken, tmp_path / "gallery", pictures="folder")
    assert page.read_bytes() == before
    fewer = replace(matches, neighbours=matches.neighbours[:, :2], cosines=matches.cosines[:, :2])
    share.gallery(fewer, games, album, tmp_path / "gallery")
    assert {file.name for file in page.parent.iterdir()} == FILES
    assert len(pd.read_csv(page.parent / "matches.csv")) == 2 * len(fewer.appids)


def test_what_is_not_ours_stays(games, matches, tmp_path):
    page = share.gallery(matches, games, {}, tmp_path / "gallery")
    mine = [page.parent / name for name in ("CNAME", ".git/config", "pictures/mine.jpg", "data/mine.js")]
    for file in mine:
        file.parent.mkdir(exist_ok=True)
        file.write_text("mine")
    share.gallery(matches, games, {}, tmp_path / "gallery")
    assert [file.read_text() for file in mine] == ["mine"] * 4


@pytest.mark.parametrize("name", ["index.html", "files.txt", "data/start.js"])
def test_a_file_that_is_not_ours_is_never_replaced(games, matches, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(StorageError) as error:
        share.gallery(matches, games, {}, tmp_path)
    assert name in str(error.value)
    assert (tmp_path / name).read_text() == "mine"


def test_a_made_up_list_leads_nowhere_else(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    list_of(tmp_path / "gallery", ["../letter.txt", "/etc/hosts", "a/../../letter.txt", ".git/config"])
    export(tmp_path / "gallery")
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_two_exports_at_once_are_refused(tmp_path):
    with files.locked(tmp_path / "gallery"), pytest.raises(PlainError) as error:
        export(tmp_path / "gallery")
    assert "gallery" in str(error.value)


def export(place):
    with folder.writing(place) as opened:
        opened.write("index.html", b"x")
        opened.write("thumbs/1.jpg", b"y")


def list_of(place, names):
    place.mkdir(exist_ok=True)
    (place / folder.LIST).write_text("".join(f"{name}\n" for name in [folder.LIST, *names]))


STRANGE = {
    "a loop of links": lambda place: place.symlink_to(place),
    "the list is a folder": lambda place: (place / folder.LIST).mkdir(parents=True),
    "a folder of pictures is a file": lambda place: (place.mkdir(), (place / "thumbs").write_text("mine")),
    "our page became a folder": lambda place: (list_of(place, ["index.html"]), (place / "index.html").mkdir()),
    "an old folder became a file": lambda place: (list_of(place, ["a/b.html"]), (place / "a").write_text("mine")),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_folder_is_one_line(tmp_path, kind):
    STRANGE[kind](tmp_path / "gallery")
    with pytest.raises(PlainError) as error:
        export(tmp_path / "gallery")
    assert "gallery" in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_is_written_or_removed_through_a_link_out_of_it(tmp_path):
    outside = tmp_path / "holiday"
    outside.mkdir()
    (outside / "1.jpg").write_text("mine")
    list_of(tmp_path / "gallery", ["thumbs/1.jpg", "thumbs/2.jpg"])
    (tmp_path / "gallery" / "thumbs").symlink_to(outside)
    with pytest.raises(StorageError):
        export(tmp_path / "gallery")
    assert [file.read_text() for file in outside.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("said", "asked"),
    [("(3, 2)", {"extras": share.Extras(coordinates=np.zeros((3, 2)))}), ("'web'", {"pictures": "web"})],
)
def test_what_cannot_be_followed_is_refused(games, matches, tmp_path, said, asked):
    with pytest.raises(SettingsError) as error:
        share.gallery(matches, games, {}, tmp_path / "gallery", **asked)
    assert said in str(error.value)


# ------------------------------------------------------------ the map's coordinates


def prepared(vectors, fingerprint="made up"):
    appids = np.arange(len(vectors)) * 10
    return SimpleNamespace(appids=appids, vectors=vectors, manifest={"fingerprint": fingerprint})


@pytest.fixture
def no_umap(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)


@pytest.mark.usefixtures("no_umap")
def test_pca_is_the_singular_value_decompositions(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(500, 16)) * np.linspace(3, 1, 16) + 5
    coordinates = share.projection_2d(prepared(vectors.astype(np.float16)), tmp_path)
    left, values, _ = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    assert coordinates.dtype == np.float32
    for axis in (0, 1):
        assert abs(np.corrcoef(coordinates[:, axis], expected[:, axis])[0, 1]) > 0.9999
        assert coordinates[:, axis].std() == pytest.approx(expected[:, axis].std(), rel=1e-3)
    backwards = share.projection_2d(prepared(vectors[::-1].astype(np.float16), "backwards"), tmp_path)
    np.testing.assert_allclose(backwards[::-1], coordinates, atol=1e-3)


@pytest.mark.usefixtures("no_umap")
def test_coordinates_are_kept_for_the_same_features_alone(tmp_path):
    """What is kept is taken without a look at the vectors, unless it is of other features, damaged or not there."""
    vectors = np.random.default_rng(0).normal(size=(50, 8)) * np.linspace(3, 1, 8)
    first = share.projection_2d(prepared(vectors), tmp_path)
    np.testing.assert_array_equal(share.projection_2d(prepared(vectors[::-1]), tmp_path), first)
    others = share.projection_2d(prepared(vectors[::-1], "others"), tmp_path)
    assert abs(others - first).max() > 1
    file = tmp_path / "plane.parquet"
    file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(share.projection_2d(prepared(vectors), tmp_path), first)
