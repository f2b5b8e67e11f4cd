"""One signed request to a real receiver, which answers well, badly, twice or never."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dispatch.push.target import Target
from dispatch.push.verdict import Heard
from dispatch.push.webhook import Webhook
from dispatch.trace import traced
from tests.dispatch.push.letters import SECRET, claimed
from tests.dispatch.push.receiver import OK, Receiver, answer, receiver
from tests.fakes import ManualClock

pytestmark = pytest.mark.asyncio
SOON_S = 0.2


class Looked(Webhook):
    """A webhook whose name leads to this machine, whatever the name is."""

    async def _addresses(self) -> list[str]:
        return ["127.0.0.1"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of push.example.org and its key, made for this run."""
    if shutil.which("openssl") is None:
        pytest.skip("there is nothing to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "certificate.pem", folder / "key.pem"
    order = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test"
    name = "subjectAltName=DNS:push.example.org"
    files = ["-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run([*order.split(), "-addext", name, *files], check=True, capture_output=True)
    return made


@pytest_asyncio.fixture
async def there() -> AsyncIterator[Receiver]:
    """A receiver on a socket."""
    async with receiver() as one:
        yield one


async def heard_from(url: str, *, within_s: float = 5.0) -> Heard:
    """Send one push, and return what was said."""
    async with Webhook(Target.of(url), SECRET, lambda: "e1", ManualClock(), within_s) as webhook:
        return await webhook.send(claimed())


async def test_a_push_arrives_signed_and_with_its_key(there: Receiver) -> None:
    """As a receiver needs it to trust it, and to know it again."""
    assert (await heard_from(there.url)).status == 204
    [request] = there.requests
    assert request.is_ours
    assert request.key == "e1:d1:1:push"
    assert request.told["payload"]["oid"] == "o1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{there.port}"


async def test_a_push_bears_the_trace_it_is_sent_under(there: Receiver) -> None:
    """So that the receiver's log and ours are of one try; without one it bears none."""
    await heard_from(there.url)
    with traced("ab" * 16):
        await heard_from(there.url)
    bore = [request.headers.get("traceparent") for request in there.requests]
    assert bore == [None, f"00-{'ab' * 16}-{'ab' * 8}-00"]


async def test_a_refusal_is_heard_with_its_status_and_pause(there: Receiver) -> None:
    """The pause that is asked for is told on."""
    there.will(answer("503 Service Unavailable", "Retry-After: 7"))
    assert await heard_from(there.url) == Heard(status=503, note="503", retry_after_s=7.0)


@pytest.mark.parametrize("pause", ["Sat, 21 Nov 2026 08:00:00 GMT", "-5", "1e9", "٣"])
async def test_a_pause_that_is_no_number_of_seconds_is_none(there: Receiver, pause: str) -> None:
    """A date is not worth a clock that may be another's."""
    there.will(answer("429 Too Many Requests", f"Retry-After: {pause}").encode().decode("latin-1"))
    assert (await heard_from(there.url)).retry_after_s == 0.0


async def test_a_receiver_that_keeps_silent_is_given_up(there: Receiver) -> None:
    """After the time there is, and nothing is raised."""
    there.will("hang")
    assert await heard_from(there.url, within_s=SOON_S) == Heard(status=None, note="timeout")


async def test_a_receiver_that_trickles_is_given_up(there: Receiver) -> None:
    """The time is for all of it together, not for every byte."""
    there.will("HTTP/1.1 200 OK\r\nX: ")
    assert (await heard_from(there.url, within_s=SOON_S)).status is None


async def test_a_receiver_that_hangs_up_is_heard_as_nothing(there: Receiver) -> None:
    """Whether it took the push is not known: it goes out again."""
    there.will("drop")
    assert (await heard_from(there.url)).status is None


async def test_nonsense_is_heard_as_nothing(there: Receiver) -> None:
    """Something else listens there."""
    there.will("SSH-2.0-OpenSSH_9.6\r\n\r\n")
    assert (await heard_from(there.url)).status is None


async def test_nobody_listening_is_heard_as_nothing() -> None:
    """A port nobody has opened."""
    async with receiver() as one:
        url = one.url
    assert (await heard_from(url)).status is None


async def test_a_second_answer_is_never_taken_for_the_next_push(there: Receiver) -> None:
    """The next push has a connection, and an answer, of its own."""
    there.will(OK + OK, answer("503 Service Unavailable"))
    async with Webhook(Target.of(there.url), SECRET, lambda: "e1", ManualClock()) as webhook:
        assert (await webhook.send(claimed(seq=1))).status == 204
        assert (await webhook.send(claimed(seq=2))).status == 503


async def test_a_redirect_is_not_followed(there: Receiver) -> None:
    """It would lead to an address nobody has looked at."""
    async with receiver() as other:
        there.will(answer("307 Temporary Redirect", f"Location: {other.url}"))
        assert (await heard_from(there.url)).status == 307
        assert other.requests == []


async def test_a_name_that_leads_inside_is_not_called(there: Receiver) -> None:
    """The rule is about the address a name has, not about the name."""
    target = Target(url=there.url, host="push.example.org", port=there.port)
    looked_up = Looked(target, SECRET, lambda: "e1", ManualClock())
    async with looked_up:
        assert await looked_up.send(claimed()) == Heard(status=None, note="forbidden_address")
    assert there.requests == []


@pytest.mark.parametrize(
    ("host", "status"), [("push.example.org", 204), ("other.example.org", None)]
)
async def test_the_certificate_has_to_be_of_the_name_not_of_the_address(
    certificate: tuple[Path, Path], host: str, status: int | None
) -> None:
    """The address was chosen by us; only the name was chosen by whoever set up the webhook."""
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(*certificate)
    async with receiver(ours) as there:
        target = Target.of(f"https://{host}:{there.port}/push", "127.0.0.0/8")
        trusted = ssl.create_default_context(cafile=certificate[0])
        async with Looked(target, SECRET, lambda: "e1", ManualClock(), trusted=trusted) as webhook:
            assert (await webhook.send(claimed())).status == status
        assert len(there.requests) == (status is not None)
        assert all(r.headers["host"] == f"{host}:{there.port}" for r in there.requests)


async def test_a_long_answer_is_not_read_on(there: Receiver) -> None:
    """Of an answer only the status counts."""
    there.will(f"HTTP/1.1 200 OK\r\nContent-Length: {2**40}\r\n\r\n{'x' * 100_000}")
    async with asyncio.timeout(5):
        assert (await heard_from(there.url)).status == 200
