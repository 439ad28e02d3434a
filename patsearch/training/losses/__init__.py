"""Losses, one file each. `patsearch.plugins.load("loss", name)` gives the class of a name."""

from __future__ import annotations

from patsearch.training.losses.arcface import ArcFace
from patsearch.training.losses.base import Loss
from patsearch.training.losses.circle import Circle
from patsearch.training.losses.cosface import CosFace
from patsearch.training.losses.info_nce import InfoNCE
from patsearch.training.losses.margin_softmax import MarginSoftmax
from patsearch.training.losses.proxy_anchor import ProxyAnchor
from patsearch.training.losses.softmax import Softmax
from patsearch.training.losses.subcenter_arcface import SubcenterArcFace
from patsearch.training.losses.supcon import SupCon
from patsearch.training.losses.triplet import BatchHardTriplet
from patsearch.training.losses.triplet_semi_hard import SemiHardTriplet
from patsearch.training.losses.weighted_sum import WeightedSum, build_loss

__all__ = [
    "ArcFace",
    "BatchHardTriplet",
    "Circle",
    "CosFace",
    "InfoNCE",
    "Loss",
    "MarginSoftmax",
    "ProxyAnchor",
    "SemiHardTriplet",
    "Softmax",
    "SubcenterArcFace",
    "SupCon",
    "WeightedSum",
    "build_loss",
]
