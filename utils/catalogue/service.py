"""One question to one of the store's services, asked politely, and its answer, judged."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from utils import http, settings
from utils.catalogue.values import Fields

CONTEXT = {"language": "english", "country_code": "US", "steam_realm": 1}
DATA = {
    "include_assets": True,
    "include_basic_info": True,
    "include_reviews": True,
    "include_release": True,
    "include_tag_count": 20,
}

_PAUSE = 0.25  # seconds between requests to Steam, known to be accepted
_DEADLINE = 60.0  # seconds for one answer
_LIMIT = 16_000_000  # bytes of one answer; a page of 500 games has some 2 MB
_LIMIT_OF_ALL = 1_500_000_000  # bytes of all answers together; the whole store has some 400 MB
_OTHER_WAYS = (
    "Other ways: set STEAM_API_KEY to a key of your own, or start from a catalogue saved earlier (catalogue.load) "
    "or from a list of appids (catalogue.fetch_games)"
)
_ELSEWHERE = "Without it: SOURCE = 'sample' (a small store of our own) or SOURCE = 'folder' (your own pictures)"


class StoreError(http.HttpError):
    """The store gave no usable answer; the message names the host, what it said and what to do."""


@dataclass
class Store:
    """The store's services at one address, and the address of its pictures."""

    api_url: str
    assets_url: str
    _key: str | None = None
    _received: int = field(default=0, init=False)

    def ask(
        self,
        service: str,
        question: Fields | None = None,
        *,
        check: Callable[[Fields], None] = lambda _: None,
        tries: int = 5,
    ) -> Fields:
        """Return the `response` of a service, asked again while `check` raises a StoreError that is retryable.

        Raises StoreError. The key that may be set goes to Steam's own host alone; where it is refused, the question is
        asked without it.
        """
        if self.api_url == settings.API_URL:
            time.sleep(_PAUSE)
        params = {"input_json": json.dumps(question or {}, separators=(",", ":"))}

        def once() -> Fields:
            response = self._response(service, self._get(service, params))
            check(response)
            return response

        return http.retry(once, tries)

    def _get(self, service: str, params: dict[str, str]) -> http.Answer:
        address = f"{self.api_url.rstrip('/')}/{service}/v1/"
        with_key = params | ({"key": self._key} if self._key else {})
        try:
            answer = http.get(
                address, params=with_key, limit=_LIMIT, deadline=_DEADLINE, allowed=[self.api_url], tries=1
            )
        except http.HttpError as error:
            said = f"{error}. {_ELSEWHERE}" if error.retryable else str(error)
            raise StoreError(said, retryable=error.retryable, wait=error.wait) from None
        if self._key and answer.status in (401, 403):
            self._key = None
            return self._get(service, params)
        return answer

    def _response(self, service: str, answer: http.Answer) -> Fields:
        """Return the JSON object in an answer, or say which kind of trouble it is."""
        said = f"{self.host} answered {answer.status} to {service}"
        if answer.status != 200:
            raise _refusal(said, answer)
        self._received += len(answer.body)
        if self._received > _LIMIT_OF_ALL:
            raise StoreError(f"{self.host} sent more than {_LIMIT_OF_ALL:,} bytes in all, which no catalogue needs")
        try:
            body = json.loads(answer.body)
        except (ValueError, RecursionError):
            kind = str(answer.headers.get("Content-Type", "no type"))[:60]
            raise StoreError(f"{said} with no JSON ({kind!r}): a block page, or a cut answer", retryable=True) from None
        response = body.get("response") if isinstance(body, dict) else None
        if not isinstance(response, dict):
            changed = "the service may have changed"
            raise StoreError(f"{said} with JSON that has no 'response'; {changed}", retryable=True)
        return response

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.api_url).netloc


def open_store(api_url: str | None, assets_url: str | None = None) -> Store:
    """Return the store at these addresses; None stands for the environment's, or Steam's own.

    Raises HttpError for what is no address.
    """
    default_api, default_assets = settings.store_urls()
    api_url = api_url or default_api
    http.checked(api_url)
    return Store(api_url, assets_url or default_assets, settings.store_key(api_url))


def _refusal(said: str, answer: http.Answer) -> StoreError:
    if answer.status in (401, 404, 410):
        return StoreError(f"{said}: this door is closed. {_OTHER_WAYS}")
    if answer.status == 403:
        return StoreError(f"{said}: too many requests, or a door that is closed. {_OTHER_WAYS}", retryable=True)
    if answer.status == 429 or answer.status >= 500:
        error = f"{said}, again and again; wait some minutes and run again"
        return StoreError(error, retryable=True, wait=answer.retry_after)
    return StoreError(f"{said}; the service may have changed")
