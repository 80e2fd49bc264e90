"""The matches for others: a gallery for the web, lists to post, a table, a map for embedding-atlas, and a JSON API.

Names are text that anybody may have written: no file here takes them for anything but text.
"""

from utils.export.errors import ExportError
from utils.export.gallery import PICTURES, gallery
from utils.export.site import Extras
from utils.export.tables import atlas

__all__ = ["PICTURES", "ExportError", "Extras", "atlas", "gallery"]
