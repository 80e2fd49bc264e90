"""Drafts: pictures that are not out yet, from wherever they lie, and how distinctive they are, in words and figures."""

import io

import numpy as np
import pytest
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


class Thumbnails:
    """Stands for an encoder: a picture's features are its pixels, 3 x 2 of them."""

    def __call__(self, pictures):
        small = [np.asarray(Image.fromarray(each).resize((2, 3), Image.Resampling.BOX)).ravel() for each in pictures]
        return self.tensor(small)

    @staticmethod
    def tensor(rows):
        import torch

        return torch.tensor(np.array(rows), dtype=torch.float32)


ENCODER = Thumbnails()


@pytest.fixture(scope="module")
def prepared():
    """Game 1 is of one colour, the others are noise around it, each further away."""
    rng = np.random.default_rng(0)
    vectors = 100 + np.linspace(0, 60, 40)[:, None] * rng.normal(size=(40, 18))
    vectors[0] = ENCODER([np.full((384, 256, 3), colour(3), np.uint8)]).numpy()
    names = np.array([each.name for each in ALBUM.values()])
    return matching.prepare(
        Features(APPIDS, names, vectors.astype(np.float16), {"preparation": "as they are"}), "centred"
    )


def picture(seed, size=(256, 384), **options):
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (3, 2, 3), np.uint8)
    Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(file, "PNG", **options)
    return file.getvalue()


def compare(pictures, prepared, **options):
    given, _ = drafts.decoded(list(pictures.items()))
    return drafts.compare(given, prepared, ENCODER, games=GAMES, **options)


def test_a_copy_is_nearly_identical_and_the_most_distinctive_come_first(prepared):
    plain = np.full((384, 256, 3), colour(3), np.uint8)
    results = compare({"my_copy.png": plain, "other-one.png": picture(5)}, prepared)
    assert [result.draft.name for result in results] == ["other one", "my copy"]
    assert results[1].sentence == "Nearly identical to “Game 1” (1.00)."
    nearest = results[0].stand.cosines[0]
    twins = matching.all_matches(prepared, 1).cosines[:, 0]
    percent = f"{100 * np.mean(twins > nearest):.0f} %"
    assert results[0].sentence.startswith(f"More distinctive than {percent} of 40 games; most similar to “Game ")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Filter(tag="Puzzle"), "of 36 games with the tag Puzzle"),
        (Filter(tag="Puzzle", score=10), "of 36 games that pass the filters"),
        (Filter(tag="Horror"), None),  # three games: a percentage would say nothing
    ],
)
def test_drafts_are_compared_with_the_games_that_pass(prepared, wanted, said):
    (result,) = compare({"a.png": picture(1)}, prepared, wanted=wanted)
    assert ("More distinctive" in result.sentence) == (said is not None)
    assert (said or "Most similar to") in result.sentence
    assert set(result.stand.appids.tolist()) <= set(APPIDS[:3] if said is None else APPIDS[4:])


def test_one_game_is_too_few(prepared):
    with pytest.raises(PlainError):
        compare({"a.png": picture(1)}, prepared, wanted=Filter(tag="Rare"))


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


@pytest.mark.parametrize(
    ("size", "options", "cut"),
    [
        ((256, 384), {}, ""),
        ((600, 900), {}, ""),
        ((900, 300), {}, "wider than a banner"),
        ((200, 900), {}, "taller than a banner"),
        ((384, 256), {"exif": exif(6)}, ""),  # a phone's: upright it has a banner's shape
        ((900, 300), {"exif": exif(8)}, "taller than a banner"),
    ],
)
def test_what_was_cut_off_is_said_of_the_upright_picture(prepared, tmp_path, size, options, cut):
    file = tmp_path / "a.png"
    file.write_bytes(picture(1, size, **options))
    (draft,), _ = drafts.read(file)
    said = str(drafts.compare([draft], prepared, ENCODER)[0])
    assert said.startswith("a: ")
    assert (cut or "(2:3)") in said if cut else "(2:3)" not in said


def test_files_folders_and_what_is_no_picture_by_name(tmp_path):
    (tmp_path / "first_draft.jpg").write_bytes(picture(1))
    folder = tmp_path / "more"
    (folder / "below").mkdir(parents=True)
    (folder / "b-2.png").write_bytes(picture(2))
    (folder / "a.jpg").write_bytes(picture(3))
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden").write_text("nor this")
    found, skipped = drafts.read(f"{tmp_path / 'first_draft.jpg'}; {folder}; {tmp_path / 'gone.png'}")
    assert [draft.name for draft in found] == ["first draft", "a", "b 2"]
    assert found[0].rgb.shape == (384, 256, 3)
    assert [line.split(" was skipped")[0] for line in skipped] == ["notes.txt", "gone.png"]


def test_no_draft_and_too_many_are_refused(tmp_path):
    for nothing in ("", " ; ", tmp_path, tmp_path / "gone.png"):
        with pytest.raises(PictureError):
            drafts.read(nothing)
    for number in range(21):
        (tmp_path / f"{number}.jpg").write_bytes(b"")
    with pytest.raises(PictureError) as error:
        drafts.read(tmp_path)
    assert "21" in str(error.value)


def test_one_draft_is_drawn_with_its_matches_and_several_in_a_ranked_table(prepared):
    results = compare({f"{seed}.png": picture(seed) for seed in range(3)}, prepared)
    one = drafts.figure(results[:1], ALBUM)
    assert sum(line.startswith("Game") for line in lines(one)) == 10
    table = drafts.figure(results, ALBUM)
    assert sum(line.startswith("Game") for line in lines(table)) == 9
    assert [line[:2] for line in lines(table) if line[:2] in ("1.", "2.", "3.")] == ["1.", "2.", "3."]
    assert len(boxes(table, range(1, 20))) >= 3
    assert_drawn_well(table)


def test_the_samples_draft_is_a_banner():
    (draft,), skipped = drafts.read(sample.DRAFT)
    assert draft.name == "draft"
    assert draft.rgb.std() > 30
    assert not skipped
