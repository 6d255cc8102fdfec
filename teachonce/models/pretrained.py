"""Pretrained transformers models as teachers."""

from typing import Any

from teachonce.errors import ModelError
from teachonce.models.classifier import SplitClassifier, probe_pixels
from teachonce.models.encoders import CHOICES, EncoderTeacher, choose, drop_text_tower, embedding_width
from teachonce.models.frozen import ClassifierTeacher, Teacher, TeacherInfo, weights_digest
from teachonce.models.hub import loading, locate, weights_arguments
from teachonce.models.processor import load_processor, processor_json, translate


def load_pretrained(spec: str, *, embedding: str, trust_remote_code: bool, revision: str | None) -> Teacher:
    """A hub model or a transformers folder as a teacher, with the processor that belongs to it.

    It is a classifier when its config's architectures say so and `embedding` is auto or penultimate, else an encoder.

    Raises:
        ModelError: See `load_teacher`.
    """
    if embedding not in CHOICES:
        raise ModelError(f"no embedding {embedding!r}", f"Use one of {', '.join(CHOICES)}")
    where = locate(spec, revision=revision)
    with loading(spec):
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(**where, trust_remote_code=trust_remote_code)
    processor = load_processor(spec, where, trust_remote_code=trust_remote_code)
    given, view = translate(processor, spec)
    facts: dict[str, Any] = {
        "name": spec,
        "input": given,
        "view": view,
        "processor": processor_json(processor),
        "config": config.to_dict(),
    }
    arguments = {**where, **weights_arguments(trust_remote_code)}
    classifier = any("ForImageClassification" in name for name in config.architectures or ())
    if classifier and embedding in ("auto", "penultimate"):
        return _classifier(spec, arguments, facts)
    return _encoder(spec, arguments, facts, embedding)


def _classifier(spec: str, arguments: dict[str, Any], facts: dict[str, Any]) -> Teacher:
    with loading(spec):
        from transformers import AutoModelForImageClassification

        network, found = AutoModelForImageClassification.from_pretrained(**arguments)
        _require_weights(spec, found["missing_keys"] | found["mismatched_keys"])
        digest = weights_digest(network)
        student = SplitClassifier(network, spec=spec, input=facts["input"])
    info = TeacherInfo(
        kind="classifier",
        embedding="penultimate",
        embedding_dim=student.embedding_dim,
        classes=student.classes,
        class_names=class_names(facts["config"], student.classes),
        weights=digest,
        **facts,
    )
    return ClassifierTeacher(info, student)


def _encoder(spec: str, arguments: dict[str, Any], facts: dict[str, Any], embedding: str) -> Teacher:
    with loading(spec):
        from transformers import AutoModel

        network, found = AutoModel.from_pretrained(**arguments)
    missing = set(found["missing_keys"])
    if missing and all(name.startswith("pooler.") for name in missing):
        network.pooler = None  # it would be random
        missing = set()
    _require_weights(spec, missing)
    drop_text_tower(network)
    chosen = choose(network, embedding, spec)
    width = embedding_width(network, probe_pixels(facts["input"]), chosen, spec)
    info = TeacherInfo(
        kind="encoder",
        embedding=chosen,
        embedding_dim=width,
        classes=None,
        class_names=None,
        weights=weights_digest(network),
        **facts,
    )
    return EncoderTeacher(info, network)


def _require_weights(spec: str, missing: set[str]) -> None:
    if missing:
        first = ", ".join(sorted(map(str, missing))[:3])
        message = f"{spec!r} lacks {len(missing)} weights that its config asks for ({first}): they would be random"
        raise ModelError(message, "Use a complete checkpoint, or correct `architectures` in its config.json")


def class_names(config: dict[str, Any], classes: int) -> tuple[str, ...] | None:
    """The names of a config's id2label in the order of the logits; None for placeholders such as LABEL_0."""
    labels = {int(key): str(name) for key, name in (config.get("id2label") or {}).items()}
    names = tuple(labels.get(index, f"LABEL_{index}") for index in range(classes))
    return None if any(name == f"LABEL_{index}" for index, name in enumerate(names)) else names
