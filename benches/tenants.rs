//! The example `tenants` with one tenant and with 10,000: resident memory, and deliveries per
//! second, measured in turns.
//!
//! ```sh
//! cargo build --release --example tenants && cargo bench --bench tenants
//! ```

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tower_webhooks::{Signer as _, zegocloud::Signer};

struct Example {
    child: Child,
    addr: String,
    tenants: usize,
}

impl Example {
    fn start(tenants: usize) -> Self {
        let keys = |number: usize| serde_json::json!({ "zegocloud": [secret(number)], "kyc": [secret(number)] });
        let all: BTreeMap<String, _> =
            (0..tenants).map(|number| (format!("tenant-{number}"), keys(number))).collect();
        let file = std::env::temp_dir()
            .join(format!("bench-tenants-{}-{tenants}.json", std::process::id()));
        fs::write(&file, serde_json::to_vec(&all).unwrap()).unwrap();
        let bench = std::env::current_exe().unwrap();
        let path: PathBuf = bench.parent().unwrap().parent().unwrap().join("examples/tenants");
        let mut child = Command::new(path)
            .env("ADDR", "127.0.0.1:0")
            .env("TENANTS_FILE", &file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cargo build --release --example tenants");
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let addr = stderr.next().unwrap().strip_prefix("listening on http://").unwrap().to_owned();
        std::thread::spawn(move || stderr.for_each(drop));
        Self { child, addr, tenants }
    }

    fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Deliveries per second, each with a signature of its own.
    async fn load(&self, time: Duration) -> f64 {
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let (count, start) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let connections = (0..CONNECTIONS).map(|_| {
            let (client, count, addr, tenants) =
                (client.clone(), Arc::clone(&count), self.addr.clone(), self.tenants);
            tokio::spawn(async move {
                while start.elapsed() < time {
                    let number = fastrand::usize(..tenants);
                    let request =
                        Request::post(format!("http://{addr}/hooks/tenant-{number}/zegocloud"));
                    let request = request.body(Bytes::from_static(BODY)).unwrap();
                    let request =
                        Signer::new(secret(number)).unwrap().sign(request, SystemTime::now());
                    let response = client.request(request.map(Full::new)).await.unwrap();
                    assert_eq!(response.status(), 200);
                    response.into_body().collect().await.unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        for connection in connections.collect::<Vec<_>>() {
            connection.await.unwrap();
        }
        count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(std::env::temp_dir().join(format!(
            "bench-tenants-{}-{}.json",
            std::process::id(),
            self.tenants
        )));
    }
}

fn secret(number: usize) -> String {
    format!("the callback secret of tenant {number:08}")
}

#[tokio::main]
async fn main() {
    let examples = [1, 10_000].map(Example::start);
    let at_rest = examples.each_ref().map(Example::resident);
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let mut rates = [0.0; 2];
        for (rate, example) in rates.iter_mut().zip(&examples) {
            *rate = example.load(Duration::from_secs(3)).await;
        }
        println!("round {round}: 1 tenant {:.0}/s, 10,000 tenants {:.0}/s", rates[0], rates[1]);
        ratios.push(rates[1] / rates[0]);
    }
    ratios.sort_by(f64::total_cmp);
    println!("10,000 tenants do {:.3} of what one does (median of {ROUNDS})", ratios[ROUNDS / 2]);
    for (example, at_rest) in examples.iter().zip(at_rest) {
        println!(
            "{} tenants: {at_rest} kB at rest, {} kB after the load",
            example.tenants,
            example.resident()
        );
    }
}

const BODY: &[u8] =
    br#"{"event":"room_create","appid":"1","room_id":"lobby","room_name":"Lobby","room_session_id":"1"}"#;
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 7;
