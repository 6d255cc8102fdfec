"""What is to be done about the RDMs of a recipe, found out without training any."""

from pathlib import Path

from teachonce.engine.optim import OptimConfig
from teachonce.engine.rdm.job import open_job
from teachonce.engine.rdm.settings import RdmConfig
from teachonce.engine.stage_one.job import store_at
from teachonce.errors import StoreError
from teachonce.events import SILENT
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import Verdict
from teachonce.pipeline.steps import Step


def rdm_config(step: Step) -> RdmConfig:
    """The RDMs that a step asks for."""
    given = dict(step.options)
    optim = {name: given[name] for name in OptimConfig.__dataclass_fields__ if name in given}
    optim |= {"milestones": tuple(optim["milestones"])} if "milestones" in optim else {}
    rest = {name: given[name] for name in RdmConfig.__dataclass_fields__ if name in given and name != "optim"}
    rest |= {"store": Path(rest["store"]), "distortion_weight": tuple(rest["distortion_weight"])}
    return RdmConfig(**rest, optim=OptimConfig(**{"weight_decay": 0.0, **optim}))


def judge_rdm(step: Step, facts: Facts) -> Verdict:
    """Sealed RDMs of the same settings and parent are reused; a target of such a name from other things is refused.

    Raises:
        TeachonceError: The settings, or what the store has to learn from, cannot be used.
    """
    config = rdm_config(step)
    try:
        if store_at(config.store) is None:
            return Verdict(action="run", reason="there is no store yet")
        known = open_job(config, SILENT).known()
    except StoreError as error:
        return Verdict(action="refuse", reason=error.message)
    sealed = [name for name, record in known.items() if record.sealed]
    if len(sealed) == len(config.names):
        return Verdict(action="reuse", reason="sealed, of the same settings and teacher")
    begun = [name for name in known if name not in sealed]
    missing = [name for name in config.names if name not in known]
    told = [f"the store has no target {', '.join(missing)}"] if missing else []
    told += [f"{', '.join(begun)} was begun and resumes"] if begun else []
    return Verdict(action="run", reason="; ".join(told))
