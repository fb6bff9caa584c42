//! How paths lead to files, and what changes names: opening, making, removing, renaming, listing.
//!
//! There are no links of any kind, so every file has one name, and `..` of the root is the root: no path leads out.

use std::collections::BTreeMap;

use super::clock::REALTIME_START;
use super::errno::Errno;
use super::overlay::{Body, Kind, Overlay, OwnFolder};
use super::path::{self, GuestPath, PathError};
use super::tree::{self, Device, Inode};

/// Where a path led.
pub(super) enum Place<'p> {
    /// To a folder, by way of `/`, `.` or `..` at its end.
    Folder(Inode),
    /// To a name in a folder, and to what has that name, if anything has.
    Name { folder: Inode, name: &'p str, found: Option<Inode> },
}

/// How a file is to be opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opening {
    /// Make it if it is not there.
    pub(super) create: bool,
    /// It must not be there.
    pub(super) exclusive: bool,
    /// Empty it.
    pub(super) truncate: bool,
    /// Only a folder will do.
    pub(super) folder: bool,
    /// It will be written to.
    pub(super) write: bool,
}

impl Overlay {
    /// Follows a path from the folder `start`.
    pub(super) fn find<'p>(&mut self, start: Inode, path: &GuestPath<'p>) -> Result<Place<'p>, Errno> {
        let mut at = if path.absolute { Inode::ROOT } else { start };
        let mut names = path.names.iter().peekable();
        while let Some(name) = names.next() {
            self.count_lookup();
            if *name == "." {
                continue;
            }
            if self.is_removed(at) {
                return Err(Errno::NotFound);
            }
            if *name == ".." {
                at = self.parent(at)?;
                continue;
            }
            let found = self.child(at, name);
            if names.peek().is_none() {
                if path.folder_only
                    && let Some(inode) = found
                    && self.kind(inode)? != Kind::Folder
                {
                    return Err(Errno::NotFolder);
                }
                return Ok(Place::Name { folder: at, name, found });
            }
            at = found.ok_or(Errno::NotFound)?;
            if self.kind(at)? != Kind::Folder {
                return Err(Errno::NotFolder);
            }
        }
        Ok(Place::Folder(at))
    }

    /// What a path leads to.
    pub(super) fn find_existing(&mut self, start: Inode, path: &GuestPath<'_>) -> Result<Inode, Errno> {
        match self.find(start, path)? {
            Place::Folder(inode) => Ok(inode),
            Place::Name { found, .. } => found.ok_or(Errno::NotFound),
        }
    }

    /// Opens a file or folder; gives what it is.
    pub(super) fn open(
        &mut self,
        start: Inode,
        path: &GuestPath<'_>,
        opening: Opening,
        now: u64,
    ) -> Result<Inode, Errno> {
        let inode = match self.find(start, path)? {
            Place::Folder(_) if opening.create && opening.exclusive => return Err(Errno::Exists),
            Place::Name { found: Some(_), .. } if opening.create && opening.exclusive => {
                return Err(Errno::Exists);
            }
            Place::Folder(inode) | Place::Name { found: Some(inode), .. } => inode,
            Place::Name { .. } if !opening.create => return Err(Errno::NotFound),
            Place::Name { .. } if path.folder_only => return Err(Errno::IsFolder),
            Place::Name { folder, name, .. } => {
                return self.make(folder, name, Body::File(Vec::new()), now);
            }
        };
        match self.kind(inode)? {
            Kind::Folder if opening.create || opening.truncate => return Err(Errno::IsFolder),
            Kind::Folder if opening.write && !opening.folder => return Err(Errno::IsFolder),
            Kind::File | Kind::Device(_) if opening.folder => return Err(Errno::NotFolder),
            Kind::File if opening.truncate => self.resize(inode, 0, now)?,
            Kind::Folder | Kind::File | Kind::Device(_) => {}
        }
        Ok(inode)
    }

    /// Makes an empty folder.
    pub(super) fn make_folder(
        &mut self,
        start: Inode,
        path: &GuestPath<'_>,
        now: u64,
    ) -> Result<Inode, Errno> {
        match self.find(start, path) {
            Ok(Place::Folder(_) | Place::Name { found: Some(_), .. }) => Err(Errno::Exists),
            Ok(Place::Name { folder, name, found: None }) => {
                let body = Body::Folder(OwnFolder { parent: folder, entries: BTreeMap::new() });
                self.make(folder, name, body, now)
            }
            Err(errno) => Err(errno),
        }
    }

    /// Removes a file.
    pub(super) fn unlink(&mut self, start: Inode, path: &GuestPath<'_>, now: u64) -> Result<(), Errno> {
        let Place::Name { folder, name, found } = self.find(start, path)? else {
            return Err(Errno::IsFolder);
        };
        let inode = found.ok_or(Errno::NotFound)?;
        match self.kind(inode)? {
            Kind::Folder => return Err(Errno::IsFolder),
            Kind::Device(_) => return Err(Errno::NotPermitted),
            Kind::File => {}
        }
        self.require_open(folder)?;
        self.take_entry(folder, name, now)?;
        self.unlinked(inode);
        Ok(())
    }

    /// Removes an empty folder.
    pub(super) fn remove_folder(
        &mut self,
        start: Inode,
        path: &GuestPath<'_>,
        now: u64,
    ) -> Result<(), Errno> {
        let (folder, name, found) = match self.find(start, path)? {
            Place::Name { folder, name, found } => (folder, name, found),
            Place::Folder(_) if path.names.last() == Some(&"..") => return Err(Errno::NotEmpty),
            Place::Folder(Inode::ROOT) => return Err(Errno::Busy),
            Place::Folder(_) => return Err(Errno::Invalid),
        };
        let inode = found.ok_or(Errno::NotFound)?;
        if self.kind(inode)? != Kind::Folder {
            return Err(Errno::NotFolder);
        }
        self.require_open(folder)?;
        self.require_open(inode)?;
        if self.next_entry(inode, None).is_some() {
            return Err(Errno::NotEmpty);
        }
        self.take_entry(folder, name, now)?;
        self.unlinked(inode);
        Ok(())
    }

    /// Gives a file or folder another name, in place of what has it now.
    pub(super) fn rename(
        &mut self,
        from: (Inode, &GuestPath<'_>),
        to: (Inode, &GuestPath<'_>),
        now: u64,
    ) -> Result<(), Errno> {
        let Place::Name { folder: old_folder, name: old_name, found } = self.find(from.0, from.1)? else {
            return Err(Errno::Busy);
        };
        let moved = found.ok_or(Errno::NotFound)?;
        let is_folder = match self.kind(moved)? {
            Kind::Folder => true,
            Kind::File => false,
            Kind::Device(_) => return Err(Errno::NotPermitted),
        };
        let Place::Name { folder, name, found: replaced } = self.find(to.0, to.1)? else {
            return Err(Errno::Busy);
        };
        if !is_folder && to.1.folder_only {
            return Err(Errno::NotFolder);
        }
        if replaced == Some(moved) {
            return Ok(());
        }
        self.require_open(old_folder)?;
        self.require_open(folder)?;
        if is_folder {
            self.require_open(moved)?;
            self.require_outside(folder, moved)?;
        }
        if let Some(replaced) = replaced {
            self.require_replaceable(replaced, is_folder)?;
        }
        // All folders are charged before any name changes, so that nothing can fail half-way.
        self.own_folder(old_folder, now)?;
        self.own_folder(folder, now)?;
        if is_folder {
            self.own_folder(moved, now)?;
        }
        self.take_entry(old_folder, old_name, now)?;
        if let Err(errno) = self.put_entry(folder, name, Some(moved), now) {
            // There is room: the entry that has just gone has left it.
            self.put_entry(old_folder, old_name, Some(moved), now)?;
            return Err(errno);
        }
        if is_folder {
            self.own_folder(moved, now)?.parent = folder;
        }
        if let Some(replaced) = replaced {
            self.unlinked(replaced);
        }
        Ok(())
    }

    /// Puts a file of the host's at a path, with the folders it needs. The error inside says that there is no room.
    pub(super) fn place(&mut self, path: &str, content: Vec<u8>) -> Result<Result<(), Errno>, PathError> {
        let taken = || PathError::Taken { path: path.to_owned() };
        let names = path::inside(path)?;
        let Some((name, folders)) = names.split_last() else {
            return Err(PathError::NoFile { path: path.to_owned() });
        };
        let mut at = Inode::ROOT;
        for name in folders {
            at = match self.child(at, name) {
                Some(inode) if self.kind(inode) == Ok(Kind::Folder) => inode,
                Some(_) => return Err(taken()),
                None => {
                    let body = Body::Folder(OwnFolder { parent: at, entries: BTreeMap::new() });
                    match self.make(at, name, body, REALTIME_START) {
                        Ok(inode) => inode,
                        Err(Errno::NotPermitted) => return Err(taken()),
                        Err(errno) => return Ok(Err(errno)),
                    }
                }
            };
        }
        if self.child(at, name).is_some() {
            return Err(taken());
        }
        match self.make(at, name, Body::File(content), REALTIME_START) {
            Ok(_) => Ok(Ok(())),
            Err(Errno::NotPermitted) => Err(taken()),
            Err(errno) => Ok(Err(errno)),
        }
    }

    /// The first entry of a folder by name, or the first after `after`.
    pub(super) fn next_entry(&mut self, folder: Inode, after: Option<&str>) -> Option<(Box<str>, Inode)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let mut after: Option<Box<str>> = after.map(Into::into);
        loop {
            self.count_lookup();
            let range = (after.as_deref().map_or(Unbounded, Excluded), Unbounded);
            let own = match self.nodes.get(&folder).map(|node| &node.body) {
                Some(Body::Folder(own)) => own.entries.range::<str, _>(range).next(),
                _ => None,
            };
            let base = self.tree.folder(folder).and_then(|base| base.entries.range::<str, _>(range).next());
            let (name, entry) = match (own, base) {
                (None, None) => return None,
                (Some((name, entry)), None) => (name, *entry),
                // Of the same name, the own one counts.
                (Some((name, entry)), Some((base_name, _))) if name <= base_name => (name, *entry),
                (_, Some((name, inode))) => (name, Some(*inode)),
            };
            let name = name.clone();
            match entry.filter(|inode| self.is_visible(*inode)) {
                Some(inode) => return Some((name, inode)),
                None => after = Some(name),
            }
        }
    }

    /// The folder that a folder is in.
    pub(super) fn parent(&self, folder: Inode) -> Result<Inode, Errno> {
        match self.nodes.get(&folder).map(|node| &node.body) {
            Some(Body::Folder(own)) => Ok(own.parent),
            Some(Body::File(_)) => Err(Errno::NotFolder),
            None => Ok(self.tree.folder(folder).ok_or(Errno::NotFolder)?.parent),
        }
    }

    /// What has this name in a folder.
    fn child(&self, folder: Inode, name: &str) -> Option<Inode> {
        let own = match self.nodes.get(&folder).map(|node| &node.body) {
            Some(Body::Folder(own)) => own.entries.get(name).copied(),
            _ => None,
        };
        let base = || self.tree.folder(folder).and_then(|base| base.entries.get(name).copied());
        own.unwrap_or_else(base).filter(|inode| self.is_visible(*inode))
    }

    fn make(&mut self, folder: Inode, name: &str, body: Body, now: u64) -> Result<Inode, Errno> {
        self.require_open(folder)?;
        let inode = self.create(body, now)?;
        if let Err(errno) = self.put_entry(folder, name, Some(inode), now) {
            self.unlinked(inode);
            return Err(errno);
        }
        Ok(inode)
    }

    fn is_visible(&self, inode: Inode) -> bool {
        self.has_channel || !matches!(self.tree.node(inode), Some(tree::Node::Device(Device::Channel)))
    }

    /// The entries of a folder can change.
    fn require_open(&self, folder: Inode) -> Result<(), Errno> {
        match self.tree.folder(folder) {
            Some(base) if base.sealed => Err(Errno::NotPermitted),
            _ => Ok(()),
        }
    }

    /// `folder` is neither `moved` nor anywhere inside it.
    fn require_outside(&mut self, folder: Inode, moved: Inode) -> Result<(), Errno> {
        let mut at = folder;
        while at != moved {
            if at == Inode::ROOT {
                return Ok(());
            }
            self.count_lookup();
            at = self.parent(at)?;
        }
        Err(Errno::Invalid)
    }

    /// A file or folder may take the place of `replaced`.
    fn require_replaceable(&mut self, replaced: Inode, by_folder: bool) -> Result<(), Errno> {
        match (self.kind(replaced)?, by_folder) {
            (Kind::Device(_), _) => Err(Errno::NotPermitted),
            (Kind::File, true) => Err(Errno::NotFolder),
            (Kind::File, false) => Ok(()),
            (Kind::Folder, false) => Err(Errno::IsFolder),
            (Kind::Folder, true) => {
                self.require_open(replaced)?;
                match self.next_entry(replaced, None) {
                    Some(_) => Err(Errno::NotEmpty),
                    None => Ok(()),
                }
            }
        }
    }
}
