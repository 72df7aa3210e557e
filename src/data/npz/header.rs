//! `.npy` arrays: what a header says, and the bytes behind it.

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
        return Err(format!("its {} bytes are not of shape {shape:?}", data.len()));
    }
    Ok(Array { dtype, shape, data })
}

/// The text of the header, a Python dictionary, and what is behind it.
fn header(file: &[u8]) -> Option<(&str, &[u8])> {
    let rest = file.strip_prefix(b"\x93NUMPY")?;
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
