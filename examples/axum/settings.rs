//! The environment variables.
//!
//! | variable | default | |
//! |---|---|---|
//! | `PRESIGN_LISTEN` | `127.0.0.1:3000` | address and port; port 0 takes a free one |
//! | `PRESIGN_DATA` | `./presign-data` | the folder of content and secret |
//! | `PRESIGN_STORAGE_URL` | `http://{address}/storage` | the start of presigned URLs |
//! | `PRESIGN_TOKEN` | `demo` | the bearer token that may do everything |
//! | `PRESIGN_READ_TOKEN` | `reader` | the bearer token that may only read |
//! | `PRESIGN_SECRET` | made once, and kept in the folder | at least 32 bytes, in hex |
//! | `PRESIGN_KEYS` | | `id:secret,id:secret`: sign with the first, accept all; in place of the secret |
//! | `PRESIGN_TTL` | `3600` | the lifetime of a URL, in seconds |
//! | `PRESIGN_MAX_UPLOAD` | 5 GiB | the longest content, in bytes |
//! | `PRESIGN_SHUTDOWN` | `30` | after SIGTERM, the seconds that running requests still have |

use std::error::Error;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use std::{env, fs, io};

use tempfile::NamedTempFile;
use tower_presign::url::DEFAULT_MAX_LIFETIME;
use tower_presign::{Keyring, SigningKey};
use zeroize::Zeroizing;

pub(crate) struct Settings {
    pub(crate) listen: String,
    pub(crate) data: PathBuf,
    pub(crate) token: String,
    pub(crate) read_token: String,
    pub(crate) ttl: Duration,
    pub(crate) max_upload: u64,
    pub(crate) shutdown: Duration,
    storage_url: Option<String>,
    secret: Option<Zeroizing<Vec<u8>>>,
    keys: Option<Zeroizing<String>>,
}

impl Settings {
    pub(crate) fn from_env() -> Result<Self, Box<dyn Error>> {
        let ttl = number("PRESIGN_TTL")?.map_or(Duration::from_secs(60 * 60), Duration::from_secs);
        if ttl.is_zero() || ttl > DEFAULT_MAX_LIFETIME {
            let max = DEFAULT_MAX_LIFETIME.as_secs();
            return Err(format!("PRESIGN_TTL must be 1 to {max} seconds").into());
        }
        let secret = text::<String>("PRESIGN_SECRET")?
            .map(|hex| from_hex(&Zeroizing::new(hex)).ok_or("PRESIGN_SECRET must be hex"))
            .transpose()?;
        Ok(Self {
            listen: text("PRESIGN_LISTEN")?.unwrap_or_else(|| "127.0.0.1:3000".to_owned()),
            data: text("PRESIGN_DATA")?.unwrap_or_else(|| PathBuf::from("./presign-data")),
            token: token("PRESIGN_TOKEN", "demo")?,
            read_token: token("PRESIGN_READ_TOKEN", "reader")?,
            ttl,
            max_upload: number("PRESIGN_MAX_UPLOAD")?.unwrap_or(5 * 1024 * 1024 * 1024),
            shutdown: Duration::from_secs(number("PRESIGN_SHUTDOWN")?.unwrap_or(30)),
            storage_url: text("PRESIGN_STORAGE_URL")?,
            secret,
            keys: text::<String>("PRESIGN_KEYS")?.map(Zeroizing::new),
        })
    }

    pub(crate) fn storage_url(&self, origin: &str) -> String {
        match &self.storage_url {
            Some(url) => url.clone(),
            None => format!("{origin}/storage"),
        }
    }

    /// The keys to sign and verify with.
    pub(crate) fn keyring(&self) -> Result<Keyring, Box<dyn Error>> {
        let Some(keys) = &self.keys else {
            let key = SigningKey::new("example", self.secret()?);
            return Ok(key
                .map_err(|error| format!("PRESIGN_SECRET: {error}"))?
                .into());
        };
        let mut keyring: Option<Keyring> = None;
        for key in keys.split(',') {
            let (id, hex) = key
                .split_once(':')
                .ok_or("PRESIGN_KEYS must be id:secret")?;
            let secret = from_hex(hex).ok_or("PRESIGN_KEYS must have secrets in hex")?;
            let key =
                SigningKey::new(id, secret).map_err(|error| format!("PRESIGN_KEYS: {error}"))?;
            keyring = Some(match keyring {
                None => key.into(),
                Some(keyring) => keyring
                    .with_verify_only(key)
                    .map_err(|error| format!("PRESIGN_KEYS: {error}"))?,
            });
        }
        Ok(keyring.ok_or("PRESIGN_KEYS is empty")?)
    }

    /// True if several servers can have the secret in common.
    #[allow(
        dead_code,
        reason = "of the two servers that share this file, one asks"
    )]
    pub(crate) fn has_shared_secret(&self) -> bool {
        self.secret.is_some() || self.keys.is_some()
    }

    /// The secret to sign with. The data folder must exist, and belong to this process alone.
    fn secret(&self) -> Result<Zeroizing<Vec<u8>>, Box<dyn Error>> {
        if let Some(secret) = &self.secret {
            return Ok(secret.clone());
        }
        let path = self.data.join("secret");
        let secret = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => make_secret(&path),
            result => result.map(Zeroizing::new),
        };
        Ok(secret.map_err(|error| format!("{}: {error}", path.display()))?)
    }
}

/// Makes a secret, and keeps it in a file that only this user can read and that, even after a
/// crash, is either whole or not there.
fn make_secret(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new(vec![0; 32]);
    getrandom::fill(&mut secret)?;
    // In the same folder, for a rename does not cross file systems. It has mode 0600.
    let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(&secret)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(secret)
}

fn text<T: From<String>>(name: &str) -> Result<Option<T>, String> {
    match env::var(name) {
        Ok(value) => Ok(Some(value.into())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} must be UTF-8")),
    }
}

fn number(name: &str) -> Result<Option<u64>, String> {
    let parse = |value: String| {
        u64::from_str(&value).map_err(|_| format!("{name} must be a whole number, not `{value}`"))
    };
    text(name)?.map(parse).transpose()
}

/// A token as RFC 6750 §2.1 has it, which is safe to print in a shell command.
fn token(name: &str, default: &str) -> Result<String, String> {
    let token: String = text(name)?.unwrap_or_else(|| default.to_owned());
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if token.is_empty() || !token.bytes().all(is_allowed) {
        return Err(format!("{name} must consist of A-Z a-z 0-9 - . _ ~ + / ="));
    }
    Ok(token)
}

fn from_hex(hex: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    digits.map(byte).collect::<Option<_>>().map(Zeroizing::new)
}

fn digit(ascii: u8) -> Option<u8> {
    let value = char::from(ascii).to_digit(16)?;
    u8::try_from(value).ok()
}
