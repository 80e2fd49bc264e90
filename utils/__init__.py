"""How a banner travels, from the store to the grid; each room imports only those above it.

settings    the notebooks' settings
catalogue   which games exist
snapshot    their banners, downloaded and verified
banners     each banner's picture
encoder     a BEiT checkpoint as a function from pictures to features
features    the features of all banners
matching    exact neighbours
judge       how good they are
show        figures: grids of banners, a map, a download's report, the reasons of a match
explain     why two banners match
search      games by name, the way people type them
filters     which games may be among the matches
picker      the control
export      a gallery page, Markdown, JSON and NumPy for others
transfer    finished work between machines
"""

__version__ = "0.2.0"
