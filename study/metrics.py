"""The usual numbers of retrieval: recall, hits, precision and gain of rankings; copies found; hubness."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from study.truth import Query
from utils import matching
from utils.matching import Prepared

K = 10  # how far down a ranking counts
METRICS = (f"recall@{K}", "hit@1", f"mAP@{K}", f"nDCG@{K}")
BOUNDED = METRICS[:2]  # those that averages come with an interval of
HUB_GAMES = 20_000  # games among which it is counted how often each is shown
DRAWS = 1_000  # samples of a bootstrap


def rank(games: Prepared, queries: Sequence[Query], vectors: np.ndarray | None = None) -> np.ndarray:
    """Return the first K games of each query, nearest first, without its own game and the ignored ones.

    The appids are int64 (q, K), -1 where there are no more games. With vectors (q, dim), those are asked instead of the
    queries' own games.
    """
    depth = K + 1 + max((len(query.ignored) for query in queries), default=0)
    found, _ = matching.nearest(games, [query.appid for query in queries] if vectors is None else vectors, depth)
    ranked = np.full((len(queries), K), -1, np.int64)
    for place, query in enumerate(queries):
        counted = found[place][~np.isin(found[place], [query.appid, *query.ignored])][:K]
        ranked[place, : len(counted)] = counted
    return ranked


def scores(ranked: np.ndarray, queries: Sequence[Query]) -> pd.DataFrame:
    """Return METRICS of each query's ranking, appids int64 (q, K), and the query's group.

    recall@K is hits / min(K, relevant); AP@K is divided by min(K, relevant) too, as in trec_eval; nDCG@K has gains of 1
    and 1 / log2(place + 1) as discount (Järvelin and Kekäläinen 2002).
    """
    hits = np.zeros((len(queries), K), bool)
    for place, query in enumerate(queries):
        hits[place] = np.isin(ranked[place], list(query.relevant))
    most = np.array([len(query.relevant) for query in queries], int).clip(max=K)
    discounts = 1 / np.log2(np.arange(2, K + 2))
    precisions = hits.cumsum(1) / np.arange(1, K + 1)
    table = {
        METRICS[0]: hits.sum(1) / most,
        METRICS[1]: hits[:, 0].astype(float),
        METRICS[2]: (hits * precisions).sum(1) / most,
        METRICS[3]: (hits * discounts).sum(1) / discounts.cumsum()[most - 1],
    }
    return pd.DataFrame(table).assign(group=[query.group for query in queries])


def averages(table: pd.DataFrame) -> dict[str, float]:
    """Return METRICS averaged within each group and then over groups, and 95 % intervals of those of BOUNDED.

    The interval, as "recall@10 low" and "recall@10 high", is a bootstrap over groups: of DRAWS samples of as many
    groups, the middle 95 % of means. Without groups all are NaN.
    """
    groups = table.groupby("group")[list(METRICS)].mean()
    found = groups.mean().to_dict()
    for metric in BOUNDED:
        low = high = np.nan
        if len(groups):
            drawn = np.random.default_rng(0).integers(len(groups), size=(DRAWS, len(groups)))
            low, high = np.percentile(groups[metric].to_numpy()[drawn].mean(1), [2.5, 97.5])
        found |= {f"{metric} low": float(low), f"{metric} high": float(high)}
    return found


def micro_average_precision(hits: np.ndarray, cosines: np.ndarray, positives: int) -> float:
    """Return the average precision of all pairs of all queries in one list, as the Image Similarity Challenge has it.

    hits: bool, whether a pair is a copy and its original; cosines: what pairs are sorted by, of the same shape;
    positives: how many pairs there are to find (https://arxiv.org/abs/2106.09672). Pairs of equal cosine count as one
    place of the list.
    """
    order = np.argsort(-cosines, axis=None, kind="stable")
    descending = -cosines.ravel()[order]
    hits = hits.ravel()[order]
    last = np.searchsorted(descending, descending, side="right")  # places of this cosine or a higher one
    precision = hits.cumsum()[last - 1] / last
    return float((precision * hits).sum() / positives)


def hubness(games: Prepared) -> dict[str, float]:
    """Return the share of games that are among no other's first K, and the skew of how often each is.

    Of more than HUB_GAMES games, a sample of that size is matched among itself.
    """
    chosen = np.random.default_rng(0).permutation(len(games))[:HUB_GAMES]
    matches = matching.all_matches(games.only(games.appids[chosen]), K)
    shown = np.bincount(np.searchsorted(matches.appids, matches.neighbours.ravel()), minlength=len(matches.appids))
    skew = float(stats.skew(shown)) if np.ptp(shown) else 0.0
    return {"never": float((shown == 0).mean()), "skew": skew}
