"""Drafts: pictures that are not out yet, from wherever they lie, and how distinctive they are, in words and figures."""

import downloads
import numpy as np
import pytest
import torch
from pages import assert_drawn_well, banner, boxes, colour, lines
from PIL import Image
from small_games import catalogue_of

import sample
from utils import matching
from utils.errors import PictureError, PlainError
from utils.features import Features
from utils.filters import Filter
from utils.picker import drafts

APPIDS = np.arange(1, 41)
ALBUM = {appid: banner(appid % 19 + 1, f"Game {appid}") for appid in APPIDS.tolist()}
GAMES = catalogue_of(APPIDS)
GAMES["tags"] = [["Horror"] if appid <= 3 else ["Rare"] if appid == 4 else ["Puzzle"] for appid in APPIDS]
PLAIN = np.full((384, 256, 3), colour(3), np.uint8)


def thumbnails(pictures):
    """Stands for an encoder: a picture's features are its pixels, 3 x 2 of them."""
    small = [np.asarray(Image.fromarray(each).resize((2, 3), Image.Resampling.BOX)).ravel() for each in pictures]
    return torch.tensor(np.array(small), dtype=torch.float32)


@pytest.fixture(scope="module")
def prepared():
    """Game 1 is of one colour, the others are noise around it, each further away."""
    vectors = 100 + np.linspace(0, 60, 40)[:, None] * np.random.default_rng(0).normal(size=(40, 18))
    vectors[0] = thumbnails([PLAIN]).numpy()
    names = np.array([each.name for each in ALBUM.values()])
    return matching.prepare(Features(APPIDS, names, vectors.astype(np.float16), {}), "centred")


def picture(seed, size=(256, 384), orientation=1):
    exif = Image.Exif()
    exif[0x0112] = orientation
    noise = np.random.default_rng(seed).integers(0, 255, (3, 2, 3), np.uint8)
    return downloads.file(Image.fromarray(noise).resize(size, Image.Resampling.NEAREST), "PNG", exif=exif)


def compare(prepared, wanted=None, **pictures):
    given, _ = drafts.decoded(list(pictures.items()))
    return drafts.compare(given, prepared, thumbnails, games=GAMES, wanted=wanted)


def test_the_most_distinctive_come_first_and_what_was_cut_off_is_said_of_the_upright_picture(prepared):
    results = compare(
        prepared, my_copy=PLAIN, other=picture(5), wide=picture(6, (900, 300)), phone=picture(7, (900, 300), 8)
    )
    cosines = [float(result.cosines[0]) for result in results]
    assert cosines == sorted(cosines)
    said = {result.draft.name: str(result) for result in results}
    assert said["my copy"] == "my copy: Nearly identical to “Game 1” (1.00)."
    twins = matching.all_matches(prepared, 1).cosines[:, 0]
    percent = f"{100 * np.mean(twins > cosines[list(said).index('other')]):.0f} %"
    assert said["other"].startswith(f"other: More distinctive than {percent} of 40 games; most similar to “Game ")
    assert ["(2:3)" in said[name] for name in ("other", "wide", "phone")] == [False, True, True]
    assert "wider than a banner" in said["wide"]
    assert "taller than a banner" in said["phone"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Filter(tag="Puzzle"), "of 36 games with the tag Puzzle"),
        (Filter(tag="Puzzle", score=10), "of 36 games that pass the filters"),
        (Filter(tag="Horror"), None),  # three games: a percentage would say nothing
    ],
)
def test_drafts_are_compared_with_the_games_that_pass(prepared, wanted, said):
    (result,) = compare(prepared, wanted, a=picture(1))
    assert (said or "Most similar to") in result.query.note
    assert set(result.appids.tolist()) <= set(APPIDS[:3] if said is None else APPIDS[4:])
    with pytest.raises(PlainError):  # one game is too few
        compare(prepared, Filter(tag="Rare"), a=picture(1))


def test_files_folders_and_what_is_no_picture_by_name(tmp_path):
    (tmp_path / "below").mkdir()
    for name, content in {"b-2.png": picture(2), "a.jpg": picture(3), "notes.txt": b"none", ".hidden": b""}.items():
        (tmp_path / name).write_bytes(content)
    found, skipped = drafts.read(f"{sample.DRAFT}; {tmp_path}; {tmp_path / 'gone.png'}")
    assert [draft.name for draft in found] == ["draft", "a", "b 2"]
    assert [line.split(" was skipped")[0] for line in skipped] == ["notes.txt", "gone.png"]
    for nothing in ("", " ; ", tmp_path / "below", tmp_path / "gone.png"):
        with pytest.raises(PictureError):
            drafts.read(nothing)
    with pytest.raises(PictureError, match="21"):
        drafts.decoded([("a.png", b"")] * 21)


def test_one_draft_is_drawn_with_its_matches_and_several_in_a_ranked_table(prepared):
    results = compare(prepared, **{f"draft {seed}": picture(seed) for seed in range(3)})
    one, table = drafts.figure(results[:1], ALBUM), drafts.figure(results, ALBUM)
    for figure, games in ((one, 10), (table, 9)):
        assert sum(line.startswith("Game") for line in lines(figure)) == games
    assert [line[:2] for line in lines(table) if line[:2] in ("1.", "2.", "3.")] == ["1.", "2.", "3."]
    assert len(boxes(table, range(1, 20))) >= 3
    assert_drawn_well(table)
