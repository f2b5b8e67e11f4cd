"""Roads as they come from a map: ways along nodes, before anything is contracted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]
Numbers = NDArray[np.int32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Ways:
    """N nodes and W ways along them; ways meet only at a node that both name."""

    node_lon: Doubles
    """N degrees, WGS-84."""
    node_lat: Doubles
    node_barred: Bytes
    """N masks; bit t is set where travel t cannot pass the node: a gate, a bollard."""
    way_first: Numbers
    """W + 1 indexes; way w runs along `way_node[way_first[w]:way_first[w + 1]]`."""
    way_node: Numbers
    way_class: Bytes
    """W indexes of `CLASSES`."""
    way_mps: Singles
    """4 x 2 x W metres per second, by travel and direction (along, against); 0 = closed."""
