"""The sample: the store over real HTTP, its faults, its games and banners, one's own pictures, the tiny checkpoint."""

import dataclasses
import gzip
import http.client
import io
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from utils import sample, sample_art, sample_games, settings

ROOT = Path(__file__).parents[1]
COVERS = ROOT.parent / "shared" / "real-covers"
QUERY, ITEMS = "/IStoreQueryService/Query/v1/", "/IStoreBrowseService/GetItems/v1/"
PLAYED, TAGS = "/ISteamChartsService/GetMostPlayedGames/v1/", "/IStoreService/GetTagList/v1/"
GAMES_ONLY = {"released_only": True, "type_filters": {"include_apps": True, "include_games": True}}
EVERYTHING = {
    "include_assets": True,
    "include_basic_info": True,
    "include_reviews": True,
    "include_release": True,
    "include_tag_count": 20,
}


@pytest.fixture(scope="module")
def fictional():
    return sample.fictional()


@pytest.fixture(scope="module")
def shop(fictional):
    """The sample's store; tests that change a store open one of their own."""
    with sample.Store(fictional) as store:
        yield store


def get(store, path, **asked):
    return requests.get(store.api_url + path, params={"input_json": json.dumps(asked)} if asked else None, timeout=10)


def ask(store, path, **asked):
    return get(store, path, **asked).json()["response"]


def query(store, wanted=EVERYTHING, **words):
    return ask(
        store, QUERY, query={"start": 0, "count": 500, "sort": 2, "filters": GAMES_ONLY} | words, data_request=wanted
    )


def picture(store, game):
    return requests.get(f"{store.assets_url}steam/apps/{game.appid}/{game.banner}?t={game.updated}", timeout=30)


def by_name(stock, part):
    return next(game for game in stock.games if part in game.name)


# The store's services


def test_a_page_has_steams_shape(shop):
    page = query(shop, count=3)
    assert page["metadata"] == {"total_matching_records": 151, "start": 0, "count": 3}
    assert [entry["appid"] for entry in page["ids"]] == [90000010, 90000020, 90000030]
    item = page["store_items"][1]
    assert (item["item_type"], item["type"], item["success"], item["visible"]) == (0, 0, 1, True)
    assert item["id"] == item["appid"] == 90000020
    assert item["reviews"]["summary_filtered"]["review_count"] == 24105
    assert item["basic_info"]["franchises"][0]["name"] == "Alpenrune"
    assert item["tags"][0] == {"tagid": 21, "weight": 900}
    assert "content_descriptorids" not in item  # empty fields are left out
    assert item["assets"]["asset_url_format"] == "steam/apps/90000020/${FILENAME}?t=1307232000"
    assert item["assets"]["library_capsule"].endswith("/library_600x900.jpg")
    assert item["assets"]["library_capsule_2x"].endswith("/library_600x900_2x.jpg")


def test_only_the_parts_asked_for_are_answered(shop):
    bare = query(shop, wanted={}, count=1)["store_items"][0]
    assert not {"assets", "basic_info", "reviews", "release", "tags", "tagids"} & bare.keys()


def test_some_numbers_are_strings(shop):
    counts = [
        item["reviews"]["summary_filtered"]["review_count"] for item in query(shop)["store_items"] if "reviews" in item
    ]
    assert {type(count) for count in counts} == {int, str}


def test_pages_follow_each_other_and_end():
    with sample.Store(sample.many(1_201)) as store:
        pages = [query(store, wanted={}, start=start, count=1_000) for start in (0, 500, 1_000, 1_500)]
    appids = [entry["appid"] for page in pages for entry in page["ids"]]
    assert [page["metadata"]["count"] for page in pages] == [500, 500, 201, 0]  # never more than 500
    assert len(set(appids)) == len(appids) == 1_201


def test_without_a_sort_pages_overlap():
    with sample.Store(sample.many(1_200)) as store:
        words = [{"query": {"start": start, "count": 400, "filters": GAMES_ONLY}} for start in (0, 400, 800)]
        found = {entry["appid"] for one in words for entry in ask(store, QUERY, **one)["ids"]}
    assert 600 < len(found) < 1_100


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        (1, lambda game: game.name.casefold()),
        (10, lambda game: -game.reviews),
        (21, lambda game: -game.score),
        (30, lambda game: -game.players),
        (40, lambda game: -game.release_date),
    ],
)
def test_sorts(shop, sort, key):
    known = {game.appid: game for game in shop.games}
    keys = [key(known[entry["appid"]]) for entry in query(shop, sort=sort)["ids"]]
    assert keys == sorted(keys)
    assert len(keys) == 151


def test_filters(shop):
    def names(**filters):
        return {item["name"] for item in query(shop, filters=filters)["store_items"]}

    everything = names()
    assert len(everything) == 154
    assert everything - names(released_only=True) == {"Alpenrune: The Next Face"}
    assert everything - names(type_filters={"include_games": True, "include_demos": True}) == {
        "Alpenrune: First Rope - Soundtrack"
    }
    assert everything - names(content_descriptors_excluded=[3, 4]) == {
        "Baxter Street: The Velvet Hour",
        "Baxter Street: Blackmail Blues",
    }
    chess = names(tagids_must_match=[{"tagids": [4184, 1]}, {"tagids": [1677]}])
    assert {name.split(":")[0] for name in chess} == {"Вечный гамбит"}
    assert names(tagids_exclude=[4184]) == everything - chess


def test_named_items(shop):
    appids = [90000050, 7, 8, 90000010]
    items = ask(shop, ITEMS, ids=[{"appid": appid} for appid in appids], data_request=EVERYTHING)["store_items"]
    assert [(item["appid"], item["success"]) for item in items] == [(90000050, 1), (7, 15), (90000010, 1)]
    assert ask(shop, ITEMS, ids=[{"appid": 8}]) == {}


def test_most_played_and_tags(shop, fictional):
    chart = ask(shop, PLAYED)
    assert [row["rank"] for row in chart["ranks"]] == list(range(1, 21))
    peaks = [row["peak_in_game"] for row in chart["ranks"]]
    assert peaks == sorted(peaks, reverse=True)
    assert isinstance(chart["rollup_date"], int)
    names = {tag["tagid"]: tag["name"] for tag in ask(shop, TAGS)["tags"]}
    assert names[4184] == "Chess"
    assert {tag for game in fictional.games for tag in game.tags} <= set(names.values())


def test_a_store_with_nothing_in_it_answers_legally():
    with sample.Store(sample.Stock([], lambda _: None)) as store:
        assert query(store)["metadata"]["total_matching_records"] == 0
        assert ask(store, PLAYED) == {}


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"ids": [{}]}', '{"query": 3}', '{"query": {"count": "many"}}', '{"ids": [620]}']
)
def test_a_bad_request(shop, text):
    path = ITEMS if "ids" in text else QUERY
    answer = requests.get(shop.api_url + path, params={"input_json": text}, timeout=10)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")


def test_what_is_not_there(shop, fictional):
    gone = get(shop, "/ISteamApps/GetAppList/v2/")
    assert gone.status_code == 404
    assert "Method 'GetAppList' not found in interface 'ISteamApps'" in gone.text
    game = fictional.games[1]
    for path in ("", "steam/apps/1/library_600x900.jpg", f"steam/apps/{game.appid}/library_600x900.jpg", "../"):
        assert requests.get(shop.assets_url + path, timeout=10).status_code == 404


def test_gzip_when_asked_on_one_connection(shop):
    connection = http.client.HTTPConnection(shop.api_url.removeprefix("http://"), timeout=10)
    bodies, sockets = [], set()
    for encoding in ("gzip, deflate", "identity"):
        connection.request("GET", TAGS, headers={"Accept-Encoding": encoding})
        sockets.add(connection.sock)
        answer = connection.getresponse()
        body = answer.read()
        bodies.append(gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body)
        assert (answer.headers["Content-Encoding"] == "gzip") == (encoding != "identity")
    connection.close()
    assert bodies[0] == bodies[1]
    assert len(sockets) == 1


def test_the_log_and_the_silence(capfd):
    with sample.Store(sample.many(3)) as store:
        requests.get(f"{store.api_url}{TAGS}?language=english", headers={"User-Agent": "tester"}, timeout=10)
        with socket.create_connection(("127.0.0.1", int(store.api_url.rpartition(":")[2]))) as rude:
            rude.sendall(b"GET /store_item_assets/ HT")
        query(store)
        assert store.requests[0].target == f"{TAGS}?language=english"
        assert store.requests[0].agent == "tester"
        assert (store.count("GetTagList"), store.count('"count": 500'), store.count()) == (1, 1, 2)
    assert capfd.readouterr() == ("", "")


def test_close_ends_the_store_and_kept_connections():
    store = sample.Store(sample.many(3))
    with requests.Session() as session:
        session.get(store.api_url + TAGS, timeout=10)
        store.close()
        store.close()
        with pytest.raises(requests.ConnectionError):
            session.get(store.api_url + TAGS, timeout=10)


def test_only_loopback_and_a_port_of_choice():
    with sample.Store(sample.many(1)) as store:
        host, _, port = store.api_url.removeprefix("http://").partition(":")
        assert host == "127.0.0.1"
        with pytest.raises(OSError, match="in use"):
            sample.Store(sample.many(1), port=int(port))


def test_a_store_of_steams_size():
    with sample.Store(sample.many(110_000)) as store:
        page = query(store, start=109_990)
        game = store.games[54_321]
        assert page["metadata"]["total_matching_records"] == 110_000
        assert len(page["ids"]) == 10
        assert Image.open(io.BytesIO(picture(store, game).content)).size == (300, 450)


def test_pictures_of_the_big_store_belong_to_series():
    stock = sample.many(24)
    opened = (Image.open(io.BytesIO(stock.picture(game.appid))) for game in stock.games)
    pixels = [np.asarray(picture.resize((30, 45)), float) for picture in opened]
    apart = np.array([[np.abs(one - two).mean() for two in pixels] for one in pixels])
    same = np.array([[one.franchises == two.franchises for two in stock.games] for one in stock.games])
    assert apart[same & ~np.eye(24, dtype=bool)].min() > 1
    assert apart[same].max() < apart[~same].min()


# Trouble


@pytest.fixture
def store():
    with sample.Store(sample.many(20)) as opened:
        yield opened


def test_statuses_and_how_often(store):
    store.trouble("Query", 429, times=2, skip=1, seconds=7)
    answers = [get(store, QUERY) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"
    store.trouble("GetTagList", 500)
    store.trouble("GetMostPlayed", 403)
    assert [get(store, path).status_code for path in (TAGS, TAGS, PLAYED, QUERY)] == [500, 500, 403, 200]
    assert "Retry-After" not in get(store, TAGS).headers
    store.calm()
    assert get(store, TAGS).status_code == 200


def test_answers_that_are_none(store):
    store.trouble("Query", "html", times=1)
    store.trouble("Query", "empty", times=1)
    store.trouble("library", "empty")
    page = get(store, QUERY)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert get(store, QUERY).json() == {"response": {}}
    assert picture(store, store.games[0]).content == b""


def test_connections_that_break(store):
    store.trouble("Query", "drop")
    with pytest.raises(requests.ConnectionError):
        get(store, QUERY)
    store.trouble("library", "truncated", times=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        picture(store, store.games[0])
    assert picture(store, store.games[0]).status_code == 200


def test_answers_that_take_their_time(store):
    store.trouble("Query", "slow", times=1, seconds=0.3)
    store.trouble("GetTagList", "drip", seconds=0.01)
    start = time.monotonic()
    get(store, QUERY)
    assert time.monotonic() - start >= 0.3
    start = time.monotonic()
    length = len(
        requests.get(store.api_url + TAGS, headers={"Accept-Encoding": "identity"}, stream=True, timeout=10).raw.read(
            30
        )
    )
    assert time.monotonic() - start >= 0.01 * (length - 5)


def test_the_store_may_change_in_the_middle_of_a_crawl(store):
    def take_off(one):
        one.games = one.games[3:]

    store.trouble('"start": 10', take_off, times=1)
    first, second = (query(store, wanted={}, start=start, count=10) for start in (0, 10))
    assert first["metadata"]["total_matching_records"] == 20
    assert second["metadata"]["total_matching_records"] == 17
    assert second["ids"][0]["appid"] == store.games[10].appid


def test_pictures_may_change(store):
    one, two, three = store.games[:3]
    store.pictures[one.appid] = b"not a picture"
    store.pictures[two.appid] = None
    assert picture(store, one).content == b"not a picture"
    assert picture(store, two).status_code == 404
    assert picture(store, three).status_code == 200
    store.games = [dataclasses.replace(three, banner="moved/library_capsule.jpg", updated=5), *store.games[3:]]
    assert picture(store, three).status_code == 404
    assert picture(store, store.games[0]).status_code == 200


def test_unknown_trouble(store):
    with pytest.raises(ValueError, match=r"'flood'.*'drip', 'drop'"):
        store.trouble("Query", "flood")


# The fictional games


def test_the_sample_has_what_it_promises(fictional):
    games = [game for game in fictional.games if game.type == 0 and game.release_date]
    names = "".join(game.name for game in games)
    series = {}
    for game in games:
        series.setdefault(game.franchises[:1], []).append(game)
    assert len(games) == 151
    assert len({game.appid for game in fictional.games}) == 154
    assert sorted(map(len, series.values())) == [1] + [6] * 25
    for letter in "éüñßёΑ墨🍬":
        assert letter in names
    assert sum(bool({3, 4} & set(game.descriptors)) for game in games) == 2
    assert sum(not game.reviews for game in games) > 3
    assert sum(game.banner is None for game in games) == 1
    banners = {game.banner for game in games}
    assert {"library_600x900.jpg", "library_capsule.jpg"} <= banners
    assert {banner.partition("/")[2] for banner in banners if banner and "/" in banner} == {
        "library_600x900.jpg",
        "library_capsule.jpg",
    }
    for developer in ("Gipfelwerk", "Estudio Marea"):
        assert len({game.franchises[0] for game in games if game.developers == (developer,)}) == 2


def test_names_are_as_hostile_as_names_can_be(shop):
    hostile = next(item for item in query(shop)["store_items"] if "<script>" in item["name"])
    assert '"' in hostile["name"]
    assert "|" in hostile["name"]
    assert "'" in hostile["name"]


@pytest.fixture(scope="module")
def files(fictional):
    """The bytes of every banner, drawn once for all tests."""
    return {
        game.name: fictional.picture(game.appid) for game in fictional.games if game.type == 0 and game.release_date
    }


def test_odd_pictures(files):
    def opened(name):
        return Image.open(io.BytesIO(files[name]))

    assert files["Зимовье: Оттепель"] is None
    assert opened("Baxter Street: Third Floor, No Light").mode == "L"
    assert opened("Würfel & Kreis: Schräge Töne").mode == "CMYK"
    palette = opened("Gloomwick: Loot & Rue")
    assert (palette.mode, palette.format) == ("P", "PNG")
    assert files["Вечный гамбит: Юбилейное издание"] == files["Вечный гамбит: Дебют"]
    assert np.asarray(opened("Untitled (Working Title)"), float).std() < 1
    assert {opened(name).size for name, file in files.items() if file} == {(600, 900)}


def test_banners_differ_and_are_not_flat(files):
    small = {
        name: np.asarray(Image.open(io.BytesIO(file)).convert("RGB").resize((30, 45), Image.Resampling.BOX), float)
        for name, file in files.items()
        if file and "Untitled" not in name
    }
    assert min(pixels.std() for pixels in small.values()) > 15
    apart = [np.abs(one - two).max() for one, two in itertools.combinations(small.values(), 2)]
    assert sorted(apart)[0] == 0  # the twins
    assert sorted(apart)[1] > 20


@pytest.mark.parametrize("series", sample_games._SERIES, ids=lambda series: series.art)
def test_the_fonts_of_a_series_have_its_letters(series, monkeypatch):
    fonts, find = {}, sample_art._font

    def noted(name, size):
        return fonts.setdefault(name, find(name, size)) and find(name, size)

    monkeypatch.setattr(sample_art, "_font", noted)
    sample_art.banner(series.art, 0, series.title, "x")
    text = series.title + series.games
    for name, font in fonts.items():
        box = bytes(font.getmask("\uffff"))  # what stands for a letter that a font lacks
        letters = set(text + text.upper() + text.lower()) - set(" |")
        assert not [letter for letter in letters if bytes(font.getmask(letter)) == box], name


def test_banners_are_the_same_in_every_process():
    script = (
        "import hashlib; from utils import sample; stock = sample.fictional();"
        "print(*[hashlib.sha256(stock.picture(game.appid)).hexdigest() for game in stock.games[:150:13]])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


# Somebody's own pictures


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


def test_an_unknown_tag():
    with pytest.raises(ValueError, match=r"game 5 has the tags \['Golf'\]; known are Action"):
        sample.Game(5, "Birdie", tags=("Golf", "Racing"))


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


# The notebooks' door


def test_steam_needs_no_store(tmp_path):
    chosen = settings.Settings(data=tmp_path)
    assert sample.open_store(chosen) is chosen
    assert sample.notes(chosen) == []


def test_opened_again_the_store_is_at_the_same_address(tmp_path, own):
    chosen = settings.Settings(source="sample", data=tmp_path, checkpoint="mine")
    opened = sample.open_store(chosen)
    assert opened == sample.open_store(chosen)
    assert opened.checkpoint == "mine"
    assert len(requests.get(opened.api_url + PLAYED, timeout=10).json()["response"]["ranks"]) == 20
    mine = settings.Settings(source="folder", folder=own, data=tmp_path, checkpoint="mine")
    first = sample.open_store(mine)
    paint(own / "new.jpg")
    (own / "list.csv").write_text("id,name\n77,Nowhere\n")
    assert sample.open_store(mine).api_url == first.api_url != opened.api_url
    assert sample.notes(mine)[0] == "appid 77 (Nowhere) in the CSV has no picture of its own"
    names = [item["name"] for item in requests.get(first.api_url + QUERY, timeout=10).json()["response"]["store_items"]]
    assert "new" in names


# The tiny checkpoint


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    pytest.importorskip("torch", reason="torch is not installed")
    return sample.checkpoint(tmp_path_factory.mktemp("data") / "tiny")


def test_open_store_writes_the_checkpoint(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    opened = sample.open_store(settings.Settings(source="sample", data=tmp_path))
    assert Path(opened.checkpoint, "model.safetensors").is_file()


def test_the_checkpoint_is_a_whole_beit_that_does_not_vanish(tiny):
    from transformers import BeitForImageClassification, BeitImageProcessorPil

    model, loading = BeitForImageClassification.from_pretrained(tiny, output_loading_info=True)
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert 200_000 < model.num_parameters() < 400_000
    assert model.config.steam_banners_untrained is True
    weights = dict(model.named_parameters())
    for part, least in (("relative_position_bias", 0.3), ("lambda_1", 0.4), ("lambda_2", 0.4), ("layernorm", 0.05)):
        assert min(weight.abs().mean() for name, weight in weights.items() if part in name) > least, part
    assert sum("relative_position_bias_table" in name for name in weights) == 4
    assert BeitImageProcessorPil.from_pretrained(tiny).size == {"height": 224, "width": 224}


def test_the_checkpoint_is_the_same_everywhere_and_leaves_chance_alone(tiny, tmp_path):
    import torch

    torch.manual_seed(5)
    before = torch.get_rng_state()
    again = sample.checkpoint(tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), before)
    for file in ("model.safetensors", "preprocessor_config.json", "config.json"):
        assert (again / file).read_bytes() == (tiny / file).read_bytes()
    assert sorted(file.name for file in again.iterdir()) == sorted(file.name for file in tiny.iterdir())


def test_a_whole_checkpoint_is_kept_and_a_torn_one_written_anew(tiny, tmp_path):
    place = sample.checkpoint(tmp_path / "tiny")
    written = (place / "model.safetensors").stat().st_mtime_ns
    assert sample.checkpoint(place) == place
    assert (place / "model.safetensors").stat().st_mtime_ns == written
    (place / "config.json").unlink()
    (place / "model.safetensors").write_bytes(b"torn")
    (place / "mine.txt").write_text("not ours")
    sample.checkpoint(place)
    assert (place / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()
    assert (place / "mine.txt").exists()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_nearly_all_games_find_one_of_their_series_first(tiny, fictional, files, dtype):
    torch = pytest.importorskip("torch")
    from utils import banners, encoder

    games = [game for game in fictional.games if game.franchises and files.get(game.name) and game.banner]
    pixels = [banners.decode(files[game.name]) for game in games]
    beit = encoder.load(str(tiny), dtype=getattr(torch, dtype))
    vectors = torch.cat([beit(pixels[start : start + 37]) for start in range(0, len(pixels), 37)]).double()
    assert len(games) == 148
    for features in (vectors, vectors - vectors.mean(0)):
        cosines = torch.nn.functional.normalize(features) @ torch.nn.functional.normalize(features).T
        nearest = cosines.fill_diagonal_(-2).argmax(1).tolist()
        hits = [game.franchises[0] == games[other].franchises[0] for game, other in zip(games, nearest, strict=True)]
        assert np.mean(hits) >= 0.95
