from tests.soak.trial import Fault
FAULT = Fault(lambda seed, count, sound: [], full=0, part=0)
