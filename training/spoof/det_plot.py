"""The plot of the detection error trade-off (Martin et al., 1997)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from training.spoof.metrics import DetCurve

_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_LEAST, _MOST = 0.0005, 0.9


def draw_det(file: Path, curves: Mapping[str, DetCurve], title: str) -> None:
    """Write a PNG with both error rates on probit axes, on which normally distributed scores give a straight line.

    Args:
        file: Where to write.
        curves: By what the legend calls them.
        title: Above the plot.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, curve in curves.items():
        axes.plot(_probit(curve.false_alarm), _probit(curve.miss), label=name, linewidth=1.5)
    bounds = (float(ndtri(_LEAST)), float(ndtri(_MOST)))
    axes.plot(bounds, bounds, color="0.7", linestyle=":", label="equal errors")
    ticks, labels = [float(ndtri(tick)) for tick in _TICKS], [f"{tick:.1%}".replace(".0%", "%") for tick in _TICKS]
    axes.set_xticks(ticks, labels, rotation=45)
    axes.set_yticks(ticks, labels)
    axes.set(xlim=bounds, ylim=bounds, title=title)
    axes.set_xlabel("spoof taken for bona fide")
    axes.set_ylabel("bona fide taken for spoof")
    axes.set_aspect("equal")
    axes.grid(color="0.9")
    axes.legend()
    figure.savefig(file, format="png")


def _probit(rates: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(ndtri(np.clip(rates, _LEAST, _MOST)), np.float64)
