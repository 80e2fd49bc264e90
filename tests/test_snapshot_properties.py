"""Whatever a store, a catalogue or a file says: a verdict, an identity, a plan or a sentence, never an exception."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.snapshot import STATUSES
from utils.snapshot.addresses import lie_under, picture_addresses
from utils.snapshot.found import of_error, rotation
from utils.snapshot.plan import picture_identity, read_plans

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


@given(st.one_of(st.none(), st.text(), JSON.map(json.dumps)))
def test_any_exif_is_a_rotation(exif):
    assert rotation(exif) in (0, 90, 180, 270)


@given(st.one_of(st.binary(), JSON.map(json.dumps).map(str.encode)))
def test_any_plan_is_a_plan_or_a_sentence(tmp_path_factory, content):
    place = tmp_path_factory.mktemp("plans") / "0001"
    place.mkdir()
    (place / "plan.json").write_bytes(content)
    plans, notes = read_plans(place.parent)
    assert plans == []
    assert len(notes) == 1
