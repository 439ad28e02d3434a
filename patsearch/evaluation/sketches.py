"""Sketches as queries: does a sketch find the drawing that it was made from?

    DIR/sketches/*.png     queries: `stool.png`, or several of one drawing: `stool_1.png`, `stool_2.png`
    DIR/drawings/*.png     the gallery: `stool.png`

A folder may also hold the test set of "Sketch Me That Shoe" (Yu et al., CVPR 2016): the MATLAB files
`<set>_sketch_db_test.mat` and `<set>_edge_db_test.mat`, anywhere below it, of uint8 arrays N x H x W, row i of one
belonging to row i of the other. These need the `bench` extra.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.errors import InputError, PluginError, UsageError
from patsearch.evaluation.lists import ImageLists, ListedImage
from patsearch.ingest.sources.imagefiles import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Sequence

_HINT = "A folder has sketches/ and drawings/ with files of the same names, or MATLAB files of Sketch Me That Shoe."
_ENDING = "_sketch_db_test.mat"
# The edge maps have a thin line at the right and lower side, which would be taken for the drawing's outline.
_BORDER = 2
_MOST = 100_000
_MOST_BYTES = 1 << 30


def read_sketches(folder: Path, name: str | None, work: Path) -> ImageLists:
    """The sketches and drawings of a folder.

    Args:
        name: of a set, where the folder has several in MATLAB files.
        work: where pictures from such files are written.

    Raises:
        InputError: there are none, or a sketch has no drawing.
        UsageError: several sets and no name, or no set of that name.
        PluginError: MATLAB files, and scipy is not installed.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist.", hint=_HINT)
    if (folder / "sketches").is_dir() and (folder / "drawings").is_dir():
        if name is not None:
            raise UsageError(f"{folder} has no sets: it is one.", hint="Leave ?set= out.")
        return _lists(_images(folder / "sketches"), _images(folder / "drawings"))
    sets = {path.name.removesuffix(_ENDING): path for path in sorted(folder.rglob("*" + _ENDING))[:_MOST]}
    if not sets:
        raise InputError(f"No sketches were found in {folder}.", hint=_HINT)
    if (name is None and len(sets) > 1) or (name is not None and name not in sets):
        first = next(iter(sets))
        what = "has several sets" if name is None else f"has no set {name!r}"
        raise UsageError(f"{folder} {what}.", hint=f"Sets: {', '.join(sets)}. Name one, as in ?set={first}.")
    chosen = name or next(iter(sets))
    drawn, edges = sets[chosen], sets[chosen].with_name(f"{chosen}_edge_db_test.mat")
    sketches, drawings = _arrays(drawn), _arrays(edges)[:, :-_BORDER, :-_BORDER]
    if len(sketches) != len(drawings):
        raise InputError(f"{drawn} has {len(sketches)} pictures, and {edges.name} has {len(drawings)}.", hint=_HINT)
    return _lists(_written(sketches, work / chosen / "sketches"), _written(drawings, work / chosen / "drawings"))


def _images(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder} has no pictures.", hint=_HINT)
    return found


def _lists(sketches: Sequence[Path], drawings: Sequence[Path]) -> ImageLists:
    names = {path.stem: f"drawings/{path.name}" for path in drawings}
    judgements = {}
    for path in sketches:
        stem = path.stem
        while stem not in names:
            stem, cut, _ = stem.rpartition("_")
            if not cut:
                raise InputError(f"{path} has no drawing.", hint=f"Name the drawing {path.stem}{path.suffix}.")
        judgements[f"sketches/{path.name}"] = {names[stem]: 1.0}
    return ImageLists(
        [ListedImage(f"sketches/{path.name}", path) for path in sketches],
        [ListedImage(f"drawings/{path.name}", path) for path in drawings],
        judgements,
    )


def _arrays(path: Path) -> NDArray[np.uint8]:
    """The pictures of a MATLAB file, (N, H, W) uint8 with white paper."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise PluginError("MATLAB files need scipy.", hint="pip install 'patsearch[bench]'") from error
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is larger than {_MOST_BYTES:,} bytes.", hint=_HINT)
        pictures = np.asarray(loadmat(path, variable_names=["data"])["data"], np.uint8)
    except InputError:
        raise
    except Exception as error:  # a reader of another's format raises what it likes
        raise InputError(
            f"{path} could not be read: {str(error)[:200] or type(error).__name__}.", hint=_HINT
        ) from error
    if pictures.ndim != 3 or not pictures.size or min(pictures.shape[1:]) <= _BORDER:
        raise InputError(f"{path} holds an array of shape {pictures.shape}, not pictures.", hint=_HINT)
    return pictures if np.median(pictures) > 127 else 255 - pictures


def _written(pictures: NDArray[np.uint8], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{row:05d}.png" for row in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    return paths
