"""What a folder of a model holds by the names of its files: weights in safetensors, or what there is instead."""

from collections.abc import Set
from pathlib import Path

from teachonce.errors import CorruptError, ModelError

CONVERT = (
    "Convert it once, if you trust it: AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER) writes safetensors"
)
DOCUMENTS = ("config.json", "preprocessor_config.json", "processor_config.json")
"""What is read of a folder beside its weights."""
_WHOLE = "Copy the whole model folder"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_ELSEWHERE = {
    "modules.json": "a sentence-transformers model: its transformers model is in a subfolder, such as 0_CLIPModel",
    "open_clip_config.json": "an OpenCLIP model, which transformers cannot open",
    "model_index.json": "a diffusers pipeline: its image encoder is in the subfolder image_encoder",
}


def require_contents(folder: Path) -> None:
    """Refuse a folder in which transformers would find no config or no weights, or not those that are meant.

    Raises:
        ModelError: It lacks them, or holds an adapter; the message says what there is instead.
        CorruptError: A link of it leads nowhere.
    """
    names = {path.name for path in folder.iterdir()}
    require_plain(str(folder), names)
    for name in (*DOCUMENTS, *_WEIGHTS):
        require_target(folder / name)
    if "config.json" not in names:
        kind = next((text for name, text in _ELSEWHERE.items() if name in names), "not a transformers model")
        mend = "Name the folder that save_pretrained wrote, or a run of `teachonce train`"
        raise ModelError(f"{folder} holds no config.json: {kind}", mend)
    if names.isdisjoint(_WEIGHTS):
        raise _no_weights(folder, names)


def require_plain(owner: str, names: Set[str]) -> None:
    """Refuse a model with an adapter beside or in place of its weights: it would be left out without a word.

    Args:
        owner: What has these files.
        names: Of its files.

    Raises:
        ModelError: It has one.
    """
    if "adapter_config.json" in names:
        mend = "Merge it, if you trust it: PeftModel.from_pretrained(BASE, ADAPTER).merge_and_unload(), then save it"
        raise ModelError(f"{owner} has an adapter (adapter_config.json), which would not be applied", mend)


def require_target(path: Path) -> None:
    """Refuse a link whose file is gone; a path where nothing lies is let through.

    Raises:
        CorruptError: It is such a link.
    """
    if path.is_symlink() and not path.exists():
        mend = "Download the model again, or copy it with the targets of its links"
        raise CorruptError(f"{path} is a link to {path.readlink()}, which is missing", mend)


def _no_weights(folder: Path, names: Set[str]) -> ModelError:
    if any(folder.rglob("*.incomplete")):
        return ModelError(f"{folder} holds no weights: their download was not finished", "Run the same download again")
    if "open_clip_config.json" in names or "open_clip_model.safetensors" in names:
        return ModelError(f"{folder} holds {_ELSEWHERE['open_clip_config.json']}", "Use its transformers version")
    variants = sorted(name for name in names if name.endswith((".safetensors", ".safetensors.index.json")))
    if variants:
        message = f"{folder} holds no model.safetensors, but {', '.join(variants[:3])}"
        return ModelError(message, "If they are the whole model, rename them to model.safetensors")
    if any(name.endswith((".bin", ".pt", ".pth", ".ckpt", ".bin.index.json")) for name in names):
        return ModelError(f"{folder} has pickled weights only, and pickles are never opened", CONVERT)
    if not names.isdisjoint(("tf_model.h5", "flax_model.msgpack", "saved_model.pb")):
        mend = "Convert them with transformers before 5: from_pretrained(FOLDER, from_tf=True), or from_flax=True"
        return ModelError(f"{folder} has weights of TensorFlow or Flax only, and PyTorch's are needed", mend)
    if any(name.endswith((".onnx", ".gguf", ".engine", ".tflite")) for name in names):
        message = f"{folder} has weights of a compiled or converted form only (ONNX, GGUF, ...)"
        return ModelError(message, "Use the original checkpoint in safetensors")
    return ModelError(f"{folder} holds no weights: expected model.safetensors", _WHOLE)
