"""The settings of a service: what an environment may say, and what is refused."""

from pathlib import Path
from typing import Final

import pytest

from dispatch.settings import (
    SECRET_LEAST,
    WORKERS_MOST,
    BadSetting,
    Secret,
    Settings,
    bus_servers,
    is_local,
    read,
)

SECRET: Final = "s" * SECRET_LEAST
WEBHOOK: Final = {"KAPOK_PUSH_URL": "https://push.example.org/kapok", "KAPOK_PUSH_SECRET": SECRET}


def refused(**environment: str) -> str:
    """Return why an environment is refused."""
    with pytest.raises(BadSetting) as told:
        read(environment)
    return str(told.value)


def test_everything_has_a_default() -> None:
    """An empty variable counts as absent."""
    assert read({}) == Settings()
    assert read({"KAPOK_PORT": "", "DATABASE_URL": ""}) == Settings()


def test_an_option_goes_before_its_variable() -> None:
    """The nearer word wins."""
    assert read({"KAPOK_PORT": "1"}, port=2).port == 2
    assert read({"KAPOK_PORT": "1", "KAPOK_DATA": "there"}).data == Path("there")


def test_what_cannot_be_is_refused_with_its_name() -> None:
    """The reader is told which variable to look at."""
    assert refused(KAPOK_PORT="many").startswith("KAPOK_PORT")
    assert refused(KAPOK_SMS_PER_HOUR="-1").startswith("KAPOK_SMS_PER_HOUR")
    with pytest.raises(BadSetting, match="KAPOK_DATA"):
        read({}, data=5)


def test_a_webhook_has_an_address_and_a_secret() -> None:
    """No SMS budget of one's own is a hundred an hour."""
    settings = read(WEBHOOK)
    assert (settings.push_url, settings.push_secret) == tuple(WEBHOOK.values())
    assert settings.sms_per_hour == 100


@pytest.mark.parametrize("secret", ["", "s" * (SECRET_LEAST - 1)])
def test_a_webhook_without_a_good_secret_is_refused(secret: str) -> None:
    """A short one is guessed; and it is not shown."""
    told = refused(**{**WEBHOOK, "KAPOK_PUSH_SECRET": secret})
    assert told.startswith("KAPOK_PUSH_SECRET")
    assert not secret or secret not in told


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example.org/",
        "http://10.0.0.8/",
        "ftp://push.example.org/",
        "push.example.org/kapok",
        "https:///kapok",
        "https://user:word@push.example.org/",
        "https://push.example.org:99999/",
        "https://[fe80/",
    ],
)
def test_an_address_that_is_not_https_or_this_machine_is_refused(url: str) -> None:
    """Pushes are signed; only TLS hides them."""
    assert refused(**{**WEBHOOK, "KAPOK_PUSH_URL": url}).startswith("KAPOK_PUSH_URL")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8111/", "http://localhost/x", "http://[::1]:1/"])
def test_this_machine_may_be_called_without_tls(url: str) -> None:
    """For tests and development."""
    assert read({**WEBHOOK, "KAPOK_PUSH_URL": url}).push_url == url


def test_a_secret_can_stand_in_a_file(tmp_path: Path) -> None:
    """White space around it is not of it: editors end files with a new line."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    given = {"KAPOK_PUSH_URL": WEBHOOK["KAPOK_PUSH_URL"], "KAPOK_PUSH_SECRET_FILE": str(file)}
    assert read(given).push_secret == SECRET


def test_a_secret_in_a_file_and_beside_it_is_refused(tmp_path: Path) -> None:
    """Nobody knows which one counts."""
    given = {**WEBHOOK, "KAPOK_PUSH_SECRET_FILE": str(tmp_path / "secret")}
    assert "give one of them" in refused(**given)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, or no text at all."""
    assert refused(KAPOK_PUSH_URL_FILE=str(tmp_path / "404")).startswith("KAPOK_PUSH_URL_FILE")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert refused(KAPOK_PUSH_URL_FILE=str(tmp_path / "bytes")).startswith("KAPOK_PUSH_URL_FILE")


def test_allowed_networks_are_networks() -> None:
    """One that is misspelt would otherwise be found out by the first push."""
    assert read({"KAPOK_PUSH_ALLOW": "10.1.0.0/16, fd00::/8,"}).push_allow
    assert refused(KAPOK_PUSH_ALLOW="10.1.0.1/16").startswith("KAPOK_PUSH_ALLOW")


def test_a_secret_shows_itself_to_nobody_by_accident() -> None:
    """Settings are printed when something goes wrong."""
    assert SECRET not in repr(read(WEBHOOK))
    assert Secret(SECRET) == SECRET


def test_this_machine_is_known_by_its_very_names() -> None:
    """A name that only leads here is not one of them."""
    assert [host for host in ("localhost", "127.0.0.9", "::1") if not is_local(host)] == []
    assert [host for host in ("10.0.0.1", "here.example.org", "") if is_local(host)] == []


def test_the_oldest_apps_are_names_with_versions() -> None:
    """Told at the start, not when a phone comes."""
    assert read({"KAPOK_OLDEST_APPS": "mini=2.3,安卓=1.10"}).oldest_apps == "mini=2.3,安卓=1.10"
    for text in ("mini", "mini=", "=1", "mini=x", "mini=1,,"):
        with pytest.raises(BadSetting, match="KAPOK_OLDEST_APPS"):
            read({"KAPOK_OLDEST_APPS": text})


def test_a_router_is_asked_where_one_is_named() -> None:
    """Within one machine or network it may be plain http."""
    assert read({"ROUTER_URL": "http://valhalla:8002"}).router_url == "http://valhalla:8002"
    assert read({}).router_url is None


@pytest.mark.parametrize("url", ["valhalla:8002", "ftp://valhalla", "http://", "http://v:99999"])
def test_a_router_without_an_address_is_refused(url: str) -> None:
    """One that can never be asked would be missed by nobody."""
    with pytest.raises(BadSetting, match="ROUTER_URL"):
        read({"ROUTER_URL": url})


@pytest.mark.parametrize("count", ["0", str(WORKERS_MOST + 1), "two"])
def test_a_machine_has_a_few_workers(count: str) -> None:
    """One where nothing is said; none, or a crowd, is a mistake."""
    assert (read({}).workers, read({"KAPOK_WORKERS": "2"}).workers) == (1, 2)
    assert refused(KAPOK_WORKERS=count).startswith("KAPOK_WORKERS")


def test_a_bus_has_addresses() -> None:
    """One or several; none is the bus of one process."""
    assert bus_servers(read({}).bus_url) == ()
    text = "nats://10.0.0.1, tls://kapok:word@bus.example.org:4223"
    settings = read({"BUS_URL": text})
    assert bus_servers(settings.bus_url) == tuple(text.split(", "))
    assert "word" not in repr(settings)


def test_the_servers_of_a_bus_share_the_first_ones_name_and_password() -> None:
    """As they do in a cluster."""
    servers = bus_servers("tls://u:word@a:1,b:2,[fd00::1]:3")
    assert servers == ("tls://u:word@a:1", "tls://u:word@b:2", "tls://u:word@[fd00::1]:3")


@pytest.mark.parametrize(
    "url",
    ["http://u:word@a", "a:4222", "nats://", "nats://u:wo/rd@a:x", ",", "nats://a,,b", "tls://a:0"],
)
def test_a_bus_without_an_address_is_refused(url: str) -> None:
    """And no password is told."""
    told = refused(BUS_URL=url)
    assert told.startswith("BUS_URL")
    assert "wo" not in told


def test_the_address_of_a_bus_can_stand_in_a_file(tmp_path: Path) -> None:
    """It may hold a password."""
    (tmp_path / "bus").write_text("nats://u:word@a\n", encoding="utf-8")
    assert read({"BUS_URL_FILE": str(tmp_path / "bus")}).bus_url == "nats://u:word@a"


def test_the_canary_is_on_or_off() -> None:
    """On where nothing is said; anything else is a mistake to be told of."""
    assert (read({}).canary, read({"KAPOK_CANARY": "off"}).canary) == ("on", "off")
    with pytest.raises(BadSetting, match="KAPOK_CANARY"):
        read({"KAPOK_CANARY": "sometimes"})
