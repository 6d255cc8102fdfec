"""All faults by name, in the order in which they are tried."""

from tests.soak import copies, disk, flips, hostile, kills, power, writers
from tests.soak.trial import Fault

FAULTS: dict[str, Fault] = {
    "kills": kills.FAULT,
    "disk": disk.FAULT,
    "power": power.FAULT,
    "flips": flips.FAULT,
    "copies": copies.FAULT,
    "writers": writers.FAULT,
    "hostile": hostile.FAULT,
}
