"""What a reader must know before the numbers are believed."""

from collections.abc import Iterable

from teachonce.benchmarks.live.records import Arms, LiveCheck, MethodResult


def doubts(name: str, check: LiveCheck | None) -> list[str]:
    """Of one method: a live arm that is not its parts."""
    if check is None or check.within:
        return []
    told = f"{name}: a live step takes {check.ratio:.2f} times its teacher's forward and the student's step"
    if check.is_too_slow:
        return [f"{told}: the live arm is slower than necessary, and the speed-up is exaggerated"]
    return [f"{told}, which is impossible: the machine was busy, measure again with more --rounds"]


def doubts_of_images(methods: Iterable[MethodResult], rows: int, epoch_rows: int) -> list[str]:
    """Of where images are kept, here and in an epoch; what all methods share is told once."""
    notes = (note for method in methods for note in _of_images(method.arms, rows, epoch_rows))
    return list(dict.fromkeys(notes))


def _of_images(arms: Arms, rows: int, epoch_rows: int) -> list[str]:
    places = {name: arm.images.where for name, arm in arms.each.items() if arm.images is not None}
    told = []
    if len(set(places.values())) > 1:
        where = ", ".join(f"{arm} {place}" for arm, place in places.items())
        told.append(
            f"arms keep their images in different places ({where}), depending on free memory: they are not comparable"
        )
    then = None if arms.constant is None else arms.constant.images_at_epoch
    if then is not None and then.where != (here := places["constant"]):
        told.append(
            f"images were kept in memory ({here}), {rows:,} rows of them; an epoch's {epoch_rows:,} would be "
            f"{then.where} here, and a step then waits for them where they come too slowly"
        )
    return told
