"""Why two banners match: the cosine taken apart, exactly, over the patches of both banners.

With x_i the n patch tokens of a banner and c its CLS token, its feature is a mean f = mean_i g_i, where by pooling

    pooled      g_i = gamma * (x_i - mean(x_i)) / sigma(mean_i x_i) + beta, so that f = LN(mean_i x_i)
    mean        g_i = x_i, for a pre-trained checkpoint LN(x_i)
    complex     g_i as for mean, the second half of f; its first half is c, which lies nowhere in the banner
    cls         none: there is nothing but c

Preparation is affine and keeps the sum: p = (f - shift) @ turn is the mean of p_i = (g_i - shift) @ turn, plus what c
gives; the rounding of f to float16, as on disk, is shared out among the patches as the shift is. With q of the other
banner, cos = <p, q> / (|p| |q|) is the sum of <p_i, q_j> / (n^2 |p| |q|) over all pairs of patches, and of the pairs
that c takes part in. Summed over j this is the heat map of one banner, summed over i that of the other (Stylianou,
Souvenir, Pless 2019, https://arxiv.org/abs/1901.00536).

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


class ExplainError(PlainError, ValueError):
    """A match that cannot be explained; the message says why and what to do."""


@dataclass(frozen=True)
class Explanation:
    """A cosine and where it comes from: `query_map` and `match_map` each sum to `placed`."""

    cosine: float  # placed + unplaced
    unplaced: float  # the pairs that CLS takes part in; 0 but for the pooling "complex"
    query_map: np.ndarray  # float32 (rows, columns): what each patch adds, negative where it speaks against
    match_map: np.ndarray  # float32 (rows, columns)
    box: tuple[float, float, float, float]  # where the maps lie, pixels of the banner: left, top, right, bottom
    manifest: dict  # of the prepared features

    @property
    def placed(self) -> float:
        """The part of the cosine that comes from pairs of patches."""
        return self.cosine - self.unplaced


def why(
    encoder: Encoder, prepared: matching.Prepared, query: Banner | np.ndarray, match: Banner | np.ndarray
) -> Explanation:
    """Return where the cosine of two banners, or pictures uint8 RGB (384, 256, 3), comes from.

    The cosine is that of `matching.nearest` to 1e-4, as long as the features on disk were computed in the precision of
    this encoder (where they were in bfloat16 and it is in float32, to 1e-2). The maps sum to their part of it to 1e-5.

    Raises ExplainError for a pooling without patches, features that are not prepared or of another encoder, and a
    picture that is zero or just the mean of all games.
    """
    _check(encoder, prepared)
    pictures = [_rgb(each) for each in (query, match)]
    placed, unplaced = _parts(encoder, prepared, encoder.tokens(pictures))
    lengths = (placed.sum(1) + unplaced).norm(dim=1)
    if (lengths <= _NOTHING * (placed.norm(dim=2).sum(1) + unplaced.norm(dim=1))).any():
        raise ExplainError("a picture's features are zero or just the mean of all games: it points nowhere")
    (ours, theirs), (our_cls, their_cls) = placed / lengths[:, None, None], unplaced / lengths[:, None]
    our_patches, their_patches = ours.sum(0), theirs.sum(0)
    query_map, match_map = ours @ their_patches, theirs @ our_patches
    rest = our_cls @ (their_cls + their_patches) + our_patches @ their_cls
    maps = (each.float().numpy().reshape(encoder.grid) for each in (query_map, match_map))
    cosine = (our_patches + our_cls) @ (their_patches + their_cls)
    return Explanation(float(cosine), float(rest), *maps, encoder.preparation.box, prepared.manifest)


def _rgb(picture: Banner | np.ndarray) -> np.ndarray:
    return picture.rgb if isinstance(picture, Banner) else picture


def _check(encoder: Encoder, prepared: matching.Prepared) -> None:
    if not isinstance(prepared, matching.Prepared):
        raise ExplainError("the features are not ready for matching: matching.prepare(features) makes them so")
    theirs, ours = ({name: each.get(name) for name in _SHARED} for each in (prepared.manifest, encoder.identity))
    if differ := [name for name in _SHARED if theirs[name] != ours[name]]:
        found, asked = (", ".join(f"{name} {each[name]}" for name in differ) for each in (theirs, ours))
        raise ExplainError(
            f"the features are of {found}, but the encoder is of {asked}; load the encoder as the features were made"
        )
    if encoder.pooling.startswith("cls"):
        raise ExplainError(
            f"pooling is {encoder.pooling!r}, the CLS token alone, which lies nowhere in the banner; those with heat "
            "maps are pooled, mean, complex, mean@N and complex@N"
        )


def _parts(encoder: Encoder, prepared: matching.Prepared, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the patches (2, n, dim) and CLS (2, dim) add to the prepared vectors of tokens (2, 1 + n, hidden)."""
    kept = encoder.pool(tokens).half().double()  # (2, dim), as features are on disk
    tokens = _normed(tokens.double(), encoder.norm)
    first = encoder.dims - tokens.shape[2]  # dims of CLS, 0 but for "complex"
    exact = torch.cat([tokens[:, 0, :first], tokens[:, 1:].mean(1)], dim=1)
    shift = (torch.from_numpy(prepared.shift) + exact - kept)[:, None]  # (2, 1, dim)
    turn = torch.eye(encoder.dims, dtype=torch.float64) if prepared.turn is None else torch.from_numpy(prepared.turn)
    unplaced = (tokens[:, :1, :first] - shift[..., :first]) @ turn[:first]
    placed = (tokens[:, 1:] - shift[..., first:]) @ turn[first:] / (tokens.shape[1] - 1)
    return placed, unplaced[:, 0]


def _normed(tokens: Tensor, norm: Norm | None) -> Tensor:
    """Return tokens (2, 1 + n, hidden), float64, of which the feature is the plain mean."""
    if norm is None:
        return tokens
    scaled = tokens if norm.on == "tokens" else tokens[:, 1:].mean(1, keepdim=True)
    sigma = (scaled.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
    return norm.gamma * (tokens - tokens.mean(-1, keepdim=True)) / sigma + norm.beta
