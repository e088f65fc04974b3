//! The control socket: whatever a client writes, through the HTTP server and the router that serve it.

use std::future::{Future, IntoFuture as _, pending};
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use axum::{Router, serve::Listener};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::data;

/// A client that hears nothing for so long goes away. A reload of the small policy is faster.
const QUIET: Duration = Duration::from_millis(10);
/// Whatever the server still does for a client that went away is over by then.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any request or answer here.
const PIPE_BYTES: usize = 1 << 20;

/// A listener with one client.
struct Once(Option<DuplexStream>);

impl Listener for Once {
    type Io = DuplexStream;
    type Addr = ();

    fn accept(&mut self) -> impl Future<Output = (Self::Io, ())> + Send {
        let client = self.0.take();
        async {
            match client {
                Some(client) => (client, ()),
                None => pending().await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_all().build().expect("a runtime"))
}

fn router() -> Router {
    static ROUTER: OnceLock<(TempDir, Router)> = OnceLock::new();
    let (_, made) = ROUTER.get_or_init(|| {
        // What a client applies is written over the policy's file.
        let folder = tempfile::tempdir().expect("a folder");
        let policy = folder.path().join("policy.toml");
        std::fs::copy(data("control.toml"), &policy).expect("it is copied");
        let countries = folder.path().join("countries.csv");
        std::fs::copy(data("countries.csv"), countries).expect("it is copied");
        let router = engine::rehearsal(&policy).expect("it compiles");
        (folder, router)
    });
    made.clone()
}

/// Bytes, then a sound request on a connection of its own, which must be answered.
pub(crate) fn run(data: &[u8]) {
    runtime().block_on(async {
        let answer = ask(data).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{answer:?}");
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.contains("HTTP/1.1 500"), "{text}");
        let sound = ask(b"GET /status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(sound.starts_with(b"HTTP/1.1 200 OK\r\n"), "{:?}", String::from_utf8_lossy(&sound));
    });
}

/// All that the server answers to these bytes, until one of the two hangs up.
async fn ask(bytes: &[u8]) -> Vec<u8> {
    let (mut client, server) = duplex(PIPE_BYTES);
    let served = tokio::spawn(axum::serve(Once(Some(server)), router()).into_future());
    let mut answer = Vec::new();
    // The server may hang up before it has read all.
    let _ = client.write_all(bytes).await;
    let mut open = true;
    while open {
        match timeout(QUIET, client.read_buf(&mut answer)).await {
            Ok(read) => open = read.is_ok_and(|bytes| bytes > 0),
            // It waits for more, or still works: this client goes away.
            Err(_) => {
                let _ = client.shutdown().await;
                let rest = timeout(PATIENCE, client.read_to_end(&mut answer)).await;
                assert!(rest.is_ok(), "no end: {:?}", String::from_utf8_lossy(&answer));
                open = false;
            }
        }
    }
    served.abort();
    answer
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        "GET /status HTTP/1.1\r\nhost: palisade\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nhost: palisade\r\naccept: */*\r\nconnection: close\r\n\r\n",
        "GET /drops?limit=5&domain=a%20b&from=10.0.0.0/8 HTTP/1.1\r\nhost: palisade\r\n\r\n",
        "GET /drops/follow?country=DE HTTP/1.1\r\nhost: palisade\r\n\r\n",
        "GET /flows?from=::/0&limit=1 HTTP/1.1\r\nhost: palisade\r\n\r\n",
        "GET /explain?from=192.0.2.1&to=10.1.0.80:80/tcp HTTP/1.1\r\nhost: palisade\r\n\r\n",
        "POST /reload HTTP/1.1\r\nhost: palisade\r\ncontent-length: 0\r\n\r\n",
        "POST /reload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST /apply HTTP/1.1\r\nhost: x\r\ncontent-length: 47\r\n\r\n\
         {\"policy\": \"failsafe = []\", \"confirm_s\": 60, \"\n",
        "POST /apply HTTP/1.1\r\nhost: x\r\ncontent-length: 43\r\n\r\n\
         {\"policy\": \"failsafe = []\", \"why\": \"again\"}\n",
        "POST /rollback HTTP/1.1\r\nhost: x\r\ncontent-length: 15\r\n\r\n{\"revision\": 1}",
        "POST /confirm HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /history HTTP/1.1\r\nhost: x\r\n\r\nGET /history/1 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /status HTTP/1.0\r\n\r\nHEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\nDELETE /%2e%2e/status?a=b#c HTTP/1.1\r\n\r\n",
        "POST /status HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\nx",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
