"""The control, driven as a front end drives it: values are set, buttons clicked, and the HTML is read."""

import base64
import html
import http.server
import io
import re
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils import picker
from utils.banners import Banner

HOSTILE = "<script>alert('x')</script> \"quoted\" & \u202eright to left"
NAMES = {
    10: "Portal",
    620: "Portal 2",
    30: "Counter-Strike",
    40: "ファイナルファンタジー",
    50: "Ведьмак 3: Дикая Охота",
    60: "Pokémon™ Café",
    70: "🎮 Party!",
    80: "S.T.A.L.K.E.R. 2",
    90: "Baldur's Gate",
    100: HOSTILE,
    110: "2048",
    120: "The Portal of Dreams",
}


@dataclass(frozen=True)
class Features:
    """As utils.features gives them, without torch."""

    appids: np.ndarray
    names: np.ndarray
    vectors: np.ndarray


def cosines_of(features, queries, k):
    """matching.nearest in NumPy, for one query: a game's appid or a vector."""
    vectors = features.vectors.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    itself = np.flatnonzero(features.appids == queries[0]) if queries.ndim == 1 else []
    query = vectors[itself[0]] if queries.ndim == 1 else queries[0] / np.linalg.norm(queries[0])
    cosines = vectors @ query
    cosines[itself] = -2
    best = np.argsort(-cosines, kind="stable")[:k]
    return features.appids[best][None], cosines[best][None]


def jpeg(colour):
    content = io.BytesIO()
    Image.new("RGB", (256, 384), colour).save(content, "JPEG")
    return content.getvalue()


@pytest.fixture(scope="module")
def features():
    vectors = np.random.default_rng(0).normal(size=(len(NAMES), 8)).astype(np.float16)
    vectors[1] = vectors[0] + np.float16(0.01)  # Portal 2 is a near-duplicate of Portal
    return Features(np.array(list(NAMES)), np.array(list(NAMES.values()), dtype=object), vectors)


@pytest.fixture(scope="module")
def album():
    return {appid: Banner(appid, name, jpeg((appid * 2 % 256, 80, 120))) for appid, name in NAMES.items()}


@pytest.fixture(scope="module")
def catalogue():
    """620 is the most reviewed; 10, 620 and 30 have a developer in common, 90 and 100 a franchise."""
    games = pd.DataFrame({"appid": list(NAMES), "review_count": [5, 90, 80, 0, 70, 1, 2, 3, 4, 6, 7, 8]})
    games["developers"] = [["Valve"] if appid in (10, 620, 30) else [f"Studio {appid}"] for appid in NAMES]
    games["franchises"] = [["Gates"] if appid in (90, 100) else [] for appid in NAMES]
    return games


@pytest.fixture
def control(features, album, catalogue):
    return picker.pick(features, album, catalogue, k=3, nearest=cosines_of)


def shown(control):
    return [(int(cell.more.appid), cell.label.value) for cell in control.grid.children]


def typed(control, text):
    control.search.value = text
    return [appid for _, appid in control.shortlist.options]


# ------------------------------------------------------------ the search


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("portal", [620, 10, 120]),  # begins so (most reviewed first), then holds it
        ("PORTAL 2", [620]),
        ("620", [620]),
        ("2048", [110]),
        ("counter strike", [30]),
        ("conter strike", [30]),
        ("pokemon cafe", [60]),
        ("Café", [60]),
        ("ファイナル", [40]),
        ("ふぁいなる", [40]),
        ("охота", [50]),
        ("🎮", [70]),
        ("stalker", [80]),
        ("baldurs", [90]),
        ("<script>", [100]),
        ("zzzzzzzz", []),
        ("...", []),
    ],
)
def test_find(catalogue, text, found):
    index = picker.Index(list(NAMES), list(NAMES.values()), catalogue["review_count"])
    assert index.find(text) == found


def test_find_nothing_typed_is_the_most_reviewed(catalogue):
    index = picker.Index(list(NAMES), list(NAMES.values()), catalogue["review_count"])
    assert index.find("", limit=3) == [620, 30, 50]


def test_find_is_short():
    index = picker.Index(range(1, 1001), [f"Game {number}" for number in range(1, 1001)])
    assert index.find("game", limit=5) == [1, 2, 3, 4, 5]
    assert index.find("7", limit=3) == [7, 17, 27]


@pytest.mark.parametrize(("text", "appid"), [("portal", 620), (30, 30), ("30", 30), ("conter strike", 30)])
def test_find_a_game(features, catalogue, text, appid):
    assert picker.find(features, text, catalogue) == appid


def test_find_no_game(features):
    with pytest.raises(picker.NoGame, match="no game here is called 'zzzzzzzz'"):
        picker.find(features, "zzzzzzzz")


def test_find_appid_before_names():
    index = picker.Index([7, 8], ["8-Bit", "Seven"], [9, 1])
    assert index.find("8") == [8, 7]


# ------------------------------------------------------------ the control


def test_opens_on_the_most_reviewed(control):
    assert control.appid == 620
    assert "<bdi>Portal 2</bdi>" in control.card.value
    assert typed(control, "") == [620, 30, 50, 120, 110, 100, 10, 90, 80, 70, 60, 40]


@pytest.mark.parametrize("default", [30, "30", "counter-strike"])
def test_opens_on_the_default(features, album, default):
    assert picker.pick(features, album, default=default, nearest=cosines_of).appid == 30


def test_opens_and_says_that_the_default_is_unknown(features, album, catalogue):
    control = picker.pick(features, album, catalogue, default="zzzzzzzz", nearest=cosines_of)
    assert control.appid == 620
    assert "zzzzzzzz" in control.status.value


def test_matches_are_the_nearest_in_order(control, features):
    appids, cosines = cosines_of(features, np.array([620]), 3)
    assert [appid for appid, _ in control.matches] == appids[0].tolist()
    for (appid, label), cosine in zip(shown(control), cosines[0], strict=True):
        assert f"{cosine:.2f}" in label
        assert html.escape(NAMES[appid]) in label


def test_choose_from_the_list(control):
    typed(control, "ведьмак")
    assert control.shortlist.index is None  # nothing is chosen before somebody does, on ipywidgets 7 either
    assert control.appid == 620
    control.shortlist.index = 0
    assert control.appid == 50


def test_enter_takes_the_first(control):
    typed(control, "counter")
    control.search._handle_custom_msg({"event": "submit"}, [])
    assert control.appid == 30


def test_a_match_becomes_the_query(control):
    first = control.grid.children[0]
    appid = first.more.appid
    first.more.click()
    assert control.appid == appid
    assert appid not in [match for match, _ in control.matches]


def test_random(control):
    seen = set()
    for _ in range(40):
        control.random.click()
        seen.add(control.appid)
    assert len(seen) > 3


def test_number_of_matches(control):
    for number in (7, 2, 11, 40):
        control.number.value = number
        assert len(shown(control)) == len(control.matches) == min(number, 11)


def test_pictures_are_whole_and_small(control):
    control.number.value = 11
    sent = sum(len(label) for _, label in shown(control)) + len(control.card.value)
    for (_, label), (appid, _) in zip(shown(control), control.matches, strict=True):
        source = re.search(r'src="([^"]+)"', label)[1]
        with Image.open(io.BytesIO(base64_of(source))) as picture:
            assert picture.size == (160, 240)
            assert abs(picture.getpixel((80, 120))[0] - appid * 2 % 256) < 4
    assert sent < 300_000


def base64_of(source):
    return base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))


def test_banners_lead_to_the_store(control, features, album):
    appid, label = shown(control)[0]
    assert f'<a href="https://store.steampowered.com/app/{appid}" target="_blank" rel="noopener">' in label
    assert "store.steampowered.com/app/620" in control.card.value
    elsewhere = picker.pick(features, album, store_page=None, nearest=cosines_of)
    assert "<a " not in elsewhere.card.value + shown(elsewhere)[0][1]


def test_names_are_escaped(control):
    control.number.value = 11
    control.show(100)
    for value in (control.card.value, control.status.value, *(label for _, label in shown(control))):
        assert "<script" not in value
    assert f"<bdi>{html.escape(HOSTILE)}</bdi>" in control.card.value
    control.show(90)
    assert f"<bdi>{html.escape(HOSTILE)}</bdi>" in "".join(label for _, label in shown(control))
    typed(control, "<b>zzzzzzzz</b>")
    assert "<b>" not in control.status.value
    assert "\u202e" not in str(control.shortlist.options)


def test_only_other_peoples_games(control):
    pytest.importorskip("torch", reason="matching needs torch")
    control.number.value = 11
    control.others.value = True
    assert {appid for appid, _ in control.matches} == set(NAMES) - {620, 10, 30}
    control.show(90)
    assert 100 not in [appid for appid, _ in control.matches]  # of the same franchise
    control.show(40)
    assert len(control.matches) == 11


def test_hide_near_duplicates(control):
    control.number.value = 11
    assert control.matches[0][0] == 10
    control.distinct.value = True
    assert 10 not in [appid for appid, _ in control.matches]  # a copy of the query
    control.show(70)
    matches = [appid for appid, _ in control.matches]
    assert len(matches) == 10
    assert (10 in matches) != (620 in matches)  # one of two copies


def test_options_ask_for_more_until_enough_pass():
    """Of 500 games all but every 50th are the query's developer's."""
    pytest.importorskip("torch", reason="matching needs torch")
    appids = np.arange(1, 501)
    features = Features(appids, appids.astype(str), np.random.default_rng(0).normal(size=(500, 8)))
    games = pd.DataFrame({"appid": appids, "review_count": 0})
    games["developers"] = [["Other"] if appid % 50 == 0 else ["Same"] for appid in appids]
    games["franchises"] = [[]] * 500
    album = dict.fromkeys(appids.tolist(), Banner(0, "", jpeg("red")))
    control = picker.pick(features, album, games, default=1, k=10, nearest=cosines_of)
    control.others.value = True
    assert sorted(appid for appid, _ in control.matches) == list(range(50, 501, 50))
    assert [cosine for _, cosine in control.matches] == sorted((each for _, each in control.matches), reverse=True)


def test_kinds_of_features(features, album):
    other = replace(features, vectors=features.vectors[::-1])
    control = picker.pick({"pooled": features, "cls": other}, album, default=30, nearest=cosines_of)
    first = control.matches
    control.kind.value = "cls"
    assert control.matches != first
    assert control.appid == 30


def test_says_what_is_missing(control, features, album):
    typed(control, "zzzzzzzz")
    assert "zzzzzzzz" in control.status.value
    assert control.shortlist.options == ()
    control.search._handle_custom_msg({"event": "submit"}, [])  # nothing to take
    control.others.value = control.distinct.value = True
    some = {appid: banner for appid, banner in album.items() if appid != 30} | {40: Banner(40, "", b"broken")}
    control = picker.pick(features, some, default=620, k=11, nearest=cosines_of)
    assert {appid for appid, label in shown(control) if "<img" not in label} == {30, 40}
    typed(control, "counter")
    control.shortlist.index = 0
    assert "not on disk" in control.status.value
    assert control.appid == 620


def test_no_features_no_crash(album):
    control = picker.pick(Features(np.zeros(0, int), np.zeros(0, str), np.zeros((0, 8))), album, nearest=cosines_of)
    assert "no features" in control.status.value
    control.random.click()
    control.number.value = 5


def test_one_game_has_no_matches(album):
    control = picker.pick(Features(np.array([10]), np.array(["Portal"]), np.ones((1, 8))), album, nearest=cosines_of)
    assert control.matches == []
    assert "Nothing is left" in control.status.value


def test_errors_are_told_in_the_control(features, album):
    def broken(*_):
        raise RuntimeError("<out of memory>")

    control = picker.pick(features, album, nearest=broken)
    assert "RuntimeError: &lt;out of memory&gt;" in control.status.value


def test_without_an_encoder_there_is_no_box_for_pictures(control):
    assert not {control.view, control.address, control.upload} & set(everything(control))


def everything(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything(child)


def test_plain_widgets_only(features, album, catalogue):
    control = picker.pick({"a": features, "b": features}, album, catalogue, encoder={"a": object()}, nearest=cosines_of)
    plain = {
        "Box",
        "Button",
        "Checkbox",
        "Dropdown",
        "FileUpload",
        "HBox",
        "HTML",
        "IntSlider",
        "Select",
        "Text",
        "VBox",
    }
    assert {widget._model_name.removesuffix("Model") for widget in everything(control)} == plain
    assert all(widget._model_module == "@jupyter-widgets/controls" for widget in everything(control))


# ------------------------------------------------------------ mirrored, upside down, somebody's own picture


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """An encoder and four games: a picture, its mirror image, it upside down, and another."""
    pytest.importorskip("torch", reason="an encoder needs torch")
    checkpoints = pytest.importorskip("checkpoints")
    from utils import encoder, matching

    beit = encoder.load(checkpoints.write(tmp_path_factory.mktemp("checkpoint"), image_size=64), device="cpu")
    picture, other = (np.random.default_rng(seed).integers(0, 256, (6, 4, 3), np.uint8) for seed in (0, 1))
    album = {}
    for appid, small in enumerate((picture, picture[:, ::-1], picture[::-1], other), 1):
        content = io.BytesIO()
        Image.fromarray(small).resize((256, 384), Image.Resampling.NEAREST).save(content, "JPEG", quality=95)
        album[appid] = Banner(appid, f"Game {appid}", content.getvalue())
    vectors = np.concatenate([matching.query_vector(beit, banner.rgb) for banner in album.values()])
    return beit, Features(np.arange(1, 5), np.array([banner.name for banner in album.values()]), vectors), album


@pytest.fixture
def turning(turned):
    beit, features, album = turned
    return picker.pick(features, album, encoder=beit, default=1, k=3, nearest=cosines_of)


@pytest.mark.parametrize(("view", "first", "style"), [("mirrored", 2, "scaleX(-1)"), ("upside down", 3, "scaleY(-1)")])
def test_turned_query_finds_its_twin(turning, view, first, style):
    assert style not in turning.card.value
    turning.view.value = view
    assert turning.matches[0][0] == first
    assert turning.matches[0][1] > 0.99
    assert 1 not in [appid for appid, _ in turning.matches]
    assert style in turning.card.value


def uploads(content):
    """What FileUpload.value is on ipywidgets 7 and 8."""
    return {"mine.png": {"metadata": {}, "content": content}}, ({"name": "mine.png", "content": memoryview(content)},)


@pytest.mark.parametrize("version", [7, 8])
def test_upload(turning, turned, version):
    turning._on_upload({"new": uploads(turned[2][4].jpeg)[version - 7]})
    assert turning.appid is None
    assert turning.matches[0][0] == 4
    assert turning.matches[0][1] > 0.99
    assert "Your picture" in turning.card.value
    assert "<a " not in turning.card.value


def test_upload_of_the_installed_ipywidgets(turning, turned):
    upload = uploads(turned[2][4].jpeg)[1][0] | {"type": "image/jpeg", "size": 1, "last_modified": datetime.now(UTC)}
    turning.upload.value = (upload,)
    assert turning.matches[0][0] == 4


def test_an_upload_that_is_no_picture(turning):
    turning._on_upload({"new": uploads(b"no picture")[1]})
    assert "not a whole picture" in turning.status.value
    assert turning.appid == 1


@pytest.fixture
def web(turned):
    """A web server on loopback with one picture, one page, and nothing else."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response({"/cover.jpg": 200, "/page": 200}.get(self.path, 404))
            self.end_headers()
            self.wfile.write(turned[2][2].jpeg if self.path == "/cover.jpg" else b"<html>")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_address(turning, web):
    turning.address.value = f" {web}/cover.jpg "
    assert turning.appid is None
    assert turning.matches[0][0] == 2


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("{web}/nowhere.jpg", "404"),
        ("{web}/page", "not a whole picture"),
        ("/etc/hostname", "must begin with http:// or https://"),
        ("file:///etc/hostname", "must begin with http:// or https://"),
        ("http://127.0.0.1:9/", "cannot be had"),
        ("https://<script>", "cannot be had"),
    ],
)
def test_an_address_without_a_picture(turning, web, address, words):
    turning.address.value = address.format(web=web)
    assert words in turning.status.value
    assert "<script" not in turning.status.value
    assert turning.appid == 1


def test_features_without_their_encoder(turned):
    beit, features, album = turned
    control = picker.pick({"a": features, "b": features}, album, encoder={"a": beit}, nearest=cosines_of)
    control.view.value = "mirrored"
    assert control.status.value == ""
    control.kind.value = "b"
    assert "without their encoder" in control.status.value


def test_real_matching(turned):
    """With matching's own neighbours, of features that nobody prepared."""
    _, _, album = turned
    from utils import features, matching

    vectors = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float16)
    games = features.Features(np.arange(1, 5), np.array(list("abcd"), dtype=object), vectors, {})
    control = picker.pick(games, album, default=2, k=2)
    appids, cosines = matching.nearest(games, [2], 2)
    assert control.matches == list(zip(appids[0].tolist(), cosines[0].tolist(), strict=True))
