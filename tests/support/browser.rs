//! A headless Chromium, driven through its own WebDriver server.

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, wd::Capabilities};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub struct Browser {
    pub client: Client,
    driver: Child,
    /// The driver's.
    addr: String,
    session: String,
}

impl Browser {
    /// `None`, with a word about it, where there is no Chromium.
    pub async fn start(arguments: &[&str]) -> Option<Self> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = driver else {
            println!("skipped: there is no chromedriver (Debian: chromium, chromium-driver)");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let started = " started successfully on port ";
        let port = lines.find_map(|line| {
            line.split_once(started).map(|(_, port)| port.trim_end_matches('.').to_owned())
        });
        let addr = format!("127.0.0.1:{}", port.expect("chromedriver says its port"));
        std::thread::spawn(move || lines.for_each(drop));
        // Containers run tests as root, where Chromium has no sandbox, and have little shared
        // memory.
        let fixed = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1080,960",
        ];
        let arguments = [&fixed[..], arguments].concat();
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({ "args": arguments }));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&format!("http://{addr}")).await;
        let client = client.expect("chromedriver is there, and so is chromium");
        let session = client.session_id().await.unwrap().unwrap();
        Some(Self { client, driver, addr, session })
    }

    pub async fn open(&self, addr: &str) {
        self.client.goto(&format!("http://{addr}/")).await.unwrap();
    }

    /// Runs a script's text and gives what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    pub async fn wait_until(&self, condition: &str) {
        let start = Instant::now();
        while self.run(condition).await != Value::Bool(true) {
            assert!(start.elapsed() < PATIENCE, "{condition}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The cells of the rows that can be seen, from the top.
    pub async fn rows(&self) -> Vec<Vec<String>> {
        let cells = "return [...document.querySelectorAll('tbody:not([hidden]) tr.row')]
            .map((row) => [...row.cells].map((cell) => cell.textContent))";
        serde_json::from_value(self.run(cells).await).unwrap()
    }

    pub async fn buttons(&self) -> Vec<Element> {
        self.client.find_all(Locator::Css("tr.row button")).await.unwrap()
    }

    /// Chooses an option as a user does.
    pub async fn choose(&self, select: &str, value: &str) {
        self.client.find(Locator::Id(select)).await.unwrap().select_by_value(value).await.unwrap();
    }
}

impl Drop for Browser {
    /// Also after a failed test: Chromium ends with its session and not with its driver.
    fn drop(&mut self) {
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.session, self.addr
        );
        if let Ok(mut stream) = TcpStream::connect(&self.addr) {
            stream.set_read_timeout(Some(PATIENCE)).ok();
            stream.write_all(request.as_bytes()).ok();
            // The answer comes when Chromium has ended; the driver keeps the connection open.
            BufReader::new(stream).read_line(&mut String::new()).ok();
        }
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}

const PATIENCE: Duration = Duration::from_secs(120);
