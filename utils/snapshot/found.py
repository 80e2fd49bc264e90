"""What became of one game: downloaded, missing, refused or failed, and why."""

import json
import re
from http import HTTPStatus
from typing import NamedTuple

import numpy as np

from utils.images import Refused, open_picture, upright_rgb

STATUSES = ("downloaded", "missing", "refused", "failed")
SMALLEST = 64  # pixels; an original with a shorter side is no banner (Steam's are 300 and more wide)
LONGEST = 10  # times its short side; an original that is longer is no banner

_BLANK_BYTES = 8_000  # a 256x384 JPEG larger than this is not blank, so only smaller ones are decoded and looked at
_BLANK_RANGE = 8  # levels of 255; what a blank picture's channels span after JPEG
_STATUS = re.compile(r"(?:HTTP Error|status) (\d{3})\b")  # of urllib, in older snapshots, and ours
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_REFUSED = {  # what img2dataset says -> what we say
    "image too small": f"the picture is smaller than {SMALLEST} pixels",
    "aspect ratio too large": f"the picture is more than {LONGEST} times as long as wide",
    "disallowed": "the store asks not to use the picture (X-Robots-Tag)",
}
_ROTATIONS = {"Rotated 180": 180, "Rotated 90 CW": 270, "Rotated 90 CCW": 90}  # exifread's words -> counter-clockwise


class Verdict(NamedTuple):
    """What a game's row and picture say."""

    status: str  # one of STATUSES
    reason: str  # why it is not downloaded
    passing: bool  # whether the reason may pass, so that another try is worth it


def of_picture(jpeg: bytes) -> Verdict:
    """Judge a stored picture."""
    if len(jpeg) < _BLANK_BYTES and _is_blank(jpeg):
        return Verdict("refused", "the picture is blank", passing=False)
    return Verdict("downloaded", "", passing=False)


def of_error(error: str) -> Verdict:
    """Judge a download that gave no picture, by the message that the downloader left."""
    status = _STATUS.match(error)
    if status and int(status[1]) in _GONE:
        return Verdict("missing", f"the store has no picture there (status {status[1]})", passing=False)
    if status:
        return Verdict("failed", f"the store answered with status {status[1]}", passing=True)
    if error.startswith("too large: "):
        return Verdict("refused", error, passing=False)
    if error.startswith("damaged: ") or "decod" in error.lower():
        return Verdict("failed", "what came is not a picture, or not a whole one", passing=True)
    refused = next((reason for said, reason in _REFUSED.items() if said in error), None)
    return Verdict("refused", refused, passing=False) if refused else Verdict("failed", error, passing=True)


def rotation(exif: str | None) -> int:
    """Return the degrees counter-clockwise that make a picture upright, from what img2dataset kept of its EXIF."""
    try:
        orientation = json.loads(exif or "{}").get("Image Orientation")
    except (ValueError, AttributeError):
        return 0
    return _ROTATIONS.get(orientation, 0)


def _is_blank(jpeg: bytes) -> bool:
    try:
        pixels = np.asarray(upright_rgb(open_picture(jpeg)))
    except Refused:
        return True
    return bool(np.ptp(pixels, axis=(0, 1)).max() < _BLANK_RANGE)
