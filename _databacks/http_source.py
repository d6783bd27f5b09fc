"""One request for the rest of a file over HTTP, and what its answer means.

Every failure is one of three: `Passing` (try again), `Final` (do not), `NoRange` (the bytes asked for do not exist).
Proxies are those of the environment as `urllib` reads them (``http_proxy``, ``https_proxy``, ``no_proxy``).
Source: RFC 9110 §10.2.3 (Retry-After), §13.1.5 (If-Range), §14 (ranges), §15 (status codes).
"""

from __future__ import annotations

import email.message
import email.utils
import re
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, InvalidURL
from typing import IO
from urllib.parse import urlsplit

_MOST_SECONDS_DIGITS = 9
_MOST_COUNT_DIGITS = 30
_NEVER_SECONDS = 1e9
_TOO_MANY_REQUESTS = 429
_PARTIAL = 206
_RANGE_NOT_SATISFIABLE = 416
_PASSING = (408, _TOO_MANY_REQUESTS)


class Passing(Exception):
    """The server or the connection failed in a way that may pass.

    Args:
        reason: in a few words.
        wait_seconds: what the server asked for; None where it did not.
        no_contact: nobody answered at all, so this machine may be offline.
    """

    def __init__(self, reason: str, *, wait_seconds: float | None = None, no_contact: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.wait_seconds, self.no_contact = reason, wait_seconds, no_contact


class Final(Exception):
    """Asking again would not help; the argument says why in a few words."""


class NoRange(Exception):
    """The file has no bytes from the first one asked for; `total` is its size, or None where it is not said."""

    def __init__(self, total: int | None) -> None:
        super().__init__("no such range")
        self.total = total


@dataclass(frozen=True)
class Answer:
    """A body that begins at byte `start`.

    Attributes:
        start: 0, or the byte asked for.
        total: size of the whole file as announced; None where it is not.
        validator: what an If-Range needs to be sure of the same file; empty where the server names none.
        body: to be read and closed.
    """

    start: int
    total: int | None
    validator: str
    body: HTTPResponse

    def read(self, most: int) -> bytes:
        """The next bytes, as soon as there are any; empty at the end.

        Raises:
            Passing: the connection broke.
        """
        try:
            return self.body.read1(most)
        except (OSError, HTTPException, ValueError) as error:  # ValueError: a chunk without a size
            raise _failure(error) from error


def ask(url: str, start: int, validator: str, timeout_seconds: float, now: float) -> Answer:
    """Ask for the bytes of `url` from `start` on.

    Args:
        url: http or https; redirects are followed, but not to other schemes and not from https to http.
        start: first byte wanted; 0 asks for the whole file.
        validator: of an earlier answer: when the file has changed since, the whole comes. Empty: not asked.
        timeout_seconds: for connecting, and for every wait on bytes.
        now: seconds since 1970, what dates in Retry-After are compared with.

    Raises:
        Passing, Final, NoRange: there is no body.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "anime3d"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = _opener().open(urllib.request.Request(url, headers=headers), timeout=timeout_seconds)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error, now) from None
    except (OSError, HTTPException, ValueError, OverflowError) as error:  # the last two: redirects to odd addresses
        raise _failure(error) from error
    try:
        return _answer(response, start)
    except BaseException:
        response.close()
        raise


def proxy_for(url: str) -> str:
    """The proxy that a request for `url` goes through, without its password; empty where there is none."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme, "")
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return ""
    return re.sub(r"//[^/]*@", "//", proxy) if "//" in proxy else proxy.rpartition("@")[2]


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header, which holds seconds or a date; None where it says nothing.

    >>> retry_after("7", 0.0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 45.0), retry_after("soon", 0.0)
    (7.0, 15.0, None)
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= _MOST_SECONDS_DIGITS else _NEVER_SECONDS
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def content_range(value: str | None) -> tuple[int, int, int | None] | None:
    """First byte, last byte and total of a Content-Range header; None where it is no range of bytes.

    >>> content_range("bytes 5-9/10"), content_range("bytes 0-3/*"), content_range("bytes */10")
    ((5, 9, 10), (0, 3, None), None)
    """
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", (value or "").strip(), flags=re.ASCII)
    if match is None:
        return None
    first, last, total = match.groups()
    return int(first), int(last), None if total == "*" else int(total)


def redirect_is_allowed(source: str, target: str) -> bool:
    """Whether a redirect may be followed: to http or https only, and never from https to http."""
    schemes = (urlsplit(source).scheme, urlsplit(target).scheme)
    return schemes in {("http", "http"), ("http", "https"), ("https", "https")}


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0917 - the signature is urllib's
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: email.message.Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not redirect_is_allowed(req.full_url, newurl):
            fp.close()
            raise Final(f"a redirect to {newurl[:200]!r}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS only: no files, no FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _answer(response: HTTPResponse, start: int) -> Answer:
    etag = response.headers.get("ETag", "").strip()
    strong = etag if etag.startswith('"') else response.headers.get("Last-Modified", "").strip()
    if response.status == _PARTIAL:
        found = content_range(response.headers.get("Content-Range"))
        if not start:
            raise Final("a part of the file, though the whole was asked for")
        if found is None or found[0] != start or (found[2] is not None and found[1] != found[2] - 1):
            raise NoRange(None)
        return Answer(start, found[1] + 1 if found[2] is None else found[2], strong, response)
    if response.status != 200:
        raise Final(f"{response.status} {response.reason}")
    return Answer(0, _count(response.headers.get("Content-Length")), strong, response)


def _count(value: str | None) -> int | None:
    """A number of bytes in a header; None where it is none."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_COUNT_DIGITS else None


def _refusal(error: urllib.error.HTTPError, now: float) -> Exception:
    status = f"{error.code} {error.reason}"
    if error.code == _RANGE_NOT_SATISFIABLE:
        return NoRange(_count((error.headers.get("Content-Range") or "").strip().removeprefix("bytes */")))
    if error.code in _PASSING or error.code >= 500:
        return Passing(status, wait_seconds=retry_after(error.headers.get("Retry-After"), now))
    return Final(status)


def _failure(error: Exception) -> Exception:
    """What a broken connection, or none, means."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    if isinstance(reason, ssl.SSLCertVerificationError):
        answer: Exception = Final(f"its certificate is not trusted: {reason.verify_message}")
    elif isinstance(reason, socket.gaierror):
        answer = Passing(f"its name cannot be looked up: {text}; this machine looks offline", no_contact=True)
    elif isinstance(reason, TimeoutError):  # urllib wraps what fails before the request is out
        answer = Passing("no answer in time", no_contact=isinstance(error, urllib.error.URLError))
    elif isinstance(reason, (ssl.SSLError, HTTPException, ConnectionError)) and not isinstance(reason, InvalidURL):
        answer = Passing(f"the connection failed: {text}", no_contact=isinstance(reason, ConnectionRefusedError))
    elif isinstance(reason, OSError) and reason.errno is not None:
        answer = Passing(text, no_contact=True)
    else:  # such as a proxy that refuses to connect, or an address that is none
        answer = Final(text)
    return answer
