//! Gavel: wires the parts together; only here do we print and exit.

fn main() {}
