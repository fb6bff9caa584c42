//! Read-only files that all instances of a guest share: its standard library, its headers.
//!
//! A tree is built once and never changes; what a program writes goes into an overlay. Besides the files given, every
//! tree has an empty `/tmp`, the devices in `/dev`, and `/proc/self/fd`.

use std::collections::BTreeMap;

use super::path::{self, PathError};

/// The number of a file or folder, which is its inode number as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Inode(pub(super) u64);

impl Inode {
    /// The root of every tree.
    pub(super) const ROOT: Self = Self(1);
}

/// A file that is a thing of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    /// Empty, and swallows everything.
    Null,
    /// Random bytes.
    Random,
    /// Standard input from its beginning.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The channel to the host; it exists only while one is set.
    Channel,
}

/// The devices that every tree has.
const DEVICES: [(&str, Device); 13] = [
    ("dev/fd/0", Device::Stdin),
    ("dev/fd/1", Device::Stdout),
    ("dev/fd/2", Device::Stderr),
    ("dev/gavel", Device::Channel),
    ("dev/null", Device::Null),
    ("dev/random", Device::Random),
    ("dev/stderr", Device::Stderr),
    ("dev/stdin", Device::Stdin),
    ("dev/stdout", Device::Stdout),
    ("dev/urandom", Device::Random),
    ("proc/self/fd/0", Device::Stdin),
    ("proc/self/fd/1", Device::Stdout),
    ("proc/self/fd/2", Device::Stderr),
];

/// Folders in which nothing may be made, renamed or removed.
const SEALED: [&str; 5] = ["dev", "dev/fd", "proc", "proc/self", "proc/self/fd"];

/// One thing in a tree.
#[derive(Debug)]
pub(super) enum Node {
    /// A file's content.
    File(Box<[u8]>),
    /// A folder.
    Folder(Folder),
    /// A device.
    Device(Device),
}

/// A folder of a tree.
#[derive(Debug)]
pub(super) struct Folder {
    /// The folder it is in; the root is in itself.
    pub(super) parent: Inode,
    /// Whether its entries can change.
    pub(super) sealed: bool,
    /// What is in it, by name.
    pub(super) entries: BTreeMap<Box<str>, Inode>,
}

/// Read-only files, ready to be shared.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Inode `n` is at `n - 1`.
    nodes: Vec<Node>,
    /// The folder and the name of each, in the same order.
    places: Vec<(Inode, Box<str>)>,
}

impl Tree {
    /// A tree of these files, by their paths. Paths are relative to the root whether or not they begin with `/`.
    ///
    /// # Errors
    /// When a path leads out of the root, is no path of a file, or is taken.
    pub(crate) fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, PathError> {
        let root = Folder { parent: Inode::ROOT, sealed: false, entries: BTreeMap::new() };
        let mut tree = Self { nodes: vec![Node::Folder(root)], places: vec![(Inode::ROOT, "".into())] };
        for (path, device) in DEVICES {
            tree.insert(path, Node::Device(device))?;
        }
        tree.folder_at("/tmp", &["tmp"])?;
        for path in SEALED {
            let names: Vec<&str> = path.split('/').collect();
            let folder = tree.folder_at(path, &names)?;
            if let Some(Node::Folder(folder)) = tree.node_mut(folder) {
                folder.sealed = true;
            }
        }
        for (path, content) in files {
            tree.insert(&path, Node::File(content.into_boxed_slice()))?;
        }
        Ok(tree)
    }

    /// How many inodes it uses: 1 and up.
    pub(super) fn len(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// What has this number, if it is one of this tree.
    pub(super) fn node(&self, inode: Inode) -> Option<&Node> {
        self.nodes.get(usize::try_from(inode.0.checked_sub(1)?).ok()?)
    }

    /// The folder of this number.
    pub(super) fn folder(&self, inode: Inode) -> Option<&Folder> {
        match self.node(inode) {
            Some(Node::Folder(folder)) => Some(folder),
            _ => None,
        }
    }

    /// The folder of this tree that something of it is in, and its name there.
    pub(super) fn place(&self, inode: Inode) -> Option<(Inode, &str)> {
        let (folder, name) = self.places.get(usize::try_from(inode.0.checked_sub(1)?).ok()?)?;
        Some((*folder, name))
    }

    fn node_mut(&mut self, inode: Inode) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(inode.0.checked_sub(1)?).ok()?)
    }

    fn insert(&mut self, path: &str, node: Node) -> Result<(), PathError> {
        let names = path::inside(path)?;
        let Some((name, folders)) = names.split_last() else {
            return Err(PathError::NoFile { path: path.to_owned() });
        };
        let folder = self.folder_at(path, folders)?;
        let sealed = self.folder(folder).is_some_and(|folder| folder.sealed);
        let taken = self.folder(folder).is_none_or(|folder| folder.entries.contains_key(*name));
        if sealed || taken {
            return Err(PathError::Taken { path: path.to_owned() });
        }
        self.add(folder, name, node);
        Ok(())
    }

    /// The folder of these names, made if it is not there.
    fn folder_at(&mut self, path: &str, names: &[&str]) -> Result<Inode, PathError> {
        let mut at = Inode::ROOT;
        for name in names {
            let Some(folder) = self.folder(at) else {
                return Err(PathError::Taken { path: path.to_owned() });
            };
            at = match folder.entries.get(*name) {
                Some(inode) => *inode,
                None if folder.sealed => return Err(PathError::Taken { path: path.to_owned() }),
                None => {
                    let empty = Folder { parent: at, sealed: false, entries: BTreeMap::new() };
                    self.add(at, name, Node::Folder(empty))
                }
            };
        }
        match self.folder(at) {
            Some(_) => Ok(at),
            None => Err(PathError::Taken { path: path.to_owned() }),
        }
    }

    fn add(&mut self, folder: Inode, name: &str, node: Node) -> Inode {
        self.nodes.push(node);
        self.places.push((folder, name.into()));
        let inode = Inode(self.len());
        if let Some(Node::Folder(folder)) = self.node_mut(folder) {
            folder.entries.insert(name.into(), inode);
        }
        inode
    }
}
