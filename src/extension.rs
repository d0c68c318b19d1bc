//! The usual ends of file names.

/// The end of a name whose content has no usual one. It cannot be the end of a program's name.
const OTHER: &str = "bin";

/// In alphabetical order.
pub(crate) const EXTENSIONS: &[(&str, &str)] = &[
    ("application/dicom", "dcm"),
    ("application/epub+zip", "epub"),
    ("application/fhir+ndjson", "ndjson"),
    ("application/gzip", "gz"),
    ("application/hl7-v2", "hl7"),
    ("application/json", "json"),
    ("application/msword", "doc"),
    ("application/ndjson", "ndjson"),
    ("application/pdf", "pdf"),
    ("application/rtf", "rtf"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.ms-powerpoint", "ppt"),
    ("application/vnd.oasis.opendocument.presentation", "odp"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "pptx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    ("application/x-tar", "tar"),
    ("application/xhtml+xml", "xhtml"),
    ("application/xml", "xml"),
    ("application/zip", "zip"),
    ("audio/aac", "aac"),
    ("audio/flac", "flac"),
    ("audio/mp4", "m4a"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "opus"),
    ("audio/wav", "wav"),
    ("audio/webm", "webm"),
    ("image/apng", "png"),
    ("image/avif", "avif"),
    ("image/bmp", "bmp"),
    ("image/gif", "gif"),
    ("image/heic", "heic"),
    ("image/heif", "heif"),
    ("image/jp2", "jp2"),
    ("image/jpeg", "jpg"),
    ("image/jxl", "jxl"),
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("image/tiff", "tif"),
    ("image/webp", "webp"),
    ("image/x-icon", "ico"),
    ("message/rfc822", "eml"),
    ("model/stl", "stl"),
    ("text/calendar", "ics"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("text/plain", "txt"),
    ("text/rtf", "rtf"),
    ("text/vcard", "vcf"),
    ("text/xml", "xml"),
    ("video/mp4", "mp4"),
    ("video/mpeg", "mpg"),
    ("video/ogg", "ogv"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
];

/// As [`extension`], of the types in the table alone: each is complete, and has no parameters.
pub(crate) fn usual_extension(essence: &str) -> Option<&'static str> {
    let position = EXTENSIONS.binary_search_by(|(name, _)| (*name).cmp(essence));
    Some(EXTENSIONS[position.ok()?].1)
}

/// The end of the name of a file of this type, without the dot. `essence` is type and subtype, in
/// lower case, under the name that is registered.
pub(crate) fn extension(essence: &str) -> &'static str {
    match usual_extension(essence) {
        Some(extension) => extension,
        // RFC 6839
        None => match essence.rsplit_once('+') {
            Some((_, "json")) => "json",
            Some((_, "xml")) => "xml",
            Some((_, "zip")) => "zip",
            _ => OTHER,
        },
    }
}
