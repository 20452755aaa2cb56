"""The story that the demo plays: what is announced when, and what befalls Meta meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROUTE = "breaking"
STRICKEN = ("facebook", "instagram", "threads")
"""Platforms of the operator that fails."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of the story."""

    title: str
    tells: str
    lasts: float
    """Seconds."""
    sends: tuple[float, ...]
    """When announcements come in, in seconds from the phase's start."""


CALM = Phase("A calm morning", "Every announcement goes to all channels of its route.", 5.0, (0.2, 1.6, 3.0))
REFUSED = Phase(
    "5 March 2024: Meta is gone", "Facebook, Instagram and Threads refuse every connection.", 6.0, (0.4, 3.2)
)
HTML = Phase("Meta answers with error pages", "HTTP 500 and HTML, whatever is asked.", 6.0, (1.0, 3.8))
LOGGED_OUT = Phase(
    "Meta says that nobody is logged in", "In an outage that is part of the outage: tokens are kept.", 5.0, (1.5,)
)
BACK = Phase("Meta is back", "Its channels get the copies they are owed.", 4.0, (2.0,))

PHASES = (CALM, REFUSED, HTML, LOGGED_OUT, BACK)
OUTAGE = (REFUSED, HTML, LOGGED_OUT)

OUTAGE_SCRIPT: tuple[Mapping[str, Any], ...] = (
    {"kind": "refused", "lasting": REFUSED.lasts},
    {"kind": "html_500", "lasting": REFUSED.lasts + HTML.lasts},
    {"kind": "logged_out"},
)
"""Faults set together at the outage's start: the first one in force strikes, so there is no gap between them."""

ANNOUNCEMENTS = (
    (
        "Bão số 9 đổi hướng vào Quảng Ninh",
        "Tâm bão cách bờ 120 km, gió giật cấp 12. Tàu thuyền phải về bờ trước 15 giờ.",
    ),
    ("Học sinh Hải Phòng nghỉ học ngày mai", "Các trường học cho học sinh nghỉ từ sáng mai đến khi bão tan."),
    ("Cấm biển từ 17 giờ hôm nay", "Lệnh cấm áp dụng cho mọi tàu thuyền từ Quảng Ninh đến Thanh Hóa."),
    ("Sơ tán 12.000 người ở vùng trũng", "Điểm sơ tán là trường học và trụ sở các xã; người dân mang theo giấy tờ."),
    ("Cầu Bãi Cháy tạm đóng", "Xe đi vòng qua quốc lộ 18. Cầu mở lại khi gió dưới cấp 6."),
    ("Số khẩn cấp mới: 112", "Gọi 112 khi cần cứu hộ. Đường dây 114 vẫn hoạt động."),
    ("Hai tàu cá mất liên lạc", "Lực lượng cứu hộ đang tìm kiếm ở phía đông đảo Cô Tô."),
    ("Điện lưới khôi phục ở Cẩm Phả", "Các phường còn lại có điện trước 20 giờ."),
    ("Bão tan, cầu Bãi Cháy mở lại", "Xe qua lại bình thường từ 19 giờ. Học sinh trở lại trường ngày mai."),
)

SHORTER: Mapping[str, str] = {
    "probe_every": "1s",
    "quick_retry": "300ms",
    "backoff": "500ms",
    "first_look": "2s",
    "settle_for": "6s",
}
"""Times of every channel, so that the story takes half a minute; the file itself is what users copy."""
STAND_IN_AFTER = "2s"
OWN: Mapping[str, Mapping[str, str]] = {"tiktok": {"rate_per_s": "2"}}
"""Settings of single channels: a morning's news comes in half a minute."""

EMULATORS: Mapping[str, Mapping[str, Any]] = {
    **{name: {"lag": [0.3, 1.2]} for name in (*STRICKEN, "zalo")},
    "youtube": {"lag": [0.3, 1.2], "processed_after": 2.0},
    "tiktok": {"lag": [0.3, 1.2], "calls_a_minute": {}},
}
"""How the emulated platforms differ from their unkind defaults: what lasts and counts minutes there would outlast the
story."""

CONSUMERS: Mapping[str, str] = {"partner": "hooks/loa", "people": "tin@tin.example"}
"""Channels that share one emulated platform with others, by their account there: the desk's alerts are no copies."""
ALERTS: Mapping[str, str] = {"duty": "hooks/duty", "duty_mail": "loa@tin.example"}
"""The same for the ways by which people are told."""
STRICKEN_NAME = "Meta"

SABOTAGE: Mapping[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    "twice": (("webhook", {"kind": "stored_then_reset", "step": "publish", "times": 1}),),
    "drop": (("facebook", {"kind": "silent_drop", "step": "publish", "times": 1}),),
}
"""Faults that must turn the verdict red; `twice` comes with a consumer that does not keep the ids of events."""
SABOTAGE_OPTIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {"twice": {"webhook": {"keeps_ids": False}}}
