//! The store's own presigned URLs.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, Method};
use object_store::signer::{SignedUrlOptions, Signer};

use super::bucket::Bucket;
use super::error::{Action, Meaning};
use crate::content_disposition::content_disposition;
use crate::content_type::ContentType;
use crate::served_type::ServedType;
use crate::store::RepositoryError;
use crate::url::{Grant, Permission, PresignedUrl};

/// The longest life of a URL that a store signs: 7 days, on both clouds.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The protocol by which a store signs URLs. It decides which terms their signatures can bind.
///
/// There is none for Azure: its shared access signatures bind neither headers nor content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningProtocol {
    /// Amazon's Signature Version 4, of S3 and of stores that speak its protocol.
    S3,
    /// Google's V4 signing process, of Google Cloud Storage.
    Gcs,
}

impl SigningProtocol {
    /// The headers that make a PUT do what was granted, and nothing else.
    fn write_headers(
        self,
        content_type: &ContentType,
        max_length: Option<u64>,
    ) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let content_type = HeaderValue::from_str(content_type.as_str()).ok()?;
        let mut headers = vec![(CONTENT_TYPE, content_type)];
        match (self, max_length) {
            (Self::S3, _) => headers.push((IF_NONE_MATCH, HeaderValue::from_static("*"))),
            (Self::Gcs, max_length) => {
                let none = HeaderName::from_static("x-goog-if-generation-match");
                headers.push((none, HeaderValue::from_static("0")));
                if let Some(max_length) = max_length {
                    let range = HeaderName::from_static("x-goog-content-length-range");
                    headers.push((
                        range,
                        HeaderValue::try_from(format!("0,{max_length}")).ok()?,
                    ));
                }
            }
        }
        Some(headers)
    }
}

/// The URL that reads an object of this type; `None` if it could not promise all that it must.
pub(super) async fn read(
    bucket: &Bucket,
    name: &str,
    content_type: &str,
    grant: &Grant,
) -> Result<Option<PresignedUrl>, RepositoryError> {
    let Permission::Read(terms) = &grant.permission else {
        return Ok(None);
    };
    let client = bucket.client();
    let (Some((signer, protocol)), Some(served)) = (&client.signer, ServedType::of(content_type))
    else {
        return Ok(None);
    };
    let disposition = content_disposition(
        &served,
        terms.filename.as_ref(),
        terms.attachment,
        grant.key.id(),
    );
    let Ok(disposition) = disposition.to_str().map(str::to_owned) else {
        return Ok(None);
    };
    let mut options = SignedUrlOptions::new().with_query([
        ("response-content-disposition", disposition),
        ("response-content-type", served.text.into_owned()),
    ]);
    if *protocol == SigningProtocol::S3 {
        options = options.with_query([("response-cache-control", "private, no-store")]);
    }
    sign(bucket, signer.as_ref(), Method::GET, name, grant, options).await
}

/// The URL that puts an object where there is none; `None` if it could not promise all that it
/// must.
pub(super) async fn write(
    bucket: &Bucket,
    name: &str,
    grant: &Grant,
) -> Result<Option<PresignedUrl>, RepositoryError> {
    let Permission::Write(terms) = &grant.permission else {
        return Ok(None);
    };
    let client = bucket.client();
    let Some((signer, protocol)) = &client.signer else {
        return Ok(None);
    };
    let Some(headers) = protocol.write_headers(&terms.content_type, terms.max_length) else {
        return Ok(None);
    };
    let mut options = SignedUrlOptions::new();
    for (name, value) in &headers {
        options = options.with_signed_header(name.clone(), value.clone());
    }
    let presigned = sign(bucket, signer.as_ref(), Method::PUT, name, grant, options).await?;
    Ok(presigned.map(|presigned| {
        headers
            .into_iter()
            .fold(presigned, |presigned, (name, value)| {
                presigned.with_header(name, value)
            })
    }))
}

async fn sign(
    bucket: &Bucket,
    signer: &dyn Signer,
    method: Method,
    name: &str,
    grant: &Grant,
    options: SignedUrlOptions,
) -> Result<Option<PresignedUrl>, RepositoryError> {
    // Stores go by their own clock, not by the layer's.
    let lifetime = grant.expires.remaining(SystemTime::now());
    if lifetime.is_zero() || lifetime > LONGEST {
        return Ok(None);
    }
    let path = bucket.path(name);
    let signing = signer.signed_url_opts(method.clone(), &path, lifetime, &options);
    match bucket
        .within(bucket.patience(), Action::Sign, signing)
        .await
    {
        Ok(url) => Ok(Some(PresignedUrl::new(url, grant.access(), grant.expires))),
        Err(fault) if fault.meaning() == Meaning::NotSupported => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}
