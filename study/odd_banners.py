"""What a look at all banners shows: dark, light, blurry, empty, odd, grey, doubled.

The measures are those of cleanvision, on whose thresholds they lean; it reads folders of files, not shards, so that
110,000 banners would first have to be unpacked. Here each banner is decoded once, on its way through.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
from PIL import Image
from tqdm.auto import tqdm

from utils import banners, files
from utils.errors import PictureError
from utils.show import Album, Figure
from utils.show.page import BODY, GAP, INNER, MARGIN, WIDTH, Page, tile_height, tile_width

ISSUES = {
    "dark": "even its bright parts are dark",
    "light": "even its dark parts are light",
    "blurry": "no edge in it is sharp",
    "low information": "hardly more than one tone",
    "grey": "it has no colour",
    "odd ratio": "its original was much wider or narrower",
    "exact duplicate": "the same picture as another game's",
    "near duplicate": "nearly the same picture as another game's",
}

_SOUND = {  # issue -> the least and the most that is measured of a banner without it
    "dark": (0.18, np.inf),  # of full brightness, the 99th percentile
    "light": (0, 0.75),  # of full brightness, the 5th percentile
    "blurry": (0.004, np.inf),  # of its variance, that of its Laplacian; sharp ones have 0.2 and more
    "low information": (3.0, np.inf),  # bits a pixel of 8, its entropy
    "grey": (2.1, np.inf),  # levels of 255 between its channels, the 99th percentile; JPEG leaves one or two
    "odd ratio": (2 / 3 / 1.35, 2 / 3 * 1.35),  # of its original, width to height
}
_COLUMNS = 6  # banners a row of the figure, at most
_LABEL = 36  # units of height of a row's heading
_LUMA = np.array([0.241, 0.691, 0.068], np.float32)  # brightness = sqrt(luma . rgb^2), as in cleanvision (HSP)


def find_issues(folder: Path, games: pd.DataFrame) -> pd.DataFrame:
    """Return what is noteworthy of a catalogue's banners in a folder of snapshots: a row a banner and issue.

    Columns: appid, name, issue (of ISSUES), value (what was measured, in the unit of the issue; NaN for duplicates),
    group (banners that are doubles of one another have one number; -1 elsewhere). A banner that cannot be decoded is
    left out. Raises DamagedError.
    """
    columns = pd.Index(["appid", "name", *_SOUND, "sha256", "phash"])
    measured = pd.DataFrame(_measured(folder, games), columns=columns)
    values = measured.melt(["appid", "name"], list(_SOUND), "issue").astype({"value": float})
    sound = pd.DataFrame(_SOUND, index=pd.Index(["least", "most"])).T
    found = [values.join(sound, on="issue").query("value < least or value > most").assign(group=-1)]
    for issue, column, among in (
        ("exact duplicate", "sha256", measured),
        ("near duplicate", "phash", measured.drop_duplicates("sha256")),
    ):
        doubles = among[among.duplicated(column, keep=False)]
        group = doubles.groupby(column, sort=False).ngroup()
        found.append(doubles.assign(issue=issue, value=np.nan, group=group))
    return pd.concat(found, ignore_index=True)[["appid", "name", "issue", "value", "group"]]


def summary(issues: pd.DataFrame) -> pd.DataFrame:
    """Return how many banners each issue has, in the order of ISSUES: issue, banners, meaning."""
    counts = issues["issue"].value_counts().reindex(list(ISSUES), fill_value=0)
    return pd.DataFrame({"issue": counts.index, "banners": counts.to_numpy(), "meaning": list(ISSUES.values())})


def save_csv(issues: pd.DataFrame, file: Path) -> Path:
    """Write the issues as a CSV, whole or not at all, and return the file.

    A name that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    formula = issues["name"].str.match(r"[=+\-@\t\r]")
    safe = issues.assign(name=issues["name"].where(~formula, "'" + issues["name"]))
    files.write(file, safe.to_csv(index=False).encode("utf-8-sig"))  # with its mark, spreadsheets read UTF-8
    return file


def figure(album: Album, found: pd.DataFrame) -> Figure:
    """Return a row for each kind of issue that find_issues found: how many banners have it, and the first."""
    kinds = summary(found)
    kinds = kinds[kinds["banners"] > 0]
    width = tile_width(_COLUMNS)
    step = tile_height(width, 2) + _LABEL
    said = ", ".join(f"{count} {issue}" for issue, count in zip(kinds["issue"], kinds["banners"], strict=True))
    page = Page(max(len(kinds) * step, _LABEL), f"Issues found in the banners: {said or 'none'}.")
    if kinds.empty:
        page.draw_text("Nothing stands out in any banner.", (MARGIN, MARGIN), BODY, WIDTH)
    for row, kind in enumerate(kinds.itertuples()):
        y = MARGIN + row * step
        page.draw_text(f"{kind.issue} ({kind.banners:,}): {kind.meaning}", (MARGIN, y), BODY, INNER, lines=1)
        some = found[found["issue"] == kind.issue].sort_values("group", kind="stable").head(_COLUMNS)
        for at, appid in enumerate(some["appid"]):
            page.draw_tile(album[int(appid)], (MARGIN + at * (width + GAP), y + _LABEL), width)
    return page.figure


def _measured(folder: Path, games: pd.DataFrame) -> Iterator[tuple]:
    """Yield the appid, the name, what _SOUND bounds, the SHA-256 and the perceptual hash of each banner."""
    total = len(banners.Album(folder).keys() & set(games["appid"]))
    for banner in tqdm(banners.read(folder, games), desc="Looking at all banners", unit=" banners", total=total):
        with suppress(PictureError):
            phash = str(imagehash.phash(Image.fromarray(banner.rgb)))
            yield (banner.appid, banner.name, *_measures(banner.rgb), banner.ratio, banner.sha256, phash)


def _measures(rgb: np.ndarray) -> Iterator[float]:
    """Yield, of RGB pixels, uint8, what _SOUND bounds but for the ratio, in its order."""
    some = rgb[::2, ::2].reshape(-1, 3).T.astype(np.float32, order="C")  # a quarter of the pixels says as much of tones
    brightness = np.sqrt(_LUMA @ np.square(some)) / 255
    yield from np.percentile(brightness, (99, 5))
    grey = np.asarray(Image.fromarray(rgb).convert("L"))
    inner = 4 * grey[1:-1, 1:-1].astype(np.float32)
    laplacian = inner - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    yield laplacian.var() / max(grey.var(), 1.0)
    yield Image.fromarray(grey).entropy()
    yield np.percentile(np.ptp(some, axis=0), 99)
