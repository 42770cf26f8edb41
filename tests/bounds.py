"""Where the words and legends of a figure lie: what a reader sees written over something else."""

from collections.abc import Iterator
from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

LEAST = 1.0  # [pixel] to either side: letters have ascents and descents that they do not fill


def overlaps(figure: Figure) -> list[str]:
    """Every two texts that are written over one another, every text that leaves the figure, every legend that lies on data."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    texts = [(text.get_text(), text.get_window_extent(renderer)) for text in _written(figure)]
    legends = [legend.get_window_extent(renderer) for legend in figure.findobj(Legend)]
    panels = [axis.get_window_extent(renderer) for axis in figure.axes]
    found = [f"{one!r} over {other!r}" for (one, a), (other, b) in combinations(texts, 2) if _share(a, b)]
    found += [f"{said!r} leaves the figure" for said, box in texts if not _inside(box, figure.bbox)]
    return found + ["a legend on data" for legend in legends if any(_share(legend, panel) for panel in panels)]


def _written(figure: Figure) -> Iterator[Text]:
    """Every text that is drawn; an axis has more labels than it draws."""
    ticks = [tick for panel in figure.axes for axis in (panel.xaxis, panel.yaxis) for tick in axis._update_ticks()]
    drawn = {id(label) for tick in ticks for label in (tick.label1, tick.label2)}
    all_ticks = [
        tick for panel in figure.axes for axis in (panel.xaxis, panel.yaxis) for tick in (*axis.majorTicks, *axis.minorTicks)
    ]
    labels = {id(label) for tick in all_ticks for label in (tick.label1, tick.label2)}
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and (id(text) in drawn or id(text) not in labels):
            yield text


def _share(one: Bbox, other: Bbox) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > LEAST and height > LEAST


def _inside(box: Bbox, figure: Bbox) -> bool:
    return box.x0 > -LEAST and box.y0 > -LEAST and box.x1 < figure.x1 + LEAST and box.y1 < figure.y1 + LEAST
