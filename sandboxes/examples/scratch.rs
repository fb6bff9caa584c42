use sandboxes::*;
use std::time::{Duration, Instant};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dir = std::path::PathBuf::from("/tmp/py/guests");
    let crates = glob("/root/.cargo/registry/cache");
    if args[1] == "install" {
        let t = Instant::now();
        let path = install("python", &dir, &Source::Archives(crates), &mut |m| {
            eprintln!("{:6.1} {m}", t.elapsed().as_secs_f64())
        })
        .unwrap_or_else(|e| {
            eprintln!("{e}");
            std::process::exit(1)
        });
        eprintln!("{:6.1} {}", t.elapsed().as_secs_f64(), path.display());
        return;
    }
    let guests = Guests::open(&GuestOptions { directory: dir, slots: 2 }).unwrap();
    let limits = Limits {
        time: Duration::from_secs(args.get(4).map_or(10, |s| s.parse().unwrap())),
        wall: Duration::from_secs(120),
        memory_bytes: 256 << 20,
        output_bytes: 1 << 20,
        files_bytes: 16 << 20,
    };
    match args[1].as_str() {
        "run" => {
            let program = Program::new(Language::Python, std::fs::read_to_string(&args[2]).unwrap());
            let stdin =
                args.get(3).filter(|a| *a != "-").map(|p| std::fs::read(p).unwrap()).unwrap_or_default();
            let e = guests.run(&program, &stdin, &limits).unwrap();
            print!("{}", String::from_utf8_lossy(&e.stdout));
            eprint!("{}", String::from_utf8_lossy(&e.stderr));
            eprintln!(
                "{:?} fuel={} time={:?} wall={:?} mem={}",
                e.ending, e.fuel_used, e.time, e.wall, e.memory_bytes
            );
        }
        "bench" => {
            let program = Program::new(Language::Python, args.get(2).cloned().unwrap_or("print(1)".into()));
            for _ in 0..20 {
                guests.run(&program, b"", &limits).unwrap();
            }
            let s0 = std::fs::read_to_string("/proc/self/stat").unwrap();
            let t0 = Instant::now();
            let c0 = cpu_us();
            let mut cpu = vec![];
            for _ in 0..500 {
                let c = cpu_us();
                let e = guests.run(&program, b"", &limits).unwrap();
                let _ = &e;
                cpu.push(cpu_us() - c);
            }
            let s1 = std::fs::read_to_string("/proc/self/stat").unwrap();
            let f = |s: &str, i: usize| s.split(' ').nth(i).unwrap().parse::<f64>().unwrap();
            println!(
                "mean cpu {:.0} us wall {:?} minflt {} utime {} ms stime {} ms per run (x1000)",
                (cpu_us() - c0) / 500.0,
                t0.elapsed() / 500,
                (f(&s1, 9) - f(&s0, 9)) / 500.0,
                (f(&s1, 13) - f(&s0, 13)) * 10.0 / 500.0,
                (f(&s1, 14) - f(&s0, 14)) * 10.0 / 500.0
            );
            cpu.sort_by(f64::total_cmp);
            println!("cpu us min {:.0} p50 {:.0} p99 {:.0}", cpu[0], cpu[250], cpu[495]);
        }
        "examine" => {
            let program = Program::new(Language::Python, std::fs::read_to_string(&args[2]).unwrap());
            let tests = TestProgram {
                source: std::fs::read_to_string(&args[3]).unwrap(),
                entry_point: args.get(5).cloned(),
            };
            let t = Instant::now();
            let c = cpu_us();
            let x = guests.examine(&program, &tests, &limits).unwrap();
            let (c, t) = (cpu_us() - c, t.elapsed());
            println!(
                "{:?}\n program {:?} fuel {} out {:?} err {}\n tests {:?} fuel {} out {:?} err {}\n cpu {c:.0} us wall {t:?}",
                x.outcome,
                x.program.ending,
                x.program.fuel_used,
                String::from_utf8_lossy(&x.program.stdout),
                String::from_utf8_lossy(&x.program.stderr),
                x.tests.ending,
                x.tests.fuel_used,
                String::from_utf8_lossy(&x.tests.stdout),
                String::from_utf8_lossy(&x.tests.stderr)
            );
        }
        _ => panic!(),
    }
}
fn cpu_us() -> f64 {
    let s = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    s.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e3
}
fn glob(root: &str) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(root)
        .unwrap()
        .flatten()
        .flat_map(|d| std::fs::read_dir(d.path()).unwrap().flatten())
        .map(|f| f.path())
        .filter(|p| p.to_string_lossy().contains("eryx"))
        .collect()
}
