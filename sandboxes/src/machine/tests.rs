//! The machine's bounds, on modules of a few instructions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Budget, Machine, MachineError, Running, Stopped};
use crate::limits::Limits;
use crate::wasi::{Tree, World, WorldConfig};

/// A function for each way to end.
const MODULE: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "somewhere" "else" (func $unknown))
  (memory (export "memory") 1)
  (global (export "counter") (mut i32) (i32.const 7))
  (func (export "count") (param i32) (result i32) (local i32)
    (loop $again
      (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get 1) (local.get 0))))
    (local.get 1))
  (func (export "spin") (loop $again (br $again)))
  (func (export "exit") (param i32) (call $exit (local.get 0)))
  (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "recurse") (param i32) (result i32)
    (i32.add (call 6 (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))
  (func (export "unknown") (call $unknown))
  (func (export "write") (param i32 i32) (i32.store (local.get 0) (local.get 1))))"#;

fn budget() -> Budget {
    let limits = Limits {
        time: Duration::from_millis(100),
        wall: Duration::from_secs(600),
        memory_bytes: 1 << 20,
        output_bytes: 100,
        files_bytes: 0,
    };
    Budget { limits, fuel_per_ms: 1000 }
}

fn world() -> World {
    World::new(WorldConfig {
        args: Vec::new(),
        stdin: Vec::new(),
        tree: Arc::new(Tree::new([]).unwrap()),
        files: Vec::new(),
        output_bytes: 100,
        files_bytes: 0,
        fuel_per_ms: 1000,
    })
    .unwrap()
}

fn started(budget: Budget) -> Running {
    let machine = Machine::new(1).unwrap();
    let module = machine.module(&wat::parse_str(MODULE).unwrap()).unwrap();
    let prepared = machine.prepare(&module, |_| Ok(())).unwrap();
    machine.start(&prepared, world(), budget).unwrap()
}

#[test]
fn the_same_work_burns_the_same_fuel() {
    let burnt = |n: i32| {
        let mut running = started(budget());
        assert_eq!(running.call::<i32, i32>("count", n), Ok(n));
        running.usage().fuel_used
    };
    assert_eq!(burnt(1000), burnt(1000));
    assert!(burnt(1001) > burnt(1000));
}

#[test]
fn work_beyond_the_reference_time_is_out_of_fuel() {
    let mut running = started(budget());
    assert_eq!(running.call::<i32, i32>("count", 1_000_000), Err(Stopped::OutOfFuel));
    let usage = running.usage();
    assert_eq!((usage.fuel_used, usage.time), (100_000, Duration::from_millis(100)));
}

#[test]
fn a_bulk_operation_is_charged_for_its_bytes() {
    let mut running = started(budget());
    assert_eq!(running.call::<i32, ()>("fill", 60_000), Ok(()));
    assert_eq!(running.call::<i32, ()>("fill", 60_000), Err(Stopped::OutOfFuel));
}

#[test]
fn the_wall_clock_stops_what_fuel_does_not() {
    let mut budget = budget();
    budget.limits.time = Duration::from_secs(1 << 40);
    budget.limits.wall = Duration::from_millis(50);
    assert_eq!(started(budget).call::<(), ()>("spin", ()), Err(Stopped::TimedOut));
}

#[test]
fn every_way_to_end_has_its_reason() {
    let trap = |name: &str, argument: i32| match started(budget()).call::<i32, i32>(name, argument) {
        Err(Stopped::Trap(message)) => message,
        other => panic!("{name}: {other:?}"),
    };
    assert!(trap("divide", 0).contains("divide by zero"));
    let mut deep = budget();
    deep.limits.time = Duration::from_secs(1000);
    match started(deep).call::<i32, i32>("recurse", 0) {
        Err(Stopped::Trap(message)) => assert!(message.contains("stack"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(started(budget()).call::<i32, ()>("exit", 7), Err(Stopped::Exit(7)));
    assert!(matches!(started(budget()).call::<(), ()>("unknown", ()), Err(Stopped::Trap(_))));
    assert!(matches!(started(budget()).call::<(), ()>("absent", ()), Err(Stopped::Failed(_))));
}

#[test]
fn memory_grows_to_its_limit() {
    let mut running = started(budget());
    assert_eq!(running.call::<i32, i32>("grow", 16), Ok(1));
    assert!(!running.usage().memory_denied);
    assert_eq!(running.call::<i32, i32>("grow", 1), Ok(-1));
    let usage = running.usage();
    assert!(usage.memory_denied);
    assert_eq!(usage.memory_bytes, 1 << 20);
}

#[test]
fn what_has_stopped_stays_stopped() {
    let mut running = started(budget());
    assert_eq!(running.call::<i32, ()>("exit", 3), Err(Stopped::Exit(3)));
    assert_eq!(running.call::<i32, i32>("count", 1), Err(Stopped::Exit(3)));
    assert_eq!(running.stopped(), Some(&Stopped::Exit(3)));
}

#[test]
fn addresses_outside_the_memory_are_refused() {
    let mut running = started(budget());
    assert!(running.read(65_530, 6).is_ok());
    assert!(running.read(65_530, 7).is_err());
    assert!(running.read(u32::MAX, u32::MAX).is_err());
    assert!(running.write(65_535, &[1, 2]).is_err());
}

#[test]
fn instances_do_not_see_each_other() {
    let machine = Machine::new(1).unwrap();
    let module = machine.module(&wat::parse_str(MODULE).unwrap()).unwrap();
    let prepared = machine.prepare(&module, |_| Ok(())).unwrap();
    for round in 0..8 {
        let mut running = machine.start(&prepared, world(), budget()).unwrap();
        assert_eq!(running.read(1024, 4).unwrap(), [0; 4], "round {round}");
        assert_eq!(running.global("counter"), Some(7));
        running.call::<(i32, i32), ()>("write", (1024, 0x5a5a_5a5a)).unwrap();
        running.set_global("counter", 9).unwrap();
    }
}

#[test]
fn code_compiled_for_the_disk_is_loaded_by_a_machine_with_a_pool() {
    let building = Machine::for_building().unwrap();
    let serving = Machine::new(2).unwrap();
    assert_eq!(building.fingerprint(), serving.fingerprint());
    let code = building.compile(&wat::parse_str(MODULE).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("code");
    std::fs::write(&path, &code).unwrap();
    let module = serving.load(&path).unwrap();
    let prepared = serving.prepare(&module, |_| Ok(())).unwrap();
    let mut running = serving.start(&prepared, world(), budget()).unwrap();
    assert_eq!(running.call::<i32, i32>("count", 3), Ok(3));
    // Another file: the first is mapped into memory and must stay what it is.
    let path = folder.path().join("other");
    std::fs::write(&path, b"something else").unwrap();
    assert!(matches!(serving.load(&path), Err(MachineError::Load { .. })));
    assert!(matches!(serving.compile(b"something else"), Err(MachineError::Compile { .. })));
}

#[test]
fn no_more_runs_are_inside_than_there_are_slots() {
    let machine = Machine::new(2).unwrap();
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let _slot = machine.slot();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(most.into_inner(), 2);
    assert_eq!(machine.slots().occupancy(), (0, 0));
}
