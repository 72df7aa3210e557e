//! Training runs: their settings, and the folder that holds everything about one.

mod folder;
mod labels;
mod log;
mod preset;
mod settings;

pub use folder::RunFolder;
pub use labels::Labels;
pub use log::{Log, LogEntry};
pub use preset::Preset;
pub use settings::{Network, Reporting, Settings};
