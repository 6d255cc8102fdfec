"""What is to be done about the RDMs of a recipe, found out without training any."""

from pathlib import Path

from teachonce.cache.targets import target_names
from teachonce.engine.optim import OptimConfig
from teachonce.engine.rdm.settings import RdmConfig
from teachonce.engine.stage_one.job import store_at
from teachonce.errors import StoreError
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
    """RDMs of the same settings and parent are reused; a target of that name made from other things is refused."""
    config = rdm_config(step)
    try:
        store = store_at(config.store)
        if store is None:
            return Verdict(action="run", reason="there is no store yet")
        missing = [name for name in config.names if name not in target_names(store.path)]
    except StoreError as error:
        return Verdict(action="refuse", reason=error.message)
    if missing:
        return Verdict(action="run", reason=f"the store has no target {', '.join(missing)}")
    return Verdict(action="run", reason="their settings are compared")
