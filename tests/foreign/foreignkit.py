"""Folders as a stranger would send them: each attack is done to a copy of a real run."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

Attack = Callable[[Path, Path], None]
"""Takes a run's folder, and the file that its code makes where it is run."""
MODULE = "sent_along"


def edit(path: Path, **changed: Any) -> None:
    """Other values in a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def code(mark: Path) -> str:
    """A module that says that it was run."""
    return (
        f"from pathlib import Path\nPath({str(mark)!r}).write_text('run')\n"
        "from transformers import PretrainedConfig, PreTrainedModel\n"
        "class C(PretrainedConfig):\n    model_type = 'sent'\n"
        "class M(PreTrainedModel):\n    config_class = C\n"
        "class P:\n    pass\n"
        "def make(classes, image_size=None):\n    raise RuntimeError\n"
    )


class _Touch:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def _mapped(best: Path, mark: Path, **config: Any) -> None:
    (best / "sent.py").write_text(code(mark))
    names = {"AutoConfig": "sent.C", "AutoModel": "sent.M", "AutoModelForImageClassification": "sent.M"}
    edit(best / "config.json", auto_map=names, **config)


def auto_map(run: Path, mark: Path) -> None:
    """A model that transformers does not know, with its code."""
    _mapped(run / "best", mark, model_type="sent", architectures=["M"])


def auto_map_of_a_known_model(run: Path, mark: Path) -> None:
    """A model that it knows, with other code."""
    _mapped(run / "best", mark)


def auto_map_of_another_known_model(run: Path, mark: Path) -> None:
    """A model that it knows, but not as an image classifier, with its code."""
    _mapped(run / "best", mark, model_type="bert", num_hidden_layers=1)


def unknown_model(run: Path, mark: Path) -> None:
    """A model that it does not know, without code."""
    edit(run / "best" / "config.json", model_type="sent", architectures=["M"])


def factory(run: Path, mark: Path) -> None:
    """A network of a module that lies where the user is."""
    Path(f"{MODULE}.py").write_text(code(mark))
    edit(run / "best" / "student.json", spec=f"{MODULE}:make", family="own")
    description = json.loads((run / "run.json").read_text())
    del description["macs"]  # so that whoever needs them has to build it
    (run / "run.json").write_text(json.dumps(description))
    (run / "best" / "config.json").unlink()


def pickled(run: Path, mark: Path) -> None:
    """Weights that are a pickle."""
    (run / "best" / "model.safetensors").unlink()
    (run / "best" / "pytorch_model.bin").write_bytes(pickle.dumps(_Touch(mark)))


def pickled_under_another_name(run: Path, mark: Path) -> None:
    """The same, called as if they were none."""
    (run / "best" / "model.safetensors").write_bytes(pickle.dumps(_Touch(mark)))


def pickled_in_parts(run: Path, mark: Path) -> None:
    """An index beside the weights that leads to a pickle."""
    best = run / "best"
    (best / "model.safetensors").rename(best / "other.safetensors")
    (best / "pytorch_model.bin").write_bytes(pickle.dumps(_Touch(mark)))
    index = {"metadata": {}, "weight_map": {"classifier.weight": "pytorch_model.bin"}}
    (best / "model.safetensors.index.json").write_text(json.dumps(index))


def processor(run: Path, mark: Path) -> None:
    """An image processor with code."""
    best = run / "best"
    (best / "sent.py").write_text(code(mark))
    edit(best / "preprocessor_config.json", auto_map={"AutoImageProcessor": "sent.P"}, image_processor_type="P")


def generation(run: Path, mark: Path) -> None:
    """A way to generate with code."""
    best = run / "best"
    (best / "custom_generate").mkdir()
    (best / "custom_generate" / "generate.py").write_text(code(mark))
    (best / "generation_config.json").write_text(json.dumps({"auto_map": {"GenerationMixin": "sent.C"}}))


def kernel(run: Path, mark: Path) -> None:
    """Attention by a kernel that would be fetched."""
    edit(run / "best" / "config.json", attn_implementation="somebody/kernel:attention")


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        *(auto_map, auto_map_of_a_known_model, auto_map_of_another_known_model, unknown_model, factory, pickled),
        *(pickled_under_another_name, pickled_in_parts, processor, generation, kernel),
    )
}
HARMLESS = {"auto_map_of_a_known_model", "generation", "processor"}
"""Of no effect where their code is not run; a processor is none of a run's."""
