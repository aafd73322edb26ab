"""Which addresses are the configured GitLab's: the access token goes to these and to no other.

Rule: pure.
"""

from __future__ import annotations

from typing import Final

import httpx

from hookyard import GiveUp

_API: Final = "/api/v4/"


class ForeignAddress(GiveUp):
    """A call to an address that is not the configured GitLab's was refused; it would be so each time."""


class GitLabAddress:
    """The address of one GitLab.

    :param url: ``GL_URL``, perhaps with a path.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._origin = _origin(httpx.URL(self._url))

    def check(self, url: str) -> str:
        """Return *url* if it is this GitLab's.

        :raises ForeignAddress: for any other.
        """
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError, TypeError):
            raise ForeignAddress("a call to GitLab was refused: its address cannot be read") from None
        if _origin(parsed) != self._origin or parsed.userinfo:
            raise ForeignAddress(
                f"a call to {parsed.host or 'another host'} was refused: the access token goes to GL_URL's "
                "own address only; use an HTTP client of your own for other services"
            )
        return url

    def rebase(self, link: str) -> str:
        """Return the address at this GitLab that *link* in one of its answers means.

        A GitLab whose ``external_url`` is not the address that it is called by links to another host, or
        from ``https`` to ``http``. Below ``/api/v4/`` the same path is asked for at the right one.

        :raises ForeignAddress: where *link* does not lead into GitLab's API.
        """
        try:
            parsed = httpx.URL(link)
        except (httpx.InvalidURL, ValueError, TypeError):
            raise ForeignAddress("GitLab links to a next page whose address cannot be read") from None
        if _origin(parsed) == self._origin and not parsed.userinfo:
            return link
        _, api, path = parsed.raw_path.decode("ascii").partition(_API)
        if not api:
            raise ForeignAddress(
                f"GitLab links to a next page at {parsed.host or 'no host'}, outside its API; set "
                "external_url in GitLab's configuration to the address that GL_URL names"
            )
        return self.check(f"{self._url}{_API}{path}")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)
