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
        return [f"{told}: the live arm is slower than necessary, and the speed-up is exaggerated"]
    return [f"{told}, which is impossible: the machine was busy, measure again with more --rounds"]


def doubts_of_images(methods: Mapping[str, Mapping[str, Any]], rows: int, epoch_rows: int) -> list[str]:
    """Of where images are kept, here and in an epoch; what all methods share is told once."""
    notes = (note for method in methods.values() for note in _of_images(method["arms"], rows, epoch_rows))
    return list(dict.fromkeys(notes))


def _of_images(arms: Mapping[str, Any], rows: int, epoch_rows: int) -> list[str]:
    places = {arm: found["images"]["where"] for arm, found in arms.items()}
    told = []
    if len(set(places.values())) > 1:
        where = ", ".join(f"{arm} {place}" for arm, place in places.items())
        told.append(
            f"arms keep their images in different places ({where}), depending on free memory: they are not comparable"
        )
    here, then = places["constant"], arms["constant"]["images_at_epoch"]["where"]
    if here != then:
        told.append(
            f"images were kept in memory ({here}), {rows:,} rows of them; an epoch's {epoch_rows:,} would be "
            f"{then} here, and a step then waits for them where they come too slowly"
        )
    return told
