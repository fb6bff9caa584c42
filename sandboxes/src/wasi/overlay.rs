//! What one instance sees as its files: a shared tree, and what the instance itself made, changed and removed.
//!
//! A node of the tree is copied when it is written to for the first time and keeps its number, so nothing that leads to
//! it has to change. Every byte that a guest can make the host keep is charged to a quota before it is allocated; the
//! sum of the charges is exact at any time. How paths lead to nodes is in `names.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::clock::{BYTE_FUEL, LOOKUP_FUEL, REALTIME_START};
use super::errno::Errno;
use super::tree::{self, Device, Inode, Tree};
use crate::program::File;

/// What a file or folder of the overlay costs besides its content, in bytes of the quota: more than the host needs.
pub(super) const NODE_BYTES: u64 = 256;
/// What an entry of a folder costs besides its name; that something of the tree is gone is an entry as well.
pub(super) const ENTRY_BYTES: u64 = 128;
/// The most files and folders that the overlay may hold.
const MAX_NODES: usize = 16_384;
/// The longest path that is listed in the end: the paths of deeply nested files could be larger than all else.
const MAX_LISTED_PATH_BYTES: usize = 1024;

/// The files of one instance.
pub(super) struct Overlay {
    pub(super) tree: Arc<Tree>,
    /// What differs from the tree.
    pub(super) nodes: BTreeMap<Inode, Node>,
    /// How many descriptors are open on a node.
    open: BTreeMap<Inode, u32>,
    /// Nodes that have no name any more and live as long as they are open.
    removed: BTreeSet<Inode>,
    /// The number of the next new node. Numbers are never used again.
    next: u64,
    quota: Quota,
    /// Fuel that the work done since it was last taken is worth.
    work: u64,
    /// Whether `/dev/gavel` can be seen.
    pub(super) has_channel: bool,
}

/// A file or folder that differs from the tree.
pub(super) struct Node {
    pub(super) body: Body,
    pub(super) times: Times,
}

/// What a node is.
pub(super) enum Body {
    /// A file, all of it.
    File(Vec<u8>),
    /// A folder.
    Folder(OwnFolder),
}

/// A folder, in which entries hide those of the tree's folder of the same number.
pub(super) struct OwnFolder {
    pub(super) parent: Inode,
    /// `None` hides an entry of the tree.
    pub(super) entries: BTreeMap<Box<str>, Option<Inode>>,
}

/// When a node was last read and written, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) accessed: u64,
    pub(super) modified: u64,
    pub(super) changed: u64,
}

impl Times {
    /// All the same.
    pub(super) const fn all(now: u64) -> Self {
        Self { accessed: now, modified: now, changed: now }
    }
}

/// The kinds of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Device(Device),
}

/// What is known about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) n_links: u64,
    pub(super) times: Times,
}

/// Bytes allowed and used.
#[derive(Debug)]
struct Quota {
    limit: u64,
    used: u64,
    /// Whether anything was ever refused for lack of room.
    refused: bool,
}

impl Quota {
    fn charge(&mut self, bytes: u64) -> Result<(), Errno> {
        if bytes > self.limit.saturating_sub(self.used) {
            self.refused = true;
            return Err(Errno::NoSpace);
        }
        self.used += bytes;
        Ok(())
    }

    fn refund(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.used, "a refund of what was never charged");
        self.used = self.used.saturating_sub(bytes);
    }
}

impl Node {
    /// What it costs.
    fn bytes(&self) -> u64 {
        let body = match &self.body {
            Body::File(content) => content.len() as u64,
            Body::Folder(folder) => folder.entries.keys().map(|name| entry_bytes(name)).sum(),
        };
        NODE_BYTES + body
    }
}

/// What an entry of this name costs.
pub(super) fn entry_bytes(name: &str) -> u64 {
    ENTRY_BYTES + name.len() as u64
}

impl Overlay {
    /// The tree as it is, and room for `limit` bytes.
    pub(super) fn new(tree: Arc<Tree>, limit: u64) -> Self {
        let next = tree.len() + 1;
        Self {
            tree,
            nodes: BTreeMap::new(),
            open: BTreeMap::new(),
            removed: BTreeSet::new(),
            next,
            quota: Quota { limit, used: 0, refused: false },
            work: 0,
            has_channel: false,
        }
    }

    /// Bytes of the quota in use.
    pub(super) fn used_bytes(&self) -> u64 {
        self.quota.used
    }

    /// Whether anything was ever refused for lack of room.
    pub(super) fn was_full(&self) -> bool {
        self.quota.refused
    }

    /// The fuel that the work since the last call is worth.
    pub(super) fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    pub(super) fn count_lookup(&mut self) {
        self.work = self.work.saturating_add(LOOKUP_FUEL);
    }

    fn count_bytes(&mut self, bytes: usize) {
        self.work = self.work.saturating_add(BYTE_FUEL.saturating_mul(bytes as u64));
    }

    /// What a number stands for.
    pub(super) fn kind(&self, inode: Inode) -> Result<Kind, Errno> {
        if let Some(node) = self.nodes.get(&inode) {
            return Ok(match node.body {
                Body::File(_) => Kind::File,
                Body::Folder(_) => Kind::Folder,
            });
        }
        match self.tree.node(inode) {
            Some(tree::Node::File(_)) => Ok(Kind::File),
            Some(tree::Node::Folder(_)) => Ok(Kind::Folder),
            Some(tree::Node::Device(device)) => Ok(Kind::Device(*device)),
            None => Err(Errno::NotFound),
        }
    }

    /// All that is known about a node.
    pub(super) fn status(&self, inode: Inode) -> Result<Status, Errno> {
        let kind = self.kind(inode)?;
        let size = if kind == Kind::File { self.content(inode)?.len() as u64 } else { 0 };
        let times = self.nodes.get(&inode).map_or(Times::all(REALTIME_START), |node| node.times);
        let n_links = u64::from(!self.removed.contains(&inode));
        Ok(Status { kind, size, n_links, times })
    }

    /// What is in a file.
    pub(super) fn content(&self, inode: Inode) -> Result<&[u8], Errno> {
        match self.nodes.get(&inode) {
            Some(Node { body: Body::File(content), .. }) => return Ok(content),
            Some(_) => return Err(Errno::IsFolder),
            None => {}
        }
        match self.tree.node(inode) {
            Some(tree::Node::File(content)) => Ok(content),
            Some(tree::Node::Folder(_)) => Err(Errno::IsFolder),
            Some(tree::Node::Device(_)) | None => Err(Errno::BadDescriptor),
        }
    }

    /// Copies what a file has from `offset` on; gives how much that was.
    pub(super) fn read_at(&mut self, inode: Inode, offset: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
        let content = self.content(inode)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    /// Writes into a file, which grows as needed; what lies between its end and `offset` becomes zero.
    pub(super) fn write_at(
        &mut self,
        inode: Inode,
        offset: u64,
        bytes: &[u8],
        now: u64,
    ) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::FileTooLarge)?;
        let size = self.content(inode)?.len() as u64;
        if end > size {
            self.resize(inode, end, now)?;
        }
        let (start, end) = (offset as usize, end as usize);
        let content = self.own_file(inode, now)?;
        content.get_mut(start..end).ok_or(Errno::Invalid)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Cuts a file off or extends it with zeros.
    pub(super) fn resize(&mut self, inode: Inode, size: u64, now: u64) -> Result<(), Errno> {
        if size == 0 && !self.nodes.contains_key(&inode) {
            // What is thrown away at once need not be copied.
            self.content(inode)?;
            return self.insert(inode, Node { body: Body::File(Vec::new()), times: Times::all(now) });
        }
        if size > self.quota.limit {
            // Not even in an empty world.
            self.quota.refused = true;
            return Err(Errno::FileTooLarge);
        }
        let old = self.own_file(inode, now)?.len() as u64;
        let added = size.saturating_sub(old);
        self.quota.charge(added)?;
        let new = usize::try_from(size).map_err(|_| Errno::FileTooLarge)?;
        let content = self.own_file(inode, now)?;
        let allocated = grow_or_shrink(content, new);
        if allocated.is_err() {
            self.quota.refund(added);
            return Err(Errno::NoSpace);
        }
        self.quota.refund(old.saturating_sub(size));
        self.count_bytes(usize::try_from(added).unwrap_or(usize::MAX));
        Ok(())
    }

    /// Sets when a node was read and written. That of the tree's nodes is copied with them.
    pub(super) fn set_times(&mut self, inode: Inode, times: Times) -> Result<(), Errno> {
        match self.kind(inode)? {
            Kind::File => drop(self.own_file(inode, times.changed)?),
            Kind::Folder => drop(self.own_folder(inode, times.changed)?),
            Kind::Device(_) => return Err(Errno::NotPermitted),
        }
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.times = times;
        }
        Ok(())
    }

    /// A descriptor was opened on a node.
    pub(super) fn acquire(&mut self, inode: Inode) {
        *self.open.entry(inode).or_insert(0) += 1;
    }

    /// A descriptor on a node was closed.
    pub(super) fn release(&mut self, inode: Inode) {
        let Some(count) = self.open.get_mut(&inode) else { return };
        *count -= 1;
        if *count == 0 {
            self.open.remove(&inode);
            if self.removed.remove(&inode) {
                self.discard(inode);
            }
        }
    }

    /// A node has lost its name.
    pub(super) fn unlinked(&mut self, inode: Inode) {
        if self.open.contains_key(&inode) {
            self.removed.insert(inode);
        } else {
            self.discard(inode);
        }
    }

    /// Whether a node is only there because it is open.
    pub(super) fn is_removed(&self, inode: Inode) -> bool {
        self.removed.contains(&inode)
    }

    fn discard(&mut self, inode: Inode) {
        if let Some(node) = self.nodes.remove(&inode) {
            self.quota.refund(node.bytes());
        }
    }

    /// A new node without a name.
    pub(super) fn create(&mut self, body: Body, now: u64) -> Result<Inode, Errno> {
        let inode = Inode(self.next);
        self.insert(inode, Node { body, times: Times::all(now) })?;
        self.next += 1;
        Ok(inode)
    }

    fn insert(&mut self, inode: Inode, node: Node) -> Result<(), Errno> {
        if self.nodes.len() >= MAX_NODES {
            self.quota.refused = true;
            return Err(Errno::NoSpace);
        }
        self.quota.charge(node.bytes())?;
        self.nodes.insert(inode, node);
        Ok(())
    }

    /// The file's content, copied from the tree if it still is there. The file counts as modified.
    fn own_file(&mut self, inode: Inode, now: u64) -> Result<&mut Vec<u8>, Errno> {
        if !self.nodes.contains_key(&inode) {
            let tree = Arc::clone(&self.tree);
            let content = match tree.node(inode) {
                Some(tree::Node::File(content)) => content,
                Some(tree::Node::Folder(_)) => return Err(Errno::IsFolder),
                Some(tree::Node::Device(_)) | None => return Err(Errno::BadDescriptor),
            };
            // Room for the content is charged before the copy is made.
            self.insert(inode, Node { body: Body::File(Vec::new()), times: Times::all(now) })?;
            if let Err(errno) = self.quota.charge(content.len() as u64) {
                self.discard(inode);
                return Err(errno);
            }
            self.count_bytes(content.len());
            if let Some(Node { body: Body::File(copy), .. }) = self.nodes.get_mut(&inode) {
                copy.extend_from_slice(content);
            }
        }
        match self.nodes.get_mut(&inode) {
            Some(Node { body: Body::File(content), times }) => {
                (times.modified, times.changed) = (now, now);
                Ok(content)
            }
            _ => Err(Errno::IsFolder),
        }
    }

    /// The folder's own entries, which are none at first. The folder counts as modified.
    pub(super) fn own_folder(&mut self, inode: Inode, now: u64) -> Result<&mut OwnFolder, Errno> {
        if !self.nodes.contains_key(&inode) {
            let parent = self.tree.folder(inode).ok_or(Errno::NotFolder)?.parent;
            let folder = OwnFolder { parent, entries: BTreeMap::new() };
            self.insert(inode, Node { body: Body::Folder(folder), times: Times::all(now) })?;
        }
        match self.nodes.get_mut(&inode) {
            Some(Node { body: Body::Folder(folder), times }) => {
                (times.modified, times.changed) = (now, now);
                Ok(folder)
            }
            _ => Err(Errno::NotFolder),
        }
    }

    /// Puts an entry into a folder, in place of one of the same name.
    pub(super) fn put_entry(
        &mut self,
        folder: Inode,
        name: &str,
        entry: Option<Inode>,
        now: u64,
    ) -> Result<(), Errno> {
        if let Some(slot) = self.own_folder(folder, now)?.entries.get_mut(name) {
            *slot = entry;
            return Ok(());
        }
        self.quota.charge(entry_bytes(name))?;
        self.own_folder(folder, now)?.entries.insert(name.into(), entry);
        Ok(())
    }

    /// Takes an entry out of a folder; if the tree has one of that name, it stays hidden.
    pub(super) fn take_entry(&mut self, folder: Inode, name: &str, now: u64) -> Result<(), Errno> {
        if self.tree.folder(folder).is_some_and(|folder| folder.entries.contains_key(name)) {
            return self.put_entry(folder, name, None, now);
        }
        if self.own_folder(folder, now)?.entries.remove(name).is_some() {
            self.quota.refund(entry_bytes(name));
        }
        Ok(())
    }

    /// The overlay's files that have a name, by their paths from the root, in order.
    ///
    /// The work grows with what was changed and not with the tree. A file whose path is longer than
    /// [`MAX_LISTED_PATH_BYTES`] is left out.
    pub(super) fn own_files(&self) -> Vec<File> {
        let mut places: BTreeMap<Inode, (Inode, &str)> = BTreeMap::new();
        for (folder, node) in &self.nodes {
            if let Body::Folder(own) = &node.body {
                places.extend(
                    own.entries
                        .iter()
                        .filter_map(|(name, entry)| entry.map(|inode| (inode, (*folder, name.as_ref())))),
                );
            }
        }
        let mut files = Vec::new();
        for (inode, node) in &self.nodes {
            if let Body::File(content) = &node.body
                && !self.removed.contains(inode)
                && let Some(path) = self.path_of(*inode, &places)
            {
                files.push(File { path, content: content.clone() });
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    }

    /// The path from the root, if it is not too long. `places` are those that differ from the tree's.
    fn path_of(&self, inode: Inode, places: &BTreeMap<Inode, (Inode, &str)>) -> Option<String> {
        let (mut names, mut length, mut at) = (Vec::new(), 0, inode);
        while at != Inode::ROOT {
            let (folder, name) = places.get(&at).copied().or_else(|| self.tree.place(at))?;
            length += name.len() + 1;
            if length > MAX_LISTED_PATH_BYTES {
                return None;
            }
            names.push(name);
            at = folder;
        }
        Some(names.iter().rev().flat_map(|name| ["/", name]).collect())
    }

    /// The sum of all charges, counted anew.
    #[cfg(test)]
    pub(super) fn counted_bytes(&self) -> u64 {
        self.nodes.values().map(Node::bytes).sum()
    }
}

/// Gives a file its new length. Memory is reserved in steps of a quarter, so that it never much exceeds what is
/// charged, and given back when the file shrinks.
fn grow_or_shrink(content: &mut Vec<u8>, length: usize) -> Result<(), Errno> {
    let needed = length.saturating_sub(content.len());
    if length > content.capacity() {
        let spare = (content.len() / 4).max(needed);
        content.try_reserve_exact(spare).map_err(|_| Errno::NoSpace)?;
    }
    content.resize(length, 0);
    if content.capacity() / 2 > length {
        content.shrink_to(length);
    }
    Ok(())
}
