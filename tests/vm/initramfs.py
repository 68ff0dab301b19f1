# SPDX-License-Identifier: MIT OR Apache-2.0
"""An initramfs of a few programs, in the kernel's own format (cpio, "newc")."""


def build(programs):
    """The archive for `programs`: path in the guest -> bytes. All of them can be executed."""
    folders = sorted({path.rpartition("/")[0] for path in programs} - {""})
    entries = [(folder, 0o040755, b"") for folder in folders]
    entries += [(path, 0o100755, data) for path, data in programs.items()]
    archive = b"".join(_entry(i + 1, *entry) for i, entry in enumerate(entries))
    return archive + _entry(0, "TRAILER!!!", 0, b"")


def _entry(inode, name, mode, data):
    name = name.encode() + b"\0"
    # inode mode uid gid nlink mtime size, four device numbers, size of the name, no checksum
    numbers = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name
    return _aligned(head) + _aligned(data)


def _aligned(data):
    return data + bytes(-len(data) % 4)
