"""The matches for others: a gallery for the web, lists to post, a table, a map for embedding-atlas, and a JSON API.

Names are text that anybody may have written: no file here takes them for anything but text.
"""

from share.errors import ExportError
from share.gallery import PICTURES, gallery
from share.site import Extras
from share.tables import atlas

__all__ = ["PICTURES", "ExportError", "Extras", "atlas", "gallery"]
