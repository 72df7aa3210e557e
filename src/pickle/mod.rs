//! Python pickles, read without being obeyed.
//!
//! A pickle is a program for a small stack machine, which may call any Python function. This reader knows the
//! instructions that build plain values; a call becomes an inert value that remembers what was to be called with
//! what. Nothing is executed, and an instruction that files of images or weights do not need is refused.
//!
//! Values refer to each other by number, and there is a most of them, so that no file makes the reader deep or large.

mod machine;

use crate::message::excerpt;
use machine::Machine;

/// What was wrong with a pickle, in a few words that go on a sentence about its file.
pub type Result<T> = std::result::Result<T, String>;

/// The number of a value.
type Id = u32;

/// A pickled value, as far as it matters to files of images and weights. Bytes borrow from the file.
enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A number with a fraction, or a whole one that is too long to matter.
    Number,
    /// Bytes, or text in UTF-8.
    Bytes(&'a [u8]),
    /// A tuple or a list.
    Sequence(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Name(Name<'a>),
    Object(Object),
    /// What the file's reader is to look up elsewhere.
    Persistent(Id),
}

/// The Python name of a function or class.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    pub module: &'a [u8],
    pub name: &'a [u8],
}

/// The result of a call that was not made, with the state and the items that it was to be given.
struct Object {
    callee: Id,
    arguments: Id,
    state: Option<Id>,
    items: Vec<(Id, Id)>,
}

/// All values of a pickle.
pub struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the beginning of `file`; gives it with the bytes behind it.
    ///
    /// # Errors
    /// If it is cut short, makes no sense, or has an instruction or a number of values that is not expected.
    pub fn read(file: &'a [u8]) -> Result<(Pickle<'a>, &'a [u8])> {
        Machine::new(file).run()
    }

    /// What was pickled.
    pub fn root(&self) -> Value<'_, 'a> {
        Value { nodes: &self.nodes, id: self.root }
    }

    /// The keys of all values that are elsewhere.
    pub fn persistent(&self) -> impl Iterator<Item = Value<'_, 'a>> {
        let ids = 0..self.nodes.len() as Id;
        ids.filter_map(|id| Value { nodes: &self.nodes, id }.persistent())
    }
}

/// A value among those of a pickle. Each question has an answer if the value is of that kind.
#[derive(Clone, Copy)]
pub struct Value<'p, 'a> {
    nodes: &'p [Node<'a>],
    id: Id,
}

impl<'p, 'a> Value<'p, 'a> {
    fn node(self) -> &'p Node<'a> {
        &self.nodes[self.id as usize]
    }

    fn other(self, id: Id) -> Value<'p, 'a> {
        Value { nodes: self.nodes, id }
    }

    pub fn bool(self) -> Option<bool> {
        match self.node() {
            Node::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    pub fn int(self) -> Option<i64> {
        match self.node() {
            Node::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// A whole number that counts something.
    pub fn size(self) -> Option<usize> {
        usize::try_from(self.int()?).ok()
    }

    /// Bytes, or text in UTF-8.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self.node() {
            Node::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The elements of a tuple or a list.
    pub fn sequence(self) -> Option<Vec<Value<'p, 'a>>> {
        match self.node() {
            Node::Sequence(elements) => Some(elements.iter().map(|&id| self.other(id)).collect()),
            _ => None,
        }
    }

    /// The sizes in a tuple or a list of them.
    pub fn sizes(self) -> Option<Vec<usize>> {
        self.sequence()?.into_iter().map(Value::size).collect()
    }

    /// The entries of a dictionary, or of an object that is one.
    pub fn entries(self) -> Option<impl DoubleEndedIterator<Item = (Value<'p, 'a>, Value<'p, 'a>)>> {
        let entries = match self.node() {
            Node::Dict(entries) => entries,
            Node::Object(object) => &object.items,
            _ => return None,
        };
        Some(entries.iter().map(move |&(key, value)| (self.other(key), self.other(value))))
    }

    /// The entry of a dictionary under this text.
    pub fn get(self, key: &str) -> Option<Value<'p, 'a>> {
        let mut entries = self.entries()?.rev();
        entries.find(|(name, _)| name.bytes() == Some(key.as_bytes())).map(|(_, value)| value)
    }

    pub fn name(self) -> Option<Name<'a>> {
        match self.node() {
            Node::Name(name) => Some(*name),
            _ => None,
        }
    }

    /// Of an object: what was to be called.
    pub fn callee(self) -> Option<Name<'a>> {
        self.other(self.object()?.callee).name()
    }

    /// Of an object: what it was to be called with.
    pub fn arguments(self) -> Option<Vec<Value<'p, 'a>>> {
        self.other(self.object()?.arguments).sequence()
    }

    /// Of an object: the state that it was to be given.
    pub fn state(self) -> Option<Value<'p, 'a>> {
        self.object()?.state.map(|id| self.other(id))
    }

    fn object(self) -> Option<&'p Object> {
        match self.node() {
            Node::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The key of a value that is elsewhere.
    pub fn persistent(self) -> Option<Value<'p, 'a>> {
        match self.node() {
            Node::Persistent(key) => Some(self.other(*key)),
            _ => None,
        }
    }
}

impl Name<'_> {
    /// Whether it is this function of this module.
    pub fn is(self, module: &str, name: &str) -> bool {
        self.module == module.as_bytes() && self.name == name.as_bytes()
    }
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes| excerpt(String::from_utf8_lossy(bytes));
        write!(f, "{}.{}", text(self.module), text(self.name))
    }
}
