"""The control, driven as a front end drives it: values are set, buttons clicked, and the HTML is read."""

import base64
import html
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from front_end import displayed, model_of, press_enter
from PIL import Image
from small_games import HOSTILE, NAMES, album_of, catalogue_of, features_of, jpeg

from utils import matching, picker
from utils.banners import Banner
from utils.settings import Settings

SILENT = SimpleNamespace(reads=False, silence="This eye was trained on pictures alone")


@pytest.fixture(scope="module")
def features():
    return features_of()


@pytest.fixture(scope="module")
def album():
    return album_of()


@pytest.fixture(scope="module")
def catalogue():
    return catalogue_of()


@pytest.fixture
def control(features, album, catalogue):
    return picker.pick(features, album, catalogue, k=3, store=Settings(source="steam"))


def shown(control):
    return [(cell.appid, cell.label.value) for cell in control.panel.grid.children]


def typed(control, text):
    control.panel.search.value = text
    return [appid for _, appid in control.panel.shortlist.options]


def enter(control):
    press_enter(control.panel.search)


def everything(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything(child)


@pytest.mark.parametrize(("text", "appid"), [("portal 2", 620), (30, 30), ("30", 30), ("conter strike", 30)])
def test_find_a_game(features, catalogue, text, appid):
    assert picker.find(features, text, catalogue) == appid


def test_find_no_game(features):
    with pytest.raises(picker.NoGame, match="no game here is called “zzzzzzzz”"):
        picker.find(features, "zzzzzzzz")


def test_opens_on_the_most_reviewed(control):
    assert control.appid == 620
    assert "<bdi>Portal 2</bdi>" in control.panel.card.value
    assert typed(control, "") == [620, 30, 50, 120, 110, 100, 10, 90, 80, 70, 60, 40]


@pytest.mark.parametrize("default", [30, "30", "counter-strike"])
def test_opens_on_the_default(features, album, default):
    assert picker.pick(features, album, default=default).appid == 30


def test_opens_and_says_that_the_default_is_unknown(features, album, catalogue):
    control = picker.pick(features, album, catalogue, default="zzzzzzzz")
    assert control.appid == 620
    assert "zzzzzzzz" in control.panel.status.value


def test_matches_are_the_nearest_in_order(control, features):
    appids, cosines = matching.nearest(features, [620], 3)
    assert control.matches == list(zip(appids[0].tolist(), cosines[0].tolist(), strict=True))
    for (appid, label), (match, cosine) in zip(shown(control), control.matches, strict=True):
        assert appid == match
        assert f"{cosine:.2f}" in label
        assert html.escape(NAMES[appid]) in label


def test_choose_from_the_list(control):
    typed(control, "ведьмак")
    assert control.panel.shortlist.index is None  # nothing is chosen before somebody does, on ipywidgets 7 either
    assert control.appid == 620
    control.panel.shortlist.index = 0
    assert control.appid == 50


def test_enter_takes_the_first(control):
    typed(control, "counter")
    enter(control)
    assert control.appid == 30


def test_a_match_becomes_the_query_and_back(control):
    first = control.panel.grid.children[0]
    appid = first.appid
    assert first.more.description == f"More like {NAMES[appid]}"[: len(first.more.description)]
    assert control.panel.back.disabled
    first.more.click()
    assert control.appid == appid
    assert appid not in [match for match, _ in control.matches]
    control.show(30)
    control.panel.back.click()
    assert control.appid == appid
    control.panel.back.click()
    assert control.appid == 620
    assert control.panel.back.disabled


def test_random(control):
    seen = set()
    for _ in range(40):
        control.panel.random.click()
        seen.add(control.appid)
    assert len(seen) > 3


def test_number_of_matches(control):
    for number in (7, 2, 11, 40):
        control.panel.number.value = number
        assert len(shown(control)) == len(control.matches) == min(number, 11)


def test_pictures_are_whole_and_small(control):
    control.panel.number.value = 11
    sent = sum(len(label) for _, label in shown(control)) + len(control.panel.card.value)
    for (_, label), (appid, _) in zip(shown(control), control.matches, strict=True):
        content = re.search(r'src="data:image/jpeg;base64,([^"]+)"', label)[1]
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            assert picture.size == (160, 240)
            assert abs(picture.getpixel((80, 120))[0] - appid * 2 % 256) < 4
    assert sent < 300_000


def test_banners_lead_to_steam_alone(control, features, album):
    appid, label = shown(control)[0]
    assert f'<a href="https://store.steampowered.com/app/{appid}" target="_blank" rel="noopener"' in label
    assert "store.steampowered.com/app/620" in control.panel.card.value
    elsewhere = picker.pick(features, album, store=Settings(source="sample"))
    assert "<a " not in elsewhere.panel.card.value + shown(elsewhere)[0][1]


def test_names_are_escaped(control, monkeypatch):
    control.panel.number.value = 11
    control.show(100)
    sent = [control.panel.card.value, displayed(control, monkeypatch)["text/html"]]
    for value in (*sent, *(label for _, label in shown(control))):
        assert "<script" not in value
    assert f"<bdi>{html.escape(HOSTILE)}</bdi>" in control.panel.card.value
    control.show(90)
    assert f"<bdi>{html.escape(HOSTILE)}</bdi>" in "".join(label for _, label in shown(control))
    typed(control, "<b>zzzzzzzz</b>")
    assert "<b>" not in control.panel.status.value
    assert "\u202e" not in str(control.panel.shortlist.options)


def test_only_other_peoples_games(control):
    control.panel.number.value = 11
    control.panel.others.value = True
    assert {appid for appid, _ in control.matches} == set(NAMES) - {620, 10, 30}
    control.show(90)
    assert 100 not in [appid for appid, _ in control.matches]  # of the same franchise
    control.show(40)
    assert len(control.matches) == 11


def test_hide_near_duplicates(control):
    control.panel.number.value = 11
    assert control.matches[0][0] == 10
    control.panel.distinct.value = True
    assert 10 not in [appid for appid, _ in control.matches]  # a copy of the query
    control.show(70)
    matches = [appid for appid, _ in control.matches]
    assert len(matches) == 10
    assert (10 in matches) != (620 in matches)  # one of two copies


@pytest.mark.parametrize(
    ("widget", "value", "left"),
    [
        ("tag", "Puzzle", {10, 110}),
        ("years", (2010, 2015), {110, 120}),
        ("score", 90, {10, 120}),
    ],
)
def test_filters(control, widget, value, left):
    """Of the query 620, a puzzle of 2011 itself, only other games that pass are found."""
    control.panel.number.value = 11
    getattr(control.panel, widget).value = value
    assert {appid for appid, _ in control.matches} == left
    assert [cosine for _, cosine in control.matches] == sorted((each for _, each in control.matches), reverse=True)


def test_no_game_passes(control):
    control.panel.tag.value = "Puzzle"
    control.panel.score.value = 100
    assert control.matches == []
    assert "Nothing is left" in control.panel.status.value


def test_the_smallest_cosine(control):
    control.panel.number.value = 11
    cosines = [cosine for _, cosine in control.matches]
    control.panel.least.value = 0.1
    assert [cosine for _, cosine in control.matches] == [cosine for cosine in cosines if cosine >= 0.1]
    assert 1 <= len(control.matches) < 11


def test_options_ask_for_more_until_enough_pass():
    """Of 500 games all but every 50th are the query's developer's."""
    appids = np.arange(1, 501)
    games = catalogue_of(appids)
    games["developers"] = [["Other"] if appid % 50 == 0 else ["Same"] for appid in appids]
    album = dict.fromkeys(appids.tolist(), Banner(0, "", jpeg((200, 0, 0))))
    control = picker.pick(features_of(appids), album, games, default=1, k=10)
    control.panel.others.value = True
    assert sorted(appid for appid, _ in control.matches) == list(range(50, 501, 50))
    assert [cosine for _, cosine in control.matches] == sorted((each for _, each in control.matches), reverse=True)


def test_several_eyes(features, album):
    other = features_of(seed=1)
    eyes = {"one": picker.Eye(features), "another": picker.Eye(other)}
    control = picker.pick(eyes, album, default=30)
    first = control.matches
    control.panel.eye.value = "another"
    assert control.matches != first
    assert control.appid == 30


def test_says_which_eye_looks_and_whether_it_was_trained(control, album):
    assert "small-eye (pooled, squash, as they are)" in control.panel.looking.value
    assert "never trained" not in control.panel.looking.value
    untrained = picker.pick(features_of(trained=False), album)
    assert "never trained" in untrained.panel.looking.value


def test_an_eye_that_does_not_read_says_why(features, album):
    control = picker.pick(picker.Eye(features, encoder=SILENT), album)
    assert control.panel.words.layout.display == "none"
    assert "trained on pictures alone" in control.panel.silence.value


def test_says_what_is_missing(control, features, album):
    typed(control, "zzzzzzzz")
    assert "No game here is called “zzzzzzzz”" in control.panel.status.value
    assert control.panel.shortlist.options == ()
    enter(control)  # nothing to take
    some = {appid: banner for appid, banner in album.items() if appid != 30} | {40: Banner(40, "", b"broken")}
    control = picker.pick(features, some, default=620, k=11)
    assert {appid for appid, label in shown(control) if "<img" not in label} == {30, 40}
    typed(control, "counter")
    control.panel.shortlist.index = 0
    assert "not on disk" in control.panel.status.value
    assert control.appid == 620


def test_errors_are_said_in_the_control_in_plain_words(control, monkeypatch):
    def broken(*_):
        raise RuntimeError("<out of memory>")

    monkeypatch.setattr(matching, "nearest", broken)
    control.panel.random.click()
    assert "That did not work: &lt;out of memory&gt;" in control.panel.status.value
    assert "RuntimeError" not in control.panel.status.value


def test_every_widget_has_a_name_and_no_tooltip_is_null(features, album, catalogue):
    control = picker.pick(picker.Eye(features, encoder=SILENT), album, catalogue)
    for widget in everything(control):
        if "description" not in widget.trait_names():
            continue
        state = widget.get_state()
        tooltip = state.get("tooltip", state.get("description_tooltip"))
        assert tooltip is not None  # browsers would show "null"
        if model_of(widget)[0] != "HTML":
            assert widget.description
            assert tooltip


def test_without_an_encoder_there_is_no_box_for_pictures(control):
    panel = control.panel
    assert not {panel.mirrored, panel.address, panel.upload} & set(everything(control))


def test_plain_widgets_only(features, album, catalogue):
    eye = picker.Eye(features, encoder=SILENT)
    control = picker.pick({"a": eye, "b": eye}, album, catalogue)
    names = (
        "Accordion Box Button Checkbox Dropdown FileUpload FloatSlider HTML IntRangeSlider IntSlider Select Text VBox"
    )
    plain = {(name, "@jupyter-widgets/controls") for name in [*names.split(), "VBox"]}
    assert {model_of(widget) for widget in everything(control)} == plain


def test_a_still_stands_where_no_kernel_runs(control, monkeypatch):
    sent = displayed(control, monkeypatch)
    assert sent.keys() == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert sent["text/html"].count("<img") == 4
    assert 'alt="Portal 2"' in sent["text/html"]
