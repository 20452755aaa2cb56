"""The catalogue of sentences: what Loa tells about an announcement, in English and Vietnamese.

Both start in lower case, because some are shown inside others, and end without a full stop. A template is one of
`str.format` with one addition: `[a|b]` shows the first alternative whose arguments all say something, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, tuple[str, str]] = {
    # why a channel starts, waits or is passed over
    "accepted": ("accepted[ from {by}]", "đã nhận[ từ {by}]"),
    "start_post": ("every announcement of this route goes here", "mọi thông báo của tuyến này đều đăng ở đây"),
    "start_stand_in_down": (
        (
            "{what} is down[ since {since}][ ({channels})]:[ {passed_over} passed over,] "
            "[{channel}|this channel] carries it[ for {for_channel}]"
        ),
        (
            "{what} gặp sự cố[ từ {since}][ ({channels})]:[ bỏ qua {passed_over},] "
            "[{channel}|kênh này] đăng thay[ cho {for_channel}]"
        ),
    ),
    "start_stand_in": ("stands in for {for_channel}[: {why}]", "đăng thay cho {for_channel}[: {why}]"),
    "start_slow": (
        "{for_channel} is not live[ after {after_s} s]: this channel starts",
        "{for_channel} chưa đăng được[ sau {after_s} giây]: kênh này bắt đầu",
    ),
    "slow": ("not live[ after {after_s} s]", "chưa đăng được[ sau {after_s} giây]"),
    "start_goal": (
        (
            "the goal is at risk[; outside operators missing: {missing}]"
            "[; domestic operators missing: {missing_domestic}]"
        ),
        (
            "mục tiêu có nguy cơ không đạt[; còn thiếu nhà vận hành bên ngoài: {missing}]"
            "[; còn thiếu nhà vận hành trong nước: {missing_domestic}]"
        ),
    ),
    "down": ("{what} is down[ since {since}][ ({channels})]", "{what} gặp sự cố[ từ {since}][ ({channels})]"),
    "parked_down": (
        "{what} is down[ since {since}][; a late copy is owed until {until}]",
        "{what} gặp sự cố[ từ {since}][; sẽ đăng bù, chậm nhất {until}]",
    ),
    "own_network": (
        "our own network seems to be cut off: nothing outside answers, so no channel is blamed",
        "có vẻ mạng của tòa soạn bị ngắt: bên ngoài không nơi nào trả lời, nên không quy lỗi cho kênh nào",
    ),
    "unsuited": ("nothing of it can be shown here: {why}", "không có gì để đăng ở đây: {why}"),
    "add_picture": (
        "this platform shows nothing without a picture; add one, or give the agency a site, where Loa keeps cards",
        "nền tảng này không đăng tin không có ảnh; hãy thêm ảnh, hoặc khai báo kênh site để Loa lưu thẻ tin",
    ),
    "add_video": (
        "this platform shows nothing without a video; add one, or set card_video = true for urgent news",
        "nền tảng này không đăng tin không có video; hãy thêm video, hoặc đặt card_video = true cho tin khẩn",
    ),
    "add_video_routine": (
        "this platform shows nothing without a video; add one, since Loa makes videos of urgent headlines only",
        "nền tảng này không đăng tin không có video; hãy thêm video, vì Loa chỉ tự làm video cho tin khẩn",
    ),
    "add_video_folder": (
        "this platform shows nothing without a video; add one, or give the agency a site, where Loa keeps cards",
        "nền tảng này không đăng tin không có video; hãy thêm video, hoặc khai báo kênh site để Loa lưu thẻ tin",
    ),
    "paused": ("this channel is paused[ until {until}]", "kênh này đang tạm dừng[ đến {until}]"),
    "not_resent": (
        "not sent again: it is older than the backup from which Loa was restored",
        "không gửi lại: tin cũ hơn bản sao lưu dùng để khôi phục Loa",
    ),
    "restored": (
        "restored from a backup of {at}: nothing is sent until somebody decides about older announcements",
        "đã khôi phục từ bản sao lưu lúc {at}: chưa gửi gì cho đến khi có người quyết định về các tin cũ hơn",
    ),
    "paused_because": (
        "paused[ until {until}][: {because}]",
        "đang tạm dừng[ đến {until}][: {because}]",
    ),
    "channel_gone": ("this channel is no longer configured", "kênh này không còn trong cấu hình"),
    # why nothing is posted
    "not_needed": ("not needed", "không cần đến"),
    "served_by": ("not needed: {channel} carries it", "không cần đến: {channel} đã đăng"),
    "start_by_over": (
        "not started: it is too late for stand-ins[, since {until}]",
        "không bắt đầu: đã quá muộn để đăng thay[, từ {until}]",
    ),
    "expired": (
        "not posted in time[: it was useful until {until}]",
        "không đăng kịp[: tin chỉ còn giá trị đến {until}]",
    ),
    "newest_five": (
        "no late copy: after an outage only the newest five are made",
        "không đăng bù: sau sự cố chỉ đăng bù năm tin mới nhất",
    ),
    "withdrawn": ("withdrawn[ by {by}][: {because}]", "đã rút[ bởi {by}][: {because}]"),
    "replaced": ("replaced[ by {by}]", "đã được thay[ bằng {by}]"),
    # what a platform answered
    "denied": (
        "[{operator}|the platform] refuses our account[: {detail}]",
        "[{operator}|nền tảng] từ chối tài khoản của tòa soạn[: {detail}]",
    ),
    "rejected": (
        "[{operator}|the platform] refuses this content[ ({code})][: {detail}]",
        "[{operator}|nền tảng] từ chối nội dung này[ ({code})][: {detail}]",
    ),
    "refuses_everything": (
        "[{what}|{operator}|the platform] refuses everything we post[ since {since}][ ({code})| ({detail})]",
        "[{what}|{operator}|nền tảng] từ chối mọi tin của tòa soạn[ từ {since}][ ({code})| ({detail})]",
    ),
    "throttled": (
        "[{operator}|the platform] asks us to wait[ until {until}]",
        "[{operator}|nền tảng] yêu cầu chờ[ đến {until}]",
    ),
    "unavailable": (
        "[{operator}|the platform] does not answer[ ({detail})]",
        "[{operator}|nền tảng] không trả lời[ ({detail})]",
    ),
    "pending": (
        "[{operator}|the platform] has taken it and does not show it yet[: {why}]",
        "[{operator}|nền tảng] đã nhận nhưng chưa hiển thị[: {why}]",
    ),
    "tap_draft": (
        "a draft waits in the inbox of its app; a person must tap it, paste the text and post it for everybody",
        "bản nháp đang chờ trong hộp thư của ứng dụng; cần người mở ra, dán nội dung và đăng công khai",
    ),
    "draft_unseen": (
        "posted from its app; it is still being checked, or the person chose a smaller audience than everybody",
        "đã đăng từ ứng dụng; nền tảng còn kiểm duyệt, hoặc người đăng đã giới hạn người xem",
    ),
    "pending_person": (
        "handed over; only a person can say when readers see it[, waited for until {until}]",
        "đã chuyển; chỉ người trực mới biết khi nào độc giả thấy tin[, chờ đến {until}]",
    ),
    "unfinished": ("prepared there, the last step follows", "đã chuẩn bị xong, còn bước cuối"),
    # what may or may not be public
    "uncertain": (
        "may have been posted: the answer was lost[ ({detail})]",
        "có thể đã đăng: không nhận được câu trả lời[ ({detail})]",
    ),
    "may_run_late": (
        "not sent again, but an earlier attempt may still come out: it is looked for",
        "không gửi lại nữa, nhưng lần gửi trước vẫn có thể hiện ra: đang kiểm tra",
    ),
    "crash": (
        "may have been posted: the broker was stopped while this was being sent",
        "có thể đã đăng: hệ thống bị dừng trong lúc đang gửi",
    ),
    "interrupted": (
        "interrupted before anything was public: it goes on",
        "bị gián đoạn khi chưa có gì hiển thị: tiếp tục đăng",
    ),
    "repeat_wanted": (
        "may have been posted; this route wants one repeat: sent again",
        "có thể đã đăng; tuyến này cho phép gửi lại một lần: gửi lại",
    ),
    "unconfirmed_nothing": (
        "may have been posted; this platform cannot be asked: a person must look",
        "có thể đã đăng; không thể hỏi nền tảng này: cần người kiểm tra",
    ),
    "unconfirmed_time": (
        "may have been posted; nobody could tell[ until {until}]: a person must look",
        "có thể đã đăng; không xác nhận được[ đến {until}]: cần người kiểm tra",
    ),
    "not_seen": ("not seen there[ until {until}]: sent again", "không thấy trên kênh[ đến {until}]: gửi lại"),
    "not_seen_skip": (
        "not seen there[ until {until}]: no longer needed, not sent again",
        "không thấy trên kênh[ đến {until}]: không còn cần, không gửi lại",
    ),
    "absent": ("proved not to be posted: sent again", "đã xác minh là chưa đăng: gửi lại"),
    # what is public
    "live": ("live", "đã đăng"),
    "live_without": ("live without pictures: {why}", "đã đăng nhưng không có ảnh: {why}"),
    "media_not_fetched": (
        "the platform did not take them from our media host",
        "nền tảng không lấy được ảnh từ máy chủ của tòa soạn",
    ),
    "media_not_kept": ("a file is missing in the media folder", "thiếu tệp trong thư mục ảnh"),
    "live_late": ("late copy[, written at {written_at}]", "bản đăng bù[, viết lúc {written_at}]"),
    "found": ("found there: it is live", "đã tìm thấy trên kênh: tin đã đăng"),
    "two_copies": ("{count} copies are to be seen there", "trên kênh có {count} bản"),
    "uncounted": (
        "it was sent {times} times, and the list there does not show how many copies there are: a person must look",
        "đã gửi {times} lần mà danh sách trên kênh không cho biết có mấy bản: cần người xem",
    ),
    "copy_deleted": ("the younger copy was deleted", "đã xóa bản đăng sau"),
    "copy_delete_failed": (
        "the younger copy could not be deleted[ ({detail})]: a person must do it",
        "không xóa được bản đăng sau[ ({detail})]: cần người xóa",
    ),
    "removed": ("[{operator}|the platform] no longer shows it", "[{operator}|nền tảng] không còn hiển thị tin"),
    "hidden": (
        "readers cannot see it there[: {detail}]",
        "độc giả không thấy tin trên kênh[: {detail}]",
    ),
    "deleting": ("being deleted there", "đang xóa khỏi kênh"),
    "deleted": ("deleted there", "đã xóa khỏi kênh"),
    "deleted_one": (
        "deleted there; it was sent more than once, a person must look for another copy",
        "đã xóa khỏi kênh; tin đã được gửi hơn một lần, cần người kiểm tra xem còn bản nào",
    ),
    "delete_unsupported": (
        "programs cannot delete there, a person must[: {url}][; sent {times} times: look for another copy]",
        "chương trình không xóa được trên kênh này, cần người xóa[: {url}][; đã gửi {times} lần: hãy tìm bản khác]",
    ),
    "delete_failed": (
        "could not be deleted[ ({detail})]: a person must do it[; sent {times} times: look for another copy]",
        "không xóa được[ ({detail})]: cần người xóa[; đã gửi {times} lần: hãy tìm bản khác]",
    ),
    "resolved_live": ("[{by}|a person] has seen it there", "[{by}|người trực] đã thấy tin trên kênh"),
    "resolved_not_live": (
        "[{by}|a person] says that it is not there",
        "[{by}|người trực] cho biết tin không có trên kênh",
    ),
    "resolved_gone": ("removed there, says [{by}|a person]", "đã gỡ khỏi kênh, theo [{by}|người trực]"),
    "reopened": ("taken up again[ by {by}]", "được mở lại[ bởi {by}]"),
    # what becomes of a channel's token
    "token_lost": (
        (
            "the answer to a renewal of the token was lost[ ({detail})]: the one we have is used while it lasts"
            "[, until {until}]; grant access again in good time[ ({command})]"
        ),
        (
            "không nhận được câu trả lời khi gia hạn mã truy cập[ ({detail})]: dùng tiếp mã hiện có khi còn hiệu lực"
            "[, đến {until}]; cần cấp quyền lại kịp thời[ ({command})]"
        ),
    ),
    "token_ends": (
        "its token ends [in {days} days|today]: grant access again[ ({command})]",
        "mã truy cập hết hạn [sau {days} ngày nữa|hôm nay]: cần cấp quyền lại[ ({command})]",
    ),
    "token_refused": (
        "the token cannot be renewed[: {detail}]",
        "không gia hạn được mã truy cập[: {detail}]",
    ),
    "token_unsaved": (
        "a renewed token could not be stored[ ({detail})]: make room for the store before Loa is stopped",
        "không lưu được mã truy cập mới[ ({detail})]: cần giải phóng chỗ cho kho dữ liệu trước khi dừng Loa",
    ),
    # the announcement as a whole
    "goal_met": (
        "goal met[ after {seconds} s][; outside operators: {operators}][, domestic: {domestic}]",
        "đạt mục tiêu[ sau {seconds} giây][; nhà vận hành bên ngoài: {operators}][, trong nước: {domestic}]",
    ),
    "goal_missed": (
        "goal missed: too few operators carried it[ by {by}]",
        "không đạt mục tiêu: quá ít nhà vận hành đã đăng[ trước {by}]",
    ),
    # alerts to the desk
    "alert_outage": (
        "{what} is down since {since}[ ({channels})]: other channels carry the announcements",
        "{what} gặp sự cố từ {since}[ ({channels})]: các kênh khác đăng thay",
    ),
    "alert_outage_over": ("{what} works again; it was down since {since}", "{what} đã hoạt động lại; sự cố từ {since}"),
    "alert_account": (
        "{channel} has shut us out since {since}[: {detail}]; nothing is posted there until it is mended",
        "{channel} không cho đăng từ {since}[: {detail}]; chưa đăng gì ở đó cho đến khi xử lý xong",
    ),
    "alert_account_over": ("{channel} lets us in again", "{channel} đã cho đăng lại"),
    "alert_refuses": (
        "{channel} refuses every post since {since}[: {detail}]; look at the account",
        "{channel} từ chối mọi bài đăng từ {since}[: {detail}]; cần kiểm tra tài khoản",
    ),
    "alert_refuses_over": ("{channel} takes posts again", "{channel} đã nhận bài trở lại"),
    "alert_nowhere": (
        "out nowhere, and the time is up: {references}[ and {more} more]; post by hand",
        "đã hết giờ mà chưa đăng được ở đâu: {references}[ và {more} tin khác]; cần đăng bằng tay",
    ),
    "alert_nowhere_over": ("no announcement is out nowhere any more", "không còn thông báo nào chưa đăng được"),
    "alert_partly": (
        (
            "the time is up and too few operators show it: {references}[ and {more} more]; "
            "see loa status, post by hand where it matters"
        ),
        (
            "đã hết giờ mà chưa đủ kênh: {references}[ và {more} tin khác]; "
            "hãy xem loa status và đăng bằng tay ở kênh quan trọng"
        ),
    ),
    "alert_partly_over": ("no announcement is short of its goal any more", "không còn thông báo nào thiếu kênh"),
    "alert_unconfirmed": (
        "may be on {channel}, and nobody can tell: {references}[ and {more} more]; look there and run loa resolve",
        (
            "có thể đã có trên {channel} mà không xác minh được: {references}[ và {more} tin khác]; "
            "hãy xem kênh rồi chạy loa resolve"
        ),
    ),
    "alert_unconfirmed_over": ("everything on {channel} is settled", "mọi tin trên {channel} đã được xác minh"),
    "alert_removed": (
        "{channel} does not show to readers: {references}[ and {more} more]; look why, and post elsewhere if need be",
        "{channel} không cho độc giả thấy: {references}[ và {more} tin khác]; hãy xem lý do và đăng nơi khác nếu cần",
    ),
    "alert_left_up": (
        (
            "withdrawn, and it is or may be still on {channel}: {references}[ and {more} more]; "
            "take it away by hand, then run loa resolve --gone"
        ),
        (
            "đã rút nhưng còn hoặc có thể còn trên {channel}: {references}[ và {more} tin khác]; "
            "hãy gỡ bằng tay rồi chạy loa resolve --gone"
        ),
    ),
    "alert_left_up_over": ("nothing withdrawn is left on {channel}", "không còn tin đã rút nào trên {channel}"),
    "alert_removed_over": ("what {channel} had taken away is there again", "bài bị gỡ trên {channel} đã có lại"),
    "alert_rehearsal": (
        "{channel} works, but a rehearsal could not post[: {detail}]; the next announcement there would fail as well",
        "{channel} vẫn trả lời, nhưng lần đăng thử không thành công[: {detail}]; tin tiếp theo ở đó cũng sẽ lỗi",
    ),
    "alert_rehearsal_over": ("{channel} can post again", "{channel} đã đăng được trở lại"),
    "alert_token": ("{channel}: {detail}", "{channel}: {detail}"),
    "alert_token_over": ("{channel}: the token is in order again", "{channel}: mã truy cập đã ổn"),
    "status_awaiting_approval": ("waits for approval", "chờ duyệt"),
    "status_scheduled": ("goes out[ at {at} on {day}]", "sẽ đăng[ lúc {at} ngày {day}]"),
    "status_open": ("under way", "đang đăng"),
    "status_reached": ("the goal is reached", "đã đạt mục tiêu"),
    "status_partly": (
        "the time is up and the goal is only partly reached",
        "đã hết thời gian, chỉ đạt một phần mục tiêu",
    ),
    "status_nowhere": ("out nowhere", "chưa đăng được ở đâu"),
    "status_withdrawn": ("withdrawn[: {because}]", "đã rút[: {because}]"),
    # what happens next
    "next_late_copy": ("late copy until {until}", "đăng bù, chậm nhất {until}"),
    "next_try": ("tried again[ at {at}]", "thử lại[ lúc {at}]"),
    "next_question": ("asked again[ at {at}]", "hỏi lại[ lúc {at}]"),
    # parts of the summary
    "out_on": ("out on {channels}", "đã đăng trên {channels}"),
    "still_on": ("still to be seen on {channels}", "vẫn còn trên {channels}"),
    "on_its_way": ("on its way to {channels}", "đang gửi đến {channels}"),
    "owed_one": ("{channels} gets a late copy[ until {until}]", "{channels} sẽ được đăng bù[, chậm nhất {until}]"),
    "owed_many": ("{channels} get late copies[ until {until}]", "{channels} sẽ được đăng bù[, chậm nhất {until}]"),
    "unconfirmed_on": ("may be on {channels}: a person must look", "có thể đã có trên {channels}: cần người kiểm tra"),
    "not_on": ("not on {channel}: {why}", "không có trên {channel}: {why}"),
}

NAMES: Mapping[str, str | tuple[str, str]] = {
    "bluesky": "Bluesky",
    "discord": "Discord",
    "email": ("e-mail", "thư điện tử"),
    "facebook": "Facebook",
    "google": "Google",
    "instagram": "Instagram",
    "international": ("the path abroad", "đường truyền quốc tế"),
    "domestic": ("the domestic path", "đường truyền trong nước"),
    "line": "LINE",
    "mastodon": "Mastodon",
    "media_host": ("our media host", "máy chủ ảnh của tòa soạn"),
    "meta": "Meta",
    "mps": ("the Ministry of Public Security", "Bộ Công an"),
    "own": ("our own server", "máy chủ của tòa soạn"),
    "site": ("our site", "trang của tòa soạn"),
    "sms": "SMS",
    "smtp": ("e-mail", "thư điện tử"),
    "telegram": "Telegram",
    "threads": "Threads",
    "tiktok": "TikTok",
    "vneid": "VNeID",
    "vng": "VNG (Zalo)",
    "vss": ("Vietnam Social Security", "Bảo hiểm xã hội Việt Nam"),
    "vssid": "VssID",
    "x": "X",
    "youtube": "YouTube",
    "zalo": "Zalo",
}
"""What people call a channel or operator; others are shown as they are configured."""
