//! The kinds of content, by what a browser does with them: one table for `Content-Disposition` and
//! `Content-Security-Policy`.

use http::HeaderValue;

/// The raster formats that browsers show. Not SVG, which is a document with scripts.
const RASTER_IMAGES: [&str; 10] = [
    "apng", "avif", "bmp", "gif", "jpeg", "jxl", "png", "tiff", "webp", "x-icon",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentKind {
    /// Raster images and plain text.
    Still,
    Pdf,
    /// Audio and video.
    Media,
    /// HTML, SVG, XML, scripts, and unknown types.
    Other,
}

impl ContentKind {
    /// Of a type and subtype, in lower case, under the name that is registered.
    pub(crate) fn of(essence: &str) -> Self {
        // `image/png+xml`, if there were such a thing, would be XML.
        if essence.contains('+') {
            return Self::Other;
        }
        match essence.split_once('/') {
            Some(("audio" | "video", _)) => Self::Media,
            Some(("image", subtype)) if RASTER_IMAGES.contains(&subtype) => Self::Still,
            _ => match essence {
                "application/pdf" => Self::Pdf,
                "text/plain" => Self::Still,
                _ => Self::Other,
            },
        }
    }

    /// A browser may show it: as a page of our origin it can do no harm.
    pub(crate) fn is_shown_inline(self) -> bool {
        self != Self::Other
    }

    /// Content comes from strangers and is served from a trusted origin: it may show itself, and
    /// run nothing of its own.
    ///
    /// One policy cannot do that for all kinds of content: `sandbox` blanks the PDF viewer of
    /// `WebKit`, and without a source of media a browser's own player around a video finds nothing
    /// to play.
    pub(crate) fn content_security_policy(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Still | Self::Other => "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            Self::Pdf => "default-src 'none'; style-src 'unsafe-inline'",
            Self::Media => "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'",
        })
    }
}
