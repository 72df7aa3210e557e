//! The border to C: arguments as they come, and functions under the driver's names.
//!
//! Here, and only here, it is taken on trust that a pointer which a program passes is null or valid for what
//! the driver's documentation says of it. Behind these types all is checked.

use crate::error::Code;
use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a driver function makes: `Ok` is `CUDA_SUCCESS`.
pub type Status = Result<(), Code>;

/// Where the caller wants a result; may be null.
#[repr(transparent)]
pub struct Out<T>(*mut T);

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T> Out<T> {
    pub const NULL: Out<T> = Out(std::ptr::null_mut());

    /// Refuses a null pointer; asked before work is done whose result would be lost.
    pub fn wanted(self) -> Result<Self, Code> {
        if self.0.is_null() { Err(Code::INVALID_VALUE) } else { Ok(self) }
    }

    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Writes a result that the caller must want.
    pub fn set(self, value: T) -> Status {
        // SAFETY: not null, so valid for a write; C promises no alignment.
        unsafe { self.wanted()?.0.write_unaligned(value) };
        Ok(())
    }

    /// Writes a result that the caller may leave out.
    pub fn set_if_wanted(self, value: T) {
        let _ = self.set(value);
    }

    /// What stands there, where a place is for both directions.
    pub fn get(self) -> Result<T, Code>
    where
        T: Copy,
    {
        In(self.0).get()
    }

    /// Writes an array.
    pub fn set_all(self, values: &[T]) -> Status
    where
        T: Copy,
    {
        if values.is_empty() {
            return Ok(());
        }
        let target = self.wanted()?.0;
        // SAFETY: the caller gave room for that many; bytes have no alignment.
        unsafe {
            std::ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), target.cast(), size_of_val(values))
        };
        Ok(())
    }

    /// The place of element `index` of an array.
    pub fn at(self, index: usize) -> Out<T> {
        Out(self.0.wrapping_add(index))
    }

    pub fn address(self) -> usize {
        self.0.expose_provenance()
    }

    /// A result of another type at the same place, as attributes have them.
    pub fn cast<U>(self) -> Out<U> {
        Out(self.0.cast())
    }
}

/// A value, a structure or an array that the caller passes; may be null.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct In<T>(*const T);

impl<T: Copy> In<T> {
    pub const NULL: In<T> = In(std::ptr::null());

    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    pub fn address(self) -> usize {
        self.0.expose_provenance()
    }

    pub fn get(self) -> Result<T, Code> {
        self.at(0)
    }

    /// Element `index` of an array.
    pub fn at(self, index: usize) -> Result<T, Code> {
        if self.0.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: not null, so valid for a read of as many elements as the caller said.
        Ok(unsafe { self.0.add(index).read_unaligned() })
    }

    /// `count` elements; null will do for none.
    pub fn all(self, count: usize) -> Result<Vec<T>, Code> {
        (0..count).map(|index| self.at(index)).collect()
    }
}

/// An address that a value of a kernel's parameter is read from.
pub fn bytes_at(address: usize, bytes: usize) -> Result<Vec<u8>, Code> {
    In(std::ptr::with_exposed_provenance::<u8>(address)).all(bytes)
}

/// An array at an address.
pub fn array_at<T: Copy>(address: usize) -> In<T> {
    In(std::ptr::with_exposed_provenance(address))
}

/// A place for a result at an address.
pub fn place_at<T>(address: usize) -> Out<T> {
    Out(std::ptr::with_exposed_provenance_mut(address))
}

/// A text that ends in NUL; may be null.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Text(*const c_char);

impl Text {
    pub fn get(self) -> Result<String, Code> {
        if self.0.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: not null, so a text that ends in NUL.
        Ok(unsafe { CStr::from_ptr(self.0) }.to_string_lossy().into_owned())
    }
}

/// The text at an address.
pub fn text_at(address: usize) -> Text {
    Text(std::ptr::with_exposed_provenance(address))
}

thread_local! {
    /// Whether the call under way takes stream 0 for the thread's own default stream.
    static OWN_DEFAULT: Cell<bool> = const { Cell::new(false) };
}

/// Whether stream 0 means the calling thread's own default stream: the `_ptsz` and `_ptds` forms.
pub fn own_default_stream() -> bool {
    OWN_DEFAULT.get()
}

/// Runs a function with its stream 0 as the thread's own.
pub fn with_own_default_stream(function: impl FnOnce() -> u32) -> u32 {
    let before = OWN_DEFAULT.replace(true);
    let code = function();
    OWN_DEFAULT.set(before);
    code
}

/// The code of what `function` makes. A panic must not leave the library.
pub fn code_of(function: impl FnOnce() -> Status) -> u32 {
    match catch_unwind(AssertUnwindSafe(function)) {
        Ok(Ok(())) => 0,
        Ok(Err(Code(code))) => code,
        Err(_) => Code::UNKNOWN.0,
    }
}

/// A function that programs may find by its name.
pub struct Export {
    pub name: &'static str,
    pub function: *const (),
}

// SAFETY: the pointer is to code.
unsafe impl Sync for Export {}

/// Exports functions under the driver's names and lists them in `EXPORTS`: a name, in brackets the name of the
/// form in which stream 0 is the thread's own, the arguments, and the function that does it.
macro_rules! export {
    ($($name:ident $([$own:ident])? ($($arg:ident: $type:ty),* $(,)?) => $function:path;)*) => {
        $(export! { @function $name ($($arg: $type),*) ($($arg),*) $function })*
        export! { @own $($name $([$own])? ($($arg: $type),*) ($($arg),*);)* }

        pub static EXPORTS: &[$crate::abi::Export] = &[
            $(
                $crate::abi::Export { name: stringify!($name), function: $name as *const () },
                $($crate::abi::Export { name: stringify!($own), function: $own as *const () },)?
            )*
        ];
    };
    (@function $name:ident ($($arg:ident: $type:ty),*) ($($value:ident),*) $function:path) => {
        // SAFETY: the name is the driver's, and nothing else in the library has it.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($arg: $type),*) -> u32 {
            $crate::abi::code_of(|| $function($($value),*))
        }
    };
    (@own) => {};
    (@own $name:ident $args:tt $values:tt; $($rest:tt)*) => { export! { @own $($rest)* } };
    (@own $name:ident [$own:ident] ($($arg:ident: $type:ty),*) ($($value:ident),*); $($rest:tt)*) => {
        // SAFETY: as above.
        #[unsafe(no_mangle)]
        pub extern "C" fn $own($($arg: $type),*) -> u32 {
            $crate::abi::with_own_default_stream(|| $name($($value),*))
        }
        export! { @own $($rest)* }
    };
}
