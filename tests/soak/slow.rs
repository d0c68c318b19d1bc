//! Clients that hold a connection each and hardly move: a byte a second, in one direction or the
//! other. In the end they go on as fast as they can, and must get what anyone gets.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::client::Client;
use crate::support::soon;
use crate::wire::{Api, HOUR, read, write};

#[derive(Clone, Copy, Debug)]
pub enum Slow {
    /// Sends headers.
    Headers,
    /// Sends content.
    Upload,
    /// Receives content.
    Download,
}

/// The server gives a head 30 seconds.
const HEAD_SECONDS: u32 = 20;

const SECOND: Duration = Duration::from_secs(1);

/// A connection that hardly moves.
pub struct Held {
    kind: Slow,
    stream: TcpStream,
    /// The bytes to send until the request is whole, or to receive until the response is.
    rest: Bytes,
}

impl Slow {
    /// Connects, and comes as far as it takes to be slow.
    pub async fn begin(self, api: &Arc<Api>) -> Held {
        let begin = async {
            let mut stream = TcpStream::connect(&api.address).await.unwrap();
            let address = &api.address;
            let rest = match self {
                Self::Headers => {
                    let request = format!("GET /fhir/R4/metadata HTTP/1.1\r\nHost: {address}\r\n");
                    stream.write_all(request.as_bytes()).await.unwrap();
                    let field = "X-Slow: ".bytes().chain(std::iter::repeat_n(b'a', 4000));
                    field.chain(*b"\r\nConnection: close\r\n\r\n").collect()
                }
                Self::Upload => {
                    let content = api.source.slice(..20_000);
                    let target = api.sign(write(api.create(&Client::http1()).await), HOUR);
                    let length = content.len();
                    let head = format!(
                        "PUT {target} HTTP/1.1\r\nHost: {address}\r\nContent-Type: image/png\r\n\
                         Content-Length: {length}\r\nExpect: 100-continue\r\n\
                         Connection: close\r\n\r\n"
                    );
                    stream.write_all(head.as_bytes()).await.unwrap();
                    // The sign that it is being stored.
                    let mut go_ahead = [0; 25];
                    stream.read_exact(&mut go_ahead).await.unwrap();
                    assert_eq!(&go_ahead, b"HTTP/1.1 100 Continue\r\n\r\n");
                    content
                }
                Self::Download => {
                    let scan = api.long.clone();
                    let target = api.sign(read(scan.id), HOUR);
                    let request = format!(
                        "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
                    );
                    stream.write_all(request.as_bytes()).await.unwrap();
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"));
                    scan.content
                }
            };
            Held {
                kind: self,
                stream,
                rest,
            }
        };
        soon(begin).await
    }
}

impl Held {
    /// Hardly moves until all has ended, or until its head must be whole, and then goes on.
    pub async fn hold(mut self, mut ended: watch::Receiver<bool>) {
        let mut seconds = 0;
        while timeout(SECOND, ended.wait_for(|ended| *ended))
            .await
            .is_err()
        {
            seconds += 1;
            if matches!(self.kind, Slow::Headers) && seconds == HEAD_SECONDS {
                break;
            }
            if self.rest.len() > 1000 {
                self.move_on(1).await;
            }
        }
        let rest = self.rest.len();
        self.move_on(rest).await;
        let mut answer = Vec::new();
        let end = self.stream.read_to_end(&mut answer);
        soon(end).await.unwrap();
        match self.kind {
            Slow::Headers | Slow::Upload => assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n")),
            Slow::Download => assert_eq!(answer, b""),
        }
    }

    async fn move_on(&mut self, bytes: usize) {
        let next = self.rest.split_to(bytes);
        let moving = async {
            match self.kind {
                Slow::Headers | Slow::Upload => self.stream.write_all(&next).await?,
                Slow::Download => {
                    let mut received = vec![0; bytes];
                    self.stream.read_exact(&mut received).await?;
                    assert!(received == next, "it is not what was sent");
                }
            }
            io::Result::Ok(())
        };
        if let Err(error) = soon(moving).await {
            panic!("{:?} was broken off: {error}", self.kind);
        }
    }
}
