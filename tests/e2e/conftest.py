"""A disk that is full for a while, for the tests that need one."""

from full_disk import disk

__all__ = ["disk"]
