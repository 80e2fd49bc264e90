"""The training of `training/`, on a few generated pictures: the real views, losses, loop, checkpoints and export."""

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from training import alter, student, teacher
from training.curve import joined
from training.export import export
from training.feed import Pool, batch
from training.lettering import find_fonts
from training.losses import loss
from training.pictures import keep, kept
from training.pool import learn_projection, look, place, save_projection, write_chunk
from training.run import begin, step
from training.schedule import Schedule
from training.train import train
from training.views import Artist
from utils import encoder

pytestmark = pytest.mark.slow
WIDTH = 32
PLAN = Schedule(views=96, small_until=0.5, small=32, side=48, count=8, rate=1e-3, warm_up=2, every=32)


def _packages(folder):
    """Two packages of drawn pictures: opaque ones, cut-outs, and a numbered animation of equal frames."""
    random = np.random.default_rng(0)
    for package in ("scenes", "sprites"):
        art = folder / package / "usr/share" / package
        art.mkdir(parents=True)
        walk = [f"walk{frame}" for frame in range(9)] if package == "sprites" else []
        for name in ("oak", "ship", "castle", "moon", "fox", "lamp", *walk):
            image = Image.new("RGBA", (120, 90), (90, 160, 40, 255 if package == "scenes" else 0))
            for left, top, *fill in random.integers(0, 70, (12, 5)).tolist():
                ImageDraw.Draw(image).ellipse((left, top, left + 40, top + 30), tuple(3 * each for each in fill))
            image.save(art / f"{name}.png")
    return folder


def _teacher(pictures):
    """A fixed random convolution in the teacher's place: (n, 256, 256, 3) to (n, 8, 8, 1280)."""
    random = torch.Generator().manual_seed(5)
    filters = torch.randn(1280, 3, 32, 32, generator=random)
    pixels = torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float() / 255
    return torch.nn.functional.conv2d(pixels, filters, stride=32).relu().permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder as training leaves it before the first step: pictures, projection, pool, held-out views."""
    folder = tmp_path_factory.mktemp("training")
    keep(_packages(folder / "packages"), folder / "pictures")
    artist = Artist(folder / "pictures", find_fonts(Path(matplotlib.get_data_path())), held=False)
    views, cells = look(artist, _teacher, range(24))
    projection = learn_projection(cells.mean((1, 2)), WIDTH)
    save_projection(projection, folder / "projection.npz")
    write_chunk(place(folder / "pool", 0), views, projection.project(cells))
    write_chunk(place(folder / "held", 0), views[:8], projection.project(cells[:8]))
    return folder


@pytest.fixture
def net(work):
    return begin(PLAN, Pool(work / "pool")).net


def test_animations_are_thinned_and_views_depend_on_their_seed_alone_and_show_no_held_out_series(work):
    pictures = kept(work / "pictures")
    assert sum("walk" in picture.source for picture in pictures) == 4
    assert {picture.package for picture in pictures if picture.cutout} == {"sprites"}
    artist, again = (Artist(work / "pictures", find_fonts(Path(matplotlib.get_data_path())), held=False) for _ in "ab")
    drawn = {picture.series for picture in artist.scenes.pictures + artist.sprites.pictures}
    assert not drawn & {picture.series for picture in pictures if picture.held}
    first = artist.pair(7)
    assert np.array_equal(first, again.pair(7))
    assert not np.array_equal(first, again.pair(8))
    assert not np.array_equal(first[0], first[1])


def test_a_window_shows_the_same_part_of_picture_and_cells():
    maps = alter.windows(6, 0.5, 0.0, torch.Generator().manual_seed(3))
    ramp = torch.linspace(-1, 1, 160).expand(6, 1, 160, 160)
    cells = torch.linspace(-1, 1, 8).expand(6, 1, 8, 8)
    seen = torch.nn.functional.avg_pool2d(alter.seen_through(maps, ramp, 128), 16)
    assert torch.corrcoef(torch.stack([seen.flatten(), alter.seen_through(maps, cells, 8).flatten()]))[0, 1] > 0.98


def test_the_shares_of_the_patches_sum_to_the_feature(net):
    pooled, shares = student.see(net, torch.randn(3, 3, 32, 32))
    assert torch.allclose(shares.mean(1), pooled, atol=1e-5)


def test_a_student_of_another_side_keeps_each_bias_for_its_step(net):
    larger = student.resized(net, 64)
    small = student.bias_tables(net)[0]
    large = student.bias_tables(larger)[0][:-3].reshape(7, 7, -1)
    assert torch.equal(large[2:5, 2:5], small[:-3].reshape(3, 3, -1))
    assert torch.equal(large[0, 3], large[2, 3])
    assert torch.equal(student.bias_tables(student.resized(larger, 32))[0], small)


def test_steps_lower_the_loss_and_a_perfect_student_has_none(work):
    torch.manual_seed(0)
    pool, plan, whitening = Pool(work / "pool"), replace(PLAN, views=8 * 60), torch.eye(WIDTH)
    run = begin(plan, pool)
    losses = [step(run, plan, pool, whitening) for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    seen = batch(pool, 8, torch.Generator().manual_seed(0), side=32, least=0.6, whole=0.2)
    assert float(loss(seen.target, seen.cells, seen.target, seen.cells, whitening)) == pytest.approx(0, abs=1e-4)


def test_a_killed_training_goes_on_as_if_nothing_had_happened(work, monkeypatch):
    whole = train(work, PLAN, "whole")
    assert whole.step == PLAN.steps == 12

    def interrupted(run, *rest):
        if run.step == 7:
            raise KeyboardInterrupt
        return step(run, *rest)

    monkeypatch.setattr("training.train.step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(work, PLAN, "killed")
    monkeypatch.undo()
    taken_up = train(work, PLAN, "killed")
    for one, other in zip(whole.averaged.parameters(), taken_up.averaged.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert (work / "killed.csv").read_text().count("\n") == 4


def test_a_second_round_goes_on_from_the_averaged_weights_of_the_first(work):
    plan = replace(PLAN, views=16, every=16)
    first = train(work, plan, "one")
    second = train(work, replace(plan, rate=0.0, seed=2), "two", after=first)
    kept = dict(second.net.named_parameters())
    for name, value in first.averaged.named_parameters():
        assert name.endswith("bias_table") or torch.equal(value, kept[name])
    rows = joined([work / "one.csv", work / "two.csv"])
    assert [int(row["views"]) for row in rows] == [16, 32]


def test_what_is_exported_is_an_encoder(net, tmp_path):
    export(net, 48, tmp_path / "small")
    assert "48" in (tmp_path / "small" / "preprocessor_config.json").read_text()
    assert encoder.load(tmp_path / "small", dtype="float32").dims == WIDTH


def test_the_fast_teacher_and_the_teacher_as_an_encoder_see_what_its_packages_see():
    banners = np.random.default_rng(0).integers(0, 255, (2, 384, 256, 3), dtype=np.uint8)
    squashed = [np.asarray(Image.fromarray(each).resize((256, 256), Image.Resampling.BILINEAR)) for each in banners]
    plain, fast = (torch.from_numpy(see(np.stack(squashed)).mean((1, 2))) for see in (teacher.plain(), teacher.fast()))
    assert torch.nn.functional.cosine_similarity(plain, fast).min() > 0.999
    one = teacher.encoder(dtype="float32")
    assert torch.allclose(one(banners), plain, atol=1e-3)
    assert (one.grid, one.dims, one.feature) == ((8, 8), 1280, "mean")
