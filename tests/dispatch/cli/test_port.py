"""One port with several sockets: who knocks is let in where somebody listens."""

import socket
from collections.abc import Sequence
from contextlib import closing

import pytest

from dispatch.cli.codes import Failure
from dispatch.cli.port import BACKLOG, Port

HOST = "127.0.0.1"
MANY = 64


def ends(port: Port) -> Sequence[socket.socket]:
    """Return the sockets as workers would inherit them."""
    found = [socket.socket(fileno=socket.dup(port.fileno(n))) for n in range(port.sockets)]
    for each in found:
        each.setblocking(False)
    return found


def knock(port: Port, times: int = MANY) -> list[socket.socket]:
    """Connect so many times."""
    return [socket.create_connection((HOST, number(port))) for _ in range(times)]


def number(port: Port) -> int:
    """Return the port's number."""
    return int(port.url.rsplit(":", 1)[1])


def waiting(end: socket.socket) -> int:
    """Let in all who wait at a socket; return how many they were."""
    count = 0
    try:
        while True:
            end.accept()[0].close()
            count += 1
    except BlockingIOError:
        return count


def test_callers_are_dealt_out_among_the_sockets() -> None:
    """A free port is taken once, for all of them."""
    with Port.opened(HOST, 0, 2) as port:
        callers, (one, other) = knock(port), ends(port)
        at_one, at_other = waiting(one), waiting(other)
        assert at_one + at_other == MANY
        assert min(at_one, at_other) > 0
        for each in (*callers, one, other):
            each.close()


def test_callers_are_turned_away_from_a_socket_until_it_listens_again() -> None:
    """They go to the others, and none of them waits where nobody comes."""
    with Port.opened(HOST, 0, 2) as port:
        port.turn_away(0)
        callers, (one, other) = knock(port), ends(port)
        assert waiting(other) == MANY
        one.listen(BACKLOG)
        callers += knock(port)
        assert waiting(one) > 0
        for each in (*callers, one, other):
            each.close()


def test_callers_wait_at_the_only_socket() -> None:
    """There is nobody else to send them to: the next worker takes them."""
    with Port.opened(HOST, 0) as port:
        port.turn_away(0)
        callers, (one,) = knock(port, 3), ends(port)
        assert waiting(one) == 3
        for each in (*callers, one):
            each.close()


def test_a_closed_port_refuses() -> None:
    """Whatever stands in front asks another machine at once; nothing opens it again."""
    with Port.opened(HOST, 0, 2) as port:
        port.close()
        port.turn_away(1)
        with pytest.raises(ConnectionRefusedError):
            knock(port, 1)


@pytest.mark.parametrize("sockets", [1, 2])
@pytest.mark.parametrize("theirs", [1, 2])
def test_a_port_where_somebody_listens_is_not_shared(theirs: int, sockets: int) -> None:
    """Else two services on one machine would each have half of the other's callers."""
    with Port.opened(HOST, 0, theirs) as taken:
        ours = Port.opened(HOST, number(taken), sockets)
        with pytest.raises(Failure, match=rf"{number(taken)}.*in use"):
            ours.__enter__()


def test_an_address_of_the_newer_kind_is_written_in_brackets() -> None:
    """As in every address with a port."""
    with Port.opened("::1", 0) as port:
        assert port.url == f"http://[::1]:{number(port)}"
        with closing(socket.create_connection(("::1", number(port)))) as caller:
            assert caller.getpeername()[1] == number(port)
