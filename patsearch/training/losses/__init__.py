"""Losses, one file each. `patsearch.plugins.load("loss", name)` gives the class of a name."""

from __future__ import annotations

from patsearch.training.losses.base import Loss
from patsearch.training.losses.info_nce import InfoNCE
from patsearch.training.losses.triplet import BatchHardTriplet

__all__ = ["BatchHardTriplet", "InfoNCE", "Loss"]
