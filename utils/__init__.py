"""How a banner travels, from the store to the grid; each room imports only those above it.

errors      the one-line error
notebook    a cell's errors in plain words
names       one way to fold, compare and clean a game's name
files       files that are whole or not there, checksums, locks
web         one polite HTTP client
pictures    the one place where pictures are opened
filters     which games may be among the matches
search      games by name, the way people type them
settings    the notebooks' settings
catalogue   which games exist
snapshot    their banners, downloaded and verified
banners     each banner's picture
quality     what is wrong with banners
encoder     a checkpoint as a function from pictures to features
features    the features of all banners
matching    exact neighbours
explain     why two banners match
show        figures: grids of banners, a map, a download's report, the reasons of a match
judge       how good the matches are
transfer    finished work between machines
picker      the control, with drafts
export      a gallery, lists and tables for others, a JSON API
"""

__version__ = "0.2.0"
