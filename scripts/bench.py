"""Single measurements, each a JSON object on stdout, which `teachonce report` shows (all but that of `loss`).

    python scripts/bench.py embed cnn-10 digits --rounds 3                     stage one over the bare forward pass
    python scripts/bench.py rdm cnn-10 --count 3                               RDMs together over RDMs alone
    python scripts/bench.py loss cnn-10 digits cnn-2 --method kd               the parts of a loss
    python scripts/bench.py macs --preset cifd-imagenet --rdm-epochs 10        training costs, counted

Options are the parameters of the functions. A whole step, from the cache and live: `teachonce bench live`.
"""

import json
import sys

from bench_embed import bench_embed
from bench_loss import bench_loss
from bench_macs import bench_macs
from bench_rdm import bench_rdm
from typer import Typer

import teachonce
from teachonce.benchmarks.origin import Origin
from teachonce.errors import TeachonceError
from teachonce.records import to_json


def main() -> None:
    """Measure, and print the result."""
    teachonce.keep_freed()
    app = Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, result_callback=show)
    for measure in (bench_embed, bench_rdm, bench_loss, bench_macs):
        app.command(measure.__name__.removeprefix("bench_"))(measure)
    try:
        app()
    except TeachonceError as error:
        sys.exit(f"error: {error.message}. {error.mend}")


def show(result: Origin) -> None:
    """As JSON."""
    sys.stdout.write(json.dumps(to_json(result), indent=2) + "\n")


if __name__ == "__main__":
    main()
