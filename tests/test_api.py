"""The JSON API over finished matches, asked by a real HTTP client."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import browser
import checkpoints
import downloads
import hosts
import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image
from share_games import GAMES

import sample
import share
from share import api
from share.served import Served, load
from share.site import site, store_pictures
from utils import banners, catalogue, encoder, features, matching, settings
from utils.errors import MatchError
from utils.features import Features
from utils.filters import Filter
from utils.picker.queries import Matcher, QueryOptions


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Served:
    """Forty games of the sample, their matches by a tiny checkpoint, and a gallery."""
    games, stock = GAMES.head(40), sample.fictional()
    album = {appid: banners.own(stock.picture(appid), "") for appid in games["appid"]}
    folder = tmp_path_factory.mktemp("served")
    network = encoder.load(checkpoints.write(folder / "tiny", image_size=64), device="cpu", dtype="float32")
    vectors = network([banner.rgb for banner in album.values()]).numpy().astype(np.float16)
    found = Features(games["appid"].to_numpy(), games["name"].to_numpy(), vectors, network.identity)
    prepared = matching.prepare(found, "centred")
    matches = matching.all_matches(prepared, 10)
    page = share.gallery(matches, games, album, folder / "gallery", pictures="folder")
    shown = site(matches, games, store_pictures(matches, games))
    return Served(shown, Matcher(prepared, network, games, matching.prepared(found)), album, page.parent)


@contextlib.contextmanager
def serving(app):
    """Uvicorn on a free port of loopback: yields a client."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def client(served):
    with serving(api.create(served)) as client:
        yield client


def appids(answer):
    return [match["game"]["appid"] for match in answer.json()["matches"]]


def refusal(answer, status):
    """The sentence of a refusal with a status."""
    assert answer.status_code == status
    return str(answer.json()["detail"])


def test_what_the_site_has_is_answered(client, served):
    for game in served.site.games[:5]:
        answer = client.get(f"/api/games/{game.appid}/matches").json()
        near, cosines = served.site.matches.of(game.appid)
        assert answer["query"] == client.get(f"/api/games/{game.appid}").json()
        assert answer["query"]["name"] == game.name
        assert [match["game"]["appid"] for match in answer["matches"]] == near.tolist()
        assert [match["cosine"] for match in answer["matches"]] == pytest.approx(cosines.tolist(), abs=1e-4)
    assert client.get("/api/random").json()["appid"] in served.album
    about = client.get("/api/about").json()
    assert (about["games"], about["matches_a_game"], about["reads_words"]) == (40, 10, False)
    found, offset = [], 0
    while offset is not None:
        page = client.get("/api/games", params={"name": "a", "limit": 4, "offset": offset}).json()
        found += [game["appid"] for game in page["games"]]
        offset = page["next_offset"]
    assert found == served.index.find("a", limit=1000)


ASKED = [  # what the API is asked, and what that is in the picker's terms
    ({"tag": "SURVIVAL"}, {"filter": Filter(tag="Survival")}),
    ({"score": 85}, {"filter": Filter(score=85)}),
    ({"since": 2015}, {"filter": Filter(since=2015)}),
    ({"others": True}, {"exclude_same_studio": True}),
    ({"view": "mirrored"}, {"mirrored": True}),
    ({"view": "upside-down"}, {"upside_down": True}),
]


@pytest.mark.parametrize(("asked", "options"), ASKED)
def test_filters_come_back_full_and_views_are_the_pickers(client, served, asked, options):
    """As many as are asked for, as long as there are any among all games, not among the stored matches alone."""
    query, most = served.site.games[0], len(served.site.games) - 1
    address = f"/api/games/{query.appid}/matches"
    expected = [appid for appid, _ in served.of_game(query.appid, QueryOptions(k=most, **options))]
    plain = appids(client.get(address, params={"n": most}))
    assert 3 < len(expected) <= len(plain) == most
    assert expected != plain
    assert appids(client.get(address, params=asked | {"n": most})) == expected
    assert appids(client.get(address, params=asked | {"n": 3})) == expected[:3]


def test_a_posted_picture_finds_its_game_and_what_is_none_is_refused(client, served):
    appid = served.site.games[7].appid
    picture = downloads.file(Image.fromarray(served.album[appid].rgb), "PNG")
    answer = client.post("/api/matches", content=picture, params={"n": 5})
    assert (appids(answer)[0], answer.json()["query"]) == (appid, None)
    tiff = downloads.file(Image.new("RGB", (256, 384)), "TIFF")  # a format for files of one's own alone
    for content in (b"%!PS-Adobe-3.0 EPSF-3.0\nquit", tiff):
        assert "picture" in refusal(client.post("/api/matches", content=content), 422)
    assert "bytes" in refusal(client.post("/api/matches", content=bytes(api.MOST_BYTES + 1)), 413)


def test_a_picture_that_drips_is_given_up(client, monkeypatch):
    monkeypatch.setattr("share.api.DEADLINE", 0.2)

    def drips():
        for _ in range(20):
            yield b"."
            time.sleep(0.05)

    assert "seconds" in refusal(client.post("/api/matches", content=drips()), 408)


def test_pictures_are_looked_at_one_at_a_time(client, monkeypatch):
    """Eight small files that decode to 36 MB each, at once."""
    looking, most, of_picture = [], [], Served.of_picture

    def watched(*asked):
        looking.append(1)
        most.append(len(looking))
        time.sleep(0.05)
        looking.pop()
        return of_picture(*asked)

    monkeypatch.setattr(Served, "of_picture", watched)
    content = downloads.png((3000, 4000), "black")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/api/matches", content=content), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert max(most) == 1


def test_it_is_asked_by_its_own_name_and_by_no_other_page(served):
    with serving(api.create(served, hosts=("127.0.0.1",))) as client:
        answer = client.get("/api/about", headers={"Origin": "https://a.test"})
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers
        assert client.get("/api/about", headers={"host": "rebound.example"}).status_code == 400


ODD = ["about?x=1", "games", "games?name=a&limit=0", "games?name=" + "a" * 201, "games/x", "matches?words=a+dragon"]
ODD += [f"games/90000010/matches?{odd}" for odd in ("n=101", "view=a", "since=soon", "year=2015", "tag=Knitting")]
NOT_HERE = ["games/1", "games/1/matches", f"games/{10**40}/matches"]


@pytest.mark.parametrize("address", ODD + NOT_HERE)
def test_what_cannot_be_answered_is_refused(client, address):
    assert refusal(client.get(f"/api/{address}"), 404 if address in NOT_HERE else 422)


@pytest.mark.parametrize("gallery", [True, False])
def test_head_and_a_slash_at_the_end_change_nothing(served, gallery):
    with serving(api.create(served if gallery else replace(served, gallery=None))) as client:
        for address in ("/api/about", f"/api/games/{served.site.games[0].appid}/matches", "/docs", *["/"] * gallery):
            answer, head = client.get(address), client.head(f"{address.rstrip('/')}/")
            assert (answer.status_code, head.status_code, head.content) == (200, 200, b"")
            assert head.headers["content-length"] == answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.browser
def test_the_openapi_page_works_offline(client, tmp_path):
    """No address but ours is asked for, the console is silent, and axe-core finds nothing serious."""
    asked, said = [], []
    with browser.opened(tmp_path) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{client.base_url}/docs")
        page.locator(".opblock").first.wait_for()
        assert browser.serious(page) == []
        page.locator(".opblock", has_text="/matches").first.click()
        page.get_by_text("The matches of one game's banner").first.wait_for()
    assert [url for url in asked if not url.startswith((str(client.base_url), "data:"))] == []
    assert said == []


def test_without_an_encoder_only_matches_are_served(served):
    address = f"/api/games/{served.site.games[0].appid}/matches"
    matcher = Matcher(served.matcher.features, games=served.matcher.games)
    with serving(api.create(replace(served, matcher=matcher))) as client:
        assert len(appids(client.get(address))) == 10
        assert len(appids(client.get(address, params={"others": True, "n": 11}))) == 11
        assert refusal(client.get(address, params={"view": "mirrored"}), 422)
        assert refusal(client.get("/api/matches", params={"words": "a dragon"}), 422)
        picture = next(iter(served.album.values())).jpeg
        assert refusal(client.post("/api/matches", content=picture), 422)
        assert client.get("/api/about").json()["sees_pictures"] is False


@pytest.mark.slow
def test_what_the_notebook_left_is_served_by_the_command(finished_dir, tmp_path):
    """Away from Steam no game has a store page, and the pictures are those of the gallery, from any address."""
    given = {"SOURCE": "sample", "DATA": str(tmp_path), "CHECKPOINT": "beit"}
    chosen = settings.read(**given)
    shutil.copytree(finished_dir, chosen.data_dir)
    shutil.rmtree(chosen.gallery)
    assert "make match" in hosts.refusal(MatchError, load, chosen, with_encoder=False)
    stored, album = features.load(chosen.features), banners.Album(chosen.snapshots)
    matching.all_matches(matching.prepare(stored, "centred"), 5, chosen.matches_folder)
    assert "make match again" in hosts.refusal(MatchError, load, chosen, with_encoder=False)
    matches = matching.all_matches(matching.prepare(stored), 5, chosen.matches_folder)
    games = catalogue.load(chosen.catalogue_file)
    share.gallery(matches, games, album, chosen.gallery, pictures="folder", store_page=None)
    appid = int(matches.appids[7])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {f"STEAM_BANNERS_{name}": value for name, value in given.items()}
    command = [sys.executable, "-m", "tools.serve", "--only-matches", f"--port={port}"]
    transport = httpx.HTTPTransport(retries=8)
    with (
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=60) as client,
    ):
        assert f"gallery is {client.base_url}" in server.stdout.readline()
        game = client.get(f"/api/games/{appid}")
        assert (game.json()["name"], game.json()["store_page"]) == (matches.names[7], None)
        assert client.get(game.url.join(game.json()["picture"])).content == album[appid].jpeg
        assert appids(client.get(f"/api/games/{appid}/matches", params={"n": 5})) == matches.neighbours[7].tolist()
        assert client.get("/").text == (chosen.gallery / "index.html").read_text(encoding="utf-8")
        assert client.get("/../../etc/passwd").status_code == 404
        server.terminate()
