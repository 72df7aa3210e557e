//! NumPy's `.npy` arrays: what a header says, and the bytes behind it.

use crate::message::excerpt;

/// How a file begins.
const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy begins its data at multiples of this.
const ALIGNMENT: usize = 64;

/// An array in memory.
#[derive(Debug, PartialEq, Eq)]
pub struct Array<'a> {
    /// NumPy's name of the element type, `|u1`.
    pub dtype: &'a str,
    pub shape: Vec<usize>,
    /// Of the elements, the last dimension innermost.
    pub data: &'a [u8],
}

/// Reads a `.npy` file in C order. NumPy's header is the text of a Python dictionary, always in one form; no other
/// expression is understood.
///
/// # Errors
/// What the file is instead, in a few words.
pub fn parse(file: &[u8]) -> Result<Array<'_>, String> {
    let (text, data) = header(file).ok_or("it is no whole .npy file")?;
    let field = |name: &str| {
        let value = text.split_once(&format!("'{name}':")).map(|(_, value)| value.trim_start());
        value.ok_or_else(|| format!("its header says no {name}"))
    };
    let dtype =
        field("descr")?.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map(|(dtype, _)| dtype);
    let dtype = dtype.ok_or("its elements are no plain numbers")?;
    if !field("fortran_order")?.starts_with("False") {
        return Err("it is in Fortran order".into());
    }
    let extents =
        field("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(extents, _)| extents);
    let extents = extents.ok_or("its header has no shape")?.split(',').map(str::trim);
    let shape: Result<Vec<usize>, _> = extents.filter(|extent| !extent.is_empty()).map(str::parse).collect();
    let shape = shape.map_err(|_| "its header has no shape")?;
    let width = dtype
        .get(2..)
        .and_then(|digits| digits.parse::<usize>().ok())
        .ok_or("its elements are no plain numbers")?;
    let bytes = shape.iter().try_fold(width, |product, &extent| product.checked_mul(extent));
    if bytes != Some(data.len()) {
        let shape = excerpt(format!("{shape:?}"));
        return Err(format!("its {} bytes are not of shape {shape}", data.len()));
    }
    Ok(Array { dtype, shape, data })
}

/// The text of the header, a Python dictionary, and what is behind it.
fn header(file: &[u8]) -> Option<(&str, &[u8])> {
    let rest = file.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_at_checked(2)?;
    let (length, rest) = match version[0] {
        1 => rest
            .split_first_chunk::<2>()
            .map(|(length, rest)| (usize::from(u16::from_le_bytes(*length)), rest))?,
        2 | 3 => rest
            .split_first_chunk::<4>()
            .map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest))?,
        _ => return None,
    };
    let (text, data) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(text).ok()?, data))
}

/// What is before the bytes of an array in C order, of this type and shape, as NumPy writes it.
pub fn preamble(dtype: &str, shape: &[usize]) -> Vec<u8> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    // A tuple of one has its comma, and longer ones have none at their ends.
    let extents = if shape.len() == 1 { extents.trim_end() } else { extents.trim_end_matches(", ") };
    let mut text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({extents}), }}");
    let before = MAGIC.len() + 4;
    let length = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    text.extend(std::iter::repeat_n(' ', length - 1 - text.len()));
    let length = u16::try_from(length).expect("a shape of a few dimensions");
    [MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes(), b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of what `numpy.save` 2 makes of `numpy.zeros((5, 6, 6, 3), "u1")` and `numpy.zeros(7, "<i8")`.
    #[test]
    fn preambles_are_those_of_numpy() {
        let four = preamble("|u1", &[5, 6, 6, 3]);
        let text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (5, 6, 6, 3), }";
        assert_eq!(four[..10], *b"\x93NUMPY\x01\x00\x76\x00");
        assert_eq!(four[10..][..text.len()], *text);
        assert_eq!((four.len(), four.last()), (128, Some(&b'\n')));
        let one = preamble("<i8", &[7]);
        assert!(one[10..].starts_with(b"{'descr': '<i8', 'fortran_order': False, 'shape': (7,), }"));
    }

    #[test]
    fn what_is_written_is_read() {
        for shape in [&[][..], &[0], &[7], &[2, 3], &[1; 20]] {
            let mut file = preamble("|u1", shape);
            let bytes = vec![9; shape.iter().product()];
            file.extend(&bytes);
            assert_eq!(parse(&file), Ok(Array { dtype: "|u1", shape: shape.to_vec(), data: &bytes }));
        }
    }
}
