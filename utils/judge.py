"""How good the matches are, in numbers: truths that need no hands, metrics of a library, and baselines beside them.

A ranking is judged by what the catalogue knows: games of one franchise belong together. A mirrored query must find its
franchise as well, whose title cannot be read then; games of the same developers, but of another franchise, should come
near; and altered copies of a banner must find their original. Hubness says whether a few games are shown all the time.
"""

import hashlib
import io
import itertools
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import imagehash
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont
from scipy import stats
from torch import Tensor
from tqdm.auto import tqdm

from utils import banners, encoder, features, matching
from utils.features import Features
from utils.matching import Prepared
from utils.names import compare_key as name_key
from utils.show import Figure

K = 10  # how far down a ranking counts
METRICS = (f"recall@{K}", "hit@1", f"mAP@{K}", f"nDCG@{K}")
LARGEST = 50  # games: a franchise or a developer with more says little about how a banner looks
PEOPLE = 4  # developers: a franchise with more, and with one for every two of its games, is a publisher's
NEAR = 6  # bits, of the 64 of the perceptual hash, in which near-identical banners may differ
HUB_GAMES = 20_000  # games among which it is counted how often each is shown
UNTRAINED = "(untrained)"  # what the name of a checkpoint that was never trained ends with

_SHORT = {  # column of the table -> what Result.short calls it
    ("franchises", METRICS[0]): METRICS[0],
    ("franchises", "low"): "low",
    ("franchises", "high"): "high",
    **{("franchises", metric): metric for metric in METRICS[1:]},
    ("collapsed", METRICS[0]): "collapsed",
    ("mirrored", METRICS[0]): "mirrored",
    ("developers", METRICS[0]): "developers",
    ("copies", "micro-AP"): "copies micro-AP",
    ("copies", "accuracy@1"): "copies accuracy@1",
    ("shown", "never"): "never shown",
    ("shown", "skew"): "skew",
}
_GROUND, _INK, _MUTED, _LINE, _ACCENT, _WARM = "#14171c", "#eceff2", "#8b95a1", "#343b44", "#66c0f4", "#d9a441"


class Query(NamedTuple):
    """A game, and what a ranking of the others should look like."""

    appid: int
    group: str  # the franchise or developer that it counts for
    relevant: frozenset[int]  # appids that should come first
    ignored: frozenset[int] = frozenset()  # appids that count neither for nor against


@dataclass(frozen=True)
class Configuration:
    """One way from banners to matches."""

    checkpoint: str  # a name on the hub, or a folder
    pooling: str = "pooled"  # as encoder.load takes it: "mean@8" is that of block 8
    image: str = "squash"
    preparation: str = "whitened"  # as matching.prepare takes it
    exponent: float = 0.5  # of the whitening

    @property
    def folder(self) -> str:
        """What the folder of its features is called."""
        return f"{Path(self.checkpoint).name}--{self.image}--{self.pooling}"

    def __str__(self) -> str:
        power = f" {self.exponent:g}" if self.preparation == "whitened" else ""
        return f"{Path(self.checkpoint).name}, {self.pooling}, {self.image}, {self.preparation}{power}"


@dataclass(frozen=True)
class Result:
    """What `compare` found."""

    table: pd.DataFrame  # a row a configuration or baseline; columns (task, metric)
    best: Configuration | None  # by recall in the franchises of the development half; None if there are none
    about: str  # how many games, queries and groups stand behind the numbers

    @property
    def short(self) -> pd.DataFrame:
        """The columns of the table that say most, under plain names."""
        return self.table[list(_SHORT)].set_axis(list(_SHORT.values()), axis=1)


# ---------------------------------------------------------------------------------------------------- ground truth


def franchises(catalogue: pd.DataFrame) -> list[Query]:
    """Return a query for every game that shares a franchise with another; those are the relevant ones.

    Names are compared by their letters and digits. A franchise is dropped where it merely names a publisher: it is
    called like a publisher or developer of the catalogue, has more than LARGEST games, or has more than PEOPLE first
    developers and at least one for every two games. A query counts for the smallest of its franchises.
    """
    members = {name: games for name, games in _franchises(catalogue).items() if len(games) > 1}
    return [
        Query(appid, min(names, key=lambda name: (len(members[name]), name)), _together(members, names) - {appid})
        for appid, names in _inverted(members).items()
    ]


def developers(catalogue: pd.DataFrame) -> list[Query]:
    """Return a query for every game whose developer made games of another franchise; those are the relevant ones.

    Only games with a franchise (see `franchises`) take part, those of the same franchise are ignored, and developers
    of more than LARGEST such games are dropped.
    """
    members = _franchises(catalogue)
    own = _inverted(members)
    made = _members(catalogue[catalogue["appid"].isin(own)], "developers")
    made = {name: games for name, games in made.items() if len(games) <= LARGEST}
    queries = []
    for appid, names in _inverted(made).items():
        same = _together(members, own[appid])
        if relevant := _together(made, names) - same:
            group = min(names, key=lambda name: (len(made[name]), name))
            queries.append(Query(appid, group, relevant, same - {appid}))
    return queries


def among(queries: Iterable[Query], appids: Iterable[int]) -> list[Query]:
    """Return the queries that can be asked where only some games are shown: those with a relevant game among them."""
    shown = frozenset(appids)
    kept = (query._replace(relevant=query.relevant & shown) for query in queries if query.appid in shown)
    return [query for query in kept if query.relevant]


def half(queries: Iterable[Query], name: str) -> list[Query]:
    """Return the queries of the "development" or the "test" half of the groups, which a hash of their name decides."""
    parity = ("development", "test").index(name)
    return [query for query in queries if hashlib.sha256(query.group.encode()).digest()[0] % 2 == parity]


def _franchises(catalogue: pd.DataFrame) -> dict[str, frozenset[int]]:
    """Return the games of each franchise that is one, by the rule of `franchises`."""
    members = _members(catalogue, "franchises")
    houses = {
        name_key(name) for column in ("publishers", "developers") for names in catalogue[column] for name in names
    }
    pairs = zip(catalogue["appid"].tolist(), catalogue["developers"], strict=True)
    first = {appid: name_key(names[0]) for appid, names in pairs if len(names)}

    def is_one(name: str, games: frozenset[int]) -> bool:
        people = {first[appid] for appid in games & first.keys()}
        publishers = len(people) > PEOPLE and 2 * len(people) >= len(games)
        return name not in houses and len(games) <= LARGEST and not publishers

    return {name: games for name, games in members.items() if is_one(name, games)}


def _members(catalogue: pd.DataFrame, column: str) -> dict[str, frozenset[int]]:
    """Return the games (appids) of each name in a column of lists, by the name's key."""
    members = defaultdict(set)
    for appid, names in zip(catalogue["appid"].tolist(), catalogue[column], strict=True):
        for key in filter(None, map(name_key, names)):
            members[key].add(appid)
    return {name: frozenset(games) for name, games in members.items()}


def _inverted(members: dict[str, frozenset[int]]) -> dict[int, list[str]]:
    own = defaultdict(list)
    for name, games in members.items():
        for appid in games:
            own[appid].append(name)
    return dict(sorted(own.items()))


def _together(members: dict[str, frozenset[int]], names: Iterable[str]) -> frozenset[int]:
    return frozenset().union(*(members[name] for name in names))


# --------------------------------------------------------------------------------------------------------- metrics


def rank(games: Prepared, queries: Sequence[Query], vectors: np.ndarray | None = None) -> list[list[int]]:
    """Return the appids of the first K games of each query, nearest first, without its own game and the ignored ones.

    With vectors (q, dim), those are asked instead of the queries' own games.
    """
    depth = K + 1 + max((len(query.ignored) for query in queries), default=0)
    found, _ = matching.nearest(games, [query.appid for query in queries] if vectors is None else vectors, depth)
    return [
        [appid for appid in row if appid != query.appid and appid not in query.ignored][:K]
        for row, query in zip(found.tolist(), queries, strict=True)
    ]


def scores(ranked: Sequence[Sequence[int]], queries: Sequence[Query]) -> pd.DataFrame:
    """Return METRICS of each query's ranking (its first K appids), and the query's group."""
    rows = [
        _metrics([appid in query.relevant for appid in row], len(query.relevant))
        for row, query in zip(ranked, queries, strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(METRICS), dtype=float)
    return table.assign(group=[query.group for query in queries])


def averages(table: pd.DataFrame, draws: int = 1000) -> dict[str, float]:
    """Return METRICS averaged within each group and then over groups, and recall's 95 % interval as `low` and `high`.

    The interval is a bootstrap over groups: of `draws` samples of as many groups, the middle 95 % of means.
    """
    groups = table.groupby("group")[list(METRICS)].mean()
    if groups.empty:
        return dict.fromkeys((*METRICS, "low", "high"), np.nan)
    drawn = np.random.default_rng(0).integers(len(groups), size=(draws, len(groups)))
    low, high = np.percentile(groups[METRICS[0]].to_numpy()[drawn].mean(1), [2.5, 97.5])
    return groups.mean().to_dict() | {"low": low, "high": high}


def micro_average_precision(hits: np.ndarray, cosines: np.ndarray, positives: int) -> float:
    """Return the average precision of all pairs of all queries in one list, as the Image Similarity Challenge has it.

    hits: bool, whether a pair is a copy and its original; cosines: float in -1 to 1, what pairs are sorted by, both of
    one shape; positives: how many pairs there are to find (https://arxiv.org/abs/2106.09672).
    """
    from torchmetrics.functional.classification import binary_average_precision  # seconds to import

    if not hits.any():
        return 0.0
    sorter = torch.from_numpy((1 + cosines.astype(np.float64).ravel()) / 2)  # what it takes as probabilities
    found = binary_average_precision(sorter, torch.from_numpy(hits.ravel()).long())
    return float(found) * hits.sum() / positives


def hubness(games: Prepared) -> dict[str, float]:
    """Return the share of games that are among no other's first K, and the skew of how often each is.

    Of more than HUB_GAMES games a sample of so many is taken, matched among themselves.
    """
    chosen = np.random.default_rng(0).permutation(len(games))[:HUB_GAMES]
    matches = matching.all_matches(_only(games, games.appids[chosen]), K)
    shown = np.bincount(np.searchsorted(matches.appids, matches.neighbours.ravel()), minlength=len(matches.appids))
    return {"never": float((shown == 0).mean()), "skew": float(stats.skew(shown)) if np.ptp(shown) else 0.0}


def _metrics(hits: Sequence[bool], relevant: int) -> tuple[float, ...]:
    """Return METRICS of one ranking: whether each of its first K is relevant, and how many are relevant in all.

    torchmetrics sees only what is in the list, so that relevant games which the ranking lacks are put below place K,
    K in all at most: then its recall is hits / min(K, relevant) and its nDCG's ideal has as many. Its AP@K divides by
    the hits found; times recall, it divides by min(K, relevant), as is usual.
    """
    from torchmetrics.functional import retrieval

    target = torch.zeros(2 * K, dtype=torch.bool)
    target[: len(hits)] = torch.tensor(hits, dtype=torch.bool)
    target[K : K + min(K, relevant) - sum(hits)] = True
    order = torch.arange(2 * K, 0, -1.0)
    recall = retrieval.retrieval_recall(order, target, K)
    precision = retrieval.retrieval_average_precision(order, target, K)
    gain = retrieval.retrieval_normalized_dcg(order, target, K)
    hit = retrieval.retrieval_hit_rate(order, target, 1)
    return float(recall), float(hit), float(precision * recall), float(gain)


def _only(games: Prepared, appids: np.ndarray) -> Prepared:
    """Return some of the games, prepared as they were with all."""
    kept = np.isin(games.appids, appids)
    return replace(games, appids=games.appids[kept], names=games.names[kept], vectors=games.vectors[kept])


# ------------------------------------------------------------------------------------------------------- baselines


class _Quarter:
    """A banner, uint8 (384, 256, 3) -> the same at a quarter of its width and height. Picklable."""

    shape = (96, 64)

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(rgb).reduce(4))


class Pixels:
    """Pictures -> what can be told of them without a network, behind an Encoder's doors, as `features.extract` asks.

    The columns of each baseline, and what `matching.prepare` does to them, stand in BASELINES.
    """

    identity = MappingProxyType({"checkpoint": "pixels", "dtype": "float32", "dims": 416})
    preparation = _Quarter()
    device = torch.device("cpu")
    batch_size = 256

    def __call__(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the vectors of banners, uint8 RGB arrays (384, 256, 3), as a float32 tensor (n, 416)."""
        return self.embed(torch.from_numpy(np.stack([self.preparation(picture) for picture in pictures])))

    def embed(self, batch: Tensor) -> Tensor:
        """Return the vectors of prepared pictures, uint8 (n, 96, 64, 3), as a float32 tensor (n, 416)."""
        return torch.cat([_colours(batch), _hashes(batch), _thumbnails(batch)], 1)


BASELINES = {
    "colour histogram, 64 bins": (slice(0, 64), "as they are"),
    "perceptual hash, 64 bits": (slice(64, 128), "as they are"),
    "thumbnail, 8 x 12 pixels": (slice(128, 416), "centred"),
}


def _colours(pictures: Tensor) -> Tensor:
    """Return the square roots of the shares of 4 x 4 x 4 colours, whose cosine is Bhattacharyya's coefficient."""
    colours = ((pictures // 64).long() * torch.tensor([16, 4, 1])).sum(-1).flatten(1)
    return torch.stack([colour.bincount(minlength=64) for colour in colours]).div(colours.shape[1]).sqrt()


def _hashes(pictures: Tensor) -> Tensor:
    """Return pHash's bits as -1 and 1, so that the order by cosine is that by Hamming distance."""
    bits = [imagehash.phash(Image.fromarray(picture)).hash.ravel() for picture in pictures.numpy()]
    return 2 * torch.from_numpy(np.stack(bits)).float() - 1


def _thumbnails(pictures: Tensor) -> Tensor:
    """Return the means of squares of 8 x 8 pixels."""
    return torch.nn.functional.avg_pool2d(pictures.float().permute(0, 3, 1, 2), 8).flatten(1)


# ------------------------------------------------------------------------------------------------- altered pictures


def _crop(picture: Image.Image) -> Image.Image:
    return picture.crop((26, 38, 230, 346))  # four fifths of each side


def _jpeg(picture: Image.Image) -> Image.Image:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=10)
    return banners.open_picture(content.getvalue())


def _blur(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(4))


def _colour(picture: Image.Image) -> Image.Image:
    hue, saturation, value = picture.convert("HSV").split()
    turned = Image.merge("HSV", (hue.point(lambda level: (level + 32) % 256), saturation, value)).convert("RGB")
    return ImageEnhance.Brightness(turned).enhance(1.2)


def _badge(picture: Image.Image) -> Image.Image:
    return _written(picture, "-75%", (150, 0, 256, 56), "#4c6b22", 36)


def _text(picture: Image.Image) -> Image.Image:
    return _written(picture, "SOUNDTRACK", (0, 160, 256, 224), "#1b2838", 36)


def _ratio(picture: Image.Image) -> Image.Image:
    return picture.resize((384, 384))  # half as wide again; its middle is what a banner shows of it


def _written(picture: Image.Image, text: str, box: tuple[int, int, int, int], colour: str, size: int) -> Image.Image:
    drawn = picture.copy()
    pen = ImageDraw.Draw(drawn)
    pen.rectangle(box, fill=colour)
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    pen.text(middle, text, fill="white", font=ImageFont.load_default(size), anchor="mm")
    return drawn


ALTERATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "crop": _crop,
    "JPEG": _jpeg,
    "blur": _blur,
    "colour": _colour,
    "badge": _badge,
    "text": _text,
    "ratio": _ratio,
}


def alter(rgb: np.ndarray, name: str) -> np.ndarray:
    """Return a banner, uint8 (384, 256, 3), altered by one of ALTERATIONS and read again as any picture file is."""
    content = io.BytesIO()
    ALTERATIONS[name](Image.fromarray(rgb)).save(content, "BMP")
    return banners.decode(content.getvalue())


# ------------------------------------------------------------------------------------------------------ comparison


@dataclass(frozen=True)
class _Exam:
    """What all are asked, the same for each."""

    queries: dict[str, list[Query]]  # by task
    totals: dict[str, int]  # from how many queries those were taken
    distinct: np.ndarray  # appids, one of each group of near-identical banners
    originals: list[int]  # appids whose altered copies are shown
    album: banners.Album


def compare(
    configurations: Iterable[Configuration],
    snapshots: Path,
    catalogue: pd.DataFrame,
    out: Path,
    *,
    queries: int = 5000,
    pictures: int = 200,
) -> Result:
    """Judge configurations and the baselines by the banners of a folder of snapshots and what the catalogue says.

    Features are kept in folders of `out`, and those that are there are read. Of each task at most `queries` queries
    are asked, and of at most `pictures` games mirrored and altered pictures are shown, taken at random but always the
    same. The best is chosen by the franchises of the development half; the metrics of franchises are those of the test
    half. Raises what features.extract, encoder.load and matching.prepare do.
    """
    stored = features.extract(snapshots, Pixels(), out / "pixels")
    exam = _exam(stored, catalogue, banners.Album(snapshots), queries, pictures)
    rows, known = {}, {}
    for label, games, views in _baselines(stored, _views(Pixels(), exam)):
        rows[label] = _judged(games, views, exam)
    for configuration, games, views in _configured(configurations, snapshots, out, exam):
        label = str(configuration) if games.manifest["trained"] else f"{configuration} {UNTRAINED}"
        rows[label], known[label] = _judged(games, views, exam), configuration
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.columns = pd.MultiIndex.from_tuples(table.columns)
    chosen = table.loc[list(known), ("development", METRICS[0])].dropna()
    return Result(table, known[chosen.idxmax()] if len(chosen) else None, _about(exam, stored))


def _exam(stored: Features, catalogue: pd.DataFrame, album: banners.Album, queries: int, pictures: int) -> _Exam:
    """Draw up what is asked of these games."""
    columns, how = BASELINES["perceptual hash, 64 bits"]
    hashes = matching.prepare(replace(stored, vectors=stored.vectors[:, columns]), how)
    copies = [group[1:] for group in matching.near_duplicates(hashes, 1 - 2 * NEAR / 64)]
    distinct = np.setdiff1d(hashes.appids, np.concatenate([*copies, []]))
    kin = among(franchises(catalogue), hashes.appids)
    every = {
        "development": half(kin, "development"),
        "franchises": half(kin, "test"),
        "collapsed": among(half(kin, "test"), distinct),
        "mirrored": half(kin, "test"),
        "developers": among(developers(catalogue), hashes.appids),
    }
    asked = {task: _some(some, pictures if task == "mirrored" else queries) for task, some in every.items()}
    totals = {task: len(some) for task, some in every.items()}
    return _Exam(asked, totals, distinct, _some(distinct.tolist(), pictures), album)


def _some(items: Sequence, most: int) -> list:
    """Return at most so many of the items, taken at random, in their order."""
    chosen = np.random.default_rng(0).permutation(len(items))[:most]
    return [items[at] for at in sorted(chosen)]


def _views(describe: Callable[[list[np.ndarray]], Tensor], exam: _Exam) -> dict[str, np.ndarray]:
    """Return the vectors of the mirrored pictures and of each alteration's, (pictures, dim) each."""
    mirrored = [exam.album[query.appid].rgb[:, ::-1] for query in exam.queries["mirrored"]]
    views = {"mirrored": describe(mirrored).numpy()} if mirrored else {}
    for name in tqdm(ALTERATIONS, desc="Altered copies", unit=" alteration"):
        views[name] = describe([alter(exam.album[appid].rgb, name) for appid in exam.originals]).numpy()
    return views


def _baselines(stored: Features, views: dict[str, np.ndarray]) -> Iterator[tuple[str, Prepared, dict[str, np.ndarray]]]:
    """Yield the name of each baseline, its games and its views; chance is a random vector for every picture."""
    rng = np.random.default_rng(0)
    chance = replace(stored, vectors=rng.normal(size=(len(stored), 16)).astype(np.float16))
    noise = {name: rng.normal(size=(len(view), 16)) for name, view in views.items()}
    yield "chance", matching.prepare(chance, "as they are"), noise
    for name, (columns, how) in BASELINES.items():
        games = matching.prepare(replace(stored, vectors=stored.vectors[:, columns]), how)
        yield name, games, {view: vectors[:, columns] for view, vectors in views.items()}


def _configured(
    configurations: Iterable[Configuration], snapshots: Path, out: Path, exam: _Exam
) -> Iterator[tuple[Configuration, Prepared, dict[str, np.ndarray]]]:
    """Yield each configuration, its games and its views; those that differ in preparation only share the network."""
    for _, group in itertools.groupby(configurations, lambda each: (each.checkpoint, each.folder)):
        alike = list(group)
        eye = encoder.load(alike[0].checkpoint, alike[0].pooling, alike[0].image)
        stored, views = features.extract(snapshots, eye, out / alike[0].folder), _views(eye, exam)
        for each in alike:
            yield each, matching.prepare(stored, each.preparation, exponent=each.exponent), views


def _judged(games: Prepared, views: dict[str, np.ndarray], exam: _Exam) -> dict[tuple[str, str], float]:
    """Return one row of the table."""
    distinct = _only(games, exam.distinct)
    row = {}
    for task, queries in exam.queries.items():
        ranked = rank(distinct if task == "collapsed" else games, queries, views.get(task)) if queries else []
        row |= {(task, metric): value for metric, value in averages(scores(ranked, queries)).items()}
    row |= {("copies", name): value for name, value in _copies(distinct, views, exam.originals).items()}
    return row | {("shown", name): value for name, value in hubness(games).items()}


def _copies(games: Prepared, views: dict[str, np.ndarray], originals: Sequence[int]) -> dict[str, float]:
    """Return how well altered copies find their originals among games: micro-AP, and accuracy@1 of each alteration.

    For micro-AP every second original is taken out of what its copies find: their pairs are all wrong, and should
    have low cosines.
    """
    own, gone = np.array(originals)[:, None], np.arange(len(originals)) % 2 == 1
    hits, cosines, row = [], [], {}
    for name in ALTERATIONS:
        found, nearness = matching.nearest(games, views[name], K + 1)
        row[name] = float((found[:, 0] == own[:, 0]).mean())
        counted = (found != own) | ~gone[:, None]
        hits.append((found == own)[counted])
        cosines.append(nearness[counted])
    precision = micro_average_precision(np.concatenate(hits), np.concatenate(cosines), len(ALTERATIONS) * (~gone).sum())
    return {"micro-AP": precision, "accuracy@1": float(np.mean(list(row.values())))} | row


def _about(exam: _Exam, stored: Features) -> str:
    told = [f"{len(stored):,} games, {len(exam.distinct):,} distinct"]
    for task, queries in exam.queries.items():
        groups = len({query.group for query in queries})
        told.append(f"{task}: {len(queries):,} of {exam.totals[task]:,} queries, {groups:,} groups")
    copies = f"copies: {len(exam.originals):,} games, {len(ALTERATIONS)} alterations each"
    return "; ".join([*told, copies])


def figure(result: Result) -> Figure:
    """Return a figure of a comparison, a line a row: franchises with their interval, copies, and games never shown.

    Names of untrained checkpoints end with "(untrained)" and their marks are hollow.
    """
    rows, lines = result.short, np.arange(len(result.short))[::-1]
    page = Figure(figsize=(12, 2.3 + 0.42 * len(rows)), dpi=100, facecolor=_GROUND, layout="constrained")
    axes = page.subplots(1, 3, sharey=True, width_ratios=[2, 1, 1])
    axes[0].hlines(lines, rows["low"], rows["high"], color=_ACCENT, alpha=0.45, linewidth=5)
    _marks(axes[0], lines, rows[METRICS[0]], "o", _ACCENT, "all banners, with a 95 % interval")
    _marks(axes[0], lines, rows["collapsed"], "D", _WARM, "one of each near-identical group")
    _marks(axes[0], lines, rows["mirrored"], "<", _INK, "queries mirrored")
    _marks(axes[1], lines, rows["copies accuracy@1"], "o", _ACCENT, "accuracy@1")
    _marks(axes[1], lines, rows["copies micro-AP"], "D", _WARM, "micro-AP")
    _marks(axes[2], lines, rows["never shown"], "o", _ACCENT, f"among no first {K}")
    titles = f"The same franchise, {METRICS[0]}", "Altered copies", "Games never shown"
    for each, title, right in zip(axes, titles, (1, 1, max(0.1, rows["never shown"].max())), strict=True):
        _dress(each, title, right)
    page.supxlabel(textwrap.fill(result.about, 170), color=_MUTED, fontsize=8)
    axes[0].set_yticks(lines, [name.replace(", ", "\n", 1) for name in rows.index], color=_INK, fontsize=9)
    return page


def _marks(axes: Axes, lines: np.ndarray, values: pd.Series, marker: str, colour: str, label: str) -> None:
    faces = ["none" if name.endswith(UNTRAINED) else colour for name in values.index]
    axes.scatter(values, lines, 46, marker=marker, facecolors=faces, edgecolors=colour, linewidths=1.5, zorder=3)
    axes.scatter([], [], 46, marker=marker, color=colour, label=label)


def _dress(axes: Axes, title: str, right: float) -> None:
    axes.set_facecolor(_GROUND)
    axes.set_title(title, color=_INK, loc="left", fontsize=12)
    axes.set_xlim(-0.03 * right, 1.03 * right)
    axes.grid(color=_LINE, linewidth=0.7)
    axes.tick_params(colors=_MUTED, length=0)
    axes.spines[:].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.08), frameon=False, labelcolor=_MUTED, fontsize=9)
