"""What the pages say beyond the catalogue of sentences, in English and Vietnamese."""

from __future__ import annotations

from collections.abc import Mapping

from broker.rules.sentences import LANGUAGES

WORDS: Mapping[str, tuple[str, str]] = {
    # the record
    "record_of": ("Record of {reference}", "Hồ sơ thông báo {reference}"),
    "record_says": (
        (
            "Everything that {agency} keeps of this announcement: what was said, where, when and by whom. "
            "Times are those of {zone}; the list of events gives them in UTC too."
        ),
        (
            "Toàn bộ dữ liệu {agency} lưu về thông báo này: nội dung, nơi đăng, thời gian và người thực hiện. "
            "Giờ ghi theo múi giờ {zone}; danh sách diễn biến có cả giờ UTC."
        ),
    ),
    "announcement": ("Announcement", "Thông báo"),
    "reference": ("Reference", "Mã tin"),
    "our_id": ("Id", "Số nội bộ"),
    "external_id": ("The agency's own id", "Mã riêng của tòa soạn"),
    "author": ("Author", "Tác giả"),
    "accepted_from": ("Handed in with the key", "Gửi bằng khóa"),
    "accepted_at": ("Accepted", "Nhận lúc"),
    "send_at": ("To go out", "Hẹn đăng lúc"),
    "expires_at": ("Useful until", "Còn giá trị đến"),
    "route": ("Route", "Tuyến"),
    "urgency": ("Urgency", "Mức độ"),
    "status": ("Status", "Tình trạng"),
    "goal": ("Goal", "Mục tiêu"),
    "goal_is": (
        "{operators} outside operators, {domestic} of them domestic, by {by}",
        "{operators} nhà vận hành bên ngoài, trong đó {domestic} trong nước, trước {by}",
    ),
    "goal_met_at": ("Goal met", "Đạt mục tiêu lúc"),
    "withdrawn_at": ("Withdrawn", "Rút lúc"),
    "withdrawn_by": ("Withdrawn by", "Người rút"),
    "because": ("Why", "Lý do"),
    "replaces": ("Replaces", "Thay cho"),
    "replaced_by": ("Replaced by", "Được thay bằng"),
    "closed_at": ("Closed", "Kết thúc lúc"),
    "link": ("Link", "Đường dẫn"),
    "pictures": ("Pictures", "Hình ảnh"),
    "translation": ("Translation ({language})", "Bản dịch ({language})"),
    "override": ("The desk's own text for {channel}", "Nội dung riêng cho {channel}"),
    "as_handed_in": ("As handed in", "Nội dung tòa soạn gửi"),
    "where": ("Where it was to be seen", "Các kênh đăng"),
    "exact_text": ("Exact text", "Nguyên văn"),
    "never_sent": ("Text as prepared; it was never sent", "Nguyên văn đã chuẩn bị, không gửi"),
    "role": ("Role", "Vai trò"),
    "serves": ("Could stand in for", "Có thể thay cho"),
    "attempts": ("Attempts", "Số lần gửi"),
    "first_sent_at": ("First sent", "Gửi lần đầu"),
    "sent_at": ("Last sent", "Gửi lần cuối"),
    "live_at": ("Live", "Đăng lúc"),
    "proof": ("Proof", "Bằng chứng"),
    "platform_id": ("The platform's id", "Mã của nền tảng"),
    "further_copies": ("Second copies", "Các bản trùng"),
    "cut": ("Cut", "Đã cắt bớt"),
    "what_happened": ("What happened", "Diễn biến"),
    "time": ("Time", "Giờ"),
    "channel": ("Channel", "Kênh"),
    "what": ("What", "Việc"),
    "fingerprint": ("Fingerprint", "Dấu vân tay"),
    "fingerprint_says": (
        "SHA-256 of the record as JSON (sorted names, no blanks). The same record always has the same one.",
        "SHA-256 của hồ sơ dạng JSON (tên trường xếp thứ tự, không khoảng trắng). Hồ sơ không đổi thì mã không đổi.",
    ),
    "made_at": ("Made", "Lập lúc"),
}


def word(key: str, language: str, /, **args: object) -> str:
    """What is said for `key`. Raises `KeyError` for one that nobody wrote."""
    return WORDS[key][LANGUAGES.index(language)].format(**args)
