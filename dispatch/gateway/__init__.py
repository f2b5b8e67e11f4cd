"""The unit socket: phones over websockets, from the first byte to the desk and back."""

from dispatch.gateway.door import Server
from dispatch.gateway.hub import Hub, Stats
from dispatch.gateway.phones import Phones
from dispatch.gateway.protocol import UnitProtocol
from dispatch.gateway.server import UNIT_PATH, UnitSocket

__all__ = ["UNIT_PATH", "Hub", "Phones", "Server", "Stats", "UnitProtocol", "UnitSocket"]
