"""What became of one game: downloaded, missing, refused or failed, and why."""

import re
from http import HTTPStatus
from typing import NamedTuple

import numpy as np

from utils import images
from utils.errors import PictureError

STATUSES = ("downloaded", "missing", "refused", "failed")
SMALLEST = 64  # pixels; an original with a shorter side is no banner (Steam's are 300 and more wide)
LONGEST = 10  # times its short side; an original that is longer is no banner

_BLANK_BYTES = 8_000  # a 256x384 JPEG larger than this is not blank, so only smaller ones are decoded and looked at
_BLANK_RANGE = 8  # levels of 255; what a blank picture's channels span after JPEG
_STATUS = re.compile(r"status (\d{3})\b")
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_REFUSED = {  # what img2dataset says -> what we say
    "image too small": f"the picture is smaller than {SMALLEST} pixels",
    "aspect ratio too large": f"the picture is more than {LONGEST} times as long as wide",
    "disallowed": "the store asks not to use the picture (X-Robots-Tag)",
}


class DownloadOutcome(NamedTuple):
    """What a game's row and picture say."""

    status: str  # one of STATUSES
    reason: str  # why it is not downloaded
    retryable: bool  # whether the reason may pass, so that another try is worth it


def of_picture(jpeg: bytes) -> DownloadOutcome:
    """Judge a stored picture."""
    if len(jpeg) < _BLANK_BYTES and _is_blank(jpeg):
        return DownloadOutcome("refused", "the picture is blank", retryable=False)
    return DownloadOutcome("downloaded", "", retryable=False)


def of_error(error: str) -> DownloadOutcome:
    """Judge a download that gave no picture, by the message that the downloader left."""
    status = _STATUS.match(error)
    if status and int(status[1]) in _GONE:
        return DownloadOutcome("missing", f"the store has no picture there (status {status[1]})", retryable=False)
    if status:
        return DownloadOutcome("failed", f"the store answered with status {status[1]}", retryable=True)
    if error.startswith(images.TOO_LARGE):
        return DownloadOutcome("refused", error, retryable=False)
    if error.startswith("damaged: ") or "decod" in error.lower():
        return DownloadOutcome("failed", "what came is not a picture, or not a whole one", retryable=True)
    refused = next((reason for said, reason in _REFUSED.items() if said in error), None)
    return DownloadOutcome("refused" if refused else "failed", refused or error, retryable=not refused)


def _is_blank(jpeg: bytes) -> bool:
    try:
        pixels = np.asarray(images.upright_rgb(images.open_picture(jpeg)))
    except PictureError:
        return True
    return bool(np.ptp(pixels, axis=(0, 1)).max() < _BLANK_RANGE)
