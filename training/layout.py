"""How a view is laid out: a ground, cut-outs with shadows, a band, a title, a frame, and how it is graded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from training.lettering import Title, letter

CANVAS = (256, 384)  # a cover's two to three
SIDE = 256  # the view: the cover squashed to a square, as the encoder squashes it
_CUT = 0.2
_MIRROR = 0.12


@dataclass(frozen=True)
class Art:
    """What the two views of a pair share."""

    scenes: tuple[Image.Image, ...]  # opaque art, RGB
    sprites: tuple[Image.Image, ...]  # cut-outs, RGBA
    inks: tuple[tuple[int, int, int], ...]  # three colours for gradients, bands and letters
    title: Title
    plan: str  # scene, poster, full, collage


def lay_out(art: Art, random: Generator) -> Image.Image:
    canvas = _ground(art, random)
    if art.plan == "poster" or (art.plan == "scene" and random.random() < 0.85):
        _place_sprites(canvas, art, random)
    if random.random() < 0.25:
        _band(canvas, art, random)
    if random.random() < 0.75:
        letter(canvas, art.title, art.inks, random)
    if random.random() < 0.12:
        _frame(canvas, art, random)
    return canvas


def second(first: Image.Image, art: Art, random: Generator) -> Image.Image:
    """A cut or the mirror image of the first view, or the same art laid out again."""
    chance = random.random()
    if chance < _CUT:
        return _crop(first, CANVAS, random, least=0.6)
    if chance < _CUT + _MIRROR:
        return first.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return lay_out(art, random)


def _ground(art: Art, random: Generator) -> Image.Image:
    if art.plan == "poster":
        return _gradient(art, random)
    if art.plan == "collage":
        return _collage(art, random)
    least = 0.55 if art.plan == "scene" else 0.7
    ground = _crop(art.scenes[0], CANVAS, random, least)
    if random.random() < 0.1:
        return ground.filter(ImageFilter.GaussianBlur(float(random.uniform(1, 4))))
    return ground


def _crop(image: Image.Image, size: tuple[int, int], random: Generator, least: float) -> Image.Image:
    """A random part of the picture at nearly the asked ratio, its longer fit between `least` and all of it."""
    ratio = size[0] / size[1] * float(np.exp(random.normal(0, 0.12)))
    fit = float(random.uniform(least, 1))
    width = max(8.0, min(image.width, image.height * ratio) * fit)
    height = max(8.0, min(image.height, width / ratio))
    left = float(random.uniform(0, max(image.width - width, 0.01)))
    top = float(random.uniform(0, max(image.height - height, 0.01)))
    box = (left, top, min(left + width, image.width), min(top + height, image.height))
    part = image.resize(size, Image.Resampling.BILINEAR, box=box)
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.15 else part


def _gradient(art: Art, random: Generator) -> Image.Image:
    """Three inks from one side to the other, over the scene as a texture for half of them."""
    stops = np.array(art.inks, dtype=np.float32)
    angle = float(random.uniform(0, np.pi))
    across = np.linspace(-1, 1, 32)[None] * np.cos(angle) + np.linspace(-1, 1, 48)[:, None] * np.sin(angle)
    share = (across + 1.42) / 2.84
    channels = [np.interp(share, [0, 0.5, 1], stops[:, channel]) for channel in range(3)]
    field = Image.fromarray(np.stack(channels, -1).astype(np.uint8)).resize(CANVAS, Image.Resampling.BILINEAR)
    if random.random() < 0.5:
        return Image.blend(field, _crop(art.scenes[0], CANVAS, random, 0.5), float(random.uniform(0.2, 0.7)))
    return field


def _collage(art: Art, random: Generator) -> Image.Image:
    """Two to four scenes side by side or stacked."""
    canvas = Image.new("RGB", CANVAS, art.inks[0])
    columns, rows = ((1, 2), (2, 1), (2, 2), (1, 3))[int(random.integers(4))]
    gap = int(random.integers(0, 6))
    width = CANVAS[0] // columns
    height = CANVAS[1] // rows
    for cell in range(columns * rows):
        tile = _crop(art.scenes[cell], (width - gap, height - gap), random, 0.6)
        canvas.paste(tile, (cell % columns * width, cell // columns * height))
    return canvas


def _place_sprites(canvas: Image.Image, art: Art, random: Generator) -> None:
    for place, sprite in enumerate(art.sprites):
        share = float(random.uniform(0.55, 1.15) if place == 0 else random.uniform(0.25, 0.6))
        scale = min(CANVAS[0] / sprite.width, CANVAS[1] / sprite.height) * share
        size = (max(8, int(sprite.width * scale)), max(8, int(sprite.height * scale)))
        figure = sprite.resize(size, Image.Resampling.BILINEAR)
        if random.random() < 0.3:
            figure = figure.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        _paste(canvas, figure, random)


def _paste(canvas: Image.Image, figure: Image.Image, random: Generator) -> None:
    left = int(random.uniform(0.1, 0.9) * CANVAS[0] - figure.width / 2)
    top = int(random.uniform(0.25, 0.8) * CANVAS[1] - figure.height / 2)
    if random.random() < 0.4:
        shadow = figure.getchannel("A").point(lambda value: value // 2)
        canvas.paste((0, 0, 0), (left + 5, top + 7), shadow)
    canvas.paste(figure, (left, top), figure)


def _band(canvas: Image.Image, art: Art, random: Generator) -> None:
    height = int(random.integers(16, 70))
    top = 0 if random.random() < 0.5 else CANVAS[1] - height
    canvas.paste(art.inks[2], (0, top, CANVAS[0], top + height))


def _frame(canvas: Image.Image, art: Art, random: Generator) -> None:
    edge = int(random.integers(4, 14))
    inside = canvas.resize((CANVAS[0] - 2 * edge, CANVAS[1] - 2 * edge), Image.Resampling.BILINEAR)
    canvas.paste(art.inks[1], (0, 0, *CANVAS))
    canvas.paste(inside, (edge, edge))


def graded(view: Image.Image, random: Generator) -> Image.Image:
    """Squashed to the square; a gain for each channel, a gamma, sometimes grey: the teacher sees this too."""
    square = view.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    if random.random() < 0.04:
        square = square.convert("L").convert("RGB")
    if random.random() < 0.5:
        return square
    gains = np.exp(random.normal(0, 0.15, 3) + random.normal(0, 0.1))
    gamma = float(np.exp(random.normal(0, 0.2)))
    levels = 255 * (np.arange(256) / 255) ** gamma
    table = np.concatenate([np.clip(levels * gain, 0, 255) for gain in gains])
    return square.point(table.astype(int).tolist())
