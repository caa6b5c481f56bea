"""How often a process that has begun looks for garbage: nearly all of it goes without, with what refers to it."""

import gc
from typing import Final

# Python looks after every 700 objects that stay. A shard makes a hundred thousand, and hardly a cycle among them; a
# night took a tenth of its processor time for looking.
_OBJECTS: Final = 10_000


def look_for_it_rarely() -> None:
    """Leave what is loaded by now alone, and look at what is made from now on after some 10,000 objects each."""
    # What is loaded stays to the end: to look for garbage in it takes a sixth of the time of a large answer.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])
    gc.enable()  # a start goes without (`commands`)
