//! The stack machine.

use super::{Id, Name, Node, Object, Pickle, Result};
use std::collections::HashMap;

/// More values than any batch of images or set of weights has.
const MOST: usize = 1 << 20;

const NONSENSE: &str = "its instructions make no sense";
const CUT: &str = "it ends too early";

pub(super) struct Machine<'a> {
    rest: &'a [u8],
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at which lists of operands begin.
    marks: Vec<usize>,
    /// Values by number.
    memo: HashMap<usize, Id>,
}

impl<'a> Machine<'a> {
    pub fn new(file: &'a [u8]) -> Machine<'a> {
        Machine { rest: file, nodes: vec![], stack: vec![], marks: vec![], memo: HashMap::new() }
    }

    /// Runs to the stop instruction; gives the values and the bytes behind it.
    pub fn run(mut self) -> Result<(Pickle<'a>, &'a [u8])> {
        loop {
            match self.byte()? {
                b'.' => break,
                opcode => self.step(opcode)?,
            }
        }
        let root = self.pop()?;
        Ok((Pickle { nodes: self.nodes, root }, self.rest))
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x80 => self.skip(1),                             // PROTO
            0x95 => self.skip(8),                             // FRAME
            b'N' => self.push(Node::None),                    // NONE
            0x88 => self.push(Node::Bool(true)),              // NEWTRUE
            0x89 => self.push(Node::Bool(false)),             // NEWFALSE
            b'K' => self.int::<1>(),                          // BININT1
            b'M' => self.int::<2>(),                          // BININT2
            b'J' => self.int::<4>(),                          // BININT
            0x8a => self.long(),                              // LONG1
            b'G' => self.float(),                             // BINFLOAT
            b'U' | b'C' | 0x8c => self.bytes::<1>(),          // SHORT_BINSTRING, SHORT_BINBYTES, …UNICODE
            b'T' | b'B' | b'X' => self.bytes::<4>(),          // BINSTRING, BINBYTES, BINUNICODE
            0x8e | 0x8d => self.bytes::<8>(),                 // BINBYTES8, BINUNICODE8
            b')' | b']' => self.push(Node::Sequence(vec![])), // EMPTY_TUPLE, EMPTY_LIST
            b'}' => self.push(Node::Dict(vec![])),            // EMPTY_DICT
            b'(' => self.mark(),                              // MARK
            0x85 => self.tuple_of(1),                         // TUPLE1
            0x86 => self.tuple_of(2),                         // TUPLE2
            0x87 => self.tuple_of(3),                         // TUPLE3
            b't' => self.tuple(),                             // TUPLE
            b'a' => self.append_one(),                        // APPEND
            b'e' => self.append(),                            // APPENDS
            b's' => self.set_item(),                          // SETITEM
            b'u' => self.set_items(),                         // SETITEMS
            b'c' => self.global(),                            // GLOBAL
            0x93 => self.stack_global(),                      // STACK_GLOBAL
            b'R' => self.reduce(),                            // REDUCE
            b'b' => self.build(),                             // BUILD
            b'Q' => self.persistent(),                        // BINPERSID
            b'q' => self.put::<1>(),                          // BINPUT
            b'r' => self.put::<4>(),                          // LONG_BINPUT
            0x94 => self.remember(self.memo.len()),           // MEMOIZE
            b'h' => self.get::<1>(),                          // BINGET
            b'j' => self.get::<4>(),                          // LONG_BINGET
            other => Err(format!("instruction {other:#04x} in it is not one that images or weights need")),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.take(count).map(|_| ())
    }

    /// A little-endian operand of `N` bytes.
    fn operand<const N: usize>(&mut self) -> Result<usize> {
        let mut word = [0; 8];
        word[..N].copy_from_slice(self.take(N)?);
        usize::try_from(u64::from_le_bytes(word)).map_err(|_| CUT.into())
    }

    /// The text up to the end of the line.
    fn line(&mut self) -> Result<&'a [u8]> {
        let length = self.rest.iter().position(|&byte| byte == b'\n').ok_or(CUT)?;
        let line = self.take(length)?;
        self.skip(1)?;
        Ok(line)
    }

    fn push(&mut self, node: Node<'a>) -> Result<()> {
        if self.nodes.len() == MOST {
            return Err("it holds far more values than images or weights need".into());
        }
        self.stack.push(self.nodes.len() as Id);
        self.nodes.push(node);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err(NONSENSE.into());
        }
        self.stack.pop().ok_or(NONSENSE.into())
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or(NONSENSE.into())
    }

    /// The value on top, to be changed: a list or dictionary is the same wherever it is referred to.
    fn top_node(&mut self) -> Result<&mut Node<'a>> {
        let top = self.top()?;
        Ok(&mut self.nodes[top as usize])
    }

    fn mark(&mut self) -> Result<()> {
        if self.marks.len() == MOST {
            return Err(NONSENSE.into());
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The values above the last mark.
    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or(NONSENSE)?;
        Ok(self.stack.split_off(mark))
    }

    /// An unsigned operand, but that four bytes are signed.
    fn int<const N: usize>(&mut self) -> Result<()> {
        let value = self.operand::<N>()? as i64;
        self.push(Node::Int(if N == 4 { i64::from(value as i32) } else { value }))
    }

    /// Two's complement of any length; a number that is longer than a word is not of interest.
    fn long(&mut self) -> Result<()> {
        let length = self.operand::<1>()?;
        let digits = self.take(length)?;
        let negative = digits.last().is_some_and(|&last| last >= 0x80);
        let mut word = if negative { [0xFF; 8] } else { [0; 8] };
        let Some(low) = word.get_mut(..length) else { return self.push(Node::Number) };
        low.copy_from_slice(digits);
        self.push(Node::Int(i64::from_le_bytes(word)))
    }

    fn float(&mut self) -> Result<()> {
        self.skip(8)?;
        self.push(Node::Number)
    }

    fn bytes<const N: usize>(&mut self) -> Result<()> {
        let length = self.operand::<N>()?;
        let bytes = self.take(length)?;
        self.push(Node::Bytes(bytes))
    }

    fn tuple_of(&mut self, count: usize) -> Result<()> {
        let mut values = vec![];
        for _ in 0..count {
            values.push(self.pop()?);
        }
        values.reverse();
        self.push(Node::Sequence(values))
    }

    fn tuple(&mut self) -> Result<()> {
        let values = self.pop_to_mark()?;
        self.push(Node::Sequence(values))
    }

    fn append_one(&mut self) -> Result<()> {
        let value = self.pop()?;
        self.extend_list(&[value])
    }

    fn append(&mut self) -> Result<()> {
        let values = self.pop_to_mark()?;
        self.extend_list(&values)
    }

    fn extend_list(&mut self, values: &[Id]) -> Result<()> {
        let Node::Sequence(list) = self.top_node()? else { return Err("it appends to no list".into()) };
        list.extend_from_slice(values);
        Ok(())
    }

    fn set_item(&mut self) -> Result<()> {
        let (value, key) = (self.pop()?, self.pop()?);
        self.extend_dict(&[key, value])
    }

    fn set_items(&mut self) -> Result<()> {
        let items = self.pop_to_mark()?;
        self.extend_dict(&items)
    }

    fn extend_dict(&mut self, items: &[Id]) -> Result<()> {
        let (pairs, odd) = items.as_chunks();
        if !odd.is_empty() {
            return Err(NONSENSE.into());
        }
        let (Node::Dict(entries) | Node::Object(Object { items: entries, .. })) = self.top_node()? else {
            return Err("it sets items of no dictionary".into());
        };
        entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
        Ok(())
    }

    fn global(&mut self) -> Result<()> {
        let (module, name) = (self.line()?, self.line()?);
        self.push(Node::Name(Name { module, name }))
    }

    fn stack_global(&mut self) -> Result<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        match (&self.nodes[module as usize], &self.nodes[name as usize]) {
            (&Node::Bytes(module), &Node::Bytes(name)) => self.push(Node::Name(Name { module, name })),
            _ => Err("a Python name in it is not text".into()),
        }
    }

    /// A call: remembered, not made.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        self.push(Node::Object(Object { callee, arguments, state: None, items: vec![] }))
    }

    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let Node::Object(object) = self.top_node()? else {
            return Err("it sets the state of a plain value".into());
        };
        object.state = Some(state);
        Ok(())
    }

    fn persistent(&mut self) -> Result<()> {
        let key = self.pop()?;
        self.push(Node::Persistent(key))
    }

    fn put<const N: usize>(&mut self) -> Result<()> {
        let number = self.operand::<N>()?;
        self.remember(number)
    }

    fn remember(&mut self, number: usize) -> Result<()> {
        let value = self.top()?;
        self.memo.insert(number, value);
        Ok(())
    }

    fn get<const N: usize>(&mut self) -> Result<()> {
        let number = self.operand::<N>()?;
        let value = *self.memo.get(&number).ok_or(NONSENSE)?;
        if self.stack.len() == MOST {
            return Err(NONSENSE.into());
        }
        self.stack.push(value);
        Ok(())
    }
}
