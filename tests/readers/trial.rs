//! Damaged files before a reader.

use crate::common::random::Random;
use crate::damage::damaged;
use crate::heap::peak;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest message that is still one sentence for people, and not the content of the file.
const SENTENCE: usize = 500;

/// A reader and the file that it reads.
pub struct Reader<'a> {
    /// A folder with all that is read.
    pub folder: &'a Path,
    /// Name of the file in it that is damaged.
    pub file: &'a str,
    /// Reads everything in the folder, to the last element.
    pub read: &'a dyn Fn(&Path) -> anyhow::Result<()>,
    /// Bytes of memory that it may take for each byte of the file, ...
    pub growth: usize,
    /// ... and whatever the file: for buffers, paths, messages, and what lies beside the file.
    pub besides: usize,
    /// Completes damaged content to a file: an archive around it, or sums that are right.
    pub finish: &'a dyn Fn(Vec<u8>) -> Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Of a file that is damaged as it is, which is in memory at most four times.
    pub fn new(folder: &'a Path, file: &'a str, read: &'a dyn Fn(&Path) -> anyhow::Result<()>) -> Reader<'a> {
        Reader { folder, file, read, growth: 4, besides: 1 << 20, finish: &|content| content }
    }

    /// Reads the first of `files`, and then that file with damages, `trials` times. `DDPM_DAMAGES` multiplies them.
    ///
    /// # Panics
    /// If the reader does, says more than a sentence, or takes more memory than it may: which damage it was is printed.
    /// If it refuses the file without a damage, or hardly any with one.
    pub fn survives(&self, files: &[Vec<u8>], trials: u64) {
        self.read(files[0].clone()).expect("the undamaged file is read");
        let times = std::env::var("DDPM_DAMAGES").map_or(1, |times| times.parse().expect("a number"));
        let mut refused = 0;
        for number in 0..trials * times {
            let _told = Told { number, file: self.folder.join(self.file) };
            refused += u64::from(self.read(damaged(files, &mut Random::new(number))).is_err());
        }
        assert!(refused * 10 >= trials, "of {trials} damaged files only {refused} were refused");
    }

    /// What is said where the file has this content.
    ///
    /// # Panics
    /// As [`Reader::survives`]; and if the file is read.
    pub fn refusal(&self, content: &[u8]) -> String {
        self.read(content.to_vec()).expect_err("it was read")
    }

    fn read(&self, content: Vec<u8>) -> Result<(), String> {
        let content = (self.finish)(content);
        let length = content.len();
        fs::write(self.folder.join(self.file), content).unwrap();
        let (result, most) = peak(|| (self.read)(self.folder));
        let allowed = self.growth * length + self.besides;
        assert!(most <= allowed, "{most} bytes of memory for a file of {length}: {result:?}");
        result.map_err(|error| sentence(&error, self.folder))
    }
}

/// The message of an error, as the program prints it.
fn sentence(error: &anyhow::Error, folder: &Path) -> String {
    let message = format!("{error:#}").replace(&folder.display().to_string(), "FOLDER");
    let plain = !message.is_empty() && !message.contains(char::is_control);
    assert!(
        plain && message.chars().count() <= SENTENCE,
        "{} bytes are no sentence: {message:?}",
        message.len()
    );
    let parts: Vec<&str> = message.split(": ").collect();
    let again =
        parts.iter().enumerate().find(|(place, part)| part.len() > 9 && parts[..*place].contains(part));
    assert_eq!(again, None, "said twice: {message}");
    message
}

/// Says which damage a panic comes from.
struct Told {
    number: u64,
    file: PathBuf,
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("damage {} of {}", self.number, self.file.display());
        }
    }
}
