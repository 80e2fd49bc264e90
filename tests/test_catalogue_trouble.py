"""The catalogue, asked of a store in trouble, or of one that means harm."""

import json

import pytest
from hosts import one_line

from utils import catalogue, http, settings
from utils.catalogue import service

QUERY = "IStoreQueryService/Query"


def fetch(store, limit=None, **options):
    return catalogue.fetch_catalogue(limit, api_url=store.api_url, assets_url=store.assets_url, **options)


@pytest.mark.parametrize("trouble", [429, 500, 503, 403, "html", "empty", "truncated", "drop", "no total"])
def test_passing_trouble_passes(store, trouble):
    store.trouble(QUERY, trouble, times=2, seconds=0.01)
    assert len(fetch(store)) == 1_300


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (401, "STEAM_API_KEY"),
        (403, "too many requests, or a door"),
        (404, "door is closed"),
        (429, "answered 429"),
        (500, "answered 500"),
        (418, "answered 418 .* may have changed"),
        ("html", "no JSON"),
        ("empty", "a page with no games"),
        ("truncated", "broke off"),
        ("drop", "broke off .* 'sample'"),
        ("bomb", "sent more bytes than the limit"),
        ("endless", "sent more bytes than the limit"),
    ],
)
def test_each_kind_of_lasting_trouble_is_one_line(store, trouble, words):
    store.trouble(QUERY, trouble, seconds=0.01)
    with pytest.raises(catalogue.StoreError, match=words) as caught:
        fetch(store, 1)
    assert "127.0.0.1" in str(caught.value)
    assert one_line(caught.value)


@pytest.mark.parametrize("trouble", ["drip", "drip headers"])
def test_a_store_that_drips_is_given_up(store, trouble, monkeypatch):
    monkeypatch.setattr(service, "_DEADLINE", 0.2)
    store.trouble(QUERY, trouble, seconds=0.05)
    with pytest.raises(catalogue.StoreError, match="does not answer in time"):
        fetch(store)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"response":' * 5_000,
        '{"response": ' + "[" * 900 + "]" * 900 + "}",
        '{"response": {"metadata": {"total_matching_records": ' + "9" * 5_000 + "}}}",
        '{"response": {"metadata": {"total_matching_records": 1e999}, "ids": [[[]]]}}',
        '{"response": null}',
        "[]",
        "null",
        "\x00",
        b"\xff\xfe",
        b'{"response": {"metadata": "\xff"}}',
    ],
)
def test_json_of_another_shape_is_one_line(httpserver, body):
    httpserver.expect_request("/IStoreQueryService/Query/v1/").respond_with_data(body, content_type="application/json")
    with pytest.raises(catalogue.StoreError) as caught:
        catalogue.fetch_catalogue(api_url=httpserver.url_for(""))
    assert one_line(caught.value)


def test_answers_together_are_bounded(store, monkeypatch):
    monkeypatch.setattr(service, "_LIMIT_OF_ALL", 500_000)
    with pytest.raises(catalogue.StoreError, match="more than 500,000 bytes in all"):
        fetch(store)


def test_retry_after_is_honoured(store):
    store.trouble(QUERY, 429, times=1, seconds=1)
    fetch(store)
    asked = [request.at for request in store.requests if QUERY in request.target]
    assert asked[1] - asked[0] >= 1


def test_no_network_names_the_host_and_the_sample():
    with pytest.raises(catalogue.StoreError, match=r"127\.0\.0\.1:9 cannot be reached.*'sample'"):
        catalogue.fetch_catalogue(api_url="http://127.0.0.1:9")


@pytest.mark.parametrize("address", ["http://[::1", "api.steampowered.com", "file:///etc/passwd", "http://h:x/"])
def test_an_address_that_is_none_is_one_line(address):
    with pytest.raises(http.HttpError, match="not an address") as caught:
        catalogue.fetch_catalogue(api_url=address)
    assert one_line(caught.value)


def test_a_redirect_to_another_host_is_not_followed(store, httpserver):
    store.trouble(QUERY, "redirect", to=httpserver.url_for("/"))
    with pytest.raises(catalogue.StoreError, match="not where this may be asked for"):
        fetch(store, 1)
    assert httpserver.log == []


def test_the_catalogue_survives_without_tags(store):
    store.trouble("GetTagList", 500)
    games = fetch(store)
    assert len(games) == 1_300
    assert games["tags"].map(len).max() == 0
    assert "the store gave no tags" in catalogue.summary(games)


def test_the_key_goes_to_steam_alone(store, monkeypatch):
    monkeypatch.setenv("STEAM_API_KEY", "my-own-key")
    fetch(store, 1)
    assert store.count("my-own-key") == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_left_out(store, monkeypatch, status):
    monkeypatch.setattr(settings, "store_key", lambda _: "my-wrong-key")
    store.trouble("key=my-wrong-key", status)
    assert len(fetch(store)) == 1_300
    assert store.count("my-wrong-key") == 1


def test_a_key_is_in_no_message(httpserver, monkeypatch):
    monkeypatch.setattr(settings, "store_key", lambda _: "my-key")
    there = {"Location": httpserver.url_for("/other?key=my-key"), "Content-Type": "my-type"}
    answers = [(302, there), (500, {}), (200, {}), (404, {}), (302, {"Location": "http://[::1/?key=my-key"})]
    for status, headers in answers:
        httpserver.clear()
        httpserver.expect_request("/IStoreQueryService/Query/v1/").respond_with_data("x", status, headers)
        with pytest.raises(catalogue.StoreError) as caught:
            catalogue.fetch_catalogue(1, api_url=httpserver.url_for(""))
        assert "my-key" not in str(caught.value)
    asked = json.dumps([request.url for request, _ in httpserver.log])
    assert "key=my-key" in asked
