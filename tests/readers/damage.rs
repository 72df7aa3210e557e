//! What happens to files: bits flip, ends are lost, numbers say other things, parts are elsewhere or there twice.

use crate::common::random::Random;

/// Where formats have what describes the rest: this many bytes at either end are damaged as often as all others.
const ENDS: usize = 2048;

/// Numbers at the edges of what readers expect, and beyond.
const NUMBERS: [u64; 12] =
    [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 32, 1 << 62, i64::MAX as u64, u64::MAX];

/// The same in text.
const WORDS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "65536",
    "4294967296",
    "99999999999",
    "18446744073709551615",
    "1e400",
    "-0.5",
    "null",
    "[[[[",
    "\"\\u0000\\n\"",
];

/// The first of `files` with one to three damages, in some of which there are parts of the others.
pub fn damaged(files: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut file = files[0].clone();
    for _ in 0..random.between(1, 3) {
        damage(&mut file, files, random);
    }
    file
}

fn damage(file: &mut Vec<u8>, files: &[Vec<u8>], random: &mut Random) {
    let at = place(file.len(), random);
    match random.between(0, 8) {
        0 => flip(file, at, random),
        1 => file.truncate(at),
        2 => number(file, at, random),
        3 => word(file, at, random),
        4 => drop(file.drain(at..at + length(file.len() - at, random))),
        5 => {
            let part = part(file, random);
            file.splice(at..at, part);
        }
        6 => {
            let part = part(file, random);
            let end = file.len().min(at + part.len());
            file.splice(at..end, part);
        }
        7 => {
            let other = &files[random.between(0, files.len() - 1)];
            let part = part(other, random);
            file.splice(at..at, part);
        }
        _ => {
            let part = part(file, random);
            file.splice(at..at, part.repeat(random.between(2, 64)));
        }
    }
}

/// A place in a file, or its end; near its beginning or its end as often as anywhere.
fn place(length: usize, random: &mut Random) -> usize {
    let near = ENDS.min(length);
    match random.between(0, 3) {
        0 => random.between(0, near),
        1 => length - random.between(0, near),
        _ => random.between(0, length),
    }
}

/// A length of at most `most`, short ones as often as long ones.
fn length(most: usize, random: &mut Random) -> usize {
    let bits = random.between(0, 16);
    random.between(0, 1 << bits).min(most)
}

/// Some bytes of a file.
fn part(file: &[u8], random: &mut Random) -> Vec<u8> {
    let at = place(file.len(), random);
    file[at..at + length(file.len() - at, random)].to_vec()
}

fn flip(file: &mut [u8], at: usize, random: &mut Random) {
    if let Some(byte) = file.get_mut(at) {
        *byte ^= 1 << random.between(0, 7);
    }
}

/// Writes another number over 1, 2, 4 or 8 bytes, in either order of bytes.
fn number(file: &mut [u8], at: usize, random: &mut Random) {
    let width = random.pick(&[1, 2, 4, 8]);
    let number = if random.between(0, 3) == 0 { random.bits() } else { random.pick(&NUMBERS) };
    let little = number.to_le_bytes();
    let big = (number << (64 - 8 * width)).to_be_bytes();
    let bytes = if random.between(0, 1) == 0 { little } else { big };
    if let Some(place) = file.get_mut(at..at + width) {
        place.copy_from_slice(&bytes[..width]);
    }
}

/// Writes another word in place of the next digits of the file.
fn word(file: &mut Vec<u8>, at: usize, random: &mut Random) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let Some(begin) = file[at..].iter().position(is_digit).map(|skipped| at + skipped) else { return };
    let digits = file[begin..].iter().take_while(|byte| is_digit(byte)).count();
    file.splice(begin..begin + digits, random.pick(&WORDS).bytes());
}

#[test]
fn damage_is_the_same_again_and_changes_files() {
    let files = [b"{\"one\": 123, \"two\": [4, 5]}".repeat(9), vec![7; 5000]];
    let again = |seed| damaged(&files, &mut Random::new(seed));
    let changed = (0..200).filter(|&seed| again(seed) != files[0]).count();
    assert!(changed > 150, "{changed}");
    assert!((0..200).all(|seed| again(seed) == again(seed)));
}
