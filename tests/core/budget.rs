//! The read budget of a process whose connections are held by strangers.
#![cfg(all(target_os = "linux", feature = "vobiz"))]

use crate::support::{
    processes::{Receiver, Sender},
    signed,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tower_webhooks::vobiz::campaign;

const SECRET: &str = "an-auth-token";
const MIB: usize = 1 << 20;

/// Row 33: bodies of 1 MiB whose signature is well formed and wrong, but for a last byte that never
/// comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_large_bodies_do_not_shut_small_events_out() {
    let receiver = Receiver::start(&[
        ("VOBIZ_AUTH_TOKEN", SECRET),
        ("VOBIZ_PUBLIC_URL", "https://hooks.example.com"),
        ("RECEIVER_READ_TIMEOUT_MS", "600000"),
    ]);
    // A buffer of 1 MiB each: three quarters of 64 MiB are enough for 48 of them at most.
    let refused = Arc::new(AtomicUsize::new(0));
    let strangers: Vec<_> = (0..64)
        .map(|_| {
            let (addr, refused) = (receiver.addr.clone(), Arc::clone(&refused));
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(addr).unwrap();
                let head = format!(
                    "POST /vobiz/campaign HTTP/1.1\r\nhost: a\r\nx-vobiz-signature: sha256={}\r\n\
                     content-length: {MIB}\r\n\r\n",
                    "0".repeat(64)
                );
                stream.write_all(head.as_bytes()).unwrap();
                // Whoever finds no room is answered and cut off.
                let _ = stream.write_all(&[b'a'; MIB - 1]);
                stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                let (start, mut status) = (Instant::now(), [0; 12]);
                while refused.load(Ordering::SeqCst) < 16 {
                    assert!(
                        start.elapsed() < Duration::from_secs(60),
                        "the budget is larger than it should be"
                    );
                    match stream.read_exact(&mut status) {
                        Ok(()) => {
                            assert_eq!(&status, b"HTTP/1.1 503");
                            refused.fetch_add(1, Ordering::SeqCst);
                            return None;
                        }
                        Err(error)
                            if matches!(
                                error.kind(),
                                ErrorKind::WouldBlock | ErrorKind::TimedOut
                            ) => {}
                        Err(_) => {
                            refused.fetch_add(1, Ordering::SeqCst);
                            return None;
                        }
                    }
                }
                Some(stream)
            })
        })
        .collect();
    let strangers: Vec<_> =
        strangers.into_iter().filter_map(|stranger| stranger.join().unwrap()).collect();
    println!("{} of 64 strangers hold a body", strangers.len());

    let (sender, mut slowest) = (Sender::new(), Duration::ZERO);
    for number in 0..40 {
        let body = format!(
            r#"{{"event":"campaign.started","campaign_id":"c{number}","account_id":"MA_TEST"}}"#
        );
        let request = signed(&campaign::Signer::new(SECRET).unwrap(), "/vobiz/campaign", body);
        let sent = Instant::now();
        assert_eq!(sender.send(&receiver.addr, &request).await, 200, "{number}");
        slowest = slowest.max(sent.elapsed());
    }
    let resident = receiver.resident();
    println!("40 of 40 events, the slowest in {slowest:?}; {} MiB resident", resident / MIB);
    // What waits for a stranger's body waits for ten minutes.
    assert!(slowest < Duration::from_secs(60), "{slowest:?}");
    assert!(resident < 160 * MIB, "{resident}");
}
