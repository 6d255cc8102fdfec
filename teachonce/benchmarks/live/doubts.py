"""What a reader must know before the numbers are believed."""

from collections.abc import Mapping
from typing import Any


def doubts(name: str, method: Mapping[str, Any]) -> list[str]:
    """Of one method: arms that do not compare."""
    check = method["live_check"]
    if check["within"]:
        return []
    told = f"{name}: a live step takes {check['ratio']:.2f} times its teacher's forward and the student's step"
    if check["ratio"] > check["limit"]:
        return [f"{told}: the live arm is slower than it must be, and the speed-up flatters the cache"]
    return [f"{told}, which cannot be: the machine was busy, measure again with more --rounds"]


def doubts_of_data(methods: Mapping[str, Mapping[str, Any]], rows: int, epoch_rows: int) -> list[str]:
    """Of where the data are kept: images are those of all methods, targets each one's own; nothing is told twice."""
    notes = (note for method in methods.values() for note in _of_data(method["arms"], rows, epoch_rows))
    return list(dict.fromkeys(notes))


def _of_data(arms: Mapping[str, Any], rows: int, epoch_rows: int) -> list[str]:
    places = {arm: found["images"]["where"] for arm, found in arms.items()}
    told = []
    if len(set(places.values())) > 1:
        where = ", ".join(f"{arm} {place}" for arm, place in places.items())
        told.append(f"arms keep their images in different places ({where}), as memory was free: they do not compare")
    for what, arm in (("images", "constant"), ("targets", "cached")):
        here, then = arms[arm][what]["where"], arms[arm][f"{what}_at_epoch"]["where"]
        if here != then:
            told.append(
                f"{what} were kept in memory ({here}), {rows:,} rows of them; an epoch's {epoch_rows:,} would be "
                f"{then} here, and a step then waits for them where they come too slowly"
            )
    return told
