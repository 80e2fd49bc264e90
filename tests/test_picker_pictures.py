"""The control with an encoder: turned queries, pictures of one's own, games that only the store has, words."""

import io
from datetime import UTC, datetime

import checkpoints
import families
import ipywidgets
import numpy as np
import pytest
import tokenizers_small
from front_end import press_enter, upload
from PIL import Image
from torch.nn.functional import cosine_similarity

import sample
from utils import encoder, matching, picker
from utils.banners import Banner
from utils.features import Features
from utils.settings import Settings


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    """An encoder and five games: a picture, its mirror image, it upside down, turned by half, and another."""
    beit = encoder.load(checkpoints.write(tmp_path_factory.mktemp("checkpoint"), image_size=64), device="cpu")
    picture, other = (np.random.default_rng(seed).integers(0, 256, (6, 4, 3), np.uint8) for seed in (0, 1))
    album = {}
    for appid, small in enumerate((picture, picture[:, ::-1], picture[::-1], picture[::-1, ::-1], other), 1):
        content = io.BytesIO()
        Image.fromarray(small).resize((256, 384), Image.Resampling.NEAREST).save(content, "JPEG", quality=95)
        album[appid] = Banner(appid, f"Game {appid}", content.getvalue())
    vectors = np.concatenate([matching.query_vector(beit, banner.rgb) for banner in album.values()])
    names = np.array([banner.name for banner in album.values()])
    return beit, Features(np.arange(1, 6), names, vectors, dict(beit.identity)), album


@pytest.fixture
def turning(turned):
    beit, features, album = turned
    return picker.pick(picker.Eye(features, beit), album, default=1, k=4)


@pytest.mark.parametrize(
    ("turns", "first", "style"),
    [
        (["mirrored"], 2, "scaleX(-1)"),
        (["upside_down"], 3, "scaleY(-1)"),
        (["mirrored", "upside_down"], 4, "scale(-1,-1)"),
    ],
)
def test_a_turned_query_finds_its_twin(turning, turns, first, style):
    assert "scale" not in turning.panel.card.value
    for turn in turns:
        getattr(turning.panel, turn).value = True
    assert turning.matches[0][0] == first
    assert turning.matches[0][1] > 0.99
    assert 1 not in [appid for appid, _ in turning.matches]
    assert style in turning.panel.card.value


def test_mirrored_copies_come_up_beside_the_others(turning):
    before = dict(turning.matches)
    turning.panel.mirrored_copies.value = True
    after = dict(turning.matches)
    assert turning.matches[0][0] == 2
    assert after[2] > 0.99
    assert 1 not in after
    assert all(after[appid] >= before[appid] - 1e-3 for appid in after.keys() & before)


def uploads(content):
    """What FileUpload.value is on ipywidgets 7 and 8."""
    return {"mine.png": {"metadata": {}, "content": content}}, ({"name": "mine.png", "content": memoryview(content)},)


@pytest.mark.parametrize("version", [7, 8])
def test_upload(turning, turned, version):
    upload(turning.panel.upload, uploads(turned[2][5].jpeg)[version - 7])
    assert turning.appid is None
    assert turning.matches[0][0] == 5
    assert turning.matches[0][1] > 0.99
    assert "Your picture" in turning.panel.card.value
    assert turning.panel.status.value == ""
    turning.panel.back.click()
    assert turning.appid == 1


@pytest.mark.skipif(
    ipywidgets.__version__.startswith("7"), reason="ipywidgets 7 lets nobody but the browser set an upload"
)
def test_upload_of_the_installed_ipywidgets(turning, turned):
    file = uploads(turned[2][5].jpeg)[1][0] | {"type": "image/jpeg", "size": 1, "last_modified": datetime.now(UTC)}
    turning.panel.upload.value = (file,)
    assert turning.matches[0][0] == 5


def test_an_upload_that_is_no_picture(turning):
    upload(turning.panel.upload, uploads(b"no picture")[1])
    assert turning.panel.status.value
    assert "object at" not in turning.panel.status.value
    assert turning.appid == 1


def test_a_wide_picture_is_said_to_be_cut(turning, turned):
    wide = Image.new("RGB", (900, 300), "red")
    wide.paste(Image.open(io.BytesIO(turned[2][5].jpeg)).resize((200, 300)), (350, 0))
    content = io.BytesIO()
    wide.save(content, "PNG")
    upload(turning.panel.upload, uploads(content.getvalue())[1])
    assert turning.matches[0][0] == 5  # its middle is that game's banner
    assert "900 x 300 pixels" in turning.panel.status.value


def test_address(turning, turned, httpserver):
    httpserver.expect_request("/cover.jpg").respond_with_data(turned[2][3].jpeg)
    turning.panel.address.value = f" {httpserver.url_for('/cover.jpg')} "
    assert turning.appid is None
    assert turning.matches[0][0] == 3


@pytest.mark.parametrize("address", ["/etc/hostname", "file:///etc/hostname", "ftp://a.test/x.jpg"])
def test_no_file_of_this_machine_is_read(turning, address):
    turning.panel.address.value = address
    assert "must begin with http:// or https://" in turning.panel.status.value
    assert turning.appid == 1


@pytest.mark.parametrize("path", ["/nowhere.jpg", "/page"])
def test_an_address_without_a_picture(turning, httpserver, path):
    httpserver.expect_request("/page").respond_with_data("<html>")
    turning.panel.address.value = httpserver.url_for(path)
    assert turning.panel.status.value
    assert turning.appid == 1


def test_features_without_their_encoder(turned):
    beit, features, album = turned
    eyes = {"a": picker.Eye(features, beit), "b": picker.Eye(features)}
    control = picker.pick(eyes, album, default=1)
    control.panel.mirrored.value = True
    assert control.panel.status.value == ""
    control.panel.eye.value = "b"
    assert "without their network" in control.panel.status.value


def test_an_appid_that_only_the_store_has(turned):
    """Any appid: the banner is fetched from the store over HTTP, matched and shown, and it can be turned."""
    beit, features, album = turned
    with sample.Store(sample.many(3)) as store:
        appid = store.games[0].appid
        settings = Settings(source="steam", api_url=store.api_url, assets_url=store.assets_url)
        control = picker.pick(picker.Eye(features, beit), album, default=1, k=3, store=settings)
        control.panel.search.value = str(appid)
        assert "Press Enter to fetch it" in control.panel.status.value
        press_enter(control.panel.search)
        assert control.appid == appid
        assert store.games[0].name in control.panel.card.value
        assert "just fetched" in control.panel.status.value
        assert len(control.matches) == 3
        control.panel.search.value = "999999999"
        press_enter(control.panel.search)
        assert "no game with the appid 999999999" in control.panel.status.value
        assert control.appid == appid


def test_a_network_that_reads_finds_banners_by_words(turned, tmp_path):
    clip = encoder.load(tokenizers_small.write_clip(families.write(tmp_path / "clip", "clip")), dtype="float32")
    album = turned[2]
    vectors = clip([banner.rgb for banner in album.values()])
    manifest = clip.identity | {"preparation": "as they are"}
    stored = Features(np.arange(1, 6), turned[1].names, vectors.half().numpy(), manifest)
    eye = picker.Eye(matching.prepare(stored, "centred"), clip, plain=stored)
    control = picker.pick(eye, album, default=1, k=3)
    assert control.panel.words.layout.display is None
    assert control.panel.silence.value == ""
    control.panel.words.value = "a dragon"
    assert "a dragon" in control.panel.card.value
    cosines = cosine_similarity(vectors, clip.words(["a dragon"]))
    assert [appid for appid, _ in control.matches] == (1 + cosines.argsort(descending=True))[:3].tolist()
    assert control.matches[0][1] == pytest.approx(float(cosines.max()), abs=1e-3)
