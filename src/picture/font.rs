//! The font of pictures with text.

use plotters::style::{FontStyle, register_font};
use std::sync::Once;

pub(super) const FONT: &str = "DejaVu Sans";

/// Makes the embedded font known, once; no font of the system is asked for.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = include_bytes!("font/DejaVuSans.ttf");
        register_font(FONT, FontStyle::Normal, font)
            .unwrap_or_else(|_| panic!("the embedded font is a font"));
    });
}
