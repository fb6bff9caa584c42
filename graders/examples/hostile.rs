//! Judges the hostile table and prints the slowest rows and the most memory that one judgement held.
//!
//! `cargo run --release -p graders --example hostile`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use graders::{Completion, Prepared, Resources, Task, build_grader};
use serde_json::json;

/// Counts what is held.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let table: toml::Table = toml::from_str(include_str!("../testdata/math/hostile.toml")).unwrap();
    let grader = build_grader(&json!({"type": "math", "extract": ["whole"]})).unwrap();
    let mut rows = Vec::new();
    for row in table["row"].as_array().unwrap() {
        let part = |key: &str| row.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        let times = row.get("times").and_then(toml::Value::as_integer).unwrap_or(1);
        let text = format!("{}{}{}", part("before"), part("text").repeat(times as usize), part("after"));
        for reference in ["1", "x", "\\{1,2\\}", "0<x<1", "\\sqrt{2}+\\pi", text.as_str()] {
            PEAK.store(HELD.load(Ordering::Relaxed), Ordering::Relaxed);
            let before = HELD.load(Ordering::Relaxed);
            let start = Instant::now();
            let prepared = grader.prepare(&Task::with_reference(reference), &Resources::default());
            let found = match &prepared {
                Ok(Prepared::Completion(judge)) => {
                    judge.grade(&Completion::new(&text)).unwrap().reason.name()
                }
                Ok(Prepared::Group(_)) => panic!("not a grader of groups"),
                Err(_) => "unreadable reference",
            };
            let took = start.elapsed();
            let held = PEAK.load(Ordering::Relaxed) - before;
            let shown: String = reference.chars().take(20).collect();
            rows.push((took, held, found, format!("{} against {shown}", part("name"))));
        }
    }
    let count = rows.len();
    rows.sort_by_key(|row| std::cmp::Reverse(row.1));
    let most = (rows[0].1, rows[0].3.clone());
    rows.sort_by_key(|row| std::cmp::Reverse(row.0));
    for (took, held, found, name) in rows.iter().take(25) {
        println!("{took:>12.3?} {:>8} KiB {found:<20} {name}", held / 1024);
    }
    println!("{count} judgements; the most memory {} KiB by {}", most.0 / 1024, most.1);
}
