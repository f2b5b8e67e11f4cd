"""The phones other processes hold."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch.live.elsewhere import Change, Elsewhere, There
from dispatch.ports import NodeId
from schemas.base import DeviceId, UnitId
from schemas.wire import Activity

A, B = NodeId("a"), NodeId("b")
D1, D2 = DeviceId("d1"), DeviceId("d2")
U = UnitId("u")


def there(at_ms: float = 1.0, *, quiet: bool = False) -> There:
    """Return a phone of the unit since an instant."""
    return There(U, at_ms, "i", quiet)


def test_a_phone_is_found_where_it_was_told() -> None:
    """With what its app can do."""
    phones = Elsewhere()
    phones.put(A, D1, there())
    found = phones.find(D1)
    assert found is not None
    assert found.activity is Activity.FOREGROUND
    assert (phones.find(D2), len(phones)) == (None, 1)
    assert phones.holders([D1, D2]) == {A: [D1]}


def test_a_phone_counts_once_for_its_unit() -> None:
    """Told again, it is counted out and in."""
    phones = Elsewhere()
    assert phones.put(A, D1, there()) == [Change(U, 1, 0)]
    assert phones.put(A, D1, there(quiet=True)) == [Change(U, -1, 0), Change(U, 1, 1)]
    assert phones.forget(D1) == [Change(U, -1, -1)]
    assert phones.forget(D1) == []


def test_the_later_hello_counts() -> None:
    """Word of an older one that comes late changes nothing."""
    phones = Elsewhere()
    phones.put(B, D1, there(2.0))
    assert phones.put(A, D1, there(1.0)) == []
    assert phones.holders([D1]) == {B: [D1]}
    phones.put(A, D1, there(3.0))
    assert phones.holders([D1]) == {A: [D1]}


def test_who_lost_a_phone_may_say_so_late() -> None:
    """It is held by another by then."""
    phones = Elsewhere()
    phones.put(A, D1, there(1.0))
    phones.put(B, D1, there(2.0))
    assert phones.forget(D1, A) == []
    assert phones.forget(D1, B) == [Change(U, -1, 0)]


def test_a_whole_picture_takes_the_place_of_what_was_told() -> None:
    """What is not in it is gone; what another process holds stays."""
    phones = Elsewhere()
    phones.put(A, D1, there())
    phones.put(B, DeviceId("d3"), there())
    assert phones.replace(A, {D2: there()}) == [Change(U, -1, 0), Change(U, 1, 0)]
    assert phones.holders([D1, D2, DeviceId("d3")]) == {A: [D2], B: ["d3"]}


def test_a_process_that_ended_holds_nothing() -> None:
    """Its phones count out."""
    phones = Elsewhere()
    phones.put(A, D1, there())
    phones.put(A, D2, there(quiet=True))
    assert phones.drop(A) == [Change(U, -1, 0), Change(U, -1, -1)]
    assert len(phones) == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from([A, B]),
            st.sampled_from([D1, D2]),
            st.none() | st.tuples(st.integers(0, 5), st.booleans()),
        )
    )
)
def test_the_changes_add_up_to_what_is_held(
    told: list[tuple[NodeId, DeviceId, tuple[int, bool] | None]],
) -> None:
    """Whatever is told in whatever order."""
    phones, online, quiet = Elsewhere(), 0, 0
    for node_id, device_id, facts in told:
        if facts is None:
            changes = phones.forget(device_id, node_id)
        else:
            changes = phones.put(node_id, device_id, there(facts[0], quiet=facts[1]))
        online += sum(change.online for change in changes)
        quiet += sum(change.quiet for change in changes)
    held = [found for d in (D1, D2) if (found := phones.find(d))]
    assert (online, quiet) == (len(held), sum(found.quiet for found in held))


def test_of_two_hellos_at_one_instant_the_greater_process_counts() -> None:
    """In whatever order their words come: as by the store."""
    for order in ((A, B), (B, A)):
        phones = Elsewhere()
        for node_id in order:
            phones.put(node_id, D1, there(1.0))
        assert phones.holders([D1]) == {B: [D1]}


def test_of_whom_something_newer_is_known_a_whole_picture_says_nothing() -> None:
    """Neither that he is there, nor that he is not."""
    phones = Elsewhere()
    phones.put(A, D1, there(5.0))
    assert phones.replace(A, {D2: there(1.0)}, {D1, D2}) == []
    assert list(phones) == [there(5.0)]
