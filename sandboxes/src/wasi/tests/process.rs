//! Arguments, clocks, random bytes, waiting and ending.

use super::super::errno::Errno::{BadDescriptor, Fault, Invalid};
use super::super::{Stop, World, WorldConfig, WorldError};
use super::{End, Guest, RESULT, config};

const REALTIME: u64 = 1_767_225_600_000_000_000;
const MONOTONIC: u64 = 1_000_000_000;

fn time(guest: &mut Guest, clock: u32) -> u64 {
    guest.call(|world, memory| world.clock_time_get(memory, clock, RESULT)).unwrap();
    guest.u64(RESULT)
}

#[test]
fn arguments() {
    let args = vec!["program".to_owned(), String::new(), "ä b".to_owned()];
    let mut guest = Guest::new(WorldConfig { args, ..config() });
    guest.call(|world, memory| world.args_sizes_get(memory, 0, 4)).unwrap();
    assert_eq!((guest.u32(0), guest.u32(4)), (3, 8 + 1 + 5));
    guest.call(|world, memory| world.args_get(memory, 16, 100)).unwrap();
    assert_eq!([guest.u32(16), guest.u32(20), guest.u32(24)], [100, 108, 109]);
    assert_eq!(&guest.memory[100..114], "program\0\0ä b\0".as_bytes());
    // The last zero has to fit as well.
    let end = guest.memory.len() as u32;
    assert_eq!(guest.call(|world, memory| world.args_get(memory, 16, end - 14)), Ok(()));
    assert_eq!(guest.call(|world, memory| world.args_get(memory, 16, end - 13)), Err(Fault.into()));
    assert_eq!(guest.call(|world, memory| world.args_get(memory, u32::MAX, 0)), Err(Fault.into()));
    guest.call(|_, memory| World::environ_sizes_get(memory, 0, 4)).unwrap();
    assert_eq!((guest.u32(0), guest.u32(4)), (0, 0));
    let zero = WorldConfig { args: vec!["a".to_owned(), "b\0c".to_owned()], ..config() };
    assert!(matches!(World::new(zero), Err(WorldError::Argument { index: 1 })));
}

#[test]
fn clocks_show_fuel() {
    let mut guest = Guest::plain();
    // A million of fuel is a millisecond, and a call costs a thousand.
    assert_eq!(time(&mut guest, 0), REALTIME + 1000);
    assert_eq!(time(&mut guest, 1), MONOTONIC + 2000);
    assert_eq!(time(&mut guest, 2), 3000);
    assert_eq!(time(&mut guest, 3), 4000);
    guest.fuel -= 2_500_000_000;
    assert_eq!(time(&mut guest, 0), REALTIME + 2_500_005_000);
    assert_eq!(guest.call(|world, memory| world.clock_time_get(memory, 4, RESULT)), Err(Invalid.into()));
    guest.call(|_, memory| World::clock_res_get(memory, 1, RESULT)).unwrap();
    assert_eq!(guest.u64(RESULT), 1000);
    let mut frozen = Guest::new(WorldConfig { fuel_per_ms: 0, ..config() });
    frozen.fuel -= 1 << 39;
    assert_eq!(time(&mut frozen, 0), REALTIME);
    assert_eq!(time(&mut frozen, 1), MONOTONIC);
    assert_eq!(time(&mut frozen, 2), 0);
}

#[test]
fn clocks_do_not_overflow() {
    let mut guest = Guest::new(WorldConfig { fuel_per_ms: 1, ..config() });
    guest.world.started(u64::MAX);
    guest.fuel = 2000;
    assert_eq!(time(&mut guest, 0), u64::MAX);
    let mut fast = Guest::new(WorldConfig { fuel_per_ms: u64::MAX, ..config() });
    assert_eq!(time(&mut fast, 1), MONOTONIC);
    assert_eq!(sleep(&mut fast, 1, u64::MAX, false), Err(End::Stop(Stop::OutOfFuel)));
}

/// Puts a subscription into memory.
fn subscribe(guest: &mut Guest, address: u32, words: [u64; 6]) {
    for (index, word) in words.iter().enumerate() {
        guest.put(address + 8 * index as u32, &word.to_le_bytes());
    }
}

fn poll(guest: &mut Guest, count: u32) -> Result<u32, End> {
    guest.call(|world, memory| world.poll_oneoff(memory, 1000, 50_000, count, RESULT))?;
    Ok(guest.u32(RESULT))
}

fn sleep(guest: &mut Guest, clock: u64, nanos: u64, absolute: bool) -> Result<u32, End> {
    subscribe(guest, 1000, [77, 0, clock, nanos, 0, u64::from(absolute)]);
    poll(guest, 1)
}

#[test]
fn sleeping_burns_fuel() {
    let mut guest = Guest::plain();
    let before = time(&mut guest, 1);
    let fuel = guest.fuel;
    assert_eq!(sleep(&mut guest, 1, 3_000_000_000, false), Ok(1));
    assert!((3_000_000_000..3_000_010_000).contains(&(fuel - guest.fuel)));
    assert_eq!((guest.u64(50_000), guest.memory[50_010]), (77, 0));
    let after = time(&mut guest, 1);
    assert!((3_000_000_000..3_000_010_000).contains(&(after - before)));
    // To a moment, which may have been before.
    assert_eq!(sleep(&mut guest, 1, after + 1_000_000, true), Ok(1));
    assert!(time(&mut guest, 1) >= after + 1_000_000);
    assert_eq!(sleep(&mut guest, 0, REALTIME + 4_000_000_000, true), Ok(1));
    assert!((REALTIME + 4_000_000_000..REALTIME + 4_000_010_000).contains(&time(&mut guest, 0)));
    let fuel = guest.fuel;
    assert_eq!(sleep(&mut guest, 1, after, true), Ok(1));
    assert!(fuel - guest.fuel < 2000);
    assert_eq!(sleep(&mut guest, 9, 1, false), Err(Invalid.into()));
    assert_eq!(sleep(&mut guest, 1, u64::MAX, false), Err(End::Stop(Stop::OutOfFuel)));
    assert_eq!(guest.fuel, 0);
    let mut frozen = Guest::new(WorldConfig { fuel_per_ms: 0, ..config() });
    assert_eq!(sleep(&mut frozen, 1, u64::MAX, false), Ok(1));
}

#[test]
fn descriptors_are_always_ready() {
    let mut guest = Guest::plain();
    guest.read(0, 3).unwrap();
    subscribe(&mut guest, 1000, [1, 0, 1, 1 << 60, 0, 0]);
    subscribe(&mut guest, 1048, [2, 1, 0, 0, 0, 0]);
    subscribe(&mut guest, 1096, [3, 2, 1, 0, 0, 0]);
    subscribe(&mut guest, 1144, [4, 1, 99, 0, 0, 0]);
    subscribe(&mut guest, 1192, [5, 0, 1, 0, 0, 0]);
    assert_eq!(poll(&mut guest, 5), Ok(4), "nobody waits for the clock");
    let event = |guest: &Guest, index: u32| {
        let at = 50_000 + 32 * index;
        (guest.u64(at), guest.u32(at + 8) & 0xffff, guest.memory[at as usize + 10], guest.u64(at + 16))
    };
    assert_eq!(event(&guest, 0), (2, 0, 1, 5), "five bytes of input are left");
    assert_eq!(event(&guest, 1), (3, 0, 2, 1));
    assert_eq!(event(&guest, 2), (4, BadDescriptor as u32, 1, 0));
    assert_eq!(event(&guest, 3), (5, 0, 0, 0));
    // Of several clocks, the first to come ends the wait.
    subscribe(&mut guest, 1048, [2, 0, 1, 5_000_000, 0, 0]);
    let before = time(&mut guest, 1);
    assert_eq!(poll(&mut guest, 2), Ok(1));
    assert_eq!(guest.u64(50_000), 2);
    assert!((5_000_000..5_010_000).contains(&(time(&mut guest, 1) - before)));
    for count in [0, 4097, u32::MAX] {
        assert_eq!(poll(&mut guest, count), Err(Invalid.into()));
    }
    subscribe(&mut guest, 1000, [1, 3, 0, 0, 0, 0]);
    assert_eq!(poll(&mut guest, 1), Err(Invalid.into()));
}

#[test]
fn random_bytes_are_the_same_in_every_run() {
    let bytes = |lengths: &[u32]| {
        let mut guest = Guest::plain();
        for length in lengths {
            guest.call(|world, memory| world.random_get(memory, 100, *length)).unwrap();
        }
        guest.memory[100..100 + *lengths.last().unwrap() as usize].to_vec()
    };
    assert_eq!(bytes(&[16]), bytes(&[16]));
    assert_ne!(bytes(&[16]), bytes(&[16, 16]));
    assert_eq!(bytes(&[5]), bytes(&[16])[..5]);
    let many = bytes(&[100_000]);
    let ones: u32 = many.iter().map(|byte| byte.count_ones()).sum();
    assert!((398_000..402_000).contains(&ones), "{ones}");
    // The generator's own test vector: its first numbers for the seed 1234567.
    let mut random = super::super::random::Random::from_seed(1_234_567);
    let mut numbers = [0; 24];
    random.fill(&mut numbers);
    let numbers: Vec<u64> =
        numbers.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
}

#[test]
fn ending() {
    let exit = |code: u32| match World::proc_exit(code) {
        super::super::errno::Fault::Stop(stop) => stop,
        fault => panic!("{fault:?}"),
    };
    assert_eq!(exit(0), Stop::Exit(0));
    assert_eq!(exit(3), Stop::Exit(3));
    assert_eq!(exit(u32::MAX), Stop::Exit(-1));
    let mut guest = Guest::plain();
    assert_eq!(guest.call(|_, _| World::proc_raise(6)), Err(End::Stop(Stop::Exit(134))));
    assert_eq!(guest.call(|_, _| World::proc_raise(0)), Ok(()));
    assert_eq!(guest.call(|_, _| World::proc_raise(31)), Err(Invalid.into()));
}
