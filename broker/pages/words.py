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
    "picture": ("Picture or video", "Ảnh hoặc video"),
    "picture_says": ("its address; fetched once, when it is handed in", "địa chỉ; được tải một lần khi gửi tin"),
    "alt": ("What it shows", "Nội dung ảnh"),
    "alt_says": ("for readers who cannot see it", "cho bạn đọc không nhìn thấy ảnh"),
    "pictures": ("Pictures", "Hình ảnh"),
    "translation": ("Translation ({language})", "Bản dịch ({language})"),
    "override": ("The desk's own text for {channel}", "Nội dung riêng cho {channel}"),
    "as_handed_in": ("As handed in", "Nội dung tòa soạn gửi"),
    "where": ("Where", "Các kênh đăng"),
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
    "part": ("Field “{name}”", "Trường “{name}”"),
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
    # every page
    "desk": ("Desk", "Bàn trực"),
    "skip": ("To the content", "Đến nội dung"),
    "pages": ("Pages", "Các trang"),
    "announcements": ("Announcements", "Thông báo"),
    "channels": ("Channels", "Các kênh"),
    "times_in": ("Times are those of {zone}.", "Giờ theo múi giờ {zone}."),
    "sign_out": ("Sign out ({name})", "Đăng xuất ({name})"),
    "since": ("since", "từ"),
    "optional": ("(optional)", "(không bắt buộc)"),
    "back": ("Back", "Quay lại"),
    "save": ("Save", "Lưu"),
    "go_on": ("Go on", "Tiếp tục"),
    "other_key": ("Sign in with another key", "Đăng nhập bằng khóa khác"),
    "that_failed": ("That did not work", "Chưa thực hiện được"),
    "done_sent": ("Accepted: from now on nothing loses it.", "Đã nhận: từ lúc này tin không thể bị mất."),
    "done_withdrawn": ("Withdrawn: nothing more is sent.", "Đã rút: không gửi thêm gì nữa."),
    "done_confirmed": ("Noted. Thank you for looking.", "Đã ghi nhận. Cảm ơn bạn đã kiểm tra."),
    "done_gone": ("Noted: it is gone there.", "Đã ghi nhận: tin không còn trên kênh."),
    "done_paused": ("Paused: nothing is sent there.", "Đã tạm dừng: không gửi gì lên kênh đó."),
    "done_resumed": ("Sent there again.", "Kênh đã được gửi trở lại."),
    "done_signed_out": ("You are signed out.", "Bạn đã đăng xuất."),
    # coming in
    "sign_in": ("Sign in", "Đăng nhập"),
    "sign_in_says": (
        "With the API key of your newsroom, or by the link in an alert.",
        "Bằng khóa API của tòa soạn, hoặc bằng đường dẫn trong tin báo sự cố.",
    ),
    "key": ("Key", "Khóa"),
    "wrong_key": ("This key is not known here: copy it again.", "Khóa này không đúng: hãy chép lại."),
    "come_in": ("You are expected", "Mời vào bàn trực"),
    "link_says_once": (
        "This link opens the desk once, for an hour. You can look and settle what is unclear; sending takes a key.",
        "Đường dẫn này mở bàn trực một lần, trong một giờ. Bạn xem và xác nhận được; muốn gửi tin cần có khóa.",
    ),
    "open_the_desk": ("Open the desk", "Mở bàn trực"),
    "link_is_over": ("This link is over", "Đường dẫn đã hết hiệu lực"),
    "link_is_over_says": (
        "It was used already, or is more than an hour old. Sign in with a key, or wait for the next alert.",
        "Đường dẫn đã được dùng hoặc đã quá một giờ. Hãy đăng nhập bằng khóa, hoặc đợi tin báo tiếp theo.",
    ),
    # announcements
    "nothing_yet": ("No announcements yet.", "Chưa có thông báo nào."),
    "nothing_older": ("There are no older ones.", "Không còn thông báo cũ hơn."),
    "older": ("Older ones", "Cũ hơn"),
    "urgent": ("Urgent", "Khẩn"),
    "goal_met": ("Goal met after {seconds} s.", "Đạt mục tiêu sau {seconds} giây."),
    "goal_open": (
        "Goal: {operators} outside operators, {domestic} of them domestic, by",
        "Mục tiêu: {operators} nhà vận hành bên ngoài, trong đó {domestic} trong nước, trước",
    ),
    "by_author": ("Author: {author}.", "Tác giả: {author}."),
    "see_it_there": ("See it there", "Xem bài trên kênh"),
    "what_readers_see": ("What readers see", "Độc giả đang thấy"),
    "what_readers_saw": ("What readers saw", "Độc giả đã thấy"),
    "text_prepared": ("Text prepared", "Nội dung đã chuẩn bị"),
    "other_channels": ("Not needed so far: {count}", "Chưa cần đến: {count} kênh"),
    "record": ("Record", "Hồ sơ"),
    "look_again": ("Refresh", "Cập nhật"),
    "stop_watching": ("Stop updating", "Ngừng cập nhật"),
    "delete_by_hand": ("A person must delete", "Cần người xóa"),
    "certainly_there": ("it is still there.", "tin vẫn còn."),
    "maybe_there": ("it may be there: please look.", "có thể còn: hãy kiểm tra."),
    "it_is_gone": ("It is gone", "Đã xóa xong"),
    # taking back
    "withdraw": ("Withdraw", "Rút tin"),
    "withdraw_this": ("Withdraw this announcement?", "Rút thông báo này?"),
    "withdrawn_already": ("It was withdrawn at", "Tin đã được rút lúc"),
    "nothing_more_is_sent": ("Nothing more of it is sent anywhere.", "Không gửi thêm lên bất kỳ kênh nào."),
    "deleted_on": ("It is deleted on: {channels}.", "Tin sẽ bị xóa khỏi: {channels}."),
    "kept_on": (
        "Programs cannot delete it on {channel}: a person must.",
        "Chương trình không xóa được trên {channel}: cần người xóa.",
    ),
    "because_says": ("(kept, never posted)", "(chỉ lưu, không đăng)"),
    "withdraw_now": ("Withdraw now", "Rút ngay"),
    "keep_it": ("Keep it", "Giữ lại"),
    # settling
    "confirm": ("Say what you see there", "Báo lại tình trạng"),
    "confirm_on": ("Look on {channel}", "Kiểm tra {channel}"),
    "posted_by_hand": ("I posted it by hand", "Tôi đã đăng bằng tay"),
    "is_it_on": ("Is it on {channel}?", "Tin có trên {channel} không?"),
    "look_for": ("Look there for {reference} and this text:", "Hãy tìm trên kênh mã {reference} và nội dung này:"),
    "what_did_you_see": ("What did you see?", "Bạn thấy gì?"),
    "seen_live": ("Readers can see it", "Độc giả xem được tin"),
    "its_address": ("Its address", "Địa chỉ bài đăng"),
    "seen_missing": ("It is not there", "Không có trên kênh"),
    "seen_again": ("It is not there: send it once more", "Không có trên kênh: gửi lại một lần"),
    # channels
    "domestic": ("domestic", "trong nước"),
    "abroad": ("abroad", "nước ngoài"),
    "waiting_there": ("Waiting or under way: {count}", "Đang chờ hoặc đang gửi: {count}"),
    "for_alerts": ("for alerts", "kênh báo sự cố"),
    "asked_at": ("asked at", "kiểm tra lúc"),
    "pause": ("Pause", "Tạm dừng"),
    "pause_says": (
        "Nothing is sent there until somebody resumes it; stand-ins carry announcements meanwhile.",
        "Không gửi gì lên kênh này cho đến khi có người mở lại; trong lúc đó các kênh khác đăng thay.",
    ),
    "until": ("Until", "Đến lúc"),
    "until_says": ("(else until somebody resumes it)", "(để trống: đến khi có người mở lại)"),
    "proved": ("Posting tried out at", "Đã thử đăng được lúc"),
    "not_proved": ("Posting tried out without success at", "Thử đăng không được lúc"),
    "resume": ("Resume", "Mở lại"),
    # writing
    "write": ("New announcement", "Viết thông báo"),
    "write_short": ("Write", "Viết tin"),
    "headline": ("Headline", "Tiêu đề"),
    "body": ("Text", "Nội dung"),
    "urgent_says": ("(goes first; stand-ins start sooner)", "(gửi trước; kênh đăng thay bắt đầu sớm hơn)"),
    "default_route": ("Everywhere", "Mọi kênh"),
    "more": ("Link, author, time", "Đường dẫn, tác giả, hẹn giờ"),
    "link_says": ("to your own article (optional)", "đến bài của tòa soạn (không bắt buộc)"),
    "author_says": ("(optional)", "(không bắt buộc)"),
    "send_at_says": ("(at once if left empty)", "(để trống: đăng ngay)"),
    "preview": ("Preview", "Xem trước"),
    "preview_says": ("Nothing is sent yet.", "Chưa gửi gì cả."),
    "correct_this": ("Please correct this:", "Cần sửa:"),
    "what_readers_will_see": ("What readers will see", "Độc giả sẽ thấy"),
    "nothing_sent_yet": ("Nothing is sent yet. Read it once more.", "Chưa gửi gì cả. Hãy đọc lại một lần nữa."),
    "length": ("{length} characters", "{length} ký tự"),
    "length_of": ("{length} of at most {limit}", "{length} trên tối đa {limit}"),
    "cut_there": ("Too long for this channel: it is cut as shown.", "Quá dài với kênh này: sẽ bị cắt như dưới đây."),
    "stand_ins": ("Only if needed: {count}", "Chỉ khi cần: {count} kênh"),
    "send_now": ("Send now", "Gửi ngay"),
    "send_later": ("Schedule", "Hẹn giờ gửi"),
    "change": ("Change", "Sửa lại"),
}

ADVICE: Mapping[str, tuple[str, str]] = {
    "conflict": (
        "It has changed meanwhile: look at the announcement again.",
        "Tình trạng vừa thay đổi: hãy xem lại thông báo.",
    ),
    "forbidden": (
        "You may not do this here: go back and try again, or sign in with a key that may.",
        "Bạn không được phép làm việc này: hãy quay lại thử lần nữa, hoặc đăng nhập bằng khóa có quyền.",
    ),
    "idempotency_key_reused": (
        "This was sent already, with another text: look at the announcements.",
        "Tin đã được gửi với nội dung khác: hãy xem danh sách thông báo.",
    ),
    "invalid_input": ("Please correct what is named here.", "Hãy sửa những chỗ nêu dưới đây."),
    "locked_out": (
        "Too many wrong keys came from here: wait a minute.",
        "Có quá nhiều khóa sai từ nơi này: hãy đợi một phút.",
    ),
    "not_found": ("There is no such page or announcement.", "Không có trang hoặc thông báo này."),
    "overloaded": ("Too much at once: try again in a moment.", "Hệ thống đang bận: hãy thử lại sau giây lát."),
    "store_full": (
        "The disk is full: nothing was accepted. Call whoever runs the server.",
        "Ổ đĩa đã đầy: chưa nhận tin. Hãy gọi người quản trị máy chủ.",
    ),
    "store_unavailable": (
        "Nothing can be stored now. Call whoever runs the server.",
        "Hiện không lưu được. Hãy gọi người quản trị máy chủ.",
    ),
    "too_large": ("That is too long: shorten it.", "Nội dung quá dài: hãy rút ngắn."),
}
"""What to do, by the code of an error."""

PROBLEMS: Mapping[str, str] = {
    "is empty: write something": "đang để trống: hãy nhập nội dung",
    "is over already: name a later time": "đã qua: hãy chọn thời gian sau",
    "is no web address: write it like https://tin.example/article": (
        "không phải địa chỉ web: hãy nhập dạng https://tin.example/article"
    ),
    "is no time: write it like 2026-11-22T10:00": "không phải thời gian: hãy nhập dạng 2026-11-22T10:00",
    "is more than a year ahead: give an earlier time": "hẹn xa hơn một năm: hãy chọn thời gian sớm hơn",
}
"""What the checks of announcements say most often, in Vietnamese; they speak English themselves."""


def word(key: str, language: str, /, **args: object) -> str:
    """What is said for `key`. Raises `KeyError` for one that nobody wrote."""
    return WORDS[key][LANGUAGES.index(language)].format(**args)


def advised(code: str, language: str) -> str:
    """What to do about an error with this code."""
    known = ADVICE.get(code, ("Go back and try again.", "Hãy quay lại và thử lần nữa."))
    return known[LANGUAGES.index(language)]


def translated(problem: str, language: str) -> str:
    return PROBLEMS.get(problem, problem) if language == "vi" else problem
