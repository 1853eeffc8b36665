//! Access to files in a directory that untrusted processes can write to.
//!
//! Paths are opened one component at a time, starting from an open directory descriptor, and symbolic
//! links are never followed. A path with `..`, a link that another process creates at any moment, or a
//! directory that was moved causes an error; it never leads to a file elsewhere. Reads accept only
//! regular files with a single hard link, up to a size limit.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, mkdirat, openat, renameat, statat, unlinkat};

/// Directory levels that [`Folder::walk`] descends.
const DEPTH: usize = 40;
/// Directory levels that are copied or removed. Each level keeps a descriptor open.
const NESTED: usize = 200;

/// An open directory.
#[derive(Debug)]
pub struct Directory {
    handle: OwnedFd,
    path: PathBuf,
}

/// The type of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Folder,
    /// A link, a device, a pipe or a socket.
    Other,
}

/// The metadata of a directory entry that changes when the entry is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The type of the entry.
    pub kind: EntryKind,
    /// Size in bytes.
    pub size: i64,
    /// Modification time in nanoseconds since the Unix epoch.
    pub written: i128,
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

impl Directory {
    /// Opens the directory at a trusted path. Links in the parent directories are followed.
    ///
    /// # Errors
    /// If the path is not a directory, or is a symbolic link.
    pub fn open(path: &Path) -> io::Result<Self> {
        let handle = openat(rustix::fs::CWD, path, FOLDER, Mode::empty())?;
        Ok(Self { handle, path: path.to_owned() })
    }

    /// Returns the path under which the directory was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a subdirectory and opens it.
    ///
    /// # Errors
    /// If the name already exists.
    pub fn create(&self, name: &str) -> io::Result<Self> {
        let (parent, last) = self.parent(name, false)?;
        mkdirat(&parent, &*last, Mode::from_raw_mode(0o777))?;
        let handle = openat(&parent, &*last, FOLDER, Mode::empty())?;
        Ok(Self { handle, path: self.path.join(name) })
    }

    /// Opens a subdirectory.
    ///
    /// # Errors
    /// If the path is not a directory, or one of its components is a symbolic link.
    pub fn subdirectory(&self, path: &str) -> io::Result<Self> {
        let (parent, last) = self.parent(path, false)?;
        let handle = openat(&parent, &*last, FOLDER, Mode::empty())?;
        Ok(Self { handle, path: self.path.join(path) })
    }

    /// Returns whether the path under which the directory was opened still refers to it.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        let there = statat(rustix::fs::CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW);
        there.ok().zip(fstat(&self.handle).ok()).is_some_and(|(a, b)| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
    }

    /// Copies the contents into an empty directory and keeps permissions and modification times.
    /// Symbolic links are copied as links. Files share their blocks if the file system supports it.
    ///
    /// # Errors
    /// If an entry cannot be read or written.
    pub fn copy_into(&self, to: &Self) -> io::Result<()> {
        copy_all(self.handle.as_fd(), to.handle.as_fd(), 0)
    }

    /// Removes a file, a link, or a directory with its contents. Entries that cannot be removed remain.
    pub fn remove_all(&self, name: &str) {
        if let Ok((parent, last)) = self.parent(name, false) {
            remove_all(parent.as_fd(), &last, 0);
        }
    }

    /// Renames an entry of the directory.
    ///
    /// # Errors
    /// If the entry does not exist.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.handle, from, &self.handle, to)?)
    }

    /// Returns the type of the entry at `path`, or `None` if there is no such entry.
    #[must_use]
    pub fn entry_kind(&self, path: &str) -> Option<EntryKind> {
        let (parent, last) = self.parent(path, false).ok()?;
        let found = statat(&parent, &*last, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(kind_of(FileType::from_raw_mode(found.st_mode)))
    }

    /// Returns whether `path` is a regular file that its owner may execute.
    #[must_use]
    pub fn is_executable(&self, path: &str) -> bool {
        let stat = self
            .parent(path, false)
            .ok()
            .and_then(|(parent, last)| statat(&parent, &*last, AtFlags::SYMLINK_NOFOLLOW).ok());
        stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_mode & 0o100 != 0)
    }

    /// Reads a regular file of at most `limit` bytes that has a single hard link.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.read_with(path, limit, 1)
    }

    /// Like [`Directory::read`], but accepts files with several hard links.
    ///
    /// # Errors
    /// See [`Directory::read`].
    pub fn read_hard_linked(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.read_with(path, limit, u64::MAX)
    }

    fn read_with(&self, path: &str, limit: u64, names: u64) -> io::Result<Vec<u8>> {
        let (parent, last) = self.parent(path, false)?;
        // `NONBLOCK`: opening a pipe must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let handle = openat(&parent, &*last, flags, Mode::empty())?;
        let found = fstat(&handle)?;
        let is_plain = FileType::from_raw_mode(found.st_mode).is_file() && found.st_nlink <= names;
        if !is_plain || u64::try_from(found.st_size).is_ok_and(|size| size > limit) {
            return Err(io::Error::other("not a plain file, or too large"));
        }
        let mut bytes = Vec::new();
        File::from(handle).take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(io::Error::other("too large")) } else { Ok(bytes) }
    }

    /// Returns the target of a symbolic link.
    ///
    /// # Errors
    /// If `path` is not a symbolic link.
    pub fn link_target(&self, path: &str) -> io::Result<Vec<u8>> {
        let (parent, last) = self.parent(path, false)?;
        Ok(rustix::fs::readlinkat(&parent, &*last, Vec::new())?.into_bytes())
    }

    /// Creates a symbolic link in an existing directory.
    ///
    /// # Errors
    /// If the name already exists.
    pub fn symlink(&self, path: &str, to: &Path) -> io::Result<()> {
        let (parent, last) = self.parent(path, false)?;
        Ok(rustix::fs::symlinkat(to, &parent, &*last)?)
    }

    /// Replaces the entry at `path` with a new file and keeps its executable bit. Missing parent
    /// directories are created.
    ///
    /// # Errors
    /// If a parent is not a directory, or `path` is one.
    pub fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let (parent, last) = self.parent(path, true)?;
        let mode = if self.is_executable(path) { 0o777 } else { 0o666 };
        // Unlink instead of truncate: the file may have other hard links.
        match unlinkat(&parent, &*last, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = openat(&parent, &*last, flags, Mode::from_raw_mode(mode))?;
        File::from(handle).write_all(bytes)
    }

    /// Removes the file or link at `path`, if there is one.
    pub fn remove(&self, path: &str) {
        if let Ok((parent, last)) = self.parent(path, false) {
            let _ = unlinkat(&parent, &*last, AtFlags::empty());
        }
    }

    /// Moves the file or directory at `path` in `from` to the same path in this directory.
    ///
    /// # Errors
    /// If it does not exist, is a symbolic link, or `path` already exists here.
    pub fn move_from(&self, from: &Self, path: &str) -> io::Result<()> {
        if from.entry_kind(path).is_none_or(|kind| kind == EntryKind::Other) || self.entry_kind(path).is_some() {
            return Err(io::Error::other("nothing that can be moved"));
        }
        let ((old, name), (new, _)) = (from.parent(path, false)?, self.parent(path, true)?);
        Ok(renameat(&old, &*name, &new, &*name)?)
    }

    /// Returns up to `most` entries below the directory by relative path. A directory for which `into`
    /// returns `false` is listed but not descended into.
    #[must_use]
    pub fn walk(&self, most: usize, into: &dyn Fn(&str) -> bool) -> BTreeMap<String, Entry> {
        let mut found = BTreeMap::new();
        let mut open = vec![(String::new(), 0)];
        while let Some((folder, depth)) = open.pop() {
            for (name, entry) in self.entries(&folder).unwrap_or_default() {
                if found.len() >= most {
                    return found;
                }
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                if entry.kind == EntryKind::Folder && depth < DEPTH && into(&path) {
                    open.push((path.clone(), depth + 1));
                }
                found.insert(path, entry);
            }
        }
        found
    }

    /// Returns the entries of a subdirectory whose names are valid UTF-8.
    fn entries(&self, folder: &str) -> io::Result<Vec<(String, Entry)>> {
        let handle = if folder.is_empty() {
            openat(&self.handle, c".", FOLDER, Mode::empty())?
        } else {
            let (parent, last) = self.parent(folder, false)?;
            openat(&parent, &*last, FOLDER, Mode::empty())?
        };
        let mut found = Vec::new();
        for entry in Dir::read_from(&handle)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if !matches!(name, "." | "..") {
                let stat = statat(&handle, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
                let kind = kind_of(FileType::from_raw_mode(stat.st_mode));
                let written = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
                found.push((name.to_owned(), Entry { kind, size: stat.st_size, written }));
            }
        }
        Ok(found)
    }

    /// Opens the parent directory of `path` one component at a time; returns it and the last component.
    fn parent(&self, path: &str, create: bool) -> io::Result<(OwnedFd, CString)> {
        let names: Vec<&OsStr> = Path::new(path)
            .components()
            .filter(|part| *part != Component::CurDir)
            .map(|part| match part {
                Component::Normal(name) => Ok(name),
                _ => Err(io::Error::other("the path leads out of the folder")),
            })
            .collect::<io::Result<_>>()?;
        let Some((last, folders)) = names.split_last() else { return Err(io::Error::other("no path")) };
        let mut at = self.handle.as_fd().try_clone_to_owned()?;
        for name in folders {
            if create {
                let _ = mkdirat(&at, *name, Mode::from_raw_mode(0o777));
            }
            at = openat(&at, *name, FOLDER, Mode::empty())?;
        }
        Ok((at, CString::new(last.as_bytes())?))
    }
}

/// Returns the names of all entries of an open directory.
fn names(folder: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let handle = openat(folder, c".", FOLDER, Mode::empty())?;
    let mut found = Vec::new();
    for entry in Dir::read_from(&handle)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.as_bytes(), b"." | b"..") {
            found.push(name);
        }
    }
    Ok(found)
}

fn copy_all(from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
    if depth > NESTED {
        return Err(io::Error::other("folders are nested too deep"));
    }
    for name in names(from)? {
        let stat = statat(from, &*name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let source = openat(from, &*name, flags, Mode::empty())?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let target = openat(to, &*name, flags, Mode::from_raw_mode(0o600))?;
                #[cfg(target_os = "linux")]
                let is_cloned = rustix::fs::ioctl_ficlone(&target, &source).is_ok();
                #[cfg(not(target_os = "linux"))]
                let is_cloned = false;
                let (mut source, mut target) = (File::from(source), File::from(target));
                if !is_cloned {
                    io::copy(&mut source, &mut target)?;
                }
                rustix::fs::fchmod(&target, mode)?;
                rustix::fs::futimens(&target, &times(&stat))?;
            }
            FileType::Directory => {
                mkdirat(to, &*name, Mode::from_raw_mode(0o700))?;
                let source = openat(from, &*name, FOLDER, Mode::empty())?;
                let target = openat(to, &*name, FOLDER, Mode::empty())?;
                copy_all(source.as_fd(), target.as_fd(), depth + 1)?;
                rustix::fs::fchmod(&target, mode)?;
                rustix::fs::futimens(&target, &times(&stat))?;
            }
            FileType::Symlink => {
                let leads = rustix::fs::readlinkat(from, &*name, Vec::new())?;
                rustix::fs::symlinkat(&*leads, to, &*name)?;
            }
            // Repositories and packages contain no devices, pipes or sockets.
            _ => {}
        }
    }
    Ok(())
}

fn times(stat: &rustix::fs::Stat) -> rustix::fs::Timestamps {
    let time = |seconds, nanoseconds: u64| rustix::fs::Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or_default(),
    };
    rustix::fs::Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

fn remove_all(parent: BorrowedFd<'_>, name: &CStr, depth: usize) {
    if unlinkat(parent, name, AtFlags::empty()).is_ok() || depth > NESTED {
        return;
    }
    // The process that created the directory may have removed its permissions.
    let _ = rustix::fs::chmodat(parent, name, Mode::from_raw_mode(0o700), AtFlags::empty());
    let Ok(folder) = openat(parent, name, FOLDER, Mode::empty()) else { return };
    for inner in names(folder.as_fd()).unwrap_or_default() {
        remove_all(folder.as_fd(), &inner, depth + 1);
    }
    let _ = unlinkat(parent, name, AtFlags::REMOVEDIR);
}

fn kind_of(found: FileType) -> EntryKind {
    match found {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Folder,
        _ => EntryKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Creates a directory `in` beside a file `canary` that must not be read or changed.
    fn place() -> (tempfile::TempDir, Directory) {
        let whole = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(whole.path().join("in/sub")).unwrap();
        std::fs::write(whole.path().join("canary"), "alive").unwrap();
        let folder = Directory::open(&whole.path().join("in")).unwrap();
        (whole, folder)
    }

    #[test]
    fn plain_files() {
        let (whole, folder) = place();
        folder.write("a/b/c.txt", b"one").unwrap();
        assert_eq!(folder.read("a/b/c.txt", 3).unwrap(), b"one");
        assert!(folder.read("a/b/c.txt", 2).is_err() && folder.read("a/b", 9).is_err() && folder.read("x", 9).is_err());
        assert_eq!(
            (folder.entry_kind("a/b"), folder.entry_kind("a/b/c.txt"), folder.entry_kind("x")),
            (Some(EntryKind::Folder), Some(EntryKind::File), None)
        );
        std::fs::set_permissions(
            whole.path().join("in/a/b/c.txt"),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        folder.write("a/b/c.txt", b"two").unwrap();
        let mode = whole.path().join("in/a/b/c.txt").metadata().unwrap().permissions();
        assert_ne!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o100, 0, "it can still be executed");
        let other = Directory::open(&whole.path().join("in/a")).unwrap();
        let new = folder.create("new").unwrap();
        new.move_from(&other, "b").unwrap();
        assert_eq!(folder.read("new/b/c.txt", 9).unwrap(), b"two");
        let all: Vec<String> = folder.walk(100, &|path| path != "sub").into_keys().collect();
        assert_eq!(all, ["a", "new", "new/b", "new/b/c.txt", "sub"]);
        assert_eq!(folder.walk(2, &|_| true).len(), 2);
        assert!(folder.create("new").is_err());
    }

    #[test]
    fn folders_are_copied_and_removed() {
        let (whole, folder) = place();
        let at = |name: &str| whole.path().join("in").join(name);
        folder.write("sub/a", b"one").unwrap();
        std::fs::set_permissions(at("sub/a"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        symlink(whole.path().join("canary"), at("sub/link")).unwrap();
        symlink(whole.path(), at("sub/up")).unwrap();
        let copy = folder.create("copy").unwrap();
        folder.subdirectory("sub").unwrap().copy_into(&copy).unwrap();
        let (old, new) = (folder.walk(100, &|path| path == "sub"), copy.walk(100, &|_| true));
        assert_eq!((new["a"], new.len()), (old["sub/a"], 3), "the same size and time");
        assert!(copy.is_executable("a") && copy.entry_kind("link") == Some(EntryKind::Other) && copy.is_in_place());
        std::fs::set_permissions(at("copy"), std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        folder.remove_all("copy");
        folder.remove_all("sub/up");
        assert!(folder.entry_kind("copy").is_none() && !copy.is_in_place() && folder.entry_kind("sub/up").is_none());
        folder.rename("sub", "other").unwrap();
        assert_eq!(folder.read("other/a", 9).unwrap(), b"one");
        assert_eq!(std::fs::read_to_string(whole.path().join("canary")).unwrap(), "alive");
    }

    #[test]
    fn nothing_outside_is_reached() {
        let (whole, folder) = place();
        let at = |name: &str| whole.path().join("in").join(name);
        symlink(whole.path().join("canary"), at("link")).unwrap();
        symlink("../canary", at("relative")).unwrap();
        symlink(whole.path(), at("up")).unwrap();
        std::fs::hard_link(whole.path().join("canary"), at("hard")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
        for name in
            ["link", "relative", "up/canary", "hard", "pipe", "../canary", "/etc/passwd", "sub/../../canary", ""]
        {
            assert!(folder.read(name, 1 << 20).is_err(), "{name} was read");
        }
        for name in ["up/canary", "up/new/x", "../canary", "sub/../../canary", "/tmp/x", "link/x"] {
            assert!(folder.write(name, b"dead").is_err(), "{name} was written");
            folder.remove(name);
        }
        // Writing replaces a link and leaves its target unchanged.
        for name in ["link", "relative", "hard", "pipe"] {
            folder.write(name, b"own").unwrap();
            assert_eq!(folder.read(name, 9).unwrap(), b"own");
        }
        let all = folder.walk(100, &|_| true);
        assert!(all["up"].kind == EntryKind::Other && !all.keys().any(|path| path.starts_with("up/")));
        let other = folder.create("other").unwrap();
        assert!(other.move_from(&folder, "up").is_err());
        assert_eq!(std::fs::read_to_string(whole.path().join("canary")).unwrap(), "alive");
        assert!(Directory::open(&at("up")).is_err());
    }

    /// A second thread keeps swapping a directory with a link to the outside.
    #[test]
    fn a_race_is_lost_by_who_swaps_links() {
        let (whole, folder) = place();
        std::fs::write(whole.path().join("x"), "alive").unwrap();
        std::fs::create_dir_all(whole.path().join("in/swap")).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (root, stop) = (whole.path(), &stop);
            scope.spawn(move || {
                symlink(root, root.join("in/evil")).unwrap();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let exchange = rustix::fs::RenameFlags::EXCHANGE;
                    let (a, b) = (root.join("in/swap"), root.join("in/evil"));
                    let _ = rustix::fs::renameat_with(rustix::fs::CWD, &a, rustix::fs::CWD, &b, exchange);
                }
            });
            for _ in 0..3000 {
                let _ = folder.write("swap/x", b"own");
                if let Ok(read) = folder.read("swap/x", 99) {
                    assert_eq!(read, b"own");
                }
                folder.remove("swap/x");
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(std::fs::read_to_string(whole.path().join("x")).unwrap(), "alive");
    }
}
