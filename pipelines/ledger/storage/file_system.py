"""On what kind of file system a file lies: SQLite is safe only where locks and syncs are those of this machine."""

from __future__ import annotations

from pathlib import Path

#: As `/proc/mounts` names them. Their locks may hold nothing, and a sync may end before the disk has it.
_OF_NETWORKS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2")
) | {f"fuse.{name}" for name in ("sshfs", "glusterfs", "ceph", "s3fs", "rclone", "gcsfuse", "davfs", "juicefs", "smb")}
_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


def network_file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str | None:
    """Name the network file system that a path lies on; None: it is local, or this system does not say.

    Args:
        path: of a file or a folder, there already or not.
        mounts: the table of what is mounted where.
    """
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    real, found, longest = path.resolve(), "", -1
    for line in lines:
        _, where, kind, *_ = (*line.split(" "), "", "", "")
        for escape, character in _ESCAPES.items():
            where = where.replace(escape, character)
        if real.is_relative_to(where) and len(where) >= longest:  # the last of two at one place lies above
            found, longest = kind, len(where)
    return found if found in _OF_NETWORKS else None
