"""The training of `training/`, on a few generated pictures: the real views, losses, loop, checkpoints and export."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from training import alter, student
from training.curve import joined
from training.export import export
from training.feed import Pool, batch
from training.lettering import find_fonts
from training.losses import loss
from training.pictures import Picture, keep, kept
from training.pool import learn_projection, look, orthogonal_to_ones, place, save_projection, write_chunk
from training.run import begin, step
from training.schedule import Schedule
from training.train import train
from training.views import Artist
from utils import encoder

WIDTH = 32
PLAN = Schedule(views=96, small_until=0.5, small=32, side=48, count=8, rate=1e-3, warm_up=2, every=32)


def _packages(folder):
    """Two packages of drawn pictures: opaque ones, cut-outs, and a numbered animation of equal frames."""
    random = np.random.default_rng(0)
    for package in ("scenes", "sprites"):
        art = folder / package / "usr/share" / package
        art.mkdir(parents=True)
        for name in ("oak", "ship", "castle", "moon", "fox", "lamp"):
            _drawing(random, package == "sprites").save(art / f"{name}.png")
    for frame in range(9):
        _drawing(random, cutout=True).save(art / f"walk{frame}.png")
    return folder


def _drawing(random, cutout):
    image = Image.new("RGBA", (120, 90), (0, 0, 0, 0) if cutout else (*random.integers(0, 255, 3).tolist(), 255))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = random.integers(0, 70, 2).tolist()
        box = (left, top, left + 40, top + 30)
        draw.ellipse(box, (*random.integers(0, 255, 3).tolist(), 255))
    return image


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
    artist = _artist(folder)
    views, cells = look(artist, _teacher, range(24))
    projection = learn_projection(cells.mean((1, 2)), WIDTH)
    save_projection(projection, folder / "projection.npz")
    write_chunk(place(folder / "pool", 0), views, projection.project(cells))
    write_chunk(place(folder / "held", 0), views[:8], projection.project(cells[:8]))
    return folder


def _artist(folder):
    matplotlib = pytest.importorskip("matplotlib")
    from pathlib import Path

    return Artist(folder / "pictures", find_fonts(Path(matplotlib.get_data_path())), held=False)


def test_animations_are_thinned_and_the_index_is_read_back(work):
    pictures = kept(work / "pictures")
    walks = [picture for picture in pictures if "walk" in picture.source]
    assert len(walks) == 4
    assert all(isinstance(picture, Picture) for picture in pictures)
    assert {picture.package for picture in pictures if picture.cutout} == {"sprites"}


def test_views_depend_on_their_seed_alone(work):
    first = _artist(work).pair(7)
    assert np.array_equal(first, _artist(work).pair(7))
    assert not np.array_equal(first, _artist(work).pair(8))
    assert first.shape == (2, 256, 256, 3)
    assert not np.array_equal(first[0], first[1])


def test_held_out_series_are_never_drawn_for_training(work):
    artist = _artist(work)
    held = {picture.series for picture in kept(work / "pictures") if picture.held}
    drawn = {picture.series for picture in artist.scenes.pictures + artist.sprites.pictures}
    assert not held & drawn


def test_the_target_lies_where_a_layer_norm_can_reach_it():
    basis = orthogonal_to_ones(16)
    assert np.allclose(basis.sum(0), 0, atol=1e-9)
    assert np.allclose(basis.T @ basis, np.eye(15), atol=1e-9)


def test_turning_the_hue_keeps_grey_and_turns_round_in_360_degrees():
    turn = alter.colour_turn(torch.tensor([1.0, 2 * math.pi]), torch.ones(2))
    assert torch.allclose(turn @ torch.ones(3), torch.ones(2, 3), atol=1e-6)
    assert torch.allclose(turn[1], torch.eye(3), atol=1e-5)


def test_a_window_shows_the_same_part_of_picture_and_cells():
    maps = alter.windows(6, 0.5, 0.0, torch.Generator().manual_seed(3))
    ramp = torch.linspace(-1, 1, 160).expand(6, 1, 160, 160)
    cells = torch.linspace(-1, 1, 8).expand(6, 1, 8, 8)
    seen = torch.nn.functional.avg_pool2d(alter.seen_through(maps, ramp, 128), 16)
    assert torch.corrcoef(torch.stack([seen.flatten(), alter.seen_through(maps, cells, 8).flatten()]))[0, 1] > 0.98


def test_the_shares_of_the_patches_sum_to_the_feature(work):
    net = begin(PLAN, Pool(work / "pool")).net
    pooled, shares = student.see(net, torch.randn(3, 3, 32, 32))
    assert torch.allclose(shares.mean(1), pooled, atol=1e-5)


def test_a_student_of_another_side_keeps_each_bias_for_its_step(work):
    net = begin(PLAN, Pool(work / "pool")).net
    larger = student.resized(net, 64)
    small = student.bias_tables(net)[0]
    large = student.bias_tables(larger)[0][:-3].reshape(7, 7, -1)
    assert torch.equal(large[2:5, 2:5], small[:-3].reshape(3, 3, -1))
    assert torch.equal(large[0, 3], large[2, 3])
    assert torch.equal(student.bias_tables(student.resized(larger, 32))[0], small)


@pytest.mark.slow
def test_steps_lower_the_loss(work):
    torch.manual_seed(0)
    pool = Pool(work / "pool")
    plan = replace(PLAN, views=8 * 60)
    run = begin(plan, pool)
    whitening = torch.eye(WIDTH)
    losses = [step(run, plan, pool, whitening) for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_a_perfect_student_has_no_loss(work):
    seen = batch(Pool(work / "pool"), 8, torch.Generator().manual_seed(0), side=32, least=0.6, whole=0.2)
    value = loss(seen.target, seen.cells, seen.target, seen.cells, torch.eye(WIDTH))
    assert float(value) == pytest.approx(0, abs=1e-4)


@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_nothing_had_happened(work):
    whole = train(work, PLAN, "whole")
    assert whole.step == PLAN.steps == 12
    with pytest.raises(KeyboardInterrupt):
        _train_until(work, 7)
    taken_up = train(work, PLAN, "killed")
    for one, other in zip(whole.averaged.parameters(), taken_up.averaged.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert (work / "killed.csv").read_text().count("\n") == 4


def _train_until(work, last):
    """Train, and be interrupted before the step after `last`."""
    from training import train as module

    taken = module.step

    def interrupted(run, *rest):
        if run.step == last:
            raise KeyboardInterrupt
        return taken(run, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "step", interrupted)
        train(work, PLAN, "killed")


def test_a_second_round_goes_on_from_the_averaged_weights_of_the_first(work):
    plan = replace(PLAN, views=16, every=16)
    first = train(work, plan, "one")
    second = train(work, replace(plan, rate=0.0, seed=2), "two", after=first)
    kept = dict(second.net.named_parameters())
    for name, value in first.averaged.named_parameters():
        assert name.endswith("bias_table") or torch.equal(value, kept[name])
    rows = joined([work / "one.csv", work / "two.csv"])
    assert [int(row["views"]) for row in rows] == [16, 32]


def test_what_is_exported_is_an_encoder(work, tmp_path):
    run = begin(PLAN, Pool(work / "pool"))
    export(run.averaged, 48, tmp_path / "eye")
    eye = encoder.load(tmp_path / "eye", dtype="float32")
    picture = torch.randint(0, 255, (1, 48, 48, 3), dtype=torch.uint8)
    pixels = picture.permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        ours = student.resized(run.averaged, 48).beit(pixels).pooler_output
    assert "48" in (tmp_path / "eye" / "preprocessor_config.json").read_text()
    assert eye.dims == WIDTH
    assert torch.isfinite(ours).all()


@pytest.mark.slow
def test_the_fast_teacher_sees_what_the_plain_one_sees():
    from training import teacher

    pictures = np.random.default_rng(0).integers(0, 255, (2, 256, 256, 3), dtype=np.uint8)
    plain = teacher.plain()(pictures).mean((1, 2))
    fast = teacher.fast()(pictures).mean((1, 2))
    cosines = (plain * fast).sum(1) / np.linalg.norm(plain, axis=1) / np.linalg.norm(fast, axis=1)
    assert cosines.min() > 0.999
