//! The storage base URL, with which every presigned URL begins.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The reason why a text cannot be a storage base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBaseUrl {
    /// It does not start with `http://` or `https://`.
    #[error("the storage base URL must start with http:// or https://")]
    Scheme,
    /// It has a user name or a password.
    #[error("the storage base URL must have no user name and no password")]
    UserInfo,
    /// Its host is missing, or not in the form that URL libraries leave unchanged.
    #[error(
        "the host {0:?} of the storage base URL is not as URL libraries write it: \
        a-z 0-9 - _ and dots; an international name in punycode (xn--…); \
        an IPv4 address as four numbers, an IPv6 address in brackets and in its shortest form"
    )]
    Host(Box<str>),
    /// Its port is no number up to 65535, or the one that its scheme implies.
    #[error(
        "the port {0:?} of the storage base URL must be a number from 1 to 65535, and be left out \
        where the scheme implies it"
    )]
    Port(Box<str>),
    /// A segment of its path is empty, `.` or `..`, or has other characters than
    /// `A-Z a-z 0-9 - _ . ~`.
    #[error(
        "the segment {0:?} in the path of the storage base URL must be A-Z a-z 0-9 - _ . ~, \
        and neither empty nor `.` nor `..`"
    )]
    Segment(Box<str>),
}

/// A base URL in the one form that every URL library leaves unchanged, without a slash at its end.
///
/// It is part of the string to sign, so another spelling of it would be another URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    path_start: usize,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidBaseUrl> {
        let (scheme, default_port) = if text.starts_with("https://") {
            ("https://", 443)
        } else if text.starts_with("http://") {
            ("http://", 80)
        } else {
            return Err(InvalidBaseUrl::Scheme);
        };
        let rest = text[scheme.len()..].trim_end_matches('/');
        let text = &text[..scheme.len() + rest.len()];
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        check_authority(authority, default_port)?;
        let mut segments = path.split('/').skip(1);
        if let Some(segment) = segments.find(|segment| !is_normal_segment(segment)) {
            return Err(InvalidBaseUrl::Segment(segment.into()));
        }
        Ok(Self {
            text: text.to_owned(),
            path_start: text.len() - path.len(),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The path, without a slash at its end; empty when the URL is a host alone.
    pub(super) fn path(&self) -> &str {
        &self.text[self.path_start..]
    }
}

fn check_authority(authority: &str, default_port: u16) -> Result<(), InvalidBaseUrl> {
    if authority.contains('@') {
        return Err(InvalidBaseUrl::UserInfo);
    }
    let (host, port) = match authority.rfind(':') {
        // A colon in brackets belongs to an IPv6 address.
        Some(colon) if !authority.ends_with(']') => {
            (&authority[..colon], Some(&authority[colon + 1..]))
        }
        _ => (authority, None),
    };
    let is_normal_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit())
            && !port.starts_with('0')
            && port.parse::<u16>().is_ok_and(|port| port != default_port)
    };
    if !is_normal_host(host) {
        return Err(InvalidBaseUrl::Host(host.into()));
    }
    match port {
        Some(port) if !is_normal_port(port) => Err(InvalidBaseUrl::Port(port.into())),
        _ => Ok(()),
    }
}

fn is_normal_host(host: &str) -> bool {
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Some(address) = in_brackets {
        // Of mapped IPv4 addresses there are two spellings in use.
        return address.parse::<Ipv6Addr>().is_ok_and(|parsed| {
            parsed.to_string() == address && parsed.to_ipv4_mapped().is_none()
        });
    }
    let is_number = |label: &str| label.starts_with(|c: char| c.is_ascii_digit());
    if host.rsplit('.').next().is_some_and(is_number) {
        // URL libraries take this for an IPv4 address, and know more spellings of one.
        return host.parse::<Ipv4Addr>().is_ok();
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    host.split('.')
        .all(|label| !label.is_empty() && label.bytes().all(allowed))
}

fn is_normal_segment(segment: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
}
