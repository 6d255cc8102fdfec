"""The list of commands, each with its example."""

from typing import Annotated

import typer
from typer import Option, Typer

from teachonce import __version__
from teachonce.cli.embed import embed
from teachonce.cli.estimate import estimate
from teachonce.cli.evaluate import evaluate
from teachonce.cli.frame import Frame
from teachonce.cli.live import bench_live
from teachonce.cli.plot import plot_cost, plot_rate_distortion, plot_tsne
from teachonce.cli.rdm import rdm
from teachonce.cli.report import report
from teachonce.cli.run import run
from teachonce.cli.stores import export, inspect
from teachonce.cli.train import train
from teachonce.cli.tune import tune
from teachonce.cli.verify import verify
from teachonce.heap import keep_freed

app = Typer(
    name="teachonce",
    cls=Frame,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"teachonce {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run the teacher once; train every student from its cache."""


_COMMANDS = (
    (embed, "teachonce embed --teacher google/vit-base-patch16-224 --data cifar10 --store cifar10.zarr"),
    (estimate, "teachonce estimate --teacher cnn-10 --data digits --student cnn-2 --epochs 30"),
    (
        train,
        "teachonce train --data cifar10 --student cnn-2 --method kd --store cifar10.zarr --out runs/kd",
    ),
    (rdm, "teachonce rdm --store cifar10.zarr --distortion-weight 10000,5000,1000"),
    (evaluate, "teachonce evaluate --run runs/kd --data cifar10 --split test"),
    (inspect, "teachonce inspect flowers.zarr --failed --data folder:flowers"),
    (verify, "teachonce verify cifar10.zarr --data cifar10"),
    (export, "teachonce export cifar10.zarr --format hdf5 --out cifar10.h5"),
    (run, "teachonce run quickstart --dry-run"),
    (tune, "teachonce tune quickstart --trials 8 --dry-run"),
    (report, "teachonce report runs/kd runs/clip-embed-kd cifar10.zarr --out report.html"),
)
for _function, _example in _COMMANDS:
    app.command(epilog=f"Example: {_example}")(_function)
bench = Typer(no_args_is_help=True, rich_markup_mode="rich", help="Benchmarks: ratios within one run.")
bench.command("live", epilog="Example: teachonce bench live --preset clip-embed-kd --cases b32-32")(bench_live)
app.add_typer(bench, name="bench")
plot = Typer(no_args_is_help=True, rich_markup_mode="rich", help="Draw figures of stores and runs.")
for _name, _plot, _options in (
    ("rate-distortion", plot_rate_distortion, "--store cifar10.zarr --out rate-distortion.png"),
    ("tsne", plot_tsne, "--store cifar10.zarr --targets teacher,rdm-10000,rdm-1000 --out tsne.png"),
    ("cost", plot_cost, "--runs runs --out cost.png"),
):
    plot.command(_name, epilog=f"Example: teachonce plot {_name} {_options}")(_plot)
app.add_typer(plot, name="plot")


def main() -> None:
    """The entry point of the `teachonce` command."""
    keep_freed()
    app(prog_name="teachonce")
