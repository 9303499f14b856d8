"""A client for the backend API of a Channelstream server: one file, without other packages.

Copy it into your project. It needs Python 3.9 or later.

    from channelstream_client import Channelstream

    channelstream = Channelstream("http://127.0.0.1:8000", "secret")
    connection = channelstream.connect("ann", channels=["lobby"])
    channelstream.message({"user": "bob", "channel": "lobby", "message": {"text": "hello"}})

One client is enough for a process. Threads may share it, and processes that are forked may inherit it.
`verify_webhook` checks the requests of webhooks, and `philote_token` makes tokens for Philote clients.

Texts, names, times and limits are those of docs/protocol.md of the server. Bodies are JSON. A request may have
1 MiB unless the server's `max_body_bytes` says otherwise. Numbers go through unchanged: integers have any size (beyond
4300 digits, where Python limits conversions, an answer has a `Decimal`, and a request raises a `ValueError`).
`uuid.UUID` and `datetime.datetime` may be used wherever the server expects their texts.
"""

from __future__ import annotations

import base64
import copy
import email.utils
import hashlib
import hmac
import http.client
import io
import json
import os
import random
import re
import socket
import ssl
import threading
import time
import urllib.parse
import uuid as uuids
from datetime import datetime, timezone
from decimal import Decimal
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    Type,
    TypedDict,
    Union,
    cast,
)

__all__ = [
    "AccessDenied",
    "BadAnswer",
    "Channelstream",
    "ChannelstreamError",
    "InvalidRequest",
    "InvalidSignature",
    "RateLimited",
    "ServerError",
    "Unavailable",
    "philote_token",
    "sign",
    "verify_webhook",
]

# --- requests and answers

Scalar = Union[str, int, float, bool, None]
State = Dict[str, Scalar]


class _HistoryLimit(TypedDict):
    limit: int


class ChannelSettings(TypedDict, total=False):
    """Settings of a channel. What a request leaves out gets the default of the server."""

    notify_presence: bool
    store_history: bool
    history_size: int  # messages
    broadcast_presence_with_user_lists: bool
    notify_state: bool
    store_frames: bool
    history_ttl: int  # seconds; 0: no limit


class InfoOptions(TypedDict, total=False):
    """What `channels_info` of an answer contains. Everything, if empty."""

    include_history: Union[bool, _HistoryLimit]
    include_users: bool
    channels: Sequence[str]
    exclude_channels: Sequence[str]
    include_connections: bool
    return_public_state: bool
    counts: bool


class _Delivery(TypedDict, total=False):
    channel: Optional[str]
    channels: Sequence[str]  # instead of channel
    pm_users: Sequence[str]
    exclude_users: Sequence[str]
    no_history: bool


class _MessageUser(TypedDict):
    user: str


class MessageRequest(_MessageUser, _Delivery, total=False):
    """A message to post. It needs `channel`, `channels` or `pm_users`: otherwise the server ignores it."""

    uuid: Union[str, uuids.UUID]
    timestamp: Union[str, datetime]
    message: Mapping[str, Any]


class _MessageUuid(TypedDict):
    uuid: Union[str, uuids.UUID]


class EditRequest(_MessageUuid, _Delivery, total=False):
    """A change of a message."""

    timestamp: Union[str, datetime]
    user: str
    message: Mapping[str, Any]
    edited: Union[str, datetime]


class DeleteRequest(_MessageUuid, _Delivery, total=False):
    """A message to delete."""


class _HistoryItem(TypedDict):
    type: str
    id: str
    uuid: str
    timestamp: str
    date: str
    user: str
    channel: str
    edited: Optional[str]
    pm_users: List[str]
    exclude_users: List[str]
    no_history: bool
    catchup: bool


class HistoryItem(_HistoryItem, total=False):
    """A stored message. Additional keys are those that it was posted with."""

    message: Any


class ChannelInfo(TypedDict):
    """A channel. `last_active` is ISO 8601 in UTC."""

    uuid: str
    name: str
    long_name: None
    settings: ChannelSettings
    history: List[HistoryItem]
    last_active: str
    total_connections: int
    total_users: int
    users: List[str]


class UserInfo(TypedDict):
    user: str
    state: State


class ChannelsInfo(TypedDict):
    """Channels by name, and each of their users once."""

    channels: Dict[str, ChannelInfo]
    users: List[UserInfo]


class ConnectResponse(TypedDict):
    """A connection. `state` has private keys too: do not pass it to a browser unchecked."""

    conn_id: str
    username: str
    state: State
    public_state: State
    channels: List[str]
    channels_info: ChannelsInfo


class _Membership(TypedDict):
    channels: List[str]
    channels_info: ChannelsInfo


class _MembershipOfUser(_Membership, total=False):
    conn_ids: List[str]  # only if the request has a username


class SubscribeResponse(_MembershipOfUser):
    """All channels of the connection, and those that the request joined."""

    subscribed_to: List[str]


class UnsubscribeResponse(_MembershipOfUser):
    """All channels of the connection, and those that the request left."""

    unsubscribed_from: List[str]


class DisconnectUserResponse(TypedDict):
    """The connections that were ended."""

    username: str
    conn_ids: List[str]


class StateChange(TypedDict):
    key: str
    value: Scalar


class UserStateResponse(TypedDict):
    """The whole state, the keys that have changed, and the keys that others may see."""

    user_state: State
    changed_state: List[StateChange]
    public_keys: List[str]


class Recipients(TypedDict):
    """For whom a message was, at the moment when it was published."""

    connections: int
    users: int
    unknown_channels: List[str]


class _PostedDelivery(TypedDict):
    channel: Optional[str]
    pm_users: List[str]
    exclude_users: List[str]
    no_history: bool


class _PostedChannels(_PostedDelivery, total=False):
    channels: List[str]  # only if the request has it


class _PostedMessage(_PostedChannels):
    uuid: str
    timestamp: str
    user: str
    edited: None


class PostedMessage(_PostedMessage, total=False):
    """A message as it was posted. Additional keys are those of the request."""

    message: Dict[str, Any]
    recipients: Optional[Recipients]  # only if asked for; None if the answer to an earlier attempt was lost


class _PostedEdit(_PostedChannels):
    uuid: str
    edited: str


class PostedEdit(_PostedEdit, total=False):
    """An edit as it was posted. Additional keys are those of the request."""

    timestamp: str
    user: str
    message: Dict[str, Any]


class PostedDelete(_PostedChannels):
    """A delete as it was posted."""

    uuid: str


class HistoryResponse(TypedDict):
    """A page of a history. `more`: there are more messages in this direction."""

    channel: str
    history: List[HistoryItem]
    more: bool


class ChannelCounts(TypedDict):
    total_connections: int
    total_users: int


class OnlineUser(TypedDict):
    user: str
    total_connections: int
    channels: List[str]


class AdminUser(TypedDict):
    user: str
    state: State
    uuid: str
    connections: List[str]


class AdminResponse(TypedDict):
    """The state of the server. `uptime` is `[D day(s), ]H:MM:SS`."""

    remembered_user_count: int
    unique_user_count: int
    total_connections: int
    total_channels: int
    total_messages: int
    total_unique_messages: int
    channels: Dict[str, ChannelInfo]
    users: List[AdminUser]
    uptime: str
    version: str


class HealthResponse(TypedDict):
    status: str


class _WebhookEvent(TypedDict):
    id: str
    type: str
    time: int  # milliseconds since 1970
    subject: str
    seq: int


class WebhookEvent(_WebhookEvent, total=False):
    """An event of a webhook. docs/webhooks.md says which types have which further fields."""

    channel: Optional[str]
    user: str
    message: Dict[str, Any]
    pm_users: List[str]
    exclude_users: List[str]
    conn_id: Optional[str]
    waiting_bytes: int
    reason: str
    dropped: int


_Posts = Union[MessageRequest, Mapping[str, Any], Iterable[Union[MessageRequest, Mapping[str, Any]]]]
_Edits = Union[EditRequest, Mapping[str, Any], Iterable[Union[EditRequest, Mapping[str, Any]]]]
_Deletes = Union[DeleteRequest, Mapping[str, Any], Iterable[Union[DeleteRequest, Mapping[str, Any]]]]
_Configs = Mapping[str, ChannelSettings]
_Uuid = Union[str, uuids.UUID]


# --- errors


class ChannelstreamError(Exception):
    """Why a call failed. It contains neither the secret nor a signature.

    `code` is the name of the error in docs/errors.md (the header `x-channelstream-error`), or one of UNREACHABLE,
    TIMEOUT, BAD_ANSWER and HTTP_ERROR (an error without a name, such as that of a proxy). `status` is the HTTP status,
    or None if there was no answer. `fields` says what is wrong, by field: of a 422, and of a limit on a user.
    `retry_after` are seconds that the server asked to wait, 0 for none. `attempts` is how often the request was sent.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "HTTP_ERROR",
        status: Optional[int] = None,
        fields: Optional[Mapping[str, Any]] = None,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.fields: Dict[str, Any] = dict(fields or {})
        self.retry_after = retry_after
        self.attempts = 0


class InvalidRequest(ChannelstreamError):
    """The server refuses the request: 422 with `fields`, and other 4xx such as 404, 410 and 413. Nothing was done."""


class AccessDenied(ChannelstreamError):
    """401 or 403: the secret or the clock differs from the server's, or this address may not call it."""


class RateLimited(ChannelstreamError):
    """429. Limits on a user (`TOO_MANY_MESSAGES` and others) are raised at once, all others after retries."""


class ServerError(ChannelstreamError):
    """500 and other 5xx, a fault of the server. It may have run the request."""


class Unavailable(ChannelstreamError):
    """502, 503, 504, or no answer, after all retries. The server may have run the request."""


class BadAnswer(ChannelstreamError):
    """The answer is not from a Channelstream server, is too large, or the certificate is not trusted."""


class InvalidSignature(Exception):
    """A request to a webhook is not genuine, or too old. Answer it with 403."""


# --- signatures


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(secret: str, text: str, at: Optional[float] = None) -> str:
    """Signs a text as itsdangerous' `TimestampSigner(secret).sign(text)` does, for `x-channelstream-secret`.

    `at` is in seconds since 1970; default: now. A signature is valid for 60 seconds. Sign the path that is called, such
    as `/connect`, without a prefix: with `signature_scope = endpoint` the server accepts nothing else.
    """
    seconds = int(time.time() if at is None else at)
    key = hashlib.sha1(b"itsdangerous.Signersigner" + secret.encode()).digest()
    signed = text.encode() + b"." + _base64url(seconds.to_bytes(8, "big").lstrip(b"\0"))
    return (signed + b"." + _base64url(hmac.new(key, signed, hashlib.sha1).digest())).decode()


class _Headers(Protocol):
    def items(self) -> Iterable[Tuple[str, str]]: ...


def verify_webhook(
    headers: _Headers, body: bytes, secrets: Union[str, Iterable[str]], *, path: str, tolerance_seconds: float = 300
) -> List[WebhookEvent]:
    """Checks a request of a webhook and returns its events. docs/webhooks.md lists their types.

    `headers` are those of the request (`request.headers` in Flask, Django and Starlette), `body` its bytes as received.
    `secrets` is the server's `webhook_secret` (or `secret`, if it has none), or several while you change it. `path` is
    that of `webhook_url` without the query, even if a proxy in front of you changes it. Requests that were signed more
    than `tolerance_seconds` ago, or from now, are refused.

    An event may come again: skip those whose `id` you have seen. Answer with 2xx when you have stored the events.

    Raises `InvalidSignature` if the request is not genuine, and a `ValueError` if a secret is empty.
    """
    keys = [secrets] if isinstance(secrets, str) else list(secrets)
    if not keys or not all(keys):
        raise ValueError("there must be a secret, and none may be empty")
    given = {name.lower(): value for name, value in headers.items()}
    timestamp = given.get("x-channelstream-webhook-timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", timestamp):
        raise InvalidSignature("the request has no valid x-channelstream-webhook-timestamp")
    signed = f"{timestamp}.{path}.".encode() + body
    signatures = given.get("x-channelstream-webhook-signature", "").encode("utf-8", "replace").split(b",")
    expected = [hmac.new(key.encode(), signed, hashlib.sha256).hexdigest().encode() for key in keys]
    if not any(hmac.compare_digest(one, other) for one in expected for other in signatures):
        raise InvalidSignature("the signature was made with another secret, for another path or for another body")
    age = time.time() - int(timestamp)
    if abs(age) > tolerance_seconds:
        raise InvalidSignature(f"the request was signed {age:.0f} seconds ago")
    return cast(List[WebhookEvent], _parse_json(body)["events"])


def philote_token(
    secret: str,
    *,
    read: Iterable[str] = (),
    write: Iterable[str] = (),
    api: bool = False,
    expires_in: Optional[float] = None,
) -> str:
    """Makes a token (JWT, HS256) for a Philote client.

    The client sends it as `Authorization: Bearer TOKEN` or as `?auth=TOKEN`.
    `secret` is the server's `philote_secret` (`SECRET` of a server by itself). `read` and `write` are the names of the
    channels that the client may read and write, compared exactly. `api` allows `/api/info`. `expires_in` are seconds;
    default: the token never expires.

    Raises a `ValueError` if the secret is empty, or if `expires_in` is not positive.
    """
    if not secret:
        raise ValueError("the secret is empty, so anybody could make tokens")
    claims: Dict[str, Any] = {"read": _names(read), "write": _names(write)}
    if api:
        claims["api"] = True
    if expires_in is not None:
        if not expires_in > 0:
            raise ValueError("expires_in must be above 0")
        claims["exp"] = int(time.time() + expires_in)
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    signed = b".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return (signed + b"." + _base64url(hmac.new(secret.encode(), signed, hashlib.sha256).digest())).decode()


# --- the client


class _Request(NamedTuple):
    """A request. Its attempts differ only in the signature."""

    method: str
    path: str
    query: str
    body: Optional[bytes]
    key: Optional[str]  # the Idempotency-Key; None: the request changes nothing

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool  # False: it ended with the connection, so that it may have broken off


_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
# With less time, an attempt would time out and hide why the earlier ones failed.
_SHORTEST_ATTEMPT = 0.05
# Waiting would hide from the user that there is a limit, and calls would pile up.
_LIMITS_ON_USERS = ("TOO_MANY_CONNECTIONS", "TOO_MANY_CHANNELS", "TOO_MANY_MESSAGES")


class Channelstream:
    """A client for the backend API of a server, with one method for each endpoint.

    `url` is the address of the server, http or https, with a path if the server is under one. `secret` is the server's
    `secret`. `timeout` are seconds for one attempt, until its answer is complete (the lookup of a host name, which
    cannot be interrupted, may take longer). `retries` is how often a request is sent again at most, and `deadline` are
    seconds for a call with all its retries; keep it well below the server's `idempotency_window` (120 s).
    `max_connections` are connections to the server at a time; further calls wait for one. `max_answer_bytes` is the
    size of the largest answer that is read. `ssl_context` is for https; default: the certificates that the system
    trusts.

    Requests are retried after network faults, 429, 502, 503 and 504, with pauses that grow from 0.1 to 5 seconds, and
    not before `Retry-After`. A retry is safe: requests that change something have an `Idempotency-Key`, so that the
    server runs them once.

    Every method raises a `ChannelstreamError` of one of its kinds. It raises a `TypeError` or `ValueError` if its
    arguments cannot be written as JSON.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        timeout: float = 10.0,
        retries: int = 9,
        deadline: float = 30.0,
        max_connections: int = 32,
        max_answer_bytes: int = 64 * 1024 * 1024,
        ssl_context: Optional[ssl.SSLContext] = None,
    ) -> None:
        """Opens no connection. Raises a `TypeError` or `ValueError` for invalid options."""
        if not isinstance(secret, str) or not secret:
            raise TypeError("secret must be a non-empty string")
        self._target = _read_url(url, ssl_context)
        self._secret = secret
        self._timeout = _positive("timeout", timeout)
        self._deadline = _positive("deadline", deadline)
        self._retries = _whole("retries", retries, 0)
        self._max_connections = _whole("max_connections", max_connections, 1)
        self._max_answer_bytes = _whole("max_answer_bytes", max_answer_bytes, 1)
        self._pools: Dict[int, _Pool] = {}

    def __repr__(self) -> str:
        return f"<Channelstream {self._target.url}>"

    def __enter__(self) -> Channelstream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections: idle ones now, others after their call. A later call opens new ones."""
        pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool.close()

    def with_options(
        self, *, timeout: Optional[float] = None, retries: Optional[int] = None, deadline: Optional[float] = None
    ) -> Channelstream:
        """Returns a client with other limits that shares the connections, for example for a health check."""
        client = copy.copy(self)
        if timeout is not None:
            client._timeout = _positive("timeout", timeout)
        if retries is not None:
            client._retries = _whole("retries", retries, 0)
        if deadline is not None:
            client._deadline = _positive("deadline", deadline)
        return client

    # --- connections

    def connect(
        self,
        username: str,
        *,
        channels: Optional[Iterable[str]] = None,
        conn_id: Optional[_Uuid] = None,
        user_state: Optional[Mapping[str, Scalar]] = None,
        fresh_user_state: Optional[Mapping[str, Scalar]] = None,
        state_public_keys: Optional[Iterable[str]] = None,
        channel_configs: Optional[_Configs] = None,
        info: Optional[InfoOptions] = None,
    ) -> ConnectResponse:
        """Creates a connection for a user (1 to 512 characters) and joins channels (1 to 256 characters each).

        The user's client then listens with the `conn_id` of the answer. Without one, a random one is chosen.
        `channel_configs` are settings for channels that this request creates.
        """
        body = _given(
            username=username,
            conn_id=conn_id if conn_id is not None else uuids.uuid4(),
            channels=_names(channels),
            user_state=user_state,
            fresh_user_state=fresh_user_state,
            state_public_keys=_names(state_public_keys),
            channel_configs=channel_configs,
            info=info,
        )
        return cast(ConnectResponse, self._call("POST", "/connect", body, _has("conn_id", "channels_info")))

    def subscribe(
        self,
        channels: Iterable[str],
        *,
        conn_id: Optional[_Uuid] = None,
        username: Optional[str] = None,
        channel_configs: Optional[_Configs] = None,
        info: Optional[InfoOptions] = None,
    ) -> SubscribeResponse:
        """Joins more channels: the connection `conn_id`, or all connections that the user `username` has now."""
        body = _membership(channels, conn_id, username, channel_configs, info)
        return cast(SubscribeResponse, self._call("POST", "/subscribe", body, _has("subscribed_to")))

    def unsubscribe(
        self,
        channels: Iterable[str],
        *,
        conn_id: Optional[_Uuid] = None,
        username: Optional[str] = None,
        info: Optional[InfoOptions] = None,
    ) -> UnsubscribeResponse:
        """Leaves channels: the connection `conn_id`, or all connections that the user `username` has now."""
        body = _membership(channels, conn_id, username, None, info)
        return cast(UnsubscribeResponse, self._call("POST", "/unsubscribe", body, _has("unsubscribed_from")))

    def disconnect(self, conn_id: _Uuid) -> bool:
        """Ends a connection. Returns False if the server does not know it."""
        return cast(bool, self._call("POST", "/disconnect", {"conn_id": conn_id}, _is_bool))

    def disconnect_user(self, username: str, *, reason: Optional[str] = None) -> DisconnectUserResponse:
        """Ends all connections of a user, for a log-out or a ban. Clients get the reason (123 bytes at most)."""
        body = _given(username=username, reason=reason)
        return cast(DisconnectUserResponse, self._call("POST", "/disconnect", body, _has("conn_ids")))

    # --- messages

    def message(self, messages: _Posts, *, recipients: bool = False) -> List[PostedMessage]:
        """Posts a message or several, in their order: all of them or, after an error, none.

        Each gets a random `uuid` if it has none. Additional keys are passed on to the clients. The answer leaves out
        messages with neither a channel nor `pm_users`. With `recipients`, it says for whom each message was.
        """
        body = [{**each, "uuid": each.get("uuid") or uuids.uuid4()} for each in _list(messages)]
        query = "?recipients=1" if recipients else ""
        return cast(List[PostedMessage], self._call("POST", "/message", body, _is_list, query=query))

    def edit(self, edits: _Edits) -> List[PostedEdit]:
        """Changes messages, for clients that have them, and in the history."""
        return cast(List[PostedEdit], self._call("PATCH", "/message", _list(edits), _is_list))

    def delete(self, deletes: _Deletes) -> List[PostedDelete]:
        """Deletes messages, from clients that have them, and from the history."""
        return cast(List[PostedDelete], self._call("DELETE", "/message", _list(deletes), _is_list))

    # --- users and channels

    def user_state(
        self,
        user: str,
        user_state: Optional[Mapping[str, Scalar]] = None,
        *,
        state_public_keys: Optional[Iterable[str]] = None,
    ) -> UserStateResponse:
        """Sets keys of a user's state (64 KiB at most, `max_state_bytes`). Other keys do not change."""
        body = _given(user=user, user_state=user_state, state_public_keys=_names(state_public_keys))
        return cast(UserStateResponse, self._call("POST", "/user_state", body, _has("changed_state")))

    def channel_config(self, configs: _Configs) -> ChannelsInfo:
        """Sets the settings of channels, by name. Omitted settings get their defaults. Unknown channels are created."""
        return cast(ChannelsInfo, self._call("POST", "/channel_config", configs, _has("channels", "users")))

    def info(
        self,
        *,
        channels: Optional[Iterable[str]] = None,
        exclude_channels: Optional[Iterable[str]] = None,
        include_history: Union[bool, _HistoryLimit, None] = None,
        include_users: Optional[bool] = None,
        return_public_state: Optional[bool] = None,
        counts: Optional[bool] = None,
    ) -> ChannelsInfo:
        """Describes channels and their users. Without `channels`, it describes all. Unknown channels are left out."""
        wanted = _given(
            channels=_names(channels),
            exclude_channels=_names(exclude_channels),
            include_history=include_history,
            include_users=include_users,
            return_public_state=return_public_state,
            counts=counts,
        )
        check = _has("channels", "users")
        return cast(ChannelsInfo, self._call("POST", "/info", {"info": wanted}, check, is_read=True))

    def history(
        self,
        channel: str,
        *,
        limit: Optional[int] = None,
        before: Optional[str] = None,
        after: Optional[str] = None,
        reverse: Optional[bool] = None,
        username: Optional[str] = None,
    ) -> HistoryResponse:
        """Returns a page of a channel's history, of 1 to 1000 messages (`limit`, default 100).

        For the next page, if there are `more`: `after` the `id` of the newest message of this one or, going back,
        `before` that of the oldest. With `username`, it has only what this user may see.

        Raises `InvalidRequest` for an unknown channel, and with status 410 for an id that the server has lost.
        """
        body = _given(channel=channel, limit=limit, before=before, after=after, reverse=reverse, username=username)
        check = _has("history", "more")
        return cast(HistoryResponse, self._call("POST", "/history", body, check, is_read=True))

    def counts(self, channels: Optional[Iterable[str]] = None) -> Dict[str, ChannelCounts]:
        """Counts connections and users of channels, without listing them. Without `channels`, it counts in all."""
        body = _given(counts=True, channels=_names(channels))
        answer = self._call("POST", "/info", body, _has("channels"), is_read=True)
        return cast(Dict[str, ChannelCounts], answer["channels"])

    def online(self, users: Iterable[str]) -> List[OnlineUser]:
        """Returns those of the users who have a connection, and the channels that they are in."""
        answer = self._call("POST", "/info", {"users": _names(users)}, _has("users"), is_read=True)
        return cast(List[OnlineUser], answer["users"])

    # --- operations

    def admin(self) -> AdminResponse:
        """Returns the state of the server, as the admin pages show it."""
        check = _has("total_connections", "channels")
        return cast(AdminResponse, self._call("GET", "/admin/admin.json", None, check, is_read=True))

    def health(self) -> HealthResponse:
        """Returns when the server answers that it works. Retries until the deadline."""
        return cast(HealthResponse, self._call("GET", "/health", None, _has("status"), is_read=True))

    # --- calls

    def _call(
        self,
        method: str,
        path: str,
        body: object,
        check: Callable[[Any], bool],
        *,
        query: str = "",
        is_read: bool = False,
    ) -> Any:
        key = None if is_read else f'"{uuids.uuid4()}"'
        request = _Request(method, path, query, None if body is None else _write_json(body), key)
        until = time.monotonic() + self._deadline
        attempt = 1
        while True:
            try:
                return _read_answer(request, self._send(request, until), check)
            except ChannelstreamError as error:
                error.attempts = attempt
                pause = error.retry_after + random.random() * min(
                    _LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 10)
                )
                is_over = attempt > self._retries or time.monotonic() + pause + _SHORTEST_ATTEMPT >= until
                if is_over or not _is_transient(error):
                    raise
            time.sleep(pause)
            attempt += 1

    def _send(self, request: _Request, until: float) -> _Answer:
        """Sends a request once. Raises `Unavailable` or `BadAnswer` if there is no answer."""
        until = min(until, time.monotonic() + self._timeout)
        try:
            return self._exchange(request, until)
        except (socket.timeout, TimeoutError) as error:
            text = f"{request.name}: there was no answer in time"
            raise Unavailable(text, code="TIMEOUT") from error
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, http.client.IncompleteRead) as error:
            text = f"{request.name}: the connection was lost"
            raise Unavailable(text, code="UNREACHABLE") from error
        except (ssl.SSLError, http.client.HTTPException, _TooLarge) as error:
            text = f"{request.name}: the answer is not from a Channelstream server ({error})"
            raise BadAnswer(text, code="BAD_ANSWER") from error
        except OSError as error:
            text = f"{request.name}: the server cannot be reached, or the connection was lost ({error})"
            raise Unavailable(text, code="UNREACHABLE") from error

    def _exchange(self, request: _Request, until: float) -> _Answer:
        headers = {"x-channelstream-secret": sign(self._secret, request.path)}
        if request.key is not None:
            headers["idempotency-key"] = request.key
        if request.body is not None:
            headers["content-type"] = "application/json"
        pool = self._pool()
        may_repeat = request.key is None or self._retries > 0
        while True:
            idle = pool.take(until)
            connection = idle or _Connection(self._target)
            try:
                answer = connection.exchange(request, headers, until, self._max_answer_bytes)
            except ConnectionError:
                # The server has closed the idle connection at this moment. The next one says if it is there.
                if idle is None or connection.has_received or not may_repeat:
                    raise
            else:
                return answer
            finally:
                pool.release(connection)

    def _pool(self) -> _Pool:
        """Returns the connections of this process. A process that was forked does not use those of its parent."""
        pid = os.getpid()
        pool = self._pools.get(pid)
        if pool is None:
            # One step, so that threads need no lock, which another thread could have held at the time of the fork.
            pool = self._pools.setdefault(pid, _Pool(self._max_connections))
            for other in [each for each in list(self._pools) if each != pid]:
                inherited = self._pools.pop(other, None)
                if inherited is not None:
                    inherited.abandon()
        return pool


def _is_transient(error: ChannelstreamError) -> bool:
    if isinstance(error, RateLimited):
        return error.code not in _LIMITS_ON_USERS
    return isinstance(error, Unavailable)


# --- bodies of requests


def _given(**fields: object) -> Dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _names(names: Optional[Iterable[str]]) -> Optional[List[str]]:
    if isinstance(names, str):
        raise TypeError(f"expected a list of names, not the text {names!r}")
    return None if names is None else list(names)


def _list(values: Union[Mapping[str, Any], Iterable[Mapping[str, Any]]]) -> List[Mapping[str, Any]]:
    return [values] if isinstance(values, Mapping) else list(values)


def _membership(
    channels: Iterable[str],
    conn_id: Optional[_Uuid],
    username: Optional[str],
    channel_configs: Optional[_Configs],
    info: Optional[InfoOptions],
) -> Dict[str, object]:
    return _given(
        channels=_names(channels), conn_id=conn_id, username=username, channel_configs=channel_configs, info=info
    )


def _as_json(value: object) -> object:
    if isinstance(value, uuids.UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _write_json(value: object) -> bytes:
    try:
        return json.dumps(value, default=_as_json, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can express
        return json.dumps(value, default=_as_json, allow_nan=False, separators=(",", ":")).encode()


# --- answers


def _parse_json(body: bytes) -> Any:
    """Reads JSON. Raises a `ValueError` if the body is something else."""
    try:
        try:
            return json.loads(body)
        except ValueError:
            # It may have an integer with more digits than Python converts.
            return json.loads(body, parse_int=_read_integer)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _read_integer(digits: str) -> Union[int, Decimal]:
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(key in value for key in keys)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and "uuid" in each for each in value)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _read_answer(request: _Request, answer: _Answer, check: Callable[[Any], bool]) -> Any:
    if answer.status >= 400:
        raise _error_of(request, answer)
    text = f"{request.name}: the answer is not from a Channelstream server"
    if answer.status != 200:
        detail = f"{text} (its status is {answer.status}; check the url)"
        raise BadAnswer(detail, code="BAD_ANSWER", status=answer.status)
    try:
        value = _parse_json(answer.body)
    except ValueError as error:
        if not answer.is_whole:
            raise Unavailable(f"{request.name}: the answer broke off", code="UNREACHABLE") from error
        kind = _media_type(answer)
        raise BadAnswer(f"{text} (it is not JSON, but {kind})", code="BAD_ANSWER", status=200) from error
    if not check(value):
        raise BadAnswer(f"{text} (it has another form)", code="BAD_ANSWER", status=200)
    return value


_KINDS: Dict[int, Type[ChannelstreamError]] = {
    401: AccessDenied,
    403: AccessDenied,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def _error_of(request: _Request, answer: _Answer) -> ChannelstreamError:
    kind = _KINDS.get(answer.status, InvalidRequest if answer.status < 500 else ServerError)
    code = answer.headers.get("x-channelstream-error", "")
    fields: Dict[str, Any] = {}
    if re.fullmatch("[A-Z_]{1,64}", code):
        fields, shown = _read_fields(answer.body)
        text = f"{code} {shown}".strip()
    else:
        code, text = "HTTP_ERROR", f"with {_media_type(answer)}"
    if code == "BAD_SIGNATURE":
        text += f" {_compare_clocks(answer.headers.get('date', ''))}"
    return kind(
        f"{request.name} was answered {answer.status}, {text}",
        code=code,
        status=answer.status,
        fields=fields,
        retry_after=_retry_after(answer.headers.get("retry-after", "")),
    )


def _read_fields(body: bytes) -> Tuple[Dict[str, Any], str]:
    """Returns what is wrong by field, and the body as messages show it. Errors of the whole request have no fields."""
    try:
        value = _parse_json(body)
        shown = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return {}, ""  # not the body of a Channelstream server: the name of the error says enough
    is_by_field = isinstance(value, dict) and not isinstance(value.get("request"), str)
    return value if is_by_field else {}, shown if len(shown) <= 500 else f"{shown[:500]}…"


def _media_type(answer: _Answer) -> str:
    found = re.match(r"[\w.+-]{1,50}/[\w.+-]{1,50}", answer.headers.get("content-type", ""))
    return found.group() if found else "no known type"


def _seconds_from_now(date: str) -> Optional[float]:
    """Returns the seconds until a date of HTTP. Returns None if the date is missing or invalid."""
    try:
        at = email.utils.parsedate_to_datetime(date)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    # Without a zone it is UTC.
    at = at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)
    return at.timestamp() - time.time()


def _retry_after(header: str) -> float:
    if re.fullmatch("[0-9]{1,12}", header):
        return float(header)
    return max(0.0, _seconds_from_now(header) or 0.0)


def _compare_clocks(date: str) -> str:
    ahead = _seconds_from_now(date)
    if ahead is None:
        return "The secret differs from that of the server, or the clocks differ."
    if abs(ahead) < 25:
        return "The clocks agree, so the secret differs from that of the server."
    relation = "ahead of" if ahead > 0 else "behind"
    return f"The clock of the server is {abs(ahead):.0f} seconds {relation} that of this machine."


# --- HTTP


_PORTS = {"http": 80, "https": 443}
_URL_FORM = "url must be http://host or https://host, optionally with port and path, without user, query and hash"


class _Target(NamedTuple):
    url: str
    host: str
    port: int
    prefix: str
    ssl_context: Optional[ssl.SSLContext]


def _read_url(url: str, ssl_context: Optional[ssl.SSLContext]) -> _Target:
    """Reads the url. Errors do not quote it, since it may contain a password."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(_URL_FORM) from None
    has_more = "@" in parts.netloc or parts.query or parts.fragment
    if parts.scheme not in _PORTS or not host or re.search(r"[\x00-\x20\x7f]", host) or has_more:
        raise ValueError(_URL_FORM)
    prefix = urllib.parse.quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
    context = None
    if parts.scheme == "https":
        context = ssl_context or ssl.create_default_context()
    shown = f"{parts.scheme}://{parts.netloc}{prefix}"
    return _Target(shown, host, port or _PORTS[parts.scheme], prefix, context)


def _positive(name: str, value: float) -> float:
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be above 0 and finite")
    return value


def _whole(name: str, value: int, least: int) -> int:
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}")
    return value


class _TooLarge(Exception):
    """An answer is larger than `max_answer_bytes`."""


def _left(until: float) -> float:
    """Returns the seconds until then. Raises a `TimeoutError` if there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _Wire:
    """The socket of a connection, as far as `http.client` uses it. Waiting on it ends at `until`."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.sock = sock
        self.begin(until)

    def begin(self, until: float) -> None:
        self.until = until
        self.has_received = False
        self.has_ended = False

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self.sock.settimeout(_left(self.until))
            rest = rest[self.sock.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_WireReader(self), 64 * 1024)

    def close(self) -> None:
        self.sock.close()

    def is_silent(self) -> bool:
        """Returns False if the other side has closed the idle connection, or sent what nobody asked for."""
        try:
            self.sock.settimeout(0)
            socket.socket.recv(self.sock, 1, socket.MSG_PEEK)  # below TLS, which cannot peek
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


class _WireReader(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        super().__init__()
        self._wire = wire
        self._stream = wire.sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wire.sock.settimeout(_left(self._wire.until))
        count = self._stream.readinto(buffer) or 0
        self._wire.has_received = self._wire.has_received or count > 0
        self._wire.has_ended = count == 0
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


# How long a connection may be idle if the server does not say so, in seconds.
_IDLE_SECONDS = 30.0


class _Connection(http.client.HTTPConnection):
    """A connection that stays open between requests. It is used by one thread at a time."""

    def __init__(self, target: _Target) -> None:
        super().__init__(target.host, target.port)
        self.default_port = _PORTS["http" if target.ssl_context is None else "https"]
        self._target = target
        self._wire: Optional[_Wire] = None
        self._until = 0.0
        self._idle_until = 0.0

    @property
    def has_received(self) -> bool:
        """True if any byte of the last answer came."""
        return self._wire is not None and self._wire.has_received

    def is_expired(self) -> bool:
        return time.monotonic() >= self._idle_until

    def is_usable(self) -> bool:
        return not self.is_expired() and self._wire is not None and self._wire.is_silent()

    def connect(self) -> None:
        sock = _connect_to_any(self.host, self.port, self._until)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = self._target.ssl_context
            if context is not None:
                sock.settimeout(_left(self._until))
                sock = context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise
        self._wire = _Wire(sock, self._until)
        self.sock = cast(socket.socket, self._wire)

    def exchange(self, request: _Request, headers: Mapping[str, str], until: float, max_bytes: int) -> _Answer:
        """Sends a request and reads the answer. Afterwards the connection is open only if it can be used again."""
        self._until = until
        if self._wire is not None:
            self._wire.begin(until)
        try:
            return self._exchange(request, headers, max_bytes)
        except BaseException:
            self.close()
            raise

    def _exchange(self, request: _Request, headers: Mapping[str, str], max_bytes: int) -> _Answer:
        cut: Optional[ConnectionError] = None
        try:
            path = self._target.prefix + request.path + request.query
            self.request(request.method, path, request.body, dict(headers))
        except ConnectionError as error:
            if self._wire is None:
                raise
            cut = error  # the server may have answered before it closed the connection
        try:
            answer, keeps_open, idle_seconds = self._read(max_bytes)
        except (OSError, http.client.HTTPException) as error:
            raise cut or error
        if cut is not None or not keeps_open:
            self.close()
        self._idle_until = time.monotonic() + idle_seconds
        return answer

    def _read(self, max_bytes: int) -> Tuple[_Answer, bool, float]:
        wire = cast(_Wire, self._wire)
        try:
            response = self.getresponse()
        except http.client.HTTPException as error:
            if not wire.has_ended:
                raise
            raise ConnectionResetError("the connection was closed") from error
        try:
            if wire.has_ended:
                raise ConnectionResetError("the head of the answer broke off")
            parts: List[bytes] = []
            size = 0
            part = response.read(64 * 1024)
            while part:
                parts.append(part)
                size += len(part)
                if size > max_bytes:
                    raise _TooLarge(f"it is larger than {max_bytes} bytes")
                part = response.read(64 * 1024)
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            is_whole = response.length is not None or bool(response.chunked)
            lowered = {name.lower(): value for name, value in response.getheaders()}
            answer = _Answer(response.status, lowered, b"".join(parts), is_whole)
        finally:
            response.close()
        said = re.search(r"timeout=([0-9]{1,6})", lowered.get("keep-alive", ""))
        # A second less than the server says: it may count from earlier.
        idle_seconds = float(said.group(1)) - 1 if said else _IDLE_SECONDS
        return answer, not response.will_close, min(idle_seconds, 10 * _IDLE_SECONDS)


def _connect_to_any(host: str, port: int, until: float) -> socket.socket:
    """Connects to the first address of a host that answers. Each gets its share of the time."""
    addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    failure = OSError("the host has no address")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        sock: Optional[socket.socket] = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(_left(until) / (len(addresses) - number))
            sock.connect(address)
            return sock
        except BaseException as error:
            if sock is not None:
                sock.close()
            if not isinstance(error, OSError):
                raise
            failure = error
    raise failure


class _Pool:
    """The connections of a process. Those that are idle are used again, the last one first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._busy = 0
        self._idle: List[_Connection] = []
        self._is_closed = False

    def take(self, until: float) -> Optional[_Connection]:
        """Waits for its turn. Returns an idle connection, or None: the caller opens one. Then call `release`."""
        with self._changed:
            while self._busy >= self._limit:
                self._changed.wait(_left(until))
            self._busy += 1
            while self._idle:
                connection = self._idle.pop()
                if connection.is_usable():
                    return connection
                connection.close()
            return None

    def release(self, connection: _Connection) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify()
            if self._is_closed or connection.sock is None:
                connection.close()
            else:
                self._idle.append(connection)
            while self._idle and self._idle[0].is_expired():
                self._idle.pop(0).close()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            while self._idle:
                self._idle.pop().close()

    def abandon(self) -> None:
        """Closes this process's copies of sockets that belong to its parent, which does not notice it.

        It takes no lock: a thread of the parent could have held it at the time of the fork.
        """
        for connection in list(self._idle):
            connection.close()
