"""Whatever a store, a catalogue or a file says: a verdict, an identity, a plan or a sentence, never an exception."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.snapshot import STATUSES
from utils.snapshot.outcome import of_error
from utils.snapshot.plan import lie_under, picture_addresses, picture_identity

pytestmark = pytest.mark.hypothesis

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.text())
def test_every_message_has_a_verdict(message):
    verdict = of_error(message)
    assert verdict.status in STATUSES
    assert verdict.reason or not message


@given(st.integers(100, 599), st.text())
def test_a_status_is_judged_by_its_number_alone(status, rest):
    missing = of_error(f"status {status}").status == "missing"
    assert missing == (status in (404, 410))
    assert of_error(f"{rest.replace('status', '')} status {status}").status != "missing" or not rest


@given(st.one_of(st.none(), st.text(), st.integers(), st.just("http://[::1/"), st.just("//" + "a" * 5_000)))
def test_every_address_has_an_identity(address):
    assert isinstance(picture_identity(address), str)


@given(st.lists(st.one_of(st.none(), st.text(), st.just("file:///etc/passwd"), st.just("http://127.0.0.1:80/a.jpg"))))
def test_only_addresses_under_the_stores_are_allowed(addresses):
    allowed = picture_addresses("https://store.example/items/")
    assert not lie_under(pd.Series(addresses, dtype=object), allowed).any()


@given(st.text(alphabet="abc/.", min_size=1).map(lambda path: "https://store.example/items/" + path))
def test_no_address_climbs(address):
    allowed = picture_addresses("https://store.example/items/")
    assert lie_under(pd.Series([address]), allowed).item() == (".." not in address.split("/"))
