from __future__ import annotations

import pytest

from pipelines.core.errors import LedgerError, SetupError
from pipelines.ledger.ledger import ledger_in
from pipelines.ledger.storage.place import LEDGER_NAME
from pipelines.run.output_folder import make_folders


@pytest.mark.parametrize("name", ["videos", "thumbs"])
def test_a_folder_of_ours_that_leads_elsewhere_is_refused(tmp_path, name):
    """A planted link is named and not followed; the output folder itself may be one, since the operator names it."""
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.symlink_to(elsewhere)
    make_folders(out)
    (elsewhere / name).rmdir()
    (elsewhere / name).symlink_to(tmp_path)
    with pytest.raises(SetupError, match=f"{name} is a symbolic link"):
        make_folders(out)


def test_a_rehearsal_that_leads_elsewhere_is_none(tmp_path):
    """Neither is anything rehearsed there, nor is a ledger there taken for that of this folder."""
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    for folder in (elsewhere, out):
        folder.mkdir()
    (elsewhere / LEDGER_NAME).touch()
    (out / "rehearsal").symlink_to(elsewhere)
    with pytest.raises(SetupError, match="rehearsal is a symbolic link"):
        make_folders(out / "rehearsal")
    with pytest.raises(LedgerError):
        ledger_in(out)
    assert [path.name for path in elsewhere.iterdir()] == [LEDGER_NAME]
