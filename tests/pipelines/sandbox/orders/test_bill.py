from __future__ import annotations

import json

import pytest

from pipelines.sandbox.orders.bill import Bill, Purchase


def bought(number):
    return Purchase(
        number, f"id-{number}", "openai", "a", "sora-2", "p\ud800猫", 4, "1280x720", None, 1280, 720, "", 1000.5, 10.0,
        "completed", 0.4,
    )  # fmt: skip


def test_a_bill_is_all_the_state(tmp_path):
    """What was bought is known again from the file alone, to the last field."""
    bill = Bill(tmp_path / "bill.jsonl")
    for number in (1, 2):
        bill.add(bought(number))
    bill.delete("id-1", 1020.0)
    bill.close()

    again = Bill(tmp_path / "bill.jsonl")
    assert list(again.purchases.values()) == [bought(1), bought(2)]
    assert again.find("id-1", "openai", "a") is None
    again.close()


def test_a_torn_last_line_is_ignored_and_harms_no_later_one(tmp_path):
    """A line that a crash cut short was never answered, so it never was; the next line stands on its own."""
    file = tmp_path / "bill.jsonl"
    bill = Bill(file)
    bill.add(bought(1))
    bill.close()
    file.write_bytes(file.read_bytes() + b'{"event": "bought", "id": "id-2", "pro')

    torn = Bill(file)
    torn.add(bought(2))
    torn.close()
    whole = Bill(file)
    assert list(whole.purchases) == ["id-1", "id-2"]
    whole.close()


def test_every_line_says_when_and_how_much(tmp_path):
    """A line of the file can be read without this program."""
    bill = Bill(tmp_path / "bill.jsonl")
    bill.add(bought(1))
    bill.close()
    line = json.loads((tmp_path / "bill.jsonl").read_text())
    assert line["at"] == "1970-01-01T00:16:40.500+00:00"
    assert (line["id"], line["price"], line["latency_s"], line["outcome"]) == ("id-1", 0.4, 10.0, "completed")


def test_nobody_sees_what_another_account_bought():
    """An id answers only to the account and the contract that it belongs to."""
    bill = Bill(None)
    bill.add(bought(1))
    assert bill.find("id-1", "openai", "a") is not None
    assert bill.find("id-1", "openai", "b") is None
    assert bill.find("id-1", "qiniu", "a") is None


@pytest.mark.parametrize("line", ["{}", "[1]", '{"event": "bought", "at": "", "id": "x"}', '"x"'])
def test_a_file_that_is_no_bill_is_left_alone(tmp_path, line):
    """Somebody else's JSON lines are an error that names the file, and nothing is added to it."""
    file = tmp_path / "other.jsonl"
    file.write_text(line)
    with pytest.raises(ValueError, match=r"other\.jsonl"):
        Bill(file)
    assert file.read_text() == line
