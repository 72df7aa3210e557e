//! How fast the software device is: its opcodes, matrix products beside `matrixmultiply`, and an elementwise kernel
//! beside a loop in Rust, at every level of instructions that this CPU has.
//!
//! `cargo bench --bench soft_device -- products bf16` measures one of the tables `opcodes`, `products` and
//! `elementwise`, and in it what has `bf16` in its name; without arguments everything.
//!
//! Rates are per second of CPU time. With two threads they are those of two CPUs which nobody else uses.

mod clock;
mod elementwise;
mod opcodes;
mod products;
mod sample;
mod templates;

/// Prints one table, and of it what has the word in its name.
type Print = fn(&str);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let table = arguments.first().map_or("", String::as_str);
    let wanted = arguments.get(1).map_or("", String::as_str);
    let tables: [(&str, Print); 3] =
        [("products", products::print), ("elementwise", elementwise::print), ("opcodes", opcodes::print)];
    for (name, print) in tables.iter().filter(|(name, _)| name.contains(table)) {
        print(wanted);
        if *name != "opcodes" {
            println!();
        }
    }
}
