//! What /proc tells of the program and its workers.

use std::fs;

/// The living children of `pid`: the workers of a host.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|candidate| matches!(stat(*candidate), Some((parent, state)) if parent == pid && state != 'Z'))
        .collect();
    found.sort_unstable();
    found
}

/// Whether the process is there and not merely unreaped.
pub fn alive(pid: u32) -> bool {
    matches!(stat(pid), Some((_, state)) if state != 'Z')
}

/// Parent and state of a process.
fn stat(pid: u32) -> Option<(u32, char)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses: what follows the last one is regular.
    let mut rest = text[text.rfind(')')? + 1..].split_whitespace();
    let state = rest.next()?.chars().next()?;
    Some((rest.next()?.parse().ok()?, state))
}

/// Processor time that a process has used, in the kernel's ticks of 10 ms; 0 for a process that has gone.
pub fn processor_ticks(pid: u32) -> u64 {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0 };
    let Some(end) = text.rfind(')') else { return 0 };
    // In user code and in the kernel: the 12th and 13th word after the name.
    text[end + 1..].split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// Resident bytes; 0 for a process that has gone.
pub fn resident(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

/// The most bytes that were ever resident since the process began.
pub fn peak(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, line: &str) -> u64 {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    let kib = text.lines().find_map(|l| l.strip_prefix(line)?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Resident bytes of a host and its workers.
pub fn resident_together(host: u32) -> u64 {
    resident(host) + children(host).into_iter().map(resident).sum::<u64>()
}

/// Sends a signal to a process that this test started.
pub fn signal(pid: u32, signal: i32) {
    // SAFETY: kill(2) takes two numbers and touches no memory of ours.
    unsafe { libc::kill(pid as i32, signal) };
}

/// Sends a signal to the whole process group of a server that this test started, as a terminal does.
pub fn signal_group(pid: u32, signal: i32) {
    // SAFETY: as above; every server leads a group of its own.
    unsafe { libc::kill(-(pid as i32), signal) };
}
