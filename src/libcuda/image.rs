//! What a program passes as the code of a module: PTX text, machine code, or a bundle of both.

use crate::abi::{array_at, bytes_at, text_at};
use crate::error::Code;

/// Begins machine code.
const ELF: [u8; 4] = *b"\x7fELF";
/// Begins the structure by which compiled programs refer to a bundle.
const WRAPPER: [u8; 4] = 0x4662_43B1_u32.to_le_bytes();
/// Begins a bundle.
const BUNDLE: [u8; 4] = 0xBA55_ED50_u32.to_le_bytes();
/// Bytes of a bundle's header.
const BUNDLE_HEADER: usize = 16;
/// An entry of a bundle that is PTX.
const PTX_ENTRY: u16 = 1;
/// Flags of an entry that is compressed, in one way or the other.
const COMPRESSED: u64 = 0x2000 | 0x8000;

/// The PTX text of the image at an address.
///
/// # Errors
/// [`Code::NO_BINARY_FOR_GPU`] for machine code, and for bundles with no plain PTX in them;
/// [`Code::INVALID_IMAGE`] for what is neither.
pub fn text(image: usize) -> Result<String, Code> {
    // Images come without their size: each kind of them says where it ends.
    let start = first_bytes(image)?;
    match start {
        ELF => Err(Code::NO_BINARY_FOR_GPU),
        WRAPPER => text(array_at::<u64>(image).at(1)? as usize),
        BUNDLE => bundled(image),
        _ => plain(image),
    }
}

/// The first four, or fewer with zeros behind where a text ends before.
fn first_bytes(image: usize) -> Result<[u8; 4], Code> {
    let mut start = [0; 4];
    for (index, byte) in start.iter_mut().enumerate() {
        *byte = array_at::<u8>(image).at(index)?;
        if *byte == 0 {
            break;
        }
    }
    Ok(start)
}

fn plain(image: usize) -> Result<String, Code> {
    let text = text_at(image).get()?;
    let printable = |c: char| !c.is_control() || c.is_whitespace();
    if !text.is_empty() && text.chars().take(64).all(printable) { Ok(text) } else { Err(Code::INVALID_IMAGE) }
}

fn bundled(image: usize) -> Result<String, Code> {
    let size = array_at::<u64>(image).at(1)? as usize;
    let bytes = bytes_at(image, BUNDLE_HEADER.checked_add(size).ok_or(Code::INVALID_IMAGE)?)?;
    ptx_of_bundle(&bytes[BUNDLE_HEADER..])
}

/// The first entry that is PTX, as it is. An entry: kind (u16) at 0, size of its header (u32) at 4, size of the
/// rest (u64) at 8, flags (u64) at 40.
fn ptx_of_bundle(mut entries: &[u8]) -> Result<String, Code> {
    while entries.len() >= 64 {
        let number = |at: usize| u64::from_le_bytes(entries[at..at + 8].try_into().unwrap_or_default());
        let (kind, header, size, flags) =
            (number(0) as u16, number(4) as u32 as usize, number(8), number(40));
        let end = header.checked_add(size as usize).filter(|end| header >= 64 && *end <= entries.len());
        let end = end.ok_or(Code::INVALID_IMAGE)?;
        if kind == PTX_ENTRY && flags & COMPRESSED == 0 {
            let text = String::from_utf8_lossy(&entries[header..end]);
            return Ok(text.trim_end_matches('\0').to_string());
        }
        entries = &entries[end..];
    }
    Err(Code::NO_BINARY_FOR_GPU)
}
