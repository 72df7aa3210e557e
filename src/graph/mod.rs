//! Programs: record once, plan once, replay many.
