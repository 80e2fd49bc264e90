"""A checkpoint's name -> its model, its own preprocessing and the meaning of its features, in one Encoder.

What the features of each family are stands in families.py, how a banner becomes an input in preparation.py.
"""

from utils.encoder.checkpoint import CHECKPOINTS, CheckpointError, HubUnreachable
from utils.encoder.devices import device_name
from utils.encoder.encoder import Encoder
from utils.encoder.loading import load
from utils.encoder.network import Norm
from utils.encoder.words import NoWords

__all__ = ["CHECKPOINTS", "CheckpointError", "Encoder", "HubUnreachable", "NoWords", "Norm", "device_name", "load"]
