"""Verified shards x Encoder -> features on disk, resumable shard by shard, and back.

A folder of features is laid out as clip-retrieval, autofaiss and embedding-reader read it, one pair of files a shard:

    manifest.json                        what made them (Encoder.identity), and which shard has which number
    img_emb/img_emb_00000.npy            float16 (rows, dims)
    metadata/metadata_00000.parquet      appid, name and the JPEG's SHA-256 of each row; written last

Every file carries a checksum: of itself or of its companion.
"""

from utils.features.extract import extract, load
from utils.features.finished import finished_files
from utils.features.record import Features, FeaturesDamaged, FeaturesError, FeaturesMissing

__all__ = [
    "Features",
    "FeaturesDamaged",
    "FeaturesError",
    "FeaturesMissing",
    "extract",
    "finished_files",
    "load",
]
