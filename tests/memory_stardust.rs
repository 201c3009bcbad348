//! What the largest body that Stardust may send costs in memory.

#![cfg(all(feature = "stardust", target_os = "linux", target_env = "gnu"))]

use bytes::Bytes;
use cpu::memory_of;
use http::Request;
use std::{env, fs, process::Command, time::SystemTime};
use tower_webhooks::{Provider, stardust::StardustKeyOnly};

#[allow(dead_code, reason = "the time that a process took")]
#[path = "support/cpu.rs"]
mod cpu;

/// By how much the process grows at its peak, in bytes.
fn peak(body: String) -> usize {
    let request =
        Request::post("/").header("x-stardust-key", "key").body(Bytes::from(body)).unwrap();
    let provider = StardustKeyOnly::new("key").unwrap();
    // 5 resets the peak: proc(5).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory_of("self", "VmRSS");
    let delivery = provider.verify(&request, SystemTime::now()).unwrap();
    let grown = memory_of("self", "VmHWM").saturating_sub(before);
    drop(delivery);
    grown
}

// Rows 21 and 30.
#[test]
fn attack_a_body_of_16_mib_costs_no_more_than_twice_itself() {
    // A process of its own, whose allocator gives every large block back at once: else the peak
    // hides in what was freed.
    if env::var_os(THRESHOLD).is_none() {
        let mut alone = Command::new(env::current_exe().unwrap());
        let output = alone
            .args(["--test-threads=1", "--nocapture"])
            .env(THRESHOLD, "65536")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        assert!(printed.contains("an envelope"), "{printed}");
        print!("{printed}");
        return;
    }
    let full = |head: &str, unit: &str, middle: &str, back: &str, tail: &str| {
        let count = (StardustKeyOnly::BODY_LIMIT - head.len() - middle.len() - tail.len())
            / (unit.len() + back.len());
        [head, &unit.repeat(count), middle, &back.repeat(count), tail].concat()
    };
    let task = r#"{"taskId":"1","status":"completed","task":{"#;
    for (what, body) in [
        (
            "a long list",
            full(&format!(r#"{task}"result":{{"annotations":["#), "[],", "[]", "", "]}}}"),
        ),
        (
            "a list of ids",
            full(
                &format!(r#"{task}"appendInfo":{{"poolInfo":{{"operatorIdBlackList":["#),
                r#""1","#,
                r#""1""#,
                "",
                "]}}}}",
            ),
        ),
        ("a deep list", full(&format!(r#"{task}"pointData":"#), "[", "", "]", "}}")),
        ("a deep object", full(&format!(r#"{task}"pointData":"#), r#"{"a":"#, "0", "}", "}}")),
        (
            "a member that is not typed",
            full(r#"{"taskId":"1","status":"completed","more":["#, "[],", "[]", "", "]}"),
        ),
        (
            "an envelope",
            full(&format!(r#"{task}"code":200,"data":{{"pointData":["#), "[],", "[]", "", "]}}}"),
        ),
    ] {
        let (bytes, grown) = (body.len(), peak(body));
        assert!(bytes > StardustKeyOnly::BODY_LIMIT - 16, "{what}");
        println!("{what}: {:.2} times the body", grown as f64 / bytes as f64);
        assert!(grown <= 2 * bytes + (1 << 20), "{what}: {grown} bytes");
        // What is kept has to show, or nothing is measured.
        assert!(grown >= bytes, "{what}: {grown} bytes");
    }
}

const THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";
