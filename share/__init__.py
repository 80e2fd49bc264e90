"""The matches for others: a gallery for the web, lists to post, a table, a map for embedding-atlas, and a JSON API.

The gallery is a page that needs no server, and beside it lists to post and a table for a spreadsheet:

index.html, gallery.css, *.js   the page; its data are in data/, its pictures at the store or in pictures/
popular.md                      the popular games with ten matches each, for a forum or a README
unique.md                       the most unique games, each with its nearest
duplicates.md                   groups of near-duplicates
matches.csv                     a row a match, for a spreadsheet
manifest.json                   what made the matches
files.txt                       the names of all these: what a later export may replace or remove

Names are text that anybody may have written: no file here takes them for anything but text.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from share import folder as folders
from share import lists, page
from share.lists import atlas
from share.projection import projection_2d
from share.site import Extras, copied_pictures, site, store_pictures
from utils.banners import Banner
from utils.errors import SettingsError
from utils.matching import Matches
from utils.settings import STORE_PAGE

__all__ = ["Extras", "atlas", "gallery", "projection_2d"]

FORMAT = "steam-beit matches 2"  # in manifest.json


def gallery(
    matches: Matches,
    catalogue: pd.DataFrame,
    album: Mapping[int, Banner],
    folder: Path,
    *,
    pictures: str | None = None,
    popular: Sequence[int] | None = None,
    store_page: str | None = STORE_PAGE,
    extras: Extras | None = None,
) -> Path:
    """Write the files above into a folder and return the page, index.html: it works from any web server or disk.

    `pictures`: "store" takes them from the catalogue's addresses, "folder" copies the album's beside the page; by
    default the store's where there is a store_page.
    `popular`: the appids that are shown first, those without matches left out; by default the most reviewed, and from
    A to Z where the catalogue has no reviews. `store_page`: where a game leads, with {appid}, or None. `extras`: the
    near-duplicates and the map, where they are there.

    An earlier export there is replaced, file by file; what we did not write stays. Raises SettingsError for another
    word for the pictures and coordinates of other games, and StorageError where a file of ours would replace one that
    is not, or cannot be written.
    """
    pictures = pictures or ("store" if store_page else "folder")
    if pictures not in ("store", "folder"):
        raise SettingsError(f"pictures is {pictures!r}; allowed are 'store' and 'folder'")
    addresses = store_pictures(matches, catalogue) if pictures == "store" else copied_pictures(matches, album)
    shown = site(matches, catalogue, addresses, popular=popular, store_page=store_page, extras=extras)
    coordinates, allowed = shown.extras.coordinates, (len(shown.games), 2)
    if coordinates is not None and coordinates.shape != allowed:
        raise SettingsError(f"coordinates are of shape {coordinates.shape}; allowed is {allowed}, a row a game")
    with folders.writing(Path(folder).resolve()) as out:
        if pictures == "folder":
            for game in tqdm(shown.games, desc="Pictures", unit=" banners"):
                if game.picture:
                    out.write(game.picture, album[game.appid].jpeg)
        page.write(shown, out)
        out.write("popular.md", lists.popular_markdown(shown))
        out.write("unique.md", lists.unique_markdown(shown))
        if shown.extras.groups:
            out.write("duplicates.md", lists.duplicates_markdown(shown))
        out.write("matches.csv", lists.csv(shown))
        manifest = {"format": FORMAT, "games": len(shown.games), "matches": matches.neighbours.shape[1]}
        manifest |= {"pictures": pictures, "features": matches.manifest}
        out.write("manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1))
    return out.path / "index.html"
