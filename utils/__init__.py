"""What the notebooks call: from the store's games to the grid of look-alikes. Imports run down this list only.

picker      the control: games, pictures, words and drafts, and their look-alikes
explain     a cosine taken apart, patch by patch
show        figures
drive       finished work to and from Google Drive
matching    preparation, exact nearest neighbours, near-duplicates
features    the vectors of all banners, on disk
encoder     a checkpoint as a function from pictures to vectors
banners     the pictures of verified shards
snapshot    plan, download, verified shards, report
catalogue   which games the store has
download    a file from an address, going on where it stopped
http        the one HTTP client
images      the one place where pictures are opened
search      games by name, the way people type them
filters     which games may be among the matches
settings    the notebooks' settings
files       files that are there whole or not at all, checksums, locks
errors      the kinds of error, one line each
names       one way to fold, compare and clean a game's name
"""

__version__ = "0.3.0"
