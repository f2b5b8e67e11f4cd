"""What commands ask of a service, and what they say when it refuses or is not there."""

import socket
from pathlib import Path

import httpx
import pytest

from dispatch.cli.asked import Asked, read_weights
from dispatch.cli.codes import Away, Failure

PATHS = ["gz.a.x", "gz.a.y", "gz.b"]


def refusing(status: int, body: str) -> Asked:
    """Return a service that answers so."""
    answer = httpx.MockTransport(lambda _: httpx.Response(status, text=body))
    return Asked("http://kapok", "kk_x", answer)


def test_a_refusal_is_told_in_its_words() -> None:
    """Or by its status, where something else answered."""
    problem = (
        '{"type":"/problems/x","title":"x","status":403,"code":"forbidden","detail":"not yours"}'
    )
    with pytest.raises(Failure, match="not yours"):
        refusing(403, problem).coverage(None, None)
    with pytest.raises(Failure, match="status 502"):
        refusing(502, "<html>").grids(None)


def test_a_service_that_is_not_there_is_away() -> None:
    """With the address that was asked."""
    with socket.create_server(("127.0.0.1", 0)) as port:
        url = f"http://127.0.0.1:{port.getsockname()[1]}"
    with Asked(url, "kk_x") as service, pytest.raises(Away, match=url):
        service.grids(None)


def test_without_weights_all_grids_count_alike() -> None:
    """How many people live in one is not known."""
    assert read_weights(None, PATHS).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("path,weight\ngz.a,2\ngz.a.y, 5.5\n\n", [2.0, 5.5, 0.0]),
        ("gz,1\ngz.b,0\n", [1.0, 1.0, 0.0]),
        ("\ufeffpath,weight\n", [0.0, 0.0, 0.0]),
    ],
)
def test_a_weight_is_that_of_the_nearest_path(
    tmp_path: Path, text: str, weights: list[float]
) -> None:
    """What is named nowhere counts nothing."""
    file = tmp_path / "weights.csv"
    file.write_text(text, encoding="utf-8")
    assert read_weights(file, PATHS).tolist() == weights


@pytest.mark.parametrize("line", ["gz.a,-1", "gz.a,much", "gz.a,inf", "gz.a", "GZ,1"])
def test_a_bad_weight_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    """Nothing is guessed."""
    file = tmp_path / "weights.csv"
    file.write_text(f"path,weight\n{line}\n", encoding="utf-8")
    with pytest.raises(Failure, match="line 2"):
        read_weights(file, PATHS)
