//! The way to a server: as long, as narrow and as unreliable as a test wants it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// The most bytes that a connection has on their way in one direction at once.
const WINDOW: usize = 16 * 1024 * 1024;

/// The most of them that are read at once.
const CHUNK: usize = 64 * 1024;

/// The qualities of a link. The default is that of no link at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// Each way.
    pub latency: Duration,
    /// Bytes a second in each direction, of all connections together.
    pub bandwidth: Option<usize>,
    /// Nothing moves.
    pub is_stalled: bool,
    /// A connection is reset once the server has sent this many bytes over it.
    pub cut_after: Option<usize>,
}

pub struct Link {
    pub origin: String,
    state: Arc<State>,
}

struct State {
    way: watch::Sender<Way>,
    cut: watch::Sender<u64>,
    /// When the last byte that was let through will have left, to the server and from it.
    busy_until: [Mutex<Option<Instant>>; 2],
    /// The connections that clients hold open.
    open: watch::Sender<usize>,
    /// Bytes that went to the server, and that came from it.
    passed: [AtomicU64; 2],
}

#[derive(Clone, Copy)]
enum Direction {
    ToServer = 0,
    FromServer = 1,
}

#[allow(dead_code)] // A test and a bench, each of which needs some of this.
impl Link {
    pub async fn to(origin: &str, way: Way) -> Self {
        let server = origin.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            way: watch::Sender::new(way),
            cut: watch::Sender::new(0),
            busy_until: Default::default(),
            open: watch::Sender::new(0),
            passed: Default::default(),
        });
        tokio::spawn(accept(listener, server, Arc::clone(&state)));
        Self { origin, state }
    }

    pub fn set(&self, way: Way) {
        self.state.way.send_replace(way);
    }

    /// Closes all connections in the middle of whatever they are at.
    pub fn cut(&self) {
        self.state.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Waits until no client holds a connection open.
    pub async fn closed(&self) {
        let mut open = self.state.open.subscribe();
        drop(open.wait_for(|open| *open == 0).await);
    }

    /// The bytes that went to the server, and those that came from it.
    pub fn passed(&self) -> [u64; 2] {
        [0, 1].map(|direction: usize| self.state.passed[direction].load(Ordering::Relaxed))
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move { drop(relay(client, server, &state).await) });
    }
}

/// Counts the connection of a client until the client closes it.
struct Open<'a>(&'a State);

impl<'a> Open<'a> {
    fn new(state: &'a State) -> Self {
        state.open.send_modify(|open| *open += 1);
        Self(state)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

/// Ends as soon as either side does, and closes both.
async fn relay(client: TcpStream, server: SocketAddr, state: &State) -> io::Result<()> {
    client.set_nodelay(true)?;
    let open = Open::new(state);
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = state.cut.subscribe();
    tokio::select! {
        _ = cut.changed() => Ok(()),
        ended = pump(from_client, to_server, Direction::ToServer, state, Some(open)) => ended,
        ended = pump(from_server, to_client, Direction::FromServer, state, None) => ended,
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    state: &State,
    open: Option<Open<'_>>,
) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let window = Arc::new(Semaphore::new(WINDOW));
    let mut way = state.way.subscribe();
    let read = async move {
        let _open = open;
        let mut buffer = vec![0; CHUNK];
        loop {
            let length = from.read(&mut buffer).await?;
            let latency = state.way.borrow().latency;
            let chunk = Bytes::copy_from_slice(&buffer[..length]);
            let permits = u32::try_from(length).unwrap();
            let room = Arc::clone(&window).acquire_many_owned(permits).await;
            let sent = sender.send((Instant::now() + latency, chunk, room));
            // The end takes its time, too.
            if length == 0 || sent.is_err() {
                return Ok::<(), io::Error>(());
            }
        }
    };
    let write = async move {
        let mut written = 0;
        while let Some((due, mut chunk, _room)) = receiver.recv().await {
            // A timer takes a millisecond even if there is nothing to wait for.
            if due > Instant::now() {
                sleep_until(due).await;
            }
            drop(way.wait_for(|way| !way.is_stalled).await);
            if chunk.is_empty() {
                return Ok(());
            }
            if let Some(leaves) = state.leaves(direction, chunk.len()) {
                sleep_until(leaves).await;
            }
            let cut_after = way.borrow().cut_after;
            let left = cut_after.map_or(usize::MAX, |cut_after| cut_after.saturating_sub(written));
            let is_cut = matches!(direction, Direction::FromServer) && left < chunk.len();
            if is_cut {
                chunk.truncate(left);
            }
            to.write_all(&chunk).await?;
            written += chunk.len();
            let passed = &state.passed[direction as usize];
            passed.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            if is_cut {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(drop)
}

impl State {
    /// The moment at which these bytes have left, all that is before them included.
    fn leaves(&self, direction: Direction, length: usize) -> Option<Instant> {
        let bandwidth = self.way.borrow().bandwidth?;
        let takes = Duration::from_micros((length * 1_000_000 / bandwidth) as u64);
        let mut busy_until = self.busy_until[direction as usize].lock().unwrap();
        let now = Instant::now();
        let leaves = busy_until.map_or(now, |until| until.max(now)) + takes;
        *busy_until = Some(leaves);
        Some(leaves)
    }
}
