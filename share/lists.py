"""Lists to post, in Markdown: popular games with their matches, the most unique games, near-duplicates."""

from share.escape import in_markdown
from share.site import Site
from utils.matching import most_unique

MATCHES = 10  # of a popular game
UNIQUE = 250

_WIDTH = 100  # pixels of a banner in a table


def provenance(manifest: dict) -> str:
    """Return what made the matches, in a sentence."""
    said = {name: manifest.get(name, "unknown") for name in ("checkpoint", "pooling", "image", "preparation")}
    revision = f", revision {manifest['revision'][:12]}" if manifest.get("revision") else ""
    untrained = "" if manifest.get("trained", True) else " (untrained)"
    return (
        f"Features of {said['checkpoint']}{revision}{untrained}: pooling {said['pooling']}, input {said['image']}; "
        f"compared {said['preparation']}."
    )


def popular_markdown(site: Site) -> str:
    """Return a table with a row for each popular game: the game, then its matches with their cosines."""
    across = min(MATCHES, site.matches.neighbours.shape[1])
    title = "Popular games" if site.reviews.any() else "Games from A to Z"
    rows = []
    for row in site.popular:
        near = zip(site.rows(site.matches.neighbours[row, :across]), site.matches.cosines[row], strict=False)
        rows.append([_cell(site, row)] + [f"{_cell(site, match)}<br>{cosine:.2f}" for match, cosine in near])
    about = _about(site, "below each match")
    head = ["Game", "Looks most like it"] + [""] * (across - 1)
    return _table(f"{title}, and the games that look most like them", about, head, rows)


def unique_markdown(site: Site) -> str:
    """Return a table of the most unique games, each with its nearest."""
    table = most_unique(site.matches, UNIQUE)
    games, nearest = site.rows(table["appid"].to_numpy()), site.rows(table["nearest"].to_numpy())
    rows = []
    for place, cosine in enumerate(table["cosine"]):
        rows.append([str(place + 1), _cell(site, games[place]), _cell(site, nearest[place]), f"{cosine:.2f}"])
    about = _about(site, "beside the nearest game")
    return _table("The most unique banners", about, ["", "Game", "Its nearest", "Cosine"], rows)


def duplicates_markdown(site: Site) -> str:
    """Return the groups of near-duplicates, a line each, the largest first."""
    lines = ["# Banners that are nearly the same", ""]
    for group in site.extras.groups:
        cells = " ".join(_cell(site, row) for row in site.rows(group.appids))
        lines.append(f"- {len(group)} games, cosine {group.cosines.min():.2f} or more: {cells}")
    return "\n".join(lines) + "\n"


def _about(site: Site, where: str) -> str:
    return f"{in_markdown(provenance(site.matches.manifest))} The cosine stands {where}."


def _table(title: str, about: str, head: list[str], rows: list[list[str]]) -> str:
    lines = [f"# {title}", "", about, ""]
    lines += [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def _cell(site: Site, row: int) -> str:
    """Return a game in Markdown: its banner, leading to the store, and its name."""
    game = site.games[row]
    text = in_markdown(game.name) or str(game.appid)
    banner = f'<img alt="{text}" src="{game.picture}" width="{_WIDTH}"><br>' if game.picture else ""
    return f"[{banner}{text}]({game.store_page})" if game.store_page else banner + text
