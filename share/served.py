"""What the API serves: the finished matches, and the picker's search over the same features."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from share.site import Game, Site, copied_pictures, site, store_pictures
from utils import catalogue, encoder, features, images, matching
from utils.banners import Album, Banner, own
from utils.errors import MatchError, PictureError
from utils.picker.queries import Matcher, Query, QueryOptions, from_banner
from utils.search import Index
from utils.settings import Settings


@dataclass(frozen=True)
class Served:
    """Finished matches, and the features that they were made from; pictures and words need the encoder too."""

    site: Site
    matcher: Matcher
    album: Mapping[int, Banner] = field(default_factory=dict)
    gallery: Path | None = None

    @cached_property
    def index(self) -> Index:
        """The games by name."""
        matches, order = self.site.matches, self.site.by_reviews
        return Index(matches.appids[order].tolist(), matches.names[order].tolist())

    @cached_property
    def games(self) -> dict[int, Game]:
        """The games by appid."""
        return dict(zip(self.site.matches.appids.tolist(), self.site.games, strict=True))

    def stored(self, appid: int, options: QueryOptions) -> list[tuple[int, float]]:
        """Return a game's matches where the stored ones say what is asked for, else none."""
        if options != QueryOptions(k=options.k) or options.k > self.site.matches.neighbours.shape[1]:
            return []
        near, cosines = self.site.matches.of(appid, options.k)
        return list(zip(near.tolist(), cosines.tolist(), strict=True))

    def of_game(self, appid: int, options: QueryOptions) -> list[tuple[int, float]]:
        """Return a game's matches by the picker's search; raises PictureError for a banner to turn that is not here."""
        if options.turns and appid not in self.album:
            raise PictureError(f"the banner of {appid} is not on disk, so it cannot be turned")
        jpeg = self.album[appid].jpeg if options.turns else b""
        return self.matcher.matches_of(Query("", jpeg, appid), options)

    def of_picture(self, content: bytes, options: QueryOptions) -> list[tuple[int, float]]:
        """Return the matches of a picture file; raises PictureError where it cannot be used."""
        return self.matcher.matches_of(from_banner(own(content, "your picture", images.FORMATS)), options)

    def of_words(self, words: str, options: QueryOptions) -> list[tuple[int, float]]:
        """Return the banners nearest to words; raises MatchError where the encoder does not read."""
        encoder = self.matcher.encoder
        if encoder is None or not self.matcher.supports_text:
            raise MatchError(encoder.text_unsupported_reason if encoder else "only matches are served here, no words")
        return self.matcher.matches_of(Query(words, words=words), options)


def load(chosen: Settings, *, with_encoder: bool = True) -> Served:
    """Return what the match notebook left for these settings.

    Raises MatchError where there are no matches yet, or those of other features, and what loading the features and
    the checkpoint raises.
    """
    games = catalogue.load(chosen.catalogue_file, chosen.assets_url)
    matches = matching.load_matches(chosen.matches_folder)
    if matches is None:
        raise MatchError(f"there are no matches in {chosen.matches_folder}; run the match notebook first: make match")
    vectors = features.load(chosen.features)
    prepared = matching.prepare(vectors)
    if prepared.manifest["fingerprint"] != matches.manifest["fingerprint"]:
        raise MatchError(f"the matches in {chosen.matches_folder} are of other features; run make match again")
    network = encoder.load(chosen.checkpoint, chosen.pooling, chosen.image) if with_encoder else None
    album = Album(chosen.snapshots)
    gallery = chosen.gallery if (chosen.gallery / "index.html").is_file() else None
    if chosen.source == "steam":
        shown = site(matches, games, store_pictures(matches, games))
    else:  # away from Steam there are no store pages, and the pictures are the gallery's
        shown = site(matches, games, copied_pictures(matches, album if gallery else {}, "/pictures/"), store_page=None)
    plain = matching.prepared(vectors) if network else None
    return Served(shown, Matcher(prepared, network, games, plain), album, gallery)
