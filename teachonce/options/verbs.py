"""The commands: what each is called, where its options, its work and the rendering of its result are."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


def load(place: str) -> Any:
    """What `module:name` below `teachonce` is."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"teachonce.{module}"), name)


@dataclass(frozen=True)
class Verb:
    """A command.

    Attributes:
        options: `module:Class` of its options, below `teachonce.options`; the docstring is its help.
        stage: `module:function` that does the work, below `teachonce`.
        parts: `module:function` that renders the result, below `teachonce.console`.
        example: The words after the command.
        error: `module:function`, below `teachonce.console`: what of a result makes the exit code 1.
    """

    options: str
    stage: str
    parts: str
    example: str
    error: str | None = None

    @property
    def kind(self) -> type:
        """The class of its options."""
        found: type = load(f"options.{self.options}")
        return found


VERBS = {
    "embed": Verb(
        "embed:EmbedOptions",
        "stages.embed:embed",
        "tables:embed_parts",
        "--teacher google/vit-base-patch16-224 --data cifar10 --store cifar10.zarr",
    ),
    "estimate": Verb(
        "estimate:EstimateOptions",
        "benchmarks.estimate.estimate:estimate",
        "estimate:estimate_parts",
        "--teacher cnn-10 --data digits --student cnn-2 --epochs 30",
    ),
    "train": Verb(
        "train:TrainOptions",
        "stages.train:train",
        "tables:train_parts",
        "--data cifar10 --student cnn-2 --method kd --store cifar10.zarr --out runs/kd",
    ),
    "rdm": Verb(
        "rdm:RdmOptions",
        "stages.rdm:rdm",
        "tables:rdm_parts",
        "--store cifar10.zarr --distortion-weight 10000,5000,1000",
    ),
    "methods": Verb(
        "methods:MethodsOptions", "stages.methods:methods", "tables:methods_parts", "kd --store cifar10.zarr"
    ),
    "evaluate": Verb(
        "evaluate:EvaluateOptions",
        "stages.evaluate:evaluate",
        "tables:evaluate_parts",
        "--run runs/kd --data cifar10 --split test",
    ),
    "inspect": Verb(
        "stores:InspectOptions",
        "stages.inspect:inspect",
        "stores:inspect_parts",
        "flowers.zarr --failed --data folder:flowers",
    ),
    "verify": Verb(
        "verify:VerifyOptions",
        "stages.verify:verify",
        "verify:verify_parts",
        "cifar10.zarr --data cifar10",
        "verify:verify_error",
    ),
    "export": Verb(
        "stores:ExportOptions",
        "stages.export:export",
        "tables:export_parts",
        "cifar10.zarr --format hdf5 --out cifar10.h5",
    ),
    "run": Verb("runs:RunOptions", "pipeline.run:run", "runs:run_parts", "quickstart --dry-run"),
    "tune": Verb("runs:TuneOptions", "pipeline.tune.tune:tune", "tune:tune_parts", "quickstart --trials 8 --dry-run"),
    "report": Verb(
        "runs:ReportOptions",
        "reports.make:report",
        "reports:report_parts",
        "runs/kd runs/clip-embed-kd cifar10.zarr --out report.html",
    ),
    "bench live": Verb(
        "live:LiveOptions",
        "benchmarks.live.sweep:bench_live",
        "live:live_parts",
        "--preset clip-embed-kd --cases b32-32",
    ),
    "plot rate-distortion": Verb(
        "plot:RateDistortionOptions",
        "plots.make:plot_rate_distortion",
        "plots:rate_distortion_parts",
        "--store cifar10.zarr --out rate-distortion.png",
    ),
    "plot tsne": Verb(
        "plot:TsneOptions",
        "plots.make:plot_tsne",
        "plots:tsne_parts",
        "--store cifar10.zarr --targets teacher,rdm-10000,rdm-1000 --out tsne.png",
    ),
    "plot cost": Verb("plot:CostOptions", "plots.make:plot_cost", "plots:cost_parts", "--runs runs --out cost.png"),
}
