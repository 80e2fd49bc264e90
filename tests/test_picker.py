"""The picker, driven as a front end drives it: values are set, buttons clicked, and the HTML is read."""

import base64
import html
import re
from dataclasses import replace
from types import SimpleNamespace

import checkpoints
import families
import IPython.display
import numpy as np
import pytest
from small_games import HOSTILE, NAMES, album_of, catalogue_of, features_of
from torch.nn.functional import cosine_similarity
from traitlets import Bunch

import sample
from utils import banners, encoder, images, matching, picker, show
from utils.banners import Banner
from utils.errors import MatchError
from utils.features import Features
from utils.settings import STORE_PAGE, Settings

FEATURES, ALBUM, GAMES = features_of(), album_of(), catalogue_of()


def press_enter(control):
    data = {"method": "custom", "content": {"event": "submit"}}
    control.search.comm.handle_msg({"content": {"data": data}, "buffers": []})


def upload(control, version=8, **files):
    """Let the FileUpload say that files came, in the form of ipywidgets 7 or 8, whichever is installed."""
    new = tuple({"name": name, "content": memoryview(content)} for name, content in files.items())
    if version == 7:
        new = {name: {"metadata": {}, "content": content} for name, content in files.items()}
    control.upload.notify_change(Bunch(name="value", type="change", owner=control.upload, old=(), new=new))


def everything_in(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything_in(child)


def said(control):
    """Return what is shown anywhere but in the search box."""
    return str([getattr(each, "value", "") for each in everything_in(control) if each is not control.search])


def typed(control, text):
    control.search.value = text
    return control.listed


def labels(control):
    return {tile.key: tile.label.value for tile in control.grid.children}


def choose(control, **options):
    """Choose options and return the appids of the matches."""
    for name, value in options.items():
        control.options[name].value = value
    return [appid for appid, _ in control.matches]


@pytest.fixture
def control():
    return picker.pick(FEATURES, None, ALBUM, GAMES, settings=Settings(source="steam", matches=3))


@pytest.mark.parametrize(("query", "appid"), [("", 620), ("30", 30), ("conter strike", 30)])
def test_opens_on_the_settings_query_or_the_most_reviewed_game(query, appid):
    control = picker.pick(FEATURES, None, ALBUM, GAMES, settings=Settings(query=query))
    assert control.appid == picker.find(FEATURES, query, GAMES) == appid
    assert f"<bdi>{NAMES[appid]}</bdi>" in control.about.value


def test_matches_are_the_nearest_each_with_its_picture_cosine_name_and_link_and_how_behind_an_i(control):
    appids, cosines = (each[0].tolist() for each in matching.nearest(FEATURES, [620], 11))
    assert choose(control, k=40) == list(labels(control)) == appids
    assert [cosine for _, cosine in control.matches] == cosines
    for (appid, label), cosine in zip(labels(control).items(), cosines, strict=True):
        assert f"<bdi>{html.escape(NAMES[appid])}</bdi>" in label
        assert f'{cosine:.2f} <a href="{STORE_PAGE.format(appid=appid)}" target="_blank" rel="noopener"' in label
        content = re.search(r"url\(data:image/jpeg;base64,([^)]+)\)", label)[1]
        picture = images.open_picture(base64.b64decode(content))
        assert picture.size == (160, 240)
        assert abs(picture.getpixel((80, 120))[0] - appid * 2 % 256) < 4
    assert len(str(labels(control))) + len(control.card.value) < 300_000
    assert choose(control, least=0.1) == appids[: sum(cosine >= 0.1 for cosine in cosines)]
    summary, _, hidden = control.heading.value.partition("<details")
    assert "small-beit (pooled, squash, as they are)" in hidden
    assert "never trained" not in summary
    untrained = picker.pick(features_of(trained=False), None, ALBUM, settings=Settings(source="sample"))
    assert "never trained" in untrained.heading.value
    assert "<a " not in said(untrained)


def test_choose_from_the_list_or_the_matches_and_go_back(control):
    assert typed(control, " ") == [620, 30, 50, 120, 110, 100, 10, 90]  # the most reviewed first
    assert typed(control, "ведьмак") == [50]
    control.found[0].button.click()
    assert (control.appid, control.search.value) == (50, "")
    first, _, _ = typed(control, "portal")
    press_enter(control)
    assert control.appid == first
    appid = control.grid.children[0].key
    assert control.grid.children[0].button.tooltip == NAMES[appid]
    control.grid.children[0].button.click()
    assert control.appid == appid
    assert appid not in labels(control)
    choose(control, k=5)  # is nothing to go back from
    for before in (first, 50, 620):
        control.back.click()
        assert control.appid == before
    assert control.back.disabled
    assert len({control.random.click() or control.appid for _ in range(40)}) > 3


def test_names_are_escaped_also_in_the_still_that_stands_where_no_kernel_runs(control, monkeypatch):
    sent = []
    monkeypatch.setattr(IPython.display, "display", lambda data, **_: sent.append(data))
    choose(control, k=11)
    assert "<img" not in labels(control)[100]
    control.show(100)
    assert f"<bdi>{html.escape(HOSTILE)}</bdi>" in control.about.value
    control._ipython_display_()
    assert sent[0].keys() == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert sent[0]["text/html"].count("<img") == 12
    assert f'alt="{html.escape(HOSTILE)}"' in sent[0]["text/html"]
    typed(control, "<b>zzzzzzzz</b>")
    assert "&lt;b&gt;zzzzzzzz" in control.status.value
    assert "<img src=x" not in said(control) + sent[0]["text/html"]
    typed(control, "onerror")
    assert "\u202e" not in control.found[0].button.description + control.found[0].button.tooltip


@pytest.mark.parametrize(
    ("query", "options", "left"),
    [
        (620, {"tag": "Puzzle"}, {10, 110}),
        (620, {"since": 2010, "until": 2015}, {110, 120}),
        (620, {"score": 90}, {10, 120}),
        (620, {"tag": "Puzzle", "score": 100}, set()),
        (620, {"exclude_same_studio": True}, set(NAMES) - {620, 10, 30}),
        (620, {"distinct": True}, set(NAMES) - {620, 10}),  # a copy of the query
        (70, {"distinct": True}, set(NAMES) - {70, 10}),  # the further of two copies
    ],
)
def test_filters(control, query, options, left):
    """Of the query, whether it passes itself or not, only other games that pass are found."""
    control.show(query)
    assert set(choose(control, k=11, **options)) == left
    assert [cosine for _, cosine in control.matches] == sorted((each for _, each in control.matches), reverse=True)
    assert ("Nothing is left" in control.status.value) == (not left)


@pytest.mark.parametrize("few", [20_000, 5])
@pytest.mark.parametrize("option", [{"exclude_same_studio": True}, {"tag": "Rare"}])
def test_more_are_asked_for_until_enough_pass(option, few, monkeypatch):
    """Of 500 games every 50th is not by the query's developer, and has a tag; those with one are few or not."""
    monkeypatch.setattr(picker.queries, "_FEW", few)
    appids = np.arange(1, 501)
    games = catalogue_of(appids)
    games["developers"] = [["Other"] if appid % 50 == 0 else ["Same"] for appid in appids]
    games["tags"] = [["Rare"] if appid % 50 == 0 else [] for appid in appids]
    control = picker.pick(features_of(appids), None, dict.fromkeys(appids.tolist(), ALBUM[10]), games)
    assert sorted(choose(control, **option)) == list(range(50, 501, 50))


def test_plain_widgets_only_each_with_a_name_and_none_for_what_cannot_be_done(control):
    assert control.draft.layout.display == control.why.layout.display == "none"
    assert "mirrored" not in control.options
    silent = SimpleNamespace(supports_text=False, text_unsupported_reason="It was trained on pictures alone")
    control = picker.pick(FEATURES, silent, ALBUM, GAMES)
    assert control.words not in everything_in(control)
    assert silent.text_unsupported_reason in said(control)
    plain = "Box Button Checkbox Dropdown FileUpload HTML Text ToggleButton VBox BoundedFloatText BoundedIntText"
    for widget in everything_in(control):
        state = widget.get_state()
        assert state["_model_name"].removesuffix("Model") in plain.split()
        assert state["_model_module"] == "@jupyter-widgets/controls"
        if "description" in state:
            tooltip = state.get("tooltip", state.get("description_tooltip"))
            assert tooltip is not None  # browsers would show "null"
            assert tooltip or state["_model_name"] == "HTMLModel"


def test_what_is_missing_or_breaks_is_said(monkeypatch):
    control = picker.pick(FEATURES, None, ALBUM, GAMES, settings=Settings(query="zzzzzzzz"))
    assert control.appid == 620
    assert "zzzzzzzz" in control.status.value
    with pytest.raises(MatchError, match="zzzzzzzz"):
        picker.find(FEATURES, "zzzzzzzz")
    assert typed(control, "yyyyyyyy") == []
    press_enter(control)  # nothing to take
    assert "yyyyyyyy" in control.status.value
    monkeypatch.setattr(matching, "nearest", lambda *_: [][0])
    control.random.click()
    assert "That did not work" in control.status.value
    monkeypatch.undo()
    some = {appid: banner for appid, banner in ALBUM.items() if appid != 30} | {40: Banner(40, "", b"broken")}
    control = picker.pick(FEATURES, None, some, GAMES)
    choose(control, k=11)
    assert {appid for appid, label in labels(control).items() if "url(" not in label} == {30, 40}
    typed(control, "counter")
    control.found[0].button.click()
    assert ">The banner of Counter-Strike is not on disk" in control.status.value
    assert control.appid == 620


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An encoder and five games: a picture, its mirror image, it upside down, turned by half, and another."""
    beit = encoder.load(checkpoints.write(tmp_path_factory.mktemp("checkpoint"), image_size=64), device="cpu")
    picture, other = np.random.default_rng(0).integers(0, 256, (2, 6, 4, 3), np.uint8)
    album = {}
    for appid, rgb in enumerate((picture, picture[:, ::-1], picture[::-1], picture[::-1, ::-1], other), 1):
        album[appid] = replace(banners.own(rgb, f"Game {appid}"), appid=appid)
    vectors = beit([banner.rgb for banner in album.values()]).numpy()
    names = np.array([banner.name for banner in album.values()])
    return beit, matching.prepare(Features(np.arange(1, 6), names, vectors, dict(beit.identity)), "centred"), album


@pytest.fixture
def seeing(small):
    beit, features, album = small
    return picker.pick(features, beit, album)


@pytest.mark.parametrize(
    ("turns", "first", "style"),
    [
        (["mirrored"], 2, "scale(-1,1)"),
        (["upside_down"], 3, "scale(1,-1)"),
        (["mirrored", "upside_down"], 4, "scale(-1,-1)"),
        (["mirrored_copies"], 2, "scale(1,1)"),
    ],
)
def test_a_turned_query_finds_its_twin_and_why_explains_it(seeing, turns, first, style, monkeypatch):
    reasons, draw = [], show.reasons
    monkeypatch.setattr(show, "reasons", lambda *given: reasons.append(given[0]) or draw(*given))
    before = dict(seeing.matches)
    appids = choose(seeing, **dict.fromkeys(turns, True))
    assert f"transform:{style}" in seeing.card.value
    assert appids[0] == first
    assert seeing.matches[0][1] > 0.99
    assert 1 not in appids
    if turns == ["mirrored_copies"]:  # they come up beside the others
        assert all(cosine >= before[appid] - 1e-3 for appid, cosine in seeing.matches)
    seeing.why.value = True
    assert f"and Game {first}." in seeing.reasons.value
    assert reasons[0].cosine == pytest.approx(seeing.matches[0][1], abs=1e-3)
    seeing.match.value = appids[2]
    assert f"and Game {appids[2]}." in seeing.reasons.value
    seeing.show(5)
    assert seeing.reasons.value == ""
    assert not seeing.why.value


@pytest.mark.parametrize("way", [7, 8, "link"])
def test_a_draft_is_looked_at_as_often_as_it_is_given(seeing, small, httpserver, way):
    """Uploaded as ipywidgets 7 and 8 say it, or by its address."""
    httpserver.expect_request("/mine.jpg").respond_with_data(small[2][5].jpeg)
    for _ in range(2):
        if way == "link":
            seeing.address.value = f" {httpserver.url_for('/mine.jpg')} "
        else:
            upload(seeing, way, mine=small[2][5].jpeg)
            assert "<bdi>mine</bdi>" in seeing.about.value
        assert (seeing.appid, seeing.matches[0][0]) == (None, 5)
        assert "Nearly identical to “Game 5” (1.00)" in seeing.status.value
        seeing.back.click()
        assert seeing.appid == 1


def test_bad_drafts_are_named_and_good_ones_ranked(seeing, small):
    upload(seeing, copy=small[2][1].jpeg, bad=b"no picture", other=ALBUM[10].jpeg)
    assert "bad was skipped" in seeing.status.value
    for row, name in zip(seeing.ranked.children, ("other", "copy"), strict=True):
        own, _, *near = row.children
        own.button.click()
        assert f"<bdi>{name}</bdi>" in seeing.about.value
        assert [tile.key for tile in near] == list(labels(seeing))[:3]
    upload(seeing, worse=b"<b>")
    assert seeing.ranked.children == ()
    assert "worse was skipped" in seeing.status.value
    assert "Nearly identical" not in seeing.status.value


def test_no_file_of_this_machine_is_read_and_no_page(seeing, httpserver):
    httpserver.expect_request("/page").respond_with_data("<html>")
    pages = (httpserver.url_for("/page"), httpserver.url_for("/nowhere.jpg"))
    for address in ("/etc/hostname", "file:///etc/hostname", *pages):
        seeing.address.value = address
        assert ("must begin with http" in seeing.status.value) == (address not in pages)
        assert "Fetching" not in seeing.status.value
        assert seeing.appid == 1


def test_an_appid_that_only_the_store_has(small):
    """Any appid: the banner is fetched from the store over HTTP, matched and shown."""
    beit, features, album = small
    with sample.Store(sample.many(3)) as store:
        appid = store.games[0].appid
        settings = Settings(source="steam", api_url=store.api_url, assets_url=store.assets_url, matches=3)
        control = picker.pick(features, beit, album, settings=settings)
        for asked in (appid, 999_999_999):
            typed(control, str(asked))
            assert "Press Enter to fetch it" in control.status.value
            press_enter(control)
            assert control.appid == appid
        assert "no game with the appid 999999999" in control.status.value
        assert store.games[0].name in control.about.value
        assert len(control.matches) == 3


def test_a_network_that_reads_finds_banners_by_words(small, tmp_path):
    clip = encoder.load(families.write(tmp_path / "clip", "clip"), dtype="float32")
    album = small[2]
    vectors = clip([banner.rgb for banner in album.values()])
    manifest = clip.identity | {"preparation": "as they are"}
    plain = Features(np.arange(1, 6), small[1].names, vectors.half().numpy(), manifest)
    control = picker.pick(matching.prepare(plain, "centred"), clip, album, plain=plain)
    control.words.value = "a dragon"
    assert "a dragon" in control.card.value
    cosines = cosine_similarity(vectors, clip.words(["a dragon"]))
    assert list(labels(control)) == (1 + cosines.argsort(descending=True)).tolist()
    assert control.matches[0][1] == pytest.approx(float(cosines.max()), abs=1e-3)
