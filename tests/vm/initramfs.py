# SPDX-License-Identifier: MIT OR Apache-2.0
"""An initramfs in the kernel's own format (cpio, "newc"). The kernel unpacks one after the other
where several are joined."""

import stat
import tarfile
from pathlib import PurePath

KINDS = {
    tarfile.REGTYPE: stat.S_IFREG,
    tarfile.LNKTYPE: stat.S_IFREG,  # a copy of what it links to
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.CHRTYPE: stat.S_IFCHR,
}


def build(programs):
    """The archive for `programs`: path in the guest -> bytes. All of them can be executed."""
    folders = sorted({str(folder) for path in programs for folder in PurePath(path).parents} - {"."})
    entries = [(folder, stat.S_IFDIR | 0o755, b"") for folder in folders]
    entries += [(path, stat.S_IFREG | 0o755, data) for path, data in programs.items()]
    return _archive(entries)


def of_root(path):
    """The archive of a whole root, from its tar archive."""
    with tarfile.open(path) as tar:
        return _archive(
            (entry.name.removeprefix("./"), KINDS[entry.type] | entry.mode,
             entry.linkname.encode() if entry.issym() else _bytes(tar, entry),
             (entry.uid, entry.gid), (entry.devmajor, entry.devminor) if entry.ischr() else (0, 0))
            for entry in tar if entry.name != ".")


def _bytes(tar, entry):
    return tar.extractfile(entry).read() if entry.isfile() or entry.islnk() else b""


def _archive(entries):
    archive = b"".join(_entry(i + 1, *entry) for i, entry in enumerate(entries))
    return archive + _entry(0, "TRAILER!!!", 0, b"")


def _entry(inode, name, mode, data, owner=(0, 0), device=(0, 0)):
    name = name.encode() + b"\0"
    # inode mode uid gid nlink mtime size, four device numbers, size of the name, no checksum
    numbers = (inode, mode, *owner, 1, 0, len(data), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name
    return _aligned(head) + _aligned(data)


def _aligned(data):
    return data + bytes(-len(data) % 4)
