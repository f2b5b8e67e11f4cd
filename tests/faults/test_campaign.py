"""The long campaign, in small: it comes to its end, with its report, and finds nothing wrong."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from tests.faults.outcome import Outcome

pytestmark = [pytest.mark.asyncio, pytest.mark.faults, pytest.mark.postgres, pytest.mark.long]


async def test_a_short_campaign_loses_nothing(tmp_path: Path) -> None:
    """Some kills in each act, and every rule holds."""
    report = tmp_path / "report.json"
    campaign = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.campaign", "--kills", "6", "--messages", "3000"),
        *("--phones", "60", "--for", "60", "--deaf", "60", "--json", str(report)),
    )
    code = await campaign.wait()
    outcome = msgspec.json.decode(report.read_bytes(), type=Outcome)
    assert outcome.violations == {}
    assert code == 0
