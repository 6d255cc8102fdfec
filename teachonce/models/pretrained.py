"""Pretrained transformers models as teachers, each with the processor that belongs to it."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from teachonce.errors import ModelError
from teachonce.models.channels import BgrTeacher, translate_rgb
from teachonce.models.classifier import SplitClassifier, probe_pixels
from teachonce.models.encoders import CHOICES, EncoderTeacher, choose, drop_text_tower
from teachonce.models.frozen import ClassifierTeacher, Teacher, TeacherInfo, weights_digest
from teachonce.models.hooked import HookedClassifier, hooked_path
from teachonce.models.hub import loading, locate, model_library, on_meta, own_memory, require_enough, weights_arguments
from teachonce.models.kinds import architectures, encoder_class, require_images
from teachonce.models.placed import Placing, own_offloaded
from teachonce.models.precision import as_taken
from teachonce.models.processor import load_processor, processor_json
from teachonce.models.unused import require_weights, unused_parts

_NOT_KEPT = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "id2label", "label2id")
"""Paths and versions; and class names, which are kept apart."""


def load_pretrained(
    spec: str, *, embedding: str, trust_remote_code: bool, revision: str | None, placing: Placing
) -> Teacher:
    """A hub model or a transformers folder as a teacher.

    It is a classifier when its config's architectures say so and `embedding` is auto or penultimate, else an encoder.

    Args:
        spec: See `load_teacher`.
        embedding: See `load_teacher`.
        trust_remote_code: See `load_teacher`.
        revision: See `load_teacher`.
        placing: In which dtype its weights are loaded, and where.

    Raises:
        ModelError: See `load_teacher`.
    """
    if embedding not in CHOICES:
        raise ModelError(f"no embedding {embedding!r}", f"Use one of {', '.join(CHOICES)}")
    where = locate(spec, revision=revision, trust_remote_code=trust_remote_code)
    with loading(spec):
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(**where, trust_remote_code=trust_remote_code)
        classifier = any("ForImageClassification" in name for name in architectures(config))
        require_images(spec, config)
    processor = load_processor(spec, where, trust_remote_code=trust_remote_code)
    given, view, is_bgr = translate_rgb(processor, spec)
    facts = {
        "name": spec,
        "input": given,
        "view": view,
        "processor": processor_json(processor),
        "config": config_json(config.to_dict()),
        "dtype": placing.dtype,
    }
    arguments = {**where, **weights_arguments(trust_remote_code, placing.dtype)}
    if classifier and embedding in ("auto", "penultimate"):
        teacher = _classifier(placing, arguments, facts, config)
    else:
        teacher = _encoder(placing, arguments, facts, embedding, config)
    return BgrTeacher(teacher) if is_bgr else teacher


def load_classifier(
    spec: str, arguments: Mapping[str, Any], config: Any = None, placing: Placing | None = None
) -> nn.Module:
    """A transformers image classifier with all its weights, on the CPU.

    Args:
        spec: What the user calls it.
        arguments: Of `from_pretrained`: `locate` and `weights_arguments`.
        config: Its config, where it was read already.
        placing: Where its weights go; None: to the host, which has room.

    Raises:
        ModelError: It cannot be loaded, or lacks weights.
        CorruptError: Its config asks for more weights than its files hold.
    """
    return _whole_classifier(spec, arguments, config, placing)[0]


def _whole_classifier(
    spec: str, arguments: Mapping[str, Any], config: Any, placing: Placing | None
) -> tuple[nn.Module, tuple[str, ...]]:
    """See `load_classifier`; and the parts of the checkpoint that are not used."""
    network, absent, unexpected = _load("AutoModelForImageClassification", spec, arguments, config, placing)
    own_memory(network)
    require_weights(spec, absent, unexpected)
    return network, unused_parts(spec, network, unexpected)


def _load(
    name: str, spec: str, arguments: Mapping[str, Any], config: Any, placing: Placing | None
) -> tuple[Any, set[str], set[str]]:
    """A network by a class of transformers, the weights that it lacks, and those that it has no place for."""
    with loading(spec):
        transformers = model_library()
        kind: Any = getattr(transformers, name)
        folder, trusted = Path(arguments["pretrained_model_name_or_path"]), arguments["trust_remote_code"]
        is_own = folder.is_dir() and not trusted
        if is_own:
            config = config or transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        # of quantised weights several may share a byte
        if config is not None and getattr(config, "quantization_config", None) is None:
            build = partial(kind.from_config, trust_remote_code=trusted) if name.startswith("Auto") else kind
            empty = on_meta(partial(build, config))
            if is_own:
                require_enough(empty, folder, str(folder / "config.json"))
            arguments = {**arguments, **({} if placing is None else placing.arguments(empty))}
        network, found = kind.from_pretrained(**arguments)
        own_offloaded(network, spec)
    return network, _absent(found), set(found["unexpected_keys"])


def _classifier(placing: Placing, arguments: dict[str, Any], facts: dict[str, Any], config: Any) -> Teacher:
    spec, labels = placing.spec, config.id2label
    network, facts["unused"] = _whole_classifier(spec, arguments, config, placing)
    with loading(spec):
        facts["weights"] = weights_digest(network)
        try:
            student = SplitClassifier(network, spec=spec, input=facts["input"])
        except ModelError:
            return _hooked(spec, network, facts, labels)
    dim, classes = student.embedding_dim, student.classes
    return ClassifierTeacher(_classifier_info(dim, classes, facts, labels), student)


def _hooked(spec: str, network: nn.Module, facts: dict[str, Any], labels: Mapping[Any, str] | None) -> Teacher:
    path, dim, classes = hooked_path(network, as_taken(probe_pixels(facts["input"]), network), spec)
    return HookedClassifier(_classifier_info(dim, classes, facts, labels), network, path)


def _classifier_info(dim: int, classes: int, facts: dict[str, Any], labels: Mapping[Any, str] | None) -> TeacherInfo:
    names = class_names(labels, classes)
    return TeacherInfo(
        kind="classifier", embedding="penultimate", embedding_dim=dim, classes=classes, class_names=names, **facts
    )


def _encoder(
    placing: Placing, arguments: dict[str, Any], facts: dict[str, Any], embedding: str, config: Any
) -> Teacher:
    spec = placing.spec
    network, absent, unexpected = _load(encoder_class(config), spec, arguments, config, placing)
    if absent and all(name.startswith("pooler.") for name in absent):
        network.pooler = None  # the checkpoint has none: it would be random
        absent = set()
    require_weights(spec, absent, unexpected)
    facts["unused"] = unused_parts(spec, network, unexpected)
    drop_text_tower(network)
    own_memory(network)
    probe = as_taken(probe_pixels(facts["input"]), network)
    chosen, dim = choose(network.eval(), embedding, probe, spec)
    info = TeacherInfo(
        kind="encoder",
        embedding=chosen,
        embedding_dim=dim,
        classes=None,
        class_names=None,
        weights=weights_digest(network),
        **facts,
    )
    return EncoderTeacher(info, network)


def _absent(found: Mapping[str, Any]) -> set[str]:
    """Weights that the checkpoint lacks or has in another shape: transformers would leave them random."""
    mismatched = {key[0] if isinstance(key, tuple) else key for key in found["mismatched_keys"]}
    return set(found["missing_keys"]) | mismatched


def class_names(labels: Mapping[Any, str] | None, classes: int) -> tuple[str, ...] | None:
    """The names of a config's id2label in the order of the logits; None for placeholders such as LABEL_0."""
    by_index = {int(key): str(name) for key, name in (labels or {}).items()}
    names = tuple(by_index.get(index, f"LABEL_{index}") for index in range(classes))
    return None if any(name == f"LABEL_{index}" for index, name in enumerate(names)) else names


def config_json(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config as plain JSON, without paths, versions and class names; what is no number there is its text."""
    kept = {key: value for key, value in config.items() if key not in _NOT_KEPT}
    plain: dict[str, Any] = json.loads(json.dumps(kept, default=str), parse_constant=str)
    return plain
