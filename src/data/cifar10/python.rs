//! The python archive's batches: pickled dictionaries.

use crate::pickle::{Pickle, Value};

/// The images of a batch, `image` bytes each, and their labels: entry `data` of the dictionary, a NumPy array of bytes
/// with one image a row, and the list `labels`.
///
/// # Errors
/// What the file is instead, in a few words.
pub fn batch(file: &[u8], image: usize) -> Result<(&[u8], Vec<u8>), String> {
    let (pickle, _) = Pickle::read(file)?;
    let batch = pickle.root();
    let images = images(batch, image)?;
    let labels = batch.get("labels").and_then(Value::sizes).unwrap_or_default();
    let labels: Vec<u8> = labels.into_iter().filter_map(|label| u8::try_from(label).ok()).collect();
    if labels.len() * image != images.len() {
        return Err(format!("it has {} labels for {} images", labels.len(), images.len() / image));
    }
    Ok((images, labels))
}

fn images<'a>(batch: Value<'_, 'a>, image: usize) -> Result<&'a [u8], String> {
    if batch.entries().is_none() {
        return Err("it holds no dictionary".into());
    }
    let array = batch.get("data").filter(|data| data.arguments().is_some());
    let array = array.ok_or("it has no array named data")?;
    let callee = array.callee().ok_or("its data is no NumPy array")?;
    if !(callee.module.ends_with(b".multiarray") && callee.name == b"_reconstruct") {
        return Err(format!("its data is made by {callee}, not a NumPy array"));
    }
    let state = array.state().and_then(Value::sequence).unwrap_or_default();
    let [_, shape, dtype, fortran, bytes] = state.as_slice() else {
        return Err("its data has no content".into());
    };
    let bytes = bytes.bytes().ok_or("its data has no content")?;
    if !is_u8(*dtype) || fortran.bool() != Some(false) {
        return Err("its data is not an array of bytes in C order".into());
    }
    let shape = shape.sizes().unwrap_or_default();
    let &[rows, columns] = shape.as_slice() else {
        return Err("its data does not have two dimensions".into());
    };
    if columns != image || rows == 0 || rows.checked_mul(image) != Some(bytes.len()) {
        return Err(format!("its data is {} bytes as {rows} x {columns}, not N x {image}", bytes.len()));
    }
    Ok(bytes)
}

fn is_u8(dtype: Value) -> bool {
    let arguments = dtype.arguments().unwrap_or_default();
    arguments.first().is_some_and(|code| code.bytes() == Some(b"u1"))
}
