"""The addresses of banners: which are believed, and which are of one picture."""

import math

import pytest

from utils import catalogue

BASE = "https://host/store_item_assets/"
HASH = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (f"https://a/s/apps/1/{HASH}/l.jpg?t=1", f"https://b/s/apps/1/{HASH}/l.jpg?t=2", True),
        (f"https://a/s/apps/1/{HASH}/l.jpg", f"https://a/s/apps/1/{HASH[::-1]}/l.jpg", False),
        ("https://a/s/apps/1/l.jpg?t=1", "https://b/s/apps/1/l.jpg?t=1", True),
        ("https://a/s/apps/1/l.jpg?t=1", "https://a/s/apps/1/l.jpg?t=2", False),
        ("https://a/s/apps/1/l.jpg?t=1", "https://a/s/apps/1/l.jpg", False),
        (f"https://a/s/apps/1/{HASH}0/l.jpg?t=1", f"https://a/s/apps/1/{HASH}0/l.jpg?t=2", False),
    ],
)
def test_what_tells_two_pictures_apart(one, other, same):
    assert (catalogue.picture_key(one) == catalogue.picture_key(other)) is same


@pytest.mark.parametrize("address", ["", None, 7, "http://[::1", "no address", math.nan])
def test_what_is_no_address_has_no_key(address):
    assert catalogue.picture_key(address) == ""
    assert not catalogue.is_banner_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "file:///etc/passwd",
            "http://127.0.0.1:9/store_item_assets/x.jpg",
            "https://evil.example/store_item_assets/x",
        ),
        *(f"{BASE}../x.jpg", f"{BASE}a/%2e%2e/x.jpg", f"{BASE}a/../x.jpg", f"{BASE}x.jpg?t=x", f"{BASE}x.jpg?u=1"),
        *(f"{BASE}x.jpg#t", f"{BASE}", f"{BASE}x y.jpg", "https://host/store_item_assets", f"{BASE}x.jpg\n"),
        "https://host@evil.example/store_item_assets/x.jpg",
    ],
)
def test_addresses_that_lie_elsewhere(address):
    assert not catalogue.is_banner_address(address, BASE)


def test_addresses_under_the_settings_and_its_mirrors():
    assert catalogue.is_banner_address(f"{BASE}steam/apps/1/{HASH}/l.jpg?t=0", BASE)
    assert catalogue.is_banner_address(f"{catalogue.MIRRORS[1]}steam/apps/1/l.jpg?t=178", BASE)
    assert catalogue.is_banner_address(f"{catalogue.MIRRORS[0]}steam/apps/1/l.jpg")
