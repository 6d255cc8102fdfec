"""What all pictures share."""

import pytest
from matplotlib.figure import Figure

from teachonce.plots.figure import per_cent


@pytest.mark.parametrize(("shares", "top"), [([0.2, 1.0], 1.01), ([0.2, 0.4], 0.41), ([0.9, 1.2], 1.215)])
@pytest.mark.parametrize("which", ["x", "y"])
def test_no_tick_says_more_than_all(which: str, shares: list[float], top: float):
    axes = Figure().subplots()
    axes.plot(*((shares, [0, 1]) if which == "x" else ([0, 1], shares)))
    per_cent(axes, which, "accuracy")
    axis = axes.yaxis if which == "y" else axes.xaxis
    assert axis.get_view_interval()[1] == pytest.approx(top)
    assert axis.get_label_text() == "accuracy (%)"
