"""Why two banners match: the cosine taken apart, exactly, over the patches of both banners.

With x_i the n patch tokens of a banner (of a CNN the cells of its last map), without registers, and c its CLS token,
the feature is a mean f = mean_i g_i plus, in dimensions of its own, what c gives:

    LN(mean_i x_i)       g_i = gamma * (x_i - mean(x_i)) / sigma(mean_i x_i) + beta    BEiT, ConvNeXtV2: pooled
    mean_i LN(x_i)       g_i = LN(x_i)                                                 mean of the other transformers
    mean_i x_i           g_i = x_i                                                     mean of BEiT, fine-tuned, and of
                                                                                       CNNs; mean@N
    complex              g_i as for mean, the second half of f; its first half is c, which lies nowhere in the banner

CLS alone, CLIP's projection of it and SigLIP's attention head are no such sums: they are refused. Preparation is affine
and keeps the sum: p = (f - shift) @ turn is the mean of p_i = (g_i - shift) @ turn, plus what c gives; the rounding of
f to float16, as on disk, is shared out among the patches as the shift is. With q of the other banner, cos = <p, q> /
(|p| |q|) is the sum of <p_i, q_j> / (n^2 |p| |q|) over all pairs of patches, and of the pairs that c takes part in.
Summed over j this is the heat map of one banner, summed over i that of the other (Stylianou, Souvenir, Pless 2019,
https://arxiv.org/abs/1901.00536).

A map says what the cosine is made of, not what it would be without a patch: that changes |p| as well, so that between
near copies hiding anything lowers the cosine. Hiding the hottest patches costs more than hiding others, on average.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from utils import matching
from utils.banners import Banner
from utils.encoder import Encoder, Norm
from utils.errors import PlainError

_SHARED = ("checkpoint", "revision", "pooling", "image")  # what an encoder and its features have in common
_NOTHING = 1e-6  # the length of a sum, over the summed lengths of its parts, where it is rounding and no more
_PLACED = ("mean", "complex")  # the features, of which patches or cells add up to a part at least

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of a banner


class ExplainError(PlainError, ValueError):
    """A match that cannot be explained; the message says why and what to do."""


@dataclass(frozen=True)
class Explanation:
    """A cosine and where it comes from: `query_map` and `match_map` each sum to `placed`."""

    cosine: float  # placed + unplaced
    unplaced: float  # the pairs that CLS takes part in; 0 but for the pooling "complex"
    query_map: np.ndarray  # float32 (rows, columns): what each patch adds, negative where it speaks against
    match_map: np.ndarray  # float32 (rows, columns)
    box: Box  # where the maps lie
    manifest: dict  # of the prepared features

    @property
    def placed(self) -> float:
        """The part of the cosine that comes from pairs of patches."""
        return self.cosine - self.unplaced

    def hottest(self, share: float = 0.1) -> np.ndarray:
        """Return where the patches of the query lie that add most, a share of all, hottest first: int64 (n, 4).

        Each is left, top, right, bottom in whole pixels of the 256x384 banner, right and bottom excluded.
        """
        rows, columns = self.query_map.shape
        left, top, right, bottom = self.box
        across = np.linspace(left, right, columns + 1).round().astype(int)
        down = np.linspace(top, bottom, rows + 1).round().astype(int)
        order = np.argsort(-self.query_map, axis=None)[: max(1, round(share * rows * columns))]
        row, column = np.divmod(order, columns)
        return np.stack([across[column], down[row], across[column + 1], down[row + 1]], axis=1)


@dataclass(frozen=True)
class _Terms:
    """A banner's prepared feature as a sum, brought to length 1; float64."""

    patches: Tensor  # (n, dim), what each patch adds
    cls: Tensor  # (dim,), what CLS adds; zero but for the pooling "complex"

    @property
    def placed(self) -> Tensor:
        return self.patches.sum(0)


def reason(
    encoder: Encoder, prepared: matching.Prepared, query: Banner | np.ndarray, match: Banner | np.ndarray
) -> Explanation | str:
    """Return what `why` returns, or in a sentence why features of this pooling have no heat map."""
    return why(encoder, prepared, query, match) if encoder.feature in _PLACED else _refusal(encoder)


def why(
    encoder: Encoder, prepared: matching.Prepared, query: Banner | np.ndarray, match: Banner | np.ndarray
) -> Explanation:
    """Return where the cosine of two banners, or pictures uint8 RGB (384, 256, 3), comes from.

    The cosine is that of `matching.nearest` to 1e-4, as long as the features on disk were computed in the precision of
    this encoder (where they were in bfloat16 and it is in float32, to 1e-2). The maps sum to their part of it to 1e-5.

    Raises ExplainError for features that are no sum over patches, that are not prepared or of another encoder, and for
    a picture that is zero or just the mean of all games.
    """
    _check(encoder, prepared)
    pictures = [each.rgb if isinstance(each, Banner) else each for each in (query, match)]
    ours, theirs = _terms(encoder, prepared, encoder.tokens(pictures))
    query_map = ours.patches @ theirs.placed
    match_map = theirs.patches @ ours.placed
    unplaced = ours.cls @ (theirs.cls + theirs.placed) + ours.placed @ theirs.cls
    return Explanation(
        cosine=float((ours.placed + ours.cls) @ (theirs.placed + theirs.cls)),
        unplaced=float(unplaced),
        query_map=query_map.float().numpy().reshape(encoder.grid),
        match_map=match_map.float().numpy().reshape(encoder.grid),
        box=encoder.preparation.box,
        manifest=prepared.manifest,
    )


def _check(encoder: Encoder, prepared: matching.Prepared) -> None:
    if not isinstance(prepared, matching.Prepared):
        raise ExplainError("the features are not ready for matching: matching.prepare(features) makes them so")
    for name in _SHARED:
        found = prepared.manifest.get(name)
        asked = encoder.identity.get(name)
        if found != asked:
            raise ExplainError(
                f"the features are of {name} {found}, but the encoder is of {name} {asked}; "
                "load the encoder as the features were made"
            )
    if encoder.feature not in _PLACED:
        raise ExplainError(_refusal(encoder))


def _refusal(encoder: Encoder) -> str:
    """Say why a feature has no heat map, and which of its family have one."""
    if encoder.feature == "head":
        cause = f"{encoder.family}'s own feature goes through a trained head, which is no sum over patches"
    else:
        cause = "it is the CLS token alone, which lies nowhere in the banner"
    with_maps = ", ".join(encoder.heat_maps)
    return f"POOLING {encoder.pooling!r} has no heat map: {cause}; those that have one here are {with_maps}"


def _terms(encoder: Encoder, prepared: matching.Prepared, tokens: Tensor) -> tuple[_Terms, _Terms]:
    """Return the prepared features of two pictures as sums, of their tokens (2, leading + n, hidden)."""
    kept = encoder.pool(tokens).half().double()  # (2, dim), as features are on disk
    tokens = _normed(tokens.double(), encoder.norm, encoder.leading)
    patches = tokens[:, encoder.leading :]
    first = encoder.dims - tokens.shape[2]  # dims of CLS, 0 but for "complex"
    exact = torch.cat([tokens[:, 0, :first], patches.mean(1)], dim=1)
    shift = (torch.from_numpy(prepared.shift) + exact - kept)[:, None]  # (2, 1, dim)
    turn = torch.eye(encoder.dims, dtype=torch.float64) if prepared.turn is None else torch.from_numpy(prepared.turn)
    cls = ((tokens[:, :1, :first] - shift[..., :first]) @ turn[:first])[:, 0]
    placed = (patches - shift[..., first:]) @ turn[first:] / patches.shape[1]
    return _unit(placed[0], cls[0]), _unit(placed[1], cls[1])


def _unit(patches: Tensor, cls: Tensor) -> _Terms:
    """Bring a sum of patches (n, dim) and CLS (dim,) to length 1; raises ExplainError where there is none."""
    length = (patches.sum(0) + cls).norm()
    if length <= _NOTHING * (patches.norm(dim=1).sum() + cls.norm()):
        raise ExplainError("a picture's features are zero or just the mean of all games: it points nowhere")
    return _Terms(patches / length, cls / length)


def _normed(tokens: Tensor, norm: Norm | None, leading: int) -> Tensor:
    """Return tokens (2, leading + n, hidden), float64, of which the feature is the plain mean."""
    if norm is None:
        return tokens
    scaled = tokens if norm.on == "tokens" else tokens[:, leading:].mean(1, keepdim=True)
    sigma = (scaled.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
    return norm.gamma * (tokens - tokens.mean(-1, keepdim=True)) / sigma + norm.beta
