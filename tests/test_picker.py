"""The picker, driven as a front end drives it: values are set, buttons clicked, and the HTML is read."""

import base64
import html
import io
import re
from types import SimpleNamespace

import checkpoints
import families
import numpy as np
import pytest
import tokenizers_small
from front_end import displayed, everything_in, model_of, press_enter, upload
from PIL import Image
from small_games import HOSTILE, NAMES, album_of, catalogue_of, features_of, jpeg
from torch.nn.functional import cosine_similarity

import sample
from utils import encoder, explain, matching, picker
from utils.banners import Banner
from utils.errors import MatchError
from utils.features import Features
from utils.settings import Settings

SILENT = SimpleNamespace(supports_text=False, text_unsupported_reason="This network was trained on pictures alone")
FEATURES, ALBUM, GAMES = features_of(), album_of(), catalogue_of()


@pytest.fixture
def control():
    return picker.pick(FEATURES, None, ALBUM, GAMES, settings=Settings(source="steam", matches=3))


def shown(control):
    return [(tile.button.key, tile.label.value) for tile in control.grid.children]


def typed(control, text):
    control.search.value = text
    return control.listed


def appids_of(control):
    return [appid for appid, _ in control.matches]


@pytest.mark.parametrize(("text", "appid"), [("portal 2", 620), (30, 30), ("30", 30), ("conter strike", 30)])
def test_find_a_game(text, appid):
    assert picker.find(FEATURES, text, GAMES) == appid


def test_find_no_game():
    with pytest.raises(MatchError) as error:
        picker.find(FEATURES, "zzzzzzzz")
    assert "zzzzzzzz" in str(error.value)


def test_opens_on_the_most_reviewed_and_lists_them_first(control):
    assert control.appid == 620
    assert "<bdi>Portal 2</bdi>" in control.about.value
    assert typed(control, " ") == [620, 30, 50, 120, 110, 100, 10, 90]


@pytest.mark.parametrize(("query", "appid"), [("30", 30), ("counter-strike", 30), ("zzzzzzzz", 620)])
def test_opens_on_the_settings_query_or_says_that_it_is_unknown(query, appid):
    control = picker.pick(FEATURES, None, ALBUM, GAMES, settings=Settings(query=query))
    assert control.appid == appid
    assert (query in control.status.value) == (appid == 620)


def test_matches_are_the_nearest_in_order(control):
    appids, cosines = matching.nearest(FEATURES, [620], 3)
    assert control.matches == list(zip(appids[0].tolist(), cosines[0].tolist(), strict=True))
    for (appid, label), (match, cosine) in zip(shown(control), control.matches, strict=True):
        assert appid == match
        assert f"{cosine:.2f}" in label
        assert html.escape(NAMES[appid]) in label


def test_choose_from_the_list_by_click_or_enter(control):
    assert typed(control, "ведьмак") == [50]
    control.found[0].click()
    assert control.appid == 50
    assert control.search.value == ""
    typed(control, "counter")
    press_enter(control.search)
    assert control.appid == 30


def test_a_click_on_a_match_goes_on_and_back_returns(control):
    first = control.grid.children[0]
    appid = first.button.key
    assert first.button.tooltip == NAMES[appid]
    assert control.back.disabled
    first.button.click()
    assert control.appid == appid
    assert appid not in appids_of(control)
    control.show(30)
    control.back.click()
    assert control.appid == appid
    control.back.click()
    assert control.appid == 620
    assert control.back.disabled


def test_random(control):
    seen = set()
    for _ in range(40):
        control.random.click()
        seen.add(control.appid)
    assert len(seen) > 3


def test_pictures_are_whole_and_small(control):
    control.options["k"].value = 40
    assert len(shown(control)) == len(control.matches) == 11
    sent = sum(len(label) for _, label in shown(control)) + len(control.card.value)
    for appid, label in shown(control):
        content = re.search(r"url\(data:image/jpeg;base64,([^)]+)\)", label)[1]
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            assert picture.size == (160, 240)
            assert abs(picture.getpixel((80, 120))[0] - appid * 2 % 256) < 4
    assert sent < 300_000


def test_store_links_lead_to_steam_alone(control):
    appid, label = shown(control)[0]
    assert f'<a href="https://store.steampowered.com/app/{appid}" target="_blank" rel="noopener"' in label
    assert "store.steampowered.com/app/620" in control.about.value
    elsewhere = picker.pick(FEATURES, None, ALBUM, settings=Settings(source="sample"))
    assert "<a " not in elsewhere.about.value + shown(elsewhere)[0][1]


def test_names_are_escaped(control, monkeypatch):
    control.options["k"].value = 11
    control.show(100)
    values = [control.about.value, control.card.value, displayed(control, monkeypatch)["text/html"]]
    for value in (*values, *(label for _, label in shown(control))):
        assert "<script" not in value
    assert f"<bdi>{html.escape(HOSTILE)}</bdi>" in control.about.value
    typed(control, "<b>zzzzzzzz</b>")
    assert "<b>" not in control.status.value
    typed(control, "alert")
    assert "\u202e" not in control.found[0].description


def test_only_other_peoples_games(control):
    control.options["k"].value = 11
    control.options["exclude_same_studio"].value = True
    assert set(appids_of(control)) == set(NAMES) - {620, 10, 30}
    control.show(90)
    assert 100 not in appids_of(control)  # of the same franchise
    control.show(40)
    assert len(control.matches) == 11


def test_hide_near_duplicates(control):
    control.options["k"].value = 11
    assert control.matches[0][0] == 10
    control.options["distinct"].value = True
    assert 10 not in appids_of(control)  # a copy of the query
    control.show(70)
    assert len(control.matches) == 10
    assert (10 in appids_of(control)) != (620 in appids_of(control))  # one of two copies


@pytest.mark.parametrize(
    ("values", "left"),
    [
        ({"tag": "Puzzle"}, {10, 110}),
        ({"since": 2010, "until": 2015}, {110, 120}),
        ({"score": 90}, {10, 120}),
        ({"tag": "Puzzle", "score": 100}, set()),
    ],
)
def test_filters(control, values, left):
    """Of the query 620, a puzzle of 2011 itself, only other games that pass are found."""
    control.options["k"].value = 11
    for name, value in values.items():
        control.options[name].value = value
    assert set(appids_of(control)) == left
    assert [cosine for _, cosine in control.matches] == sorted((each for _, each in control.matches), reverse=True)
    assert ("Nothing is left" in control.status.value) == (not left)


def test_the_smallest_cosine(control):
    control.options["k"].value = 11
    cosines = [cosine for _, cosine in control.matches]
    control.options["least"].value = 0.1
    assert [cosine for _, cosine in control.matches] == [cosine for cosine in cosines if cosine >= 0.1]
    assert 1 <= len(control.matches) < 11


def test_more_are_asked_for_until_enough_pass():
    """Of 500 games all but every 50th are the query's developer's."""
    appids = np.arange(1, 501)
    games = catalogue_of(appids)
    games["developers"] = [["Other"] if appid % 50 == 0 else ["Same"] for appid in appids]
    album = dict.fromkeys(appids.tolist(), Banner(0, "", jpeg((200, 0, 0))))
    control = picker.pick(features_of(appids), None, album, games)
    control.options["exclude_same_studio"].value = True
    assert sorted(appids_of(control)) == list(range(50, 501, 50))


def test_how_they_were_found_stands_behind_an_i(control):
    summary, _, hidden = control.heading.value.partition("<details")
    assert "The number is the similarity" in summary
    assert "small-eye (pooled, squash, as they are)" in hidden
    assert "never trained" not in summary
    assert "never trained" in picker.pick(features_of(trained=False), None, ALBUM).heading.value


def test_without_an_encoder_or_words_their_boxes_are_not_there(control):
    assert control.draft.layout.display == control.why.layout.display == "none"
    assert "mirrored" not in control.options
    silent = picker.pick(FEATURES, SILENT, ALBUM)
    inside = set(everything_in(silent))
    assert silent.words not in inside
    assert any(SILENT.text_unsupported_reason in str(getattr(each, "value", "")) for each in inside)


def test_what_is_missing_is_said(control):
    typed(control, "zzzzzzzz")
    assert "zzzzzzzz" in control.status.value
    assert control.listed == []
    press_enter(control.search)  # nothing to take
    some = {appid: banner for appid, banner in ALBUM.items() if appid != 30} | {40: Banner(40, "", b"broken")}
    control = picker.pick(FEATURES, None, some)
    control.options["k"].value = 11
    assert {appid for appid, label in shown(control) if "url(" not in label} == {30, 40} - {control.appid}
    typed(control, "counter")
    before = control.appid
    control.found[0].click()
    assert "not on disk" in control.status.value
    assert control.appid == before


def test_errors_are_said_in_plain_words(control, monkeypatch):
    def broken(*_):
        raise RuntimeError("<out of memory>")

    monkeypatch.setattr(matching, "nearest", broken)
    control.random.click()
    assert "That did not work: &lt;out of memory&gt;" in control.status.value


def test_plain_widgets_only_each_with_a_name():
    control = picker.pick(FEATURES, SILENT, ALBUM, GAMES)
    plain = {"Box", "Button", "Checkbox", "Dropdown", "FileUpload", "HTML", "Text", "ToggleButton", "VBox"}
    plain |= {"BoundedFloatText", "BoundedIntText"}
    for widget in everything_in(control):
        name, module = model_of(widget)
        assert name in plain
        assert module == "@jupyter-widgets/controls"
        if "description" in widget.trait_names():
            state = widget.get_state()
            tooltip = state.get("tooltip", state.get("description_tooltip"))
            assert tooltip is not None  # browsers would show "null"
            assert name == "HTML" or tooltip or widget in control.found


def test_a_still_stands_where_no_kernel_runs(control, monkeypatch):
    sent = displayed(control, monkeypatch)
    assert sent.keys() == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert sent["text/html"].count("<img") == 4
    assert 'alt="Portal 2"' in sent["text/html"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An encoder and five games: a picture, its mirror image, it upside down, turned by half, and another."""
    beit = encoder.load(checkpoints.write(tmp_path_factory.mktemp("checkpoint"), image_size=64), device="cpu")
    picture, other = (np.random.default_rng(seed).integers(0, 256, (6, 4, 3), np.uint8) for seed in (0, 1))
    album = {}
    for appid, rgb in enumerate((picture, picture[:, ::-1], picture[::-1], picture[::-1, ::-1], other), 1):
        content = io.BytesIO()
        Image.fromarray(rgb).resize((256, 384), Image.Resampling.NEAREST).save(content, "JPEG", quality=95)
        album[appid] = Banner(appid, f"Game {appid}", content.getvalue())
    vectors = np.concatenate([matching.query_vector(beit, banner.rgb) for banner in album.values()])
    names = np.array([banner.name for banner in album.values()])
    return beit, matching.prepare(Features(np.arange(1, 6), names, vectors, dict(beit.identity)), "as they are"), album


@pytest.fixture
def seeing(small):
    beit, features, album = small
    return picker.pick(features, beit, album)


@pytest.mark.parametrize(
    ("turns", "first", "style"),
    [
        (["mirrored"], 2, "scaleX(-1)"),
        (["upside_down"], 3, "scaleY(-1)"),
        (["mirrored", "upside_down"], 4, "scale(-1,-1)"),
    ],
)
def test_a_turned_query_finds_its_twin_and_says_why(seeing, turns, first, style):
    assert "scale" not in seeing.card.value
    for turn in turns:
        seeing.options[turn].value = True
    assert seeing.matches[0][0] == first
    assert seeing.matches[0][1] > 0.99
    assert 1 not in appids_of(seeing)
    assert style in seeing.card.value


def test_mirrored_copies_come_up_beside_the_others(seeing):
    before = dict(seeing.matches)
    seeing.options["mirrored_copies"].value = True
    after = dict(seeing.matches)
    assert seeing.matches[0][0] == 2
    assert after[2] > 0.99
    assert all(after[appid] >= before[appid] - 1e-3 for appid in after.keys() & before)


@pytest.mark.parametrize("turns", [[], ["mirrored_copies"], ["mirrored", "upside_down"]])
def test_why_explains_the_match_and_goes_with_the_query(seeing, turns, monkeypatch):
    said = []
    original = explain.reason
    monkeypatch.setattr(explain, "reason", lambda *given: said.append(original(*given)) or said[-1])
    for turn in turns:
        seeing.options[turn].value = True
    seeing.why.value = True
    match, cosine = seeing.matches[0]
    assert f"and Game {match}." in seeing.reasons.value
    assert max(each.cosine for each in said) == pytest.approx(cosine, abs=1e-3)
    seeing.match.value = seeing.matches[2][0]
    assert f"and Game {seeing.matches[2][0]}." in seeing.reasons.value
    seeing.random.click()
    assert seeing.reasons.value == ""
    assert not seeing.why.value


def uploads(**files):
    """What FileUpload.value is on ipywidgets 7 and 8."""
    seven = {name: {"metadata": {}, "content": content} for name, content in files.items()}
    return seven, tuple({"name": name, "content": memoryview(content)} for name, content in files.items())


@pytest.mark.parametrize("version", [7, 8])
def test_a_draft_is_looked_at_as_often_as_it_is_given(seeing, small, version):
    for _ in range(2):
        upload(seeing.upload, uploads(mine=small[2][5].jpeg)[version - 7])
        assert seeing.appid is None
        assert seeing.matches[0][0] == 5
        assert "<bdi>mine</bdi>" in seeing.about.value
        assert "Nearly identical to “Game 5” (1.00)" in seeing.status.value
        seeing.back.click()
        assert seeing.appid == 1


def test_bad_drafts_are_named_and_good_ones_ranked(seeing, small):
    files = uploads(copy=small[2][1].jpeg, bad=b"no picture", other=jpeg((9, 200, 90)))[1]
    upload(seeing.upload, files)
    assert [result.draft.name for result in seeing.results] == ["other", "copy"]
    assert "bad was skipped" in seeing.status.value
    assert "<bdi>other</bdi>" in seeing.about.value
    rows = seeing.ranked.children
    assert [[tile.button.key for tile in row.children[2:]] for row in rows] == [
        each.stand.appids[:3].tolist() for each in seeing.results
    ]
    rows[1].children[0].button.click()
    assert "<bdi>copy</bdi>" in seeing.about.value
    upload(seeing.upload, uploads(worse=b"<b>")[1])
    assert seeing.ranked.children == ()
    assert seeing.results == []
    assert "worse was skipped" in seeing.status.value
    assert "Nearly identical" not in seeing.status.value


def test_a_link_is_fetched_and_said_at_once(seeing, small, httpserver):
    httpserver.expect_request("/cover.jpg").respond_with_data(small[2][3].jpeg)
    said = []
    seeing.status.observe(lambda change: said.append(change["new"]), "value")
    for _ in range(2):
        seeing.address.value = f" {httpserver.url_for('/cover.jpg')} "
        assert seeing.appid is None
        assert seeing.matches[0][0] == 3
        assert "Fetching" in said[0]
        seeing.back.click()


@pytest.mark.parametrize("address", ["/etc/hostname", "file:///etc/hostname", "/page", "/nowhere.jpg"])
def test_no_file_of_this_machine_is_read_and_no_page(seeing, httpserver, address):
    httpserver.expect_request("/page").respond_with_data("<html>")
    local = "etc" in address
    seeing.address.value = address if local else httpserver.url_for(address)
    assert ("must begin with http" in seeing.status.value) == local
    assert seeing.status.value
    assert seeing.appid == 1


def test_an_appid_that_only_the_store_has(small):
    """Any appid: the banner is fetched from the store over HTTP, matched and shown."""
    beit, features, album = small
    with sample.Store(sample.many(3)) as store:
        appid = store.games[0].appid
        settings = Settings(source="steam", api_url=store.api_url, assets_url=store.assets_url, matches=3)
        control = picker.pick(features, beit, album, settings=settings)
        for asked in (appid, 999_999_999):
            control.search.value = str(asked)
            assert "Press Enter to fetch it" in control.status.value
            press_enter(control.search)
            assert control.appid == appid
        assert "no game with the appid 999999999" in control.status.value
        assert store.games[0].name in control.about.value
        assert len(control.matches) == 3


def test_a_network_that_reads_finds_banners_by_words(small, tmp_path):
    clip = encoder.load(tokenizers_small.write_clip(families.write(tmp_path / "clip", "clip")), dtype="float32")
    album = small[2]
    vectors = clip([banner.rgb for banner in album.values()])
    manifest = clip.identity | {"preparation": "as they are"}
    plain = Features(np.arange(1, 6), small[1].names, vectors.half().numpy(), manifest)
    control = picker.pick(matching.prepare(plain, "centred"), clip, album, plain=plain)
    control.options["k"].value = 3
    control.words.value = "a dragon"
    assert "a dragon" in control.card.value
    cosines = cosine_similarity(vectors, clip.words(["a dragon"]))
    assert appids_of(control) == (1 + cosines.argsort(descending=True))[:3].tolist()
    assert control.matches[0][1] == pytest.approx(float(cosines.max()), abs=1e-3)


@pytest.mark.slow
def test_a_click_is_answered_while_a_cell_runs():
    """In a real kernel: the random game comes while a cell waits for it, and so does not end before."""
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel.subshell", reason="before ipykernel 7 a click waits for the cell that runs")
    make = """
import sys, time; sys.path[:0] = ["tests"]
from small_games import album_of, features_of
from utils import picker
control = picker.pick(features_of(), None, album_of())
print(control.random.comm.comm_id)"""
    kernel, client = manager.start_new_kernel()
    try:
        printed = []
        client.execute_interactive(make, timeout=120, output_hook=lambda message: printed.append(message["content"]))
        (comm,) = (each["text"].strip() for each in printed if "text" in each)
        wait = "before = control.appid, len(control._history)\nfor _ in range(1200):\n    time.sleep(.05)"
        client.execute(f"{wait}\n    if (control.appid, len(control._history)) != before: break\nelse: 1 / 0")
        click = {"comm_id": comm, "data": {"method": "custom", "content": {"event": "click"}}}
        client.shell_channel.send(client.session.msg("comm_msg", click))
        client.shell_channel.send(client.session.msg("comm_msg", click))
        while (reply := client.get_shell_msg(timeout=120))["msg_type"] != "execute_reply":
            pass
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
