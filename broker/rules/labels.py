"""What states, statuses and roles are called where people read them, in English and Vietnamese."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from broker.model import Role, State, Status, Urgency
from broker.outcome import Seen
from broker.rules.sentences import LANGUAGES

Names = Mapping[str, tuple[str, str]]

STATES: Names = {
    State.STANDBY: ("in reserve", "dự phòng"),
    State.DUE: ("waiting", "đang chờ"),
    State.SENDING: ("being sent", "đang gửi"),
    State.PENDING: ("being processed there", "nền tảng đang xử lý"),
    State.CHECKING: ("being checked", "đang kiểm tra"),
    State.LIVE: ("live", "đã đăng"),
    State.UNCONFIRMED: ("unconfirmed", "chưa xác nhận"),
    State.REMOVED: ("removed there", "bị gỡ"),
    State.FAILED: ("not posted", "không đăng được"),
    State.EXPIRED: ("too late", "quá hạn"),
    State.SKIPPED: ("not sent", "không gửi"),
    State.WITHDRAWN: ("withdrawn", "đã rút"),
}
STATUSES: Names = {
    Status.AWAITING_APPROVAL: ("waits for approval", "chờ duyệt"),
    Status.SCHEDULED: ("scheduled", "đã hẹn giờ"),
    Status.OPEN: ("under way", "đang đăng"),
    Status.REACHED: ("out", "đã đăng"),
    Status.PARTLY: ("partly out", "mới đăng một phần"),
    Status.NOWHERE: ("out nowhere", "chưa đăng được ở đâu"),
    Status.WITHDRAWN: ("withdrawn", "đã rút"),
}
HEALTH: Names = {
    "up": ("works", "hoạt động"),
    "down": ("down", "gặp sự cố"),
    "half_open": ("being tried again", "đang thử lại"),
    "paused": ("paused", "tạm dừng"),
}
ROLES: Names = {
    Role.POST_TO: ("planned", "kênh chính"),
    Role.STAND_IN: ("stand-in", "kênh đăng thay"),
    Role.RESERVE: ("reserve", "kênh dự phòng"),
}
URGENCIES: Names = {
    Urgency.ROUTINE: ("routine", "thường"),
    Urgency.URGENT: ("urgent", "khẩn"),
}
PROOFS: Names = {
    Seen.PUBLIC: ("read back as the public sees it", "đã đọc lại như độc giả"),
    Seen.ACCOUNT: ("read back by our own account", "đã đọc lại bằng tài khoản của tòa soạn"),
}
KINDS: Names = {
    **STATES,
    "accepted": ("accepted", "đã nhận"),
    "status": ("status", "tình trạng"),
    "goal_met": ("goal met", "đạt mục tiêu"),
    "goal_missed": ("goal missed", "không đạt mục tiêu"),
}
"""Of events."""


def label(names: Names, value: StrEnum | str, language: str) -> str:
    """What `value` is called; the value itself where nobody has named it."""
    known = names.get(value)
    return known[LANGUAGES.index(language)] if known else str(value).replace("_", " ")
