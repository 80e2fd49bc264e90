"""Why two banners match: the cosine taken apart, exactly, over the patches of both banners.

With x_i the n patch tokens of a banner (of a CNN the cells of its last map), without registers, and c its CLS token,
the feature is a mean f = mean_i g_i plus, in dimensions of its own, what c gives:

    LN(mean_i x_i)    g_i = gamma * (x_i - mean(x_i)) / sigma(mean_i x_i) + beta   BEiT, ConvNeXtV2: pooled
    mean_i LN(x_i)    g_i = LN(x_i)                                                mean of the other transformers
    mean_i x_i        g_i = x_i                                                    mean of BEiT, fine-tuned, and of CNNs
    complex           g_i as for mean, the second half of f; its first half is c, which lies nowhere in the banner

Of several views the feature is f = mean_v f_v / |f_v|, which is the mean of g_vi / |f_v| over all patches of all views:
the same sum, with more patches. What those of a crop add is shared out, by area, among the patches of the whole banner.

CLS alone, CLIP's projection of it and SigLIP's attention head are no such sums: they are refused. Preparation is affine
and keeps the sum: p = (f - mean) @ W is the mean of p_i = (g_i - mean) @ W, plus what c gives; the rounding of
f to float16, as on disk, is shared out among the patches as the mean is. With q of the other banner, cos = <p, q> /
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
from utils.encoder import Encoder
from utils.errors import MatchError

_SHARED = ("checkpoint", "revision", "pooling", "image", "views")  # what an encoder and its features have in common
_NOTHING = 1e-6  # the length of a sum, over the summed lengths of its parts, where it is rounding and no more


@dataclass(frozen=True)
class Explanation:
    """A cosine and where it comes from: `query_map` and `match_map` each sum to `placed`."""

    cosine: float  # placed + unplaced
    unplaced: float  # the pairs that CLS takes part in; 0 but for the pooling "complex"
    query_map: np.ndarray  # float32 (rows, columns): what each patch adds, negative where it speaks against
    match_map: np.ndarray  # float32 (rows, columns)
    box: tuple[float, float, float, float]  # where the maps lie: left, top, right, bottom, in pixels of a banner
    manifest: dict  # of the prepared features

    @property
    def placed(self) -> float:
        """The part of the cosine that comes from pairs of patches."""
        return self.cosine - self.unplaced


def reason(
    encoder: Encoder, prepared: matching.Prepared, query: Banner | np.ndarray, match: Banner | np.ndarray
) -> Explanation | str:
    """Return where the cosine of two banners, or pictures uint8 RGB (384, 256, 3), comes from.

    The cosine is that of `matching.nearest` to 1e-4, as long as the features on disk were computed in the precision of
    this encoder (where they were in bfloat16 and it is in float32, to 1e-2). The maps sum to their part of it to 1e-5.
    A feature that is no sum over patches has no heat map: a sentence says why.

    Raises MatchError for features of another encoder, and for a picture that is zero or just the mean of all games.
    """
    if encoder.feature in ("cls", "head"):
        return _without_maps(encoder)
    for name in _SHARED:
        found, asked = prepared.manifest.get(name), encoder.identity.get(name)
        if found != asked:
            raise MatchError(
                f"the features are of {name} {found}, but the encoder is of {name} {asked}; "
                "load the encoder as the features were made"
            )
    tokens = encoder.tokens([each.rgb if isinstance(each, Banner) else each for each in (query, match)])
    (ours, our_cls), (theirs, their_cls) = _terms(encoder, prepared, tokens)
    our_sum, their_sum = ours.sum(0), theirs.sum(0)
    on_grid = encoder.preparation.on_one_grid
    return Explanation(
        cosine=float((our_sum + our_cls) @ (their_sum + their_cls)),
        unplaced=float(our_cls @ (their_cls + their_sum) + our_sum @ their_cls),
        query_map=on_grid(ours @ their_sum, encoder.grid).float().numpy(),
        match_map=on_grid(theirs @ our_sum, encoder.grid).float().numpy(),
        box=encoder.preparation.box,
        manifest=prepared.manifest,
    )


def _without_maps(encoder: Encoder) -> str:
    """Say why a feature has no heat map, and which of its family have one."""
    cause = "it is the CLS token alone, which lies nowhere in the banner"
    if encoder.feature == "head":
        cause = f"{encoder.family}'s own feature goes through a trained head, which is no sum over patches"
    with_maps = ", ".join(encoder.heat_maps) or "none"
    return f"POOLING {encoder.pooling!r} has no heat map: {cause}; of this checkpoint, these have one: {with_maps}"


def _terms(encoder: Encoder, prepared: matching.Prepared, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return the prepared features of two pictures, of length 1, as sums; float64.

    tokens: (2 * views, leading + n, hidden). For each picture: what each patch of its views adds (views * n, dim), and
    what CLS adds (dim,), zero but for the pooling "complex". Raises MatchError where the length is 0.
    """
    on_disk = encoder.pool(tokens).half().double()  # (2, dim)
    first = encoder.dims - tokens.shape[2]  # dims of CLS, 0 but for "complex"
    parts = _normed(encoder, tokens.double())
    if len(encoder.views) > 1:  # each brings its feature to length 1
        features = torch.cat([parts[:, 0, :first], parts[:, encoder.leading :].mean(1)], dim=1)
        parts = parts / features.norm(dim=1)[:, None, None]
    parts = parts.unflatten(0, (2, -1))  # (2, views, leading + n, hidden)
    patches = parts[:, :, encoder.leading :].flatten(1, 2)  # (2, views * n, hidden)
    leading = parts[:, :, 0, :first].mean(1)  # (2, dims of CLS)
    mean = torch.from_numpy(prepared.mean) + torch.cat([leading, patches.mean(1)], dim=1) - on_disk  # (2, dim)
    matrix = np.eye(encoder.dims) if prepared.whitening_matrix is None else prepared.whitening_matrix
    whitening = torch.from_numpy(matrix)
    cls_terms = (leading - mean[:, :first]) @ whitening[:first]
    patch_terms = (patches - mean[:, None, first:]) @ whitening[first:] / patches.shape[1]
    lengths = (patch_terms.sum(1) + cls_terms).norm(dim=1)
    if (lengths <= _NOTHING * (patch_terms.norm(dim=2).sum(1) + cls_terms.norm(dim=1))).any():
        raise MatchError("a picture's features are a zero vector, or just the mean of all games")
    return list(zip(patch_terms / lengths[:, None, None], cls_terms / lengths[:, None], strict=True))


def _normed(encoder: Encoder, tokens: Tensor) -> Tensor:
    """Return tokens (2 * views, leading + n, hidden), float64, of which the feature is the plain mean."""
    norm = encoder.norm
    if norm is None:
        return tokens
    scaled = tokens if encoder.norm_on == "tokens" else tokens[:, encoder.leading :].mean(1, keepdim=True)
    sigma = (scaled.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
    return norm.weight * (tokens - tokens.mean(-1, keepdim=True)) / sigma + norm.bias
