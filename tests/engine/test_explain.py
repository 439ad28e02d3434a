"""Why a drawing was found, as pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from makers import draw_design
from PIL import Image, ImageDraw, ImageFont

from patsearch.drawings.grey import to_grey
from patsearch.drawings.thumbnail import thumbnail
from patsearch.encoder import load_encoder
from patsearch.engine.explain import SIDE, Heated, explain
from patsearch.errors import ImageError


def png(image: Image.Image) -> bytes:
    return thumbnail(to_grey(image))


def arrays(one: Heated) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(Image.open(io.BytesIO(one.picture))), np.asarray(Image.open(io.BytesIO(one.heat)))


@pytest.mark.parametrize("name", ["lite0-drawings", "ri-lbp"])
def test_heat_lies_on_the_lines_of_a_picture_of_its_shape(name: str) -> None:
    why = explain(load_encoder(name), [draw_design(1, 0), draw_design(1, 1)], png(draw_design(1, 0)))
    assert len(why.query) == 2
    assert why.score > 0.5  # of a copy too small to tell the pen: by its shape alone
    for one in (*why.query, why.found):
        picture, heat = arrays(one)
        assert picture.shape == heat.shape
        assert max(picture.shape) <= SIDE
        assert heat.max() == 255
        assert heat[picture < 128].mean() > 3 * heat[picture > 250].mean()


def test_empty_corners_stay_cold() -> None:
    design = Image.new("L", (1600, 1600), 255)
    design.paste(draw_design(4, 0).resize((300, 400)), (100, 100))
    design.paste(draw_design(6, 0).resize((300, 400)), (1200, 1100))
    why = explain(load_encoder(), [design], png(design), split=False)
    _, heat = arrays(why.query[0])
    assert heat[-150:, :150].max() == heat[:150, -150:].max() == 0


def test_of_a_sheet_the_figure_that_agrees_is_shown() -> None:
    sheet = Image.new("L", (2550, 3300), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(64)
    for number, (seed, top) in enumerate(((2, 200), (9, 1750)), start=1):
        sheet.paste(draw_design(seed, 0), (800, top))
        pen.text((1150, top + 1250), f"FIG. {number}", font=font, fill=0)
    wanted = draw_design(9, 0)
    why = explain(load_encoder(), [sheet], png(wanted))
    figure, _ = arrays(why.query[0])
    alone = explain(load_encoder(), [wanted], png(wanted))
    other = explain(load_encoder(), [draw_design(2, 0)], png(wanted))
    assert figure.shape == pytest.approx(arrays(alone.query[0])[0].shape, rel=0.02)
    assert alone.score - why.score < 0.05 < why.score - other.score
    whole, _ = arrays(explain(load_encoder(), [sheet], png(wanted), split=False).query[0])
    assert whole.shape[0] / whole.shape[1] > 1.25  # the sheet as it is


def test_nothing_to_compare_is_said() -> None:
    encoder = load_encoder()
    with pytest.raises(ImageError, match="no picture"):
        explain(encoder, [], png(draw_design(1, 0)))
    with pytest.raises(ImageError, match="Picture 1 of the query is blank"):
        explain(encoder, [Image.new("L", (400, 400), 255)], png(draw_design(1, 0)))
