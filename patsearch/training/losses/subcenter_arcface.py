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
    """See the module.

    Args:
        dim, classes: as in `Loss`.
        subcentres: K, centres a class; the paper takes 3.
        margin: radians, as in `ArcFace`.
        scale, easy_margin, margin_warmup, focal_gamma, sample, sample_seed: as in `ArcFace`.
    """

    def __init__(
        self,
        *,
        dim: int,
        classes: int,
        scale: float = 30.0,
        margin: float = 0.5,
        easy_margin: bool = False,
        margin_warmup: float = 0.0,
        focal_gamma: float = 0.0,
        sample: float = 1.0,
        sample_seed: int = 0,
        subcentres: int = 3,
    ) -> None:
        super().__init__(
            dim=dim,
            classes=classes,
            scale=scale,
            margin=margin,
            easy_margin=easy_margin,
            margin_warmup=margin_warmup,
            focal_gamma=focal_gamma,
            sample=sample,
            sample_seed=sample_seed,
            subcentres=subcentres,
        )
