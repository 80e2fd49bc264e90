"""The artist's desk: drafts from paths and uploads, how they stand, in numbers, words and pictures."""

import io

import checkpoints
import numpy as np
import pytest
from front_end import upload
from PIL import Image
from small_games import catalogue_of

import sample
from utils import banners, desk, encoder, matching
from utils.banners import Banner
from utils.features import Features

APPIDS = np.arange(1, 9)


@pytest.fixture(scope="module")
def beit(tmp_path_factory):
    return encoder.load(checkpoints.write(tmp_path_factory.mktemp("checkpoint"), image_size=64), device="cpu")


@pytest.fixture(scope="module")
def album():
    """Games 1 to 4 are nearly one picture, 5 to 8 each a picture of its own."""
    pictures = np.random.default_rng(0).integers(0, 256, (8, 6, 4, 3)).astype(np.uint8)
    pictures[1:4] = pictures[0]
    pictures[1:4, 0, 0] = [[1, 2, 3], [90, 90, 90], [250, 9, 9]]
    return {
        int(appid): Banner(int(appid), f"Game {appid}", jpeg(each))
        for appid, each in zip(APPIDS, pictures, strict=True)
    }


@pytest.fixture(scope="module")
def prepared(beit, album):
    vectors = np.concatenate([matching.query_vector(beit, banner.rgb) for banner in album.values()])
    names = np.array([banner.name for banner in album.values()])
    return matching.prepare(Features(APPIDS, names, vectors, dict(beit.identity)), "centred")


def jpeg(small):
    content = io.BytesIO()
    Image.fromarray(small).resize((256, 384), Image.Resampling.NEAREST).save(content, "JPEG", quality=95)
    return content.getvalue()


def test_a_copy_does_not_stand_out_and_says_whose_twin_it_is(beit, prepared, album):
    copy = banners.own(album[1].jpeg, "my draft")
    verdict = desk.compare(copy, prepared, beit)
    assert verdict.stand.appids[0] in (1, 2, 3, 4)
    assert verdict.stand.nearer <= 4
    assert str(verdict).startswith(f"Of 8 games, {verdict.stand.nearer} have a nearer twin than “my draft”: it ")
    assert "stands out" not in str(verdict)
    assert "my draft and the banners that look most like it: Game" in verdict.figure(album).alt


def test_another_picture_stands_out_more(beit, prepared, album):
    other = np.random.default_rng(99).integers(0, 256, (6, 4, 3)).astype(np.uint8)
    far = desk.compare(banners.own(jpeg(other), "far"), prepared, beit)
    near = desk.compare(banners.own(album[1].jpeg, "near"), prepared, beit)
    assert far.stand.nearer >= 4  # the four that are nearly one picture, at least
    assert far.stand.nearer > near.stand.nearer


def test_within_a_tag(beit, prepared, album):
    games = catalogue_of(APPIDS)
    games["tags"] = [["Horror"] if appid in (1, 2, 5) else ["Puzzle"] for appid in APPIDS]
    verdict = desk.compare(banners.own(album[6].jpeg, "d"), prepared, beit, catalogue=games, tag="Horror")
    assert set(verdict.stand.appids) == {1, 2, 5}
    assert str(verdict).startswith("Of 3 games with the tag Horror, ")


def test_drafts_from_files_folders_and_both(tmp_path, album):
    (tmp_path / "first_draft.jpg").write_bytes(album[1].jpeg)
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "b-2.png").write_bytes(album[2].jpeg)
    (folder / "a.jpg").write_bytes(album[3].jpeg)
    (folder / "notes.txt").write_text("not a picture")
    found = desk.drafts(f"{tmp_path / 'first_draft.jpg'}; {folder}")
    assert [draft.name for draft in found] == ["first draft", "a", "b 2"]
    assert found[0].rgb.shape == (384, 256, 3)


def test_no_draft_or_no_picture_is_said(tmp_path):
    for nothing in ("", " ; ", tmp_path):
        with pytest.raises(desk.NoDraft, match="no draft was named"):
            desk.drafts(nothing)
    with pytest.raises(banners.Refused):
        desk.drafts(tmp_path / "nowhere.jpg")
    for number in range(21):
        (tmp_path / f"{number}.jpg").write_bytes(b"")
    with pytest.raises(desk.NoDraft, match="21 drafts are too many"):
        desk.drafts(tmp_path)


def test_the_samples_draft_is_a_banner():
    (draft,) = desk.drafts(sample.DRAFT)
    assert draft.name == "draft"
    assert draft.rgb.std() > 30


@pytest.mark.parametrize("version", [7, 8])
def test_the_control_compares_uploads_and_follows_the_tag(beit, prepared, album, version):
    games = catalogue_of(APPIDS)
    games["tags"] = [["Horror"] if appid in (1, 2, 5) else ["Puzzle"] for appid in APPIDS]
    control = desk.open_desk(prepared, beit, album, catalogue=games)
    eight = ({"name": "<b>.jpg", "content": memoryview(album[1].jpeg)}, {"name": "b", "content": album[5].jpeg})
    seven = {"<b>.jpg": {"content": album[1].jpeg}, "b": {"content": album[5].jpeg}}
    upload(control.upload, seven if version == 7 else eight)
    assert [verdict.draft.name for verdict in control.verdicts] == ["<b>.jpg", "b"]
    said, picture = control.results.children[:2]
    assert "<b>" not in said.value
    assert "relative to the games loaded" in said.value
    assert Image.open(io.BytesIO(picture.value)).format == "JPEG"
    control.tag.value = "Horror"
    assert {verdict.tag for verdict in control.verdicts} == {"Horror"}
    upload(control.upload, ({"name": "x", "content": b"no picture"},))
    assert control.status.value
