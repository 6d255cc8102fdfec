"""What is to be done about the RDMs of a recipe, found out without training any."""

from teachonce.engine.rdm.job import open_job
from teachonce.engine.rdm.names import named
from teachonce.engine.stage_one.job import store_at
from teachonce.errors import StoreError
from teachonce.events import SILENT
from teachonce.options.make import make
from teachonce.options.rdm import RdmOptions
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import Verdict
from teachonce.pipeline.steps import Step


def judge_rdm(step: Step, facts: Facts) -> Verdict:
    """Sealed RDMs of the same settings and parent are reused; a target of such a name from other things is refused.

    Raises:
        TeachonceError: The settings, or what the store has to learn from, cannot be used.
    """
    options = make(RdmOptions, step.options)
    try:
        if store_at(options.store) is None:
            return Verdict(action="run", reason="there is no store yet")
        known = open_job(options, SILENT).known()
    except StoreError as error:
        return Verdict(action="refuse", reason=error.message)
    names = named(options.distortion_weight)
    sealed = [name for name, record in known.items() if record.sealed]
    if len(sealed) == len(names):
        return Verdict(action="reuse", reason="sealed, of the same settings and teacher")
    begun = [name for name in known if name not in sealed]
    missing = [name for name in names if name not in known]
    told = [f"the store has no target {', '.join(missing)}"] if missing else []
    told += [f"{', '.join(begun)} was begun and resumes"] if begun else []
    return Verdict(action="run", reason="; ".join(told))
