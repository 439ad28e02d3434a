"""Sub-centre ArcFace.

Deng, Guo, Liu, Gong, Zafeiriou: Sub-center ArcFace: Boosting Face Recognition by Large-scale Noisy Web
Faces (2020), section 3.2. Each class has K centres; a row's cosine with a class is that with the closest of
them, and ArcFace continues from there. For drawings: a design seen from the front and from below need not
share one centre.

Corner cases are ArcFace's; with one sub-centre it is ArcFace.
"""

from __future__ import annotations

from patsearch.training.losses.arcface import ArcFace


class SubcenterArcFace(ArcFace):
    """See the module; the options are those of `ArcFace`. `subcentres`, K, is 3 as in the paper."""

    usual_subcentres = 3
