use sandboxes::*;
use std::time::{Duration, Instant};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dir = std::path::PathBuf::from("/tmp/js/guests");
    if args[1] == "install" {
        let t = Instant::now();
        let path = install(
            "javascript",
            &dir,
            &Source::Archives(vec!["/tmp/pk/quickjs-wasi-3.6.2.tgz".into()]),
            &mut |m| eprintln!("{:6.1} {m}", t.elapsed().as_secs_f64()),
        )
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
        wall: Duration::from_secs(60),
        memory_bytes: 256 << 20,
        output_bytes: 1 << 20,
        files_bytes: 16 << 20,
    };
    let read = |p: &str| std::fs::read_to_string(p).unwrap();
    match args[1].as_str() {
        "run" => {
            let program = Program::new(Language::JavaScript, read(&args[2]));
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
            let program =
                Program::new(Language::JavaScript, args.get(2).cloned().unwrap_or("console.log(1)".into()));
            for _ in 0..20 {
                guests.run(&program, b"", &limits).unwrap();
            }
            let t0 = Instant::now();
            let c0 = cpu_us();
            let mut cpu = vec![];
            let mut fuel = 0;
            for _ in 0..500 {
                let c = cpu_us();
                let e = guests.run(&program, b"", &limits).unwrap();
                fuel = e.fuel_used;
                cpu.push(cpu_us() - c);
            }
            println!("mean cpu {:.0} us wall {:?} fuel {fuel}", (cpu_us() - c0) / 500.0, t0.elapsed() / 500);
            cpu.sort_by(f64::total_cmp);
            println!("cpu us min {:.0} p50 {:.0} p99 {:.0}", cpu[0], cpu[250], cpu[495]);
        }
        "fuel" => {
            for path in &args[2..] {
                let program = Program::new(Language::JavaScript, read(path));
                let limits =
                    Limits { time: Duration::from_secs(100_000), wall: Duration::from_secs(100), ..limits };
                let c = cpu_us();
                let e = guests.run(&program, b"", &limits).unwrap();
                println!(
                    "{path} {:?} fuel {:.3}e9 cpu {:.0} ms out {}",
                    e.ending,
                    e.fuel_used as f64 / 1e9,
                    (cpu_us() - c) / 1e3,
                    String::from_utf8_lossy(&e.stdout).trim()
                );
            }
        }
        "batch" => {
            let (mut same, mut differ) = (0, 0);
            let mut files: Vec<_> = std::fs::read_dir(&args[2])
                .unwrap()
                .flatten()
                .map(|f| f.path())
                .filter(|p| p.extension().is_some_and(|e| e == "js" || e == "mjs"))
                .collect();
            files.sort();
            for path in files {
                let stdin = std::fs::read(path.with_extension("in")).unwrap_or_default();
                let Ok(expected) = std::fs::read(path.with_extension("out")) else { continue };
                let code: i32 = std::fs::read_to_string(path.with_extension("code"))
                    .unwrap_or("0".into())
                    .trim()
                    .parse()
                    .unwrap();
                let e = guests
                    .run(
                        &Program::new(Language::JavaScript, std::fs::read_to_string(&path).unwrap()),
                        &stdin,
                        &limits,
                    )
                    .unwrap();
                if e.stdout == expected && e.ending == (Ending::Exited { code }) {
                    same += 1;
                } else {
                    differ += 1;
                    println!(
                        "DIFF {} {:?}\n{}",
                        path.display(),
                        e.ending,
                        String::from_utf8_lossy(&e.stderr).chars().take(400).collect::<String>()
                    );
                    std::fs::write("/tmp/js/got", &e.stdout).unwrap();
                    let _ = std::process::Command::new("sh")
                        .arg("-c")
                        .arg(format!("diff {} /tmp/js/got | head -12", path.with_extension("out").display()))
                        .status();
                }
            }
            println!("same {same} differ {differ}");
        }
        "call" => {
            let program = Program::new(Language::JavaScript, read(&args[2]));
            let e = guests
                .call(
                    &program,
                    &Call {
                        entry_point: args[3].clone(),
                        args: vec![
                            Value::List(vec![Value::Int("3".into()), Value::Float(1.5)]),
                            Value::Text("é".into()),
                        ],
                        kwargs: vec![],
                    },
                    &limits,
                )
                .unwrap();
            println!("{:?} {:?} {}", e.ending, e.returned, String::from_utf8_lossy(&e.stderr));
        }
        "examine" => {
            let program = Program::new(Language::JavaScript, read(&args[2]));
            let tests = TestProgram { source: read(&args[3]), entry_point: args.get(5).cloned() };
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
