"""A file system in memory that writes down each change in its order, and can fail.

    recorder.py MOUNTPOINT JOURNAL [SETTING…]

Each line of the journal is a change, as JSON, and stands there before the change is answered. Files
and folders are numbered, the root 1. To look for `fail-at-N` in the root makes the Nth change from
then on fail with EIO, once.

Settings:
    plain-rename     moving without replacing another is EINVAL, as on older file systems
    unflushable       flushing a folder is EINVAL, as on some network file systems
    slow-open=S      opening a file takes so many seconds
"""

import base64
import errno
import json
import os
import stat
import sys
import time

import pyfuse3
import trio

ROOT = pyfuse3.ROOT_INODE


class Node:
    def __init__(self, mode):
        now = time.time_ns()
        self.mode, self.mtime = mode, now
        self.names = 0
        self.children = {} if stat.S_ISDIR(mode) else None
        self.content = None if stat.S_ISDIR(mode) else bytearray()


class Recorder(pyfuse3.Operations):
    def __init__(self, journal, settings):
        super().__init__()
        self.nodes = {ROOT: Node(stat.S_IFDIR | 0o755)}
        self.newest = ROOT
        self.journal = journal
        self.settings = settings
        self.until_failure = 0

    def change(self, **change):
        """Writes a change down, unless it is to fail."""
        if self.until_failure:
            self.until_failure -= 1
            if self.until_failure == 0:
                raise pyfuse3.FUSEError(errno.EIO)
        self.journal.write(json.dumps(change).encode() + b"\n")

    def child(self, folder, name):
        try:
            return self.nodes[folder].children[os.fsdecode(name)]
        except KeyError:
            raise pyfuse3.FUSEError(errno.ENOENT) from None

    def attributes(self, inode):
        node, entry = self.nodes[inode], pyfuse3.EntryAttributes()
        entry.st_ino, entry.st_mode, entry.st_nlink = inode, node.mode, max(node.names, 1)
        entry.st_size = len(node.content or b"")
        entry.st_mtime_ns = entry.st_ctime_ns = entry.st_atime_ns = node.mtime
        # Whatever is asked is asked here.
        entry.entry_timeout = entry.attr_timeout = 0
        return entry

    def add(self, folder, name, mode):
        name = os.fsdecode(name)
        if name in self.nodes[folder].children:
            raise pyfuse3.FUSEError(errno.EEXIST)
        inode = self.newest + 1
        kind = "folder" if stat.S_ISDIR(mode) else "file"
        self.change(change="create", folder=folder, name=name, inode=inode, kind=kind)
        self.newest = inode
        self.nodes[inode] = Node(mode)
        self.name(folder, name, inode)
        return inode

    def name(self, folder, name, inode):
        self.nodes[folder].children[name] = inode
        self.nodes[inode].names += 1

    def unname(self, folder, name):
        inode = self.nodes[folder].children.pop(name)
        self.nodes[inode].names -= 1

    async def lookup(self, folder, name, ctx=None):
        if folder == ROOT and name.startswith(b"fail-at-"):
            self.until_failure = int(name.rpartition(b"-")[2])
        return self.attributes(self.child(folder, name))

    async def getattr(self, inode, ctx=None):
        return self.attributes(inode)

    async def setattr(self, inode, attr, fields, fh, ctx):
        node = self.nodes[inode]
        if fields.update_size:
            self.change(change="truncate", inode=inode, length=attr.st_size)
            del node.content[attr.st_size :]
            node.content.extend(bytes(attr.st_size - len(node.content)))
        if fields.update_mode:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(attr.st_mode)
        return self.attributes(inode)

    async def mkdir(self, folder, name, mode, ctx):
        return self.attributes(self.add(folder, name, stat.S_IFDIR | stat.S_IMODE(mode)))

    async def create(self, folder, name, mode, flags, ctx):
        inode = self.add(folder, name, stat.S_IFREG | stat.S_IMODE(mode))
        return pyfuse3.FileInfo(fh=inode), self.attributes(inode)

    async def unlink(self, folder, name, ctx):
        self.child(folder, name)
        self.change(change="remove", folder=folder, name=os.fsdecode(name))
        self.unname(folder, os.fsdecode(name))

    async def rmdir(self, folder, name, ctx):
        if self.nodes[self.child(folder, name)].children:
            raise pyfuse3.FUSEError(errno.ENOTEMPTY)
        await self.unlink(folder, name, ctx)

    async def rename(self, folder, name, new_folder, new_name, flags, ctx):
        if flags and "plain-rename" in self.settings:
            raise pyfuse3.FUSEError(errno.EINVAL)
        inode, name, new_name = self.child(folder, name), os.fsdecode(name), os.fsdecode(new_name)
        replaced = self.nodes[new_folder].children.get(new_name)
        if replaced is not None:
            if flags & pyfuse3.RENAME_NOREPLACE:
                raise pyfuse3.FUSEError(errno.EEXIST)
            if self.nodes[replaced].children:
                raise pyfuse3.FUSEError(errno.ENOTEMPTY)
            if replaced == inode:
                return
        self.change(change="move", folder=folder, name=name, inode=inode,
                    new_folder=new_folder, new_name=new_name)
        if replaced is not None:
            self.unname(new_folder, new_name)
        self.unname(folder, name)
        self.name(new_folder, new_name, inode)

    async def link(self, inode, folder, name, ctx):
        name = os.fsdecode(name)
        if name in self.nodes[folder].children:
            raise pyfuse3.FUSEError(errno.EEXIST)
        self.change(change="link", folder=folder, name=name, inode=inode)
        self.name(folder, name, inode)
        return self.attributes(inode)

    async def open(self, inode, flags, ctx):
        await trio.sleep(float(self.settings.get("slow-open", 0)))
        return pyfuse3.FileInfo(fh=inode)

    async def read(self, inode, offset, size):
        return bytes(self.nodes[inode].content[offset : offset + size])

    async def write(self, inode, offset, content):
        self.change(change="write", inode=inode, offset=offset,
                    content=base64.b64encode(content).decode())
        node = self.nodes[inode]
        node.content.extend(bytes(max(0, offset - len(node.content))))
        node.content[offset : offset + len(content)] = content
        node.mtime = time.time_ns()
        return len(content)

    async def fsync(self, inode, datasync):
        self.change(change="flush", inode=inode)

    async def fsyncdir(self, inode, datasync):
        if "unflushable" in self.settings:
            raise pyfuse3.FUSEError(errno.EINVAL)
        self.change(change="flush", inode=inode)

    async def flush(self, inode):
        pass

    async def release(self, inode):
        pass

    async def opendir(self, inode, ctx):
        return inode

    async def readdir(self, inode, start, token):
        for number, (name, child) in enumerate(list(self.nodes[inode].children.items()), 1):
            if number > start:
                entry = self.attributes(child)
                if not pyfuse3.readdir_reply(token, os.fsencode(name), entry, number):
                    break

    async def statfs(self, ctx):
        status = pyfuse3.StatvfsData()
        status.f_bsize = status.f_frsize = 4096
        status.f_blocks = status.f_bfree = status.f_bavail = 1 << 20
        status.f_files = status.f_ffree = status.f_favail = 1 << 20
        status.f_namemax = 255
        return status


def main(mountpoint, journal, *settings):
    settings = dict(setting.partition("=")[::2] for setting in settings)
    with open(journal, "wb", buffering=0) as journal:
        pyfuse3.init(Recorder(journal, settings), mountpoint, {"fsname=recorder"})
        print("mounted", flush=True)
        try:
            trio.run(pyfuse3.main)
        finally:
            pyfuse3.close()


main(*sys.argv[1:])
