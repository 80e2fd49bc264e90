"""Lists to post: popular games with their matches, the most unique games, near-duplicates."""

from collections.abc import Iterable

from share.escape import in_bbcode, in_markdown
from share.site import Site
from utils.matching import most_unique

MATCHES = 10  # of a popular game
UNIQUE = 250

_WIDTH = 100  # pixels of a banner in a table


def made(manifest: dict) -> str:
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
    title = "Popular games" if site.reviewed else "Games from A to Z"
    lines = [f"# {title}, and the games that look most like them", "", _about(site, "below each match"), ""]
    lines += _header(["Game", "Looks most like it"] + [""] * (across - 1))
    for row in site.popular:
        near = zip(site.rows(site.matches.neighbours[row, :across]), site.matches.cosines[row], strict=False)
        cells = [_cell(site, row)] + [f"{_cell(site, match)}<br>{cosine:.2f}" for match, cosine in near]
        lines.append(f"| {' | '.join(cells)} |")
    return _text(lines)


def popular_bbcode(site: Site) -> str:
    """Return the popular games with their matches as BBCode, for a forum."""
    lines = [f"[i]{in_bbcode(made(site.matches.manifest))}[/i]", ""]
    for row in site.popular:
        near = zip(site.rows(site.matches.neighbours[row, :MATCHES]), site.matches.cosines[row], strict=False)
        lines.append(f"[b]{_bbcode_link(site, row)}[/b]")
        lines.append("[list]")
        lines += [f"[*]{_bbcode_link(site, match)} ({cosine:.2f})" for match, cosine in near]
        lines += ["[/list]", ""]
    return _text(lines)


def unique_markdown(site: Site) -> str:
    """Return a table of the most unique games, each with its nearest."""
    lines = ["# The most unique banners", "", _about(site, "beside the nearest game"), ""]
    lines += _header(["", "Game", "Its nearest", "Cosine"])
    table = most_unique(site.matches, UNIQUE)
    rows = site.rows(table["appid"].to_numpy())
    nearest = site.rows(table["nearest"].to_numpy())
    for place, cosine in enumerate(table["cosine"]):
        game = _cell(site, rows[place])
        lines.append(f"| {place + 1} | {game} | {_cell(site, nearest[place])} | {cosine:.2f} |")
    return _text(lines)


def duplicates_markdown(site: Site) -> str:
    """Return the groups of near-duplicates, a line each, the largest first."""
    lines = ["# Banners that are nearly the same", ""]
    for group in site.extras.groups:
        cells = [_cell(site, row) for row in site.rows(group)]
        lines.append(f"- {len(group)} games: {' '.join(cells)}")
    return _text(lines)


def _about(site: Site, where: str) -> str:
    return f"{in_markdown(made(site.matches.manifest))} The cosine stands {where}."


def _header(titles: list[str]) -> list[str]:
    return [f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]


def _cell(site: Site, row: int) -> str:
    """Return a game in Markdown: its banner, leading to the store, and its name."""
    game = site.games[row]
    text = in_markdown(game.name) or str(game.appid)
    banner = f'<img alt="{text}" src="{game.picture}" width="{_WIDTH}"><br>' if game.picture else ""
    return f"[{banner}{text}]({site.store_page.format(appid=game.appid)})" if site.store_page else banner + text


def _bbcode_link(site: Site, row: int) -> str:
    game = site.games[row]
    text = in_bbcode(game.name) or str(game.appid)
    return f"[url={site.store_page.format(appid=game.appid)}]{text}[/url]" if site.store_page else text


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
