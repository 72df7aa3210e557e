//! Reads what CIFAR-10's python batches hold, and nothing else, out of Python pickles.
//!
//! A pickle is a program for a small stack machine, which may call any Python function. This reader knows the
//! instructions that build plain values; a call becomes an inert [`Value::Object`] that remembers what was to
//! be called with what. Nothing is executed, and an instruction that such a file does not need is refused.

use std::collections::HashMap;
use std::rc::Rc;

/// A pickled value, as far as it matters here. Strings borrow from the file.
#[derive(Clone)]
enum Value<'a> {
    /// `None`, a truth value, or a whole number too long to matter.
    Other,
    Int(i64),
    /// Bytes, or text in UTF-8.
    Bytes(&'a [u8]),
    Sequence(Rc<Vec<Value<'a>>>),
    Dict(Rc<Vec<(Value<'a>, Value<'a>)>>),
    /// A Python name, `module name`.
    Name(Rc<str>),
    /// The result of a call, and the state that was set on it.
    Object(Rc<Object<'a>>),
    /// Where a list of operands begins.
    Mark,
}

#[derive(Clone)]
struct Object<'a> {
    callee: Value<'a>,
    arguments: Value<'a>,
    state: Value<'a>,
}

type Result<T> = std::result::Result<T, String>;

/// The images of a batch, `image` bytes each: entry `data` of the pickled dictionary, a NumPy array of bytes
/// with one image a row.
///
/// # Errors
/// What the file is instead, in a few words.
pub fn cifar_images(file: &[u8], image: usize) -> Result<&[u8]> {
    let batch = Machine::new(file).run()?;
    let Value::Dict(entries) = &batch else { return Err("it holds no dictionary".into()) };
    let data = entries.iter().find(|(key, _)| matches!(key, Value::Bytes(b"data")));
    let Some((_, Value::Object(array))) = data else { return Err("it has no array named data".into()) };
    let Value::Name(callee) = &array.callee else { return Err("its data is no NumPy array".into()) };
    if !callee.ends_with(".multiarray _reconstruct") {
        return Err(format!("its data is made by {callee}, not a NumPy array"));
    }
    let Value::Sequence(state) = &array.state else { return Err("its data has no content".into()) };
    let [_, Value::Sequence(shape), dtype, fortran, Value::Bytes(bytes)] = state.as_slice() else {
        return Err("its data has no content".into());
    };
    if !is_u8(dtype) || !matches!(fortran, Value::Other) {
        return Err("its data is not an array of bytes in C order".into());
    }
    let [Value::Int(rows), Value::Int(columns)] = shape.as_slice() else {
        return Err("its data does not have two dimensions".into());
    };
    let expected = usize::try_from(*rows).ok().and_then(|rows| rows.checked_mul(image));
    if *columns != image as i64 || *rows == 0 || expected != Some(bytes.len()) {
        return Err(format!("its data is {} bytes as {rows} x {columns}, not N x {image}", bytes.len()));
    }
    Ok(bytes)
}

fn is_u8(dtype: &Value) -> bool {
    let Value::Object(dtype) = dtype else { return false };
    let Value::Sequence(arguments) = &dtype.arguments else { return false };
    matches!(arguments.first(), Some(Value::Bytes(b"u1")))
}

/// More values that hold values than any batch has; it bounds how deep they can nest.
const CONTAINERS: usize = 2000;

/// The stack machine.
struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value<'a>>,
    /// Values by number. Of a list or dictionary this is what it held when it was numbered: the files number
    /// them empty and never come back for them.
    memo: HashMap<usize, Value<'a>>,
    containers: usize,
}

impl<'a> Machine<'a> {
    fn new(file: &'a [u8]) -> Machine<'a> {
        Machine { rest: file, stack: vec![], memo: HashMap::new(), containers: 0 }
    }

    /// Runs to the stop instruction and gives the value on top.
    fn run(mut self) -> Result<Value<'a>> {
        loop {
            match self.byte()? {
                b'.' => return self.pop(),
                opcode => self.step(opcode)?,
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x80 => self.skip(1),                                     // PROTO
            0x95 => self.skip(8),                                     // FRAME
            b'N' | 0x88 | 0x89 => self.push(Value::Other),            // NONE, NEWTRUE, NEWFALSE
            b'(' => self.push(Value::Mark),                           // MARK
            b'K' => self.int::<1>(),                                  // BININT1
            b'M' => self.int::<2>(),                                  // BININT2
            b'J' => self.int::<4>(),                                  // BININT
            0x8a => self.long(),                                      // LONG1
            b'U' | b'C' | 0x8c => self.bytes::<1>(), // SHORT_BINSTRING, SHORT_BINBYTES, …UNICODE
            b'T' | b'B' | b'X' => self.bytes::<4>(), // BINSTRING, BINBYTES, BINUNICODE
            0x8e | 0x8d => self.bytes::<8>(),        // BINBYTES8, BINUNICODE8
            b')' | b']' => self.push(Value::Sequence(Rc::default())), // EMPTY_TUPLE, EMPTY_LIST
            b'}' => self.push(Value::Dict(Rc::default())), // EMPTY_DICT
            0x85 => self.tuple_of(1),                // TUPLE1
            0x86 => self.tuple_of(2),                // TUPLE2
            0x87 => self.tuple_of(3),                // TUPLE3
            b't' => self.tuple(),                    // TUPLE
            b'a' => self.append_one(),               // APPEND
            b'e' => self.append(),                   // APPENDS
            b's' => self.set_item(),                 // SETITEM
            b'u' => self.set_items(),                // SETITEMS
            b'c' => self.global(),                   // GLOBAL
            0x93 => self.stack_global(),             // STACK_GLOBAL
            b'R' => self.reduce(),                   // REDUCE
            b'b' => self.build(),                    // BUILD
            b'q' => self.put::<1>(),                 // BINPUT
            b'r' => self.put::<4>(),                 // LONG_BINPUT
            0x94 => self.memoize(),                  // MEMOIZE
            b'h' => self.get::<1>(),                 // BINGET
            b'j' => self.get::<4>(),                 // LONG_BINGET
            other => Err(format!("instruction {other:#04x} is not one that a CIFAR-10 pickle has")),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("it ends too early")?;
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
        usize::try_from(u64::from_le_bytes(word)).map_err(|_| "it is too long".into())
    }

    /// The text up to the end of the line.
    fn line(&mut self) -> Result<&'a str> {
        let length = self.rest.iter().position(|&byte| byte == b'\n').ok_or("it ends too early")?;
        let line = self.take(length)?;
        self.skip(1)?;
        std::str::from_utf8(line).map_err(|_| "a Python name in it is not text".into())
    }

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        self.stack.push(value);
        Ok(())
    }

    fn push_container(&mut self, value: Value<'a>) -> Result<()> {
        self.containers += 1;
        if self.containers > CONTAINERS {
            return Err("it holds far more than images".into());
        }
        self.push(value)
    }

    fn pop(&mut self) -> Result<Value<'a>> {
        match self.stack.pop() {
            None | Some(Value::Mark) => Err("its instructions make no sense".into()),
            Some(value) => Ok(value),
        }
    }

    /// The values above the last mark.
    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>> {
        let mark = self.stack.iter().rposition(|value| matches!(value, Value::Mark));
        let values = self.stack.split_off(mark.ok_or("its instructions make no sense")? + 1);
        self.stack.pop();
        Ok(values)
    }

    /// An unsigned operand, but that four bytes are signed.
    fn int<const N: usize>(&mut self) -> Result<()> {
        let value = self.operand::<N>()? as i64;
        self.push(Value::Int(if N == 4 { i64::from(value as i32) } else { value }))
    }

    fn long(&mut self) -> Result<()> {
        let length = self.operand::<1>()?;
        self.skip(length)?;
        self.push(Value::Other)
    }

    fn bytes<const N: usize>(&mut self) -> Result<()> {
        let length = self.operand::<N>()?;
        let bytes = self.take(length)?;
        self.push(Value::Bytes(bytes))
    }

    fn tuple_of(&mut self, count: usize) -> Result<()> {
        let mut values = vec![];
        for _ in 0..count {
            values.push(self.pop()?);
        }
        values.reverse();
        self.push_container(Value::Sequence(Rc::new(values)))
    }

    fn tuple(&mut self) -> Result<()> {
        let values = self.pop_to_mark()?;
        self.push_container(Value::Sequence(Rc::new(values)))
    }

    fn append_one(&mut self) -> Result<()> {
        let value = self.pop()?;
        self.extend_list(vec![value])
    }

    fn append(&mut self) -> Result<()> {
        let values = self.pop_to_mark()?;
        self.extend_list(values)
    }

    fn extend_list(&mut self, values: Vec<Value<'a>>) -> Result<()> {
        let Value::Sequence(mut list) = self.pop()? else { return Err("it appends to no list".into()) };
        Rc::make_mut(&mut list).extend(values);
        self.push_container(Value::Sequence(list))
    }

    fn set_item(&mut self) -> Result<()> {
        let (value, key) = (self.pop()?, self.pop()?);
        self.extend_dict(vec![key, value])
    }

    fn set_items(&mut self) -> Result<()> {
        let items = self.pop_to_mark()?;
        self.extend_dict(items)
    }

    fn extend_dict(&mut self, items: Vec<Value<'a>>) -> Result<()> {
        let Value::Dict(mut dict) = self.pop()? else { return Err("it sets items of no dictionary".into()) };
        let entries = Rc::make_mut(&mut dict);
        for pair in items.chunks_exact(2) {
            entries.push((pair[0].clone(), pair[1].clone()));
        }
        self.push_container(Value::Dict(dict))
    }

    fn global(&mut self) -> Result<()> {
        let (module, name) = (self.line()?, self.line()?);
        self.push(Value::Name(format!("{module} {name}").into()))
    }

    fn stack_global(&mut self) -> Result<()> {
        let (Value::Bytes(name), Value::Bytes(module)) = (self.pop()?, self.pop()?) else {
            return Err("a Python name in it is not text".into());
        };
        let text = String::from_utf8_lossy;
        self.push(Value::Name(format!("{} {}", text(module), text(name)).into()))
    }

    /// A call: remembered, not made.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let object = Object { callee, arguments, state: Value::Other };
        self.push_container(Value::Object(Rc::new(object)))
    }

    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let Value::Object(mut object) = self.pop()? else {
            return Err("it sets the state of a plain value".into());
        };
        Rc::make_mut(&mut object).state = state;
        self.push_container(Value::Object(object))
    }

    fn put<const N: usize>(&mut self) -> Result<()> {
        let number = self.operand::<N>()?;
        self.remember(number)
    }

    fn memoize(&mut self) -> Result<()> {
        self.remember(self.memo.len())
    }

    fn remember(&mut self, number: usize) -> Result<()> {
        let value = self.stack.last().ok_or("its instructions make no sense")?;
        self.memo.insert(number, value.clone());
        Ok(())
    }

    fn get<const N: usize>(&mut self) -> Result<()> {
        let number = self.operand::<N>()?;
        let value = self.memo.get(&number).ok_or("its instructions make no sense")?;
        self.push(value.clone())
    }
}
