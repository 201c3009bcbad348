//! Memory, and CPU time, which does not depend on how busy the machine is.

use std::{fmt::Display, fs, time::Duration};

/// CPU time that the current thread has used, in ticks of 10 ms: a loaded machine does not change
/// it.
pub fn thread_cpu() -> Duration {
    cpu_of("thread-self")
}

/// Whether the work takes less CPU time than that in one of three tries. What a hypervisor takes
/// from the machine may count as used, but not every time.
pub fn is_cheap(limit: Duration, mut work: impl FnMut()) -> bool {
    (0..3).any(|_| {
        let start = thread_cpu();
        work();
        let used = thread_cpu() - start;
        println!("{used:?} of CPU");
        used < limit
    })
}

/// User and system time of a process or thread, from its `stat`.
pub fn cpu_of(task: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{task}/stat")).unwrap();
    // The name, in parentheses, may hold blanks.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process in bytes: now (`VmRSS`), or at its highest (`VmHWM`).
pub fn memory_of(process: impl Display, what: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
}
