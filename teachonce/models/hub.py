"""Speaking with transformers and the hub: silently, without pickle, and with errors of one line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachonce.errors import CorruptError, ModelError, TeachonceError
from teachonce.models.contents import CONVERT, require_contents, require_plain
from teachonce.models.folders import require_model_folder
from teachonce.processes.command import importing
from teachonce.processwide import environment, silent
from teachonce.types import TeacherDtype

if TYPE_CHECKING:
    from torch import nn

# transformers would otherwise ask a service of the hub to convert pickled weights, in a thread.
_NO_CONVERSION = {"DISABLE_SAFETENSORS_CONVERSION": "1"}


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings and progress bars of transformers and huggingface_hub; their settings are put back."""
    with importing():
        import huggingface_hub.utils
        import transformers.utils.logging

    library: Any = transformers.utils.logging
    hub: Any = huggingface_hub.utils
    bars, hub_bars = library.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()
    library.get_verbosity()  # sets its logger up, which is then silenced
    library.disable_progress_bar()
    hub.disable_progress_bars()
    try:
        with silent("transformers", "huggingface_hub", "accelerate"), environment(**_NO_CONVERSION):
            yield
    finally:
        if bars:
            library.enable_progress_bar()
        if hub_bars:
            hub.enable_progress_bars()


def model_library() -> Any:
    """The package transformers, with what all its networks are made of imported."""
    with importing():
        import transformers
        import transformers.modeling_layers
    return transformers


@contextmanager
def loading(spec: str) -> Iterator[None]:
    """Quiet, and every failure of the body a ModelError of one line that names `spec`.

    Raises:
        ModelError: In the place of any exception that is not a TeachonceError already.
    """
    try:
        with quiet():
            yield
    except TeachonceError:
        raise
    except Exception as error:
        raise _explained(spec, error) from error


def _explained(spec: str, error: Exception) -> ModelError:
    text = str(error)
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    if "trust_remote_code" in text:
        mend = "Read that code; if you trust it, add --trust-remote-code"
        return ModelError(f"{spec!r} runs its own code, which was not allowed", mend)
    if "TimmWrapper" in text and "requires the timm library" in text:
        mend = "Use its version for transformers alone, or a package.module:factory around timm.create_model"
        return ModelError(f"{spec!r} is a model of timm, whose image processor needs torchvision", mend)
    if "ignore_mismatched_sizes" in text:
        return mismatched(spec)
    if "gated repo" in text:
        return ModelError(f"{spec!r} is gated", "Accept its terms on its page of the hub, then log in: `hf auth login`")
    if "safetensors" in text and ("no file named" in text or "not appear to have" in text):
        return ModelError(f"{spec!r} has no safetensors weights, and pickled ones are never opened", CONVERT)
    return ModelError(f"{spec!r} cannot be loaded: {first}", "Check the model's files, and that transformers knows it")


def mismatched(spec: str, which: str = "") -> ModelError:
    """The error where weights in files have other shapes than the network; `which` names one."""
    message = f"{spec!r} has weights of other shapes than its config asks for{which and f': {which}'}"
    return ModelError(message, "Copy config.json and the weights of one model")


def locate(spec: str, *, revision: str | None, trust_remote_code: bool = False) -> dict[str, Any]:
    """Where a model is: the arguments that make every `from_pretrained` read one and the same state of it.

    A folder is read as it is. A hub id is resolved once to its commit; without network, to the copy in the local
    cache of huggingface_hub, if there is one.

    Raises:
        ModelError: No such folder, id or revision; no network and no copy; a folder without safetensors; see
            `require_model_folder`.
        CorruptError: A file of a folder cannot be read.
    """
    folder = Path(spec)
    if folder.is_dir():
        if revision is not None:
            raise ModelError(f"{spec!r} is a folder, which has no revision {revision!r}", "Leave --revision out")
        require_contents(folder)
        require_model_folder(folder, trust_remote_code=trust_remote_code)
        return {"pretrained_model_name_or_path": str(folder), "local_files_only": True}
    if folder.is_absolute() or spec.startswith((".", "~")) or spec.count("/") > 1:
        raise ModelError(f"no folder {spec!r}", "Check the path; a hub id is NAME or OWNER/NAME")
    return {"pretrained_model_name_or_path": spec, **_resolve(spec, revision)}


def _resolve(spec: str, revision: str | None) -> dict[str, Any]:
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        with quiet():
            found = HfApi().model_info(spec, revision=revision, timeout=10)
    except HFValidationError as error:
        raise ModelError(f"{spec!r} is neither a folder nor a hub id", "A hub id is NAME or OWNER/NAME") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{spec!r} has no revision {revision!r}", "Look at the model's page for its names") from error
    except RepositoryNotFoundError as error:
        mend = "Check the spelling; a private or gated model needs `hf auth login`"
        raise ModelError(
            f"no folder {spec!r}, and the hub has no model of that name that you may read", mend
        ) from error
    except Exception as error:
        if isinstance(try_to_load_from_cache(spec, "config.json", revision=revision), str):
            return {"revision": revision, "local_files_only": True}
        mend = "Check the spelling if it is a folder; otherwise connect to the network, or download the model first"
        raise ModelError(f"no folder {spec!r}, and the hub cannot be reached", mend) from error
    require_plain(repr(spec), {file.rfilename for file in getattr(found, "siblings", None) or ()})
    return {"revision": found.sha}


def on_meta(network: Callable[[], "nn.Module"]) -> "nn.Module | None":
    """A network on the meta device, where weights take no memory; None where that fails."""
    import torch

    try:
        with torch.device("meta"):
            return network()
    except Exception:  # noqa: BLE001 - what is wrong with it is told where it is loaded
        return None


def require_enough(network: "nn.Module | None", folder: Path, owner: str) -> None:
    """Refuse a network with more weights than its files have bytes, before memory is taken for it.

    Args:
        network: On the meta device; None, where it cannot be made there: nothing is refused.
        folder: Where the files of weights are.
        owner: What asks for it.

    Raises:
        CorruptError: There are too few.
    """
    if network is None:
        return
    count = sum(tensor.numel() for tensor in network.parameters())
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if count > size:
        message = f"{owner} asks for {count:,} weights, but the files of weights have {size:,} bytes"
        raise CorruptError(message, "Copy the whole folder again, all files of one model")


def own_memory(network: "nn.Module") -> None:
    """Copy weights out of the file that transformers maps them from.

    Mapped tensors lie where the file's header lets them begin, and kernels take other paths for memory that is not
    aligned: the same weights in two files would differ in the last bit of their outputs. And a file that is cut while
    it is mapped ends the process.

    Args:
        network: Its parameters and buffers are replaced by copies.
    """
    from teachonce.models.mapped import FileMaps

    maps = FileMaps()
    for tensor in (*network.parameters(), *network.buffers()):
        mapped = tensor.data
        if not tensor.is_meta and maps.holds(mapped):
            tensor.data = mapped.clone()
            maps.give_back(mapped)  # else file and copies would be in memory at once


def weights_arguments(trust_remote_code: bool, dtype: TeacherDtype = "float32") -> dict[str, Any]:
    """The arguments of every `from_pretrained` of weights: dtype, safetensors, remote code only when asked for."""
    from teachonce.models.precision import TORCH_DTYPES

    return {
        "use_safetensors": True,
        "dtype": TORCH_DTYPES[dtype],
        "trust_remote_code": trust_remote_code,
        "output_loading_info": True,
    }
