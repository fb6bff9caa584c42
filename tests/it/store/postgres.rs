//! A throw-away PostgreSQL cluster: made for one test, gone with it however the test ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A running cluster that listens on a socket in its own folder and nowhere else.
pub(crate) struct Cluster {
    bin: PathBuf,
    folder: tempfile::TempDir,
    /// The server refuses to run as root; this is who runs it then.
    user: Option<&'static str>,
}

impl Cluster {
    /// Starts a cluster. `None`, with a notice, where PostgreSQL is not installed, unless this is CI, which has
    /// to have it.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = find_bin() else {
            assert!(
                std::env::var_os("CI").is_none_or(|value| value != "true"),
                "PostgreSQL is not installed (Debian: postgresql), and in CI this test must not be skipped"
            );
            println!("SKIPPED: PostgreSQL is not installed (Debian: apt-get install postgresql)");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("gavel-pg").tempdir().unwrap();
        let user = is_root().then(server_user);
        if let Some(user) = user {
            succeed(Command::new("chown").arg(user).arg(folder.path()));
        }
        let cluster = Self { bin, folder, user };
        let data = cluster.data();
        succeed(
            cluster
                .command("initdb")
                .args(["--username=gavel", "--auth=trust", "--encoding=UTF8", "--no-sync", "--pgdata"])
                .arg(&data),
        );
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off -c full_page_writes=off",
            cluster.folder.path().display()
        );
        let log = cluster.folder.path().join("log");
        let start = cluster
            .command("pg_ctl")
            .args(["start", "--wait", "--timeout=60", "--silent"])
            .args(["--options", &options])
            .arg("--log")
            .arg(&log)
            .arg("--pgdata")
            .arg(&data)
            // The server outlives pg_ctl and must not hold the pipes that `output` would wait for.
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(start.success(), "{}", std::fs::read_to_string(&log).unwrap_or_default());
        Some(cluster)
    }

    /// Makes an empty database and returns its address.
    pub(crate) fn new_database(&self, number: usize) -> String {
        let folder = self.folder.path();
        let database = format!("suite_{number}");
        succeed(self.command("createdb").arg("--host").arg(folder).args([
            "--username=gavel",
            "--no-password",
            &database,
        ]));
        format!("postgres://gavel@localhost/{database}?host={}", folder.display())
    }

    /// Stops the server at once. A second time does nothing.
    pub(crate) fn stop(&self) {
        let stop =
            self.command("pg_ctl").args(["stop", "--mode=immediate", "--pgdata"]).arg(self.data()).output();
        // Not a panic: this runs while a failed test unwinds.
        if self.data().join("postmaster.pid").exists() {
            println!("could not stop the PostgreSQL cluster in {}: {stop:?}", self.folder.path().display());
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(program);
                command
            }
        };
        command.current_dir(self.folder.path()).env("LC_ALL", "C.UTF-8");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where initdb lies: on the path, or where Debian puts the newest version.
fn find_bin() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| {
        // Debian's wrappers know `pg_ctl` by another name; the link's target is the real thing.
        std::env::split_paths(&path)
            .filter_map(|folder| folder.join("initdb").canonicalize().ok())
            .collect::<Vec<_>>()
    });
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin/initdb")))
        })
        .collect();
    versions.sort();
    let installed = versions.into_iter().rev().map(|(_, path)| path);
    on_path
        .chain(installed)
        .filter_map(|initdb| initdb.parent().map(Path::to_owned))
        .find(|bin| ["initdb", "pg_ctl", "createdb"].iter().all(|program| bin.join(program).is_file()))
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim() == "0"
}

fn server_user() -> &'static str {
    let known =
        |user: &&str| Command::new("id").arg(user).output().is_ok_and(|output| output.status.success());
    ["postgres", "nobody"].into_iter().find(known).expect("root needs another user to run PostgreSQL as")
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
