//! The CPU's forward and backward pass: against the graph of operations, and ways of computing that must give the
//! same.

mod agreement;
mod models;
