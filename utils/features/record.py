"""What features are in memory, and what can be wrong with them."""

from dataclasses import dataclass

import numpy as np

from utils.errors import PlainError


class FeaturesError(PlainError, ValueError):
    """Features that are not what is asked for, or cannot be made; the message says both sides and what to do."""


class FeaturesMissing(FeaturesError):
    """Features that are not on disk, or not all of them."""


class FeaturesDamaged(FeaturesError):
    """Files of features that are not what was written; features.extract computes them again."""


@dataclass(frozen=True)
class Features:
    """The features of games, those of the newest banner of each."""

    appids: np.ndarray  # int64 (n,), unique
    names: np.ndarray  # str objects (n,)
    vectors: np.ndarray  # float16 (n, dims)
    manifest: dict  # Encoder.identity, `preparation` of the vectors, the pictures `refused`: appid -> reason

    def __len__(self) -> int:
        return len(self.appids)
