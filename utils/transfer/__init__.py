"""Finished work between machines: one archive to publish and to fetch, and a folder of Google Drive to copy to."""

from utils.transfer.copying import copy_finished
from utils.transfer.drive import open_drive, sync_drive
from utils.transfer.errors import BadArchive, TransferError
from utils.transfer.fetching import fetch
from utils.transfer.packing import pack
from utils.transfer.releasing import release

__all__ = ["BadArchive", "TransferError", "copy_finished", "fetch", "open_drive", "pack", "release", "sync_drive"]
