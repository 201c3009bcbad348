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
    /// The driver's.
    addr: String,
    session: String,
    _driver: Driver,
}

struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Browser {
    /// `None`, with a word about it, where there is no Chromium.
    pub async fn start(arguments: &[&str]) -> Option<Self> {
        let is_there = |program: &&str| {
            let mut version = Command::new(program);
            version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        if !["chromium", "google-chrome", "chrome"].iter().any(is_there)
            || !is_there(&"chromedriver")
        {
            println!("skipped: there is no Chromium (Debian: chromium, chromium-driver)");
            return None;
        }
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::try_start(arguments).await {
                Ok(browser) => return Some(browser),
                Err(error) => assert!(attempts < 5, "{error}"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// A driver that shares a busy machine with others sometimes ends before it says its port.
    async fn try_start(arguments: &[&str]) -> Result<Self, String> {
        let mut driver = Driver(
            Command::new("chromedriver")
                .arg("--port=0")
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit())
                .spawn()
                .map_err(|error| error.to_string())?,
        );
        let stdout = driver.0.stdout.take().unwrap();
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let mut said = String::new();
        let port = lines.find_map(|line| {
            said.push_str(&line);
            said.push('\n');
            let (_, port) = line.split_once(" started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let port = port.ok_or_else(|| {
            format!("chromedriver does not say its port: {:?}\n{said}", driver.0.wait())
        })?;
        let addr = format!("127.0.0.1:{port}");
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
        let client = client.map_err(|error| format!("no session of Chromium: {error}"))?;
        let session = client.session_id().await.unwrap().unwrap();
        Ok(Self { client, _driver: driver, addr, session })
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
    }
}

const PATIENCE: Duration = Duration::from_secs(120);
