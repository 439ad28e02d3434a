"""patsearch: a search engine for patent drawings."""

__version__ = "0.1.0"
