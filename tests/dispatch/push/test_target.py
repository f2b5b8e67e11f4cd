"""Where pushes may go."""

import pytest

from dispatch.push.target import BadTarget, Target

OUTSIDE = Target.of("https://push.example.org/kapok")
PUBLIC = "93.184.215.14"


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_public_address_is_called(address: str) -> None:
    """That very one: the name is not asked again."""
    assert OUTSIDE.permit([address]) == address


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.8",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 - an address to be refused, nothing is bound
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.8",
        "::ffff:127.0.0.1",
        "2002:0a00:0001::1",
    ],
)
def test_an_address_inside_is_refused_however_it_is_written(address: str) -> None:
    """A name of the outside that leads inside is an attack, or a mistake."""
    with pytest.raises(BadTarget):
        OUTSIDE.permit([address])


def test_one_address_inside_spoils_a_name() -> None:
    """Nobody knows which of them would be called."""
    with pytest.raises(BadTarget):
        OUTSIDE.permit([PUBLIC, "10.0.0.8"])


def test_a_name_without_an_address_leads_nowhere() -> None:
    """That is told like any other."""
    with pytest.raises(BadTarget):
        OUTSIDE.permit([])


def test_a_private_network_can_be_allowed() -> None:
    """An SMS gateway often stands in the same hall."""
    inside = Target.of("https://sms.internal/send", "10.1.0.0/16, fd00:1::/32")
    assert inside.permit(["10.1.2.3"]) == "10.1.2.3"
    assert inside.permit(["fd00:1::8"]) == "fd00:1::8"
    with pytest.raises(BadTarget):
        inside.permit(["10.2.0.1"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_is_called_when_it_is_named(host: str) -> None:
    """For tests and development; and it may then lead nowhere else."""
    here = Target.of(f"http://{host}:8111/push")
    assert here.permit(["127.0.0.1"]) == "127.0.0.1"
    with pytest.raises(BadTarget):
        here.permit(["10.0.0.8"])


def test_the_port_is_the_schemes_own_unless_one_is_given() -> None:
    """As in any URL."""
    assert OUTSIDE.port == 443
    assert Target.of("http://localhost/x").port == 80
    assert Target.of("https://push.example.org:8443/").port == 8443
