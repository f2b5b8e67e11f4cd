"""OpenStreetMap: what its tags mean to four ways of moving, and reading an extract of it."""

from geo.osm.extract import BadExtractError, Extract, NoRoadsError, read, read_extract

__all__ = ["BadExtractError", "Extract", "NoRoadsError", "read", "read_extract"]
