"""`loa record`: JSON for programs, one page for people."""

from __future__ import annotations

from pathlib import Path

from tests.contract.cli.conftest import Loa, Server


def test_the_record_is_printed_or_written(loa: Loa, server: Server, tmp_path: Path):
    sent = loa("send", "--headline", "Tin thử", "--body", "Chỉ là thử.", "--json", **server.environment).json
    found = loa("record", sent["reference"]).json
    assert found["record"]["reference"] == sent["reference"]
    page = tmp_path / "record.html"
    said = loa("record", sent["reference"], "--html", str(page))
    assert (said.code, said.out) == (0, "")
    assert sent["reference"] in page.read_text(encoding="utf-8")
    both = loa("record", sent["reference"], "--html", str(page), "--json")
    assert both.json["sha256"] in page.read_text(encoding="utf-8")
    nowhere = loa("record", sent["reference"], "--html", str(tmp_path / "none" / "record.html"))
    assert (nowhere.code, "cannot be written" in nowhere.err) == (2, True)
