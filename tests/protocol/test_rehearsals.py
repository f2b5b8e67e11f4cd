"""What an app must do, as golden transcripts, is what the reference client does."""

from pathlib import Path

import pytest

from dispatch.phone.rehearsal import Close, Cue, Holds, Rehearsal
from dispatch.phone.transcript import BadTranscript, Mismatch, read_as
from tests.dispatch.core.cases import ids

HERE = Path(__file__).parent / "app"
TRANSCRIPTS = sorted(HERE.glob("*.jsonl"))


def play(cues: list[Cue], dice: float = 0.0) -> None:
    """Play cues to a client of its own."""
    Rehearsal(ids(), dice).play(cues)


@pytest.mark.parametrize("dice", [0.0, 0.5, 0.999999])
@pytest.mark.parametrize("file", TRANSCRIPTS, ids=lambda file: file.stem)
def test_the_reference_client_does_what_the_transcript_says(file: Path, dice: float) -> None:
    """Whatever the dice say: a wait is held against its whole window."""
    cues = read_as(Cue, file.read_text())
    play(cues, dice)
    assert any(cue.says is not None or cue.tells is not None or cue.closes for cue in cues)


HELLO = Cue(opens=True, says={"t": "hello"})
WELCOME = Cue(
    hears={"t": "welcome", "epoch": "e1", "rec": True, "head": 4, "state": {"duty": "on"}}
)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Cue(says={"t": "duty"}), "step 3: it says nothing, where duty is wanted"),
        (Cue(acked=5), "the ack is 4, not 5"),
        (Cue(hung_up=True), "the line hung up is False, not True"),
        (Cue(tells=[{"ring": "o1"}]), "frame is"),
        (Cue(holds=Holds(offers=["o1"])), "offers is"),
        (Cue(every_s=7), "its cadence is 60, not 7"),
        (Cue(located=True), "the wish for a fix is False"),
        (
            Cue(does={"t": "duty", "id": "0123456789abcdef", "s": "on"}, silent=True),
            "what it says is",
        ),
        (Cue(closes=Close(code=4106), back=(7.0, 8.0)), "it comes back in 0.0 s"),
        (Cue(closes=Close(code=4106), never=True), "the wait is 0.0, not None"),
    ],
)
def test_an_app_that_does_otherwise_is_found_out(wrong: Cue, said: str) -> None:
    """The step is named, and what it did."""
    with pytest.raises(Mismatch, match=said):
        play([HELLO, WELCOME, wrong])


def test_a_line_that_is_no_cue_is_named_by_its_number() -> None:
    """A typing mistake is no silent pass."""
    with pytest.raises(BadTranscript, match="line 2"):
        read_as(Cue, '{"opens": true}\n{"heers": {}}\n')
