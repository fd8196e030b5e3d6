//! CPU time and peak memory of whole processes, for the benchmarks.

#![allow(dead_code, reason = "not every benchmark needs all of it")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a command took: the least CPU seconds (user and system) of its runs, and the most memory, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// CPU seconds.
    pub cpu: f64,
    /// KiB.
    pub peak: u64,
}

/// Runs the commands in turn, so many times each.
pub fn in_turn(commands: &mut [Command], rounds: u64) -> Vec<Taken> {
    let mut all = vec![
        Taken {
            cpu: f64::MAX,
            peak: 0
        };
        commands.len()
    ];
    for _ in 0..rounds {
        for (command, best) in commands.iter_mut().zip(&mut all) {
            let taken = once(command);
            best.cpu = best.cpu.min(taken.cpu);
            best.peak = best.peak.max(taken.peak);
        }
    }
    all
}

/// CPU seconds per million rows between a smaller and a larger input, so that start-up does not count.
pub fn marginal(small: (u64, Taken), large: (u64, Taken)) -> f64 {
    (large.1.cpu - small.1.cpu) / ((large.0 - small.0) as f64 / 1e6)
}

/// The binaries to measure: flowline, and the one that AGAINST names.
pub fn binaries() -> Vec<PathBuf> {
    let mut all = vec![PathBuf::from(env!("CARGO_BIN_EXE_flowline"))];
    all.extend(std::env::var_os("AGAINST").map(|path| std::fs::canonicalize(path).unwrap()));
    all
}

/// A number from the environment.
pub fn env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|e| panic!("{name}: {e}")),
        Err(_) => default,
    }
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let output = command.stdout(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn once(command: &mut Command) -> Taken {
    let before = children_cpu();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let code = loop {
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|l| l.starts_with("VmHWM:"))
        {
            peak = line
                .split_whitespace()
                .nth(1)
                .and_then(|n| n.parse().ok())
                .unwrap_or(peak);
        }
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(code.success(), "{command:?}");
    Taken {
        cpu: children_cpu() - before,
        peak,
    }
}

fn children_cpu() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}
