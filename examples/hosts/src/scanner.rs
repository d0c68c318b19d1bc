//! ClamAV: content is streamed to clamd, which says whether it recognises something.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter};
use tokio::net::TcpStream;
use tower_presign::store::{Content, RepositoryError};

/// A clamd's address (`clamd(8)`, "INSTREAM"). Its `StreamMaxLength` must fit the longest upload.
#[derive(Debug, Clone)]
pub struct Scanner(pub Arc<str>);

impl Scanner {
    pub async fn is_clean(&self, mut content: Content) -> Result<bool, RepositoryError> {
        let mut clamd = BufWriter::new(TcpStream::connect(&*self.0).await?);
        clamd.write_all(b"zINSTREAM\0").await?;
        while let Some(chunk) = content.next().await.transpose()? {
            let length = u32::try_from(chunk.len()).map_err(RepositoryError::internal)?;
            clamd.write_u32(length).await?;
            clamd.write_all(&chunk).await?;
        }
        clamd.write_u32(0).await?;
        clamd.flush().await?;
        let mut answer = String::new();
        clamd.get_mut().read_to_string(&mut answer).await?;
        match answer.trim_end_matches('\0') {
            "stream: OK" => Ok(true),
            answer if answer.ends_with(" FOUND") => Ok(false),
            answer => Err(RepositoryError::unavailable(answer)),
        }
    }
}
