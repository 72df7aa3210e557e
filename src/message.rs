//! Words of others in messages: what stands in files, and what libraries say.

use std::fmt::Display;

/// Most characters of them that are said, and how many of those at the end.
const MOST: usize = 200;
const TAIL: usize = 60;

/// The words on one line, without what a terminal would obey; the middle of long ones is left out.
pub fn excerpt(words: impl Display) -> String {
    let words = words.to_string();
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut characters: Vec<char> = line.chars().collect();
    let left_out = characters.len().saturating_sub(MOST);
    if left_out > 0 {
        let begin = MOST - TAIL;
        characters.splice(begin..begin + left_out, " … ".chars());
    }
    characters
        .into_iter()
        .map(|character| if character.is_control() { '\u{FFFD}' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_without_commands_and_not_all_of_it() {
        assert_eq!(excerpt("conv_in.weight"), "conv_in.weight");
        assert_eq!(excerpt(" a\n  b\u{1b}[2J\r"), "a b\u{FFFD}[2J");
        let long = excerpt("x".repeat(100_000));
        assert_eq!((long.chars().count(), long.matches('…').count()), (MOST + 3, 1));
    }
}
