//! Which kind of resource a request is for, by distribution's names.

/// What a request is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    /// `/v2/`.
    Base,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/token`, which distribution does not have.
    Token,
    /// A list of tags.
    Tags,
    /// A manifest.
    Manifest,
    /// A blob.
    Blob,
    /// The beginning of an upload.
    BlobUpload,
    /// What follows on it.
    BlobUploadChunk,
    /// A list of referrers, which distribution does not have.
    Referrers,
    /// Anything else, which distribution does not count.
    Other,
}

impl Handler {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 10] = [
        Self::Base,
        Self::Catalog,
        Self::Token,
        Self::Tags,
        Self::Manifest,
        Self::Blob,
        Self::BlobUpload,
        Self::BlobUploadChunk,
        Self::Referrers,
        Self::Other,
    ];

    /// What the path of a request is for.
    ///
    /// It is asked before the path is parsed, so it looks at the end alone, and a path that names nothing may count as what it nearly names.
    pub(crate) fn of(path: &str) -> Self {
        let mut segments = path.rsplit('/');
        let mut next = || segments.next().unwrap_or_default();
        match (next(), next(), next()) {
            ("_catalog", "v2", _) => Self::Catalog,
            ("token", "v2", _) => Self::Token,
            ("list", "tags", _) => Self::Tags,
            ("uploads", "blobs", _) | ("", "uploads", "blobs") => Self::BlobUpload,
            (_, "uploads", "blobs") => Self::BlobUploadChunk,
            (_, "blobs", _) => Self::Blob,
            (_, "manifests", _) => Self::Manifest,
            (_, "referrers", _) => Self::Referrers,
            ("", "v2", _) | ("v2", "", _) => Self::Base,
            _ => Self::Other,
        }
    }

    /// The value of the label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Token => "token",
            Self::Tags => "tags",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::BlobUpload => "blob_upload",
            Self::BlobUploadChunk => "blob_upload_chunk",
            Self::Referrers => "referrers",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::route::Route;

    /// What a route that was parsed is counted under.
    fn of_route(route: &Route) -> Handler {
        match route {
            Route::Base => Handler::Base,
            Route::Catalog => Handler::Catalog,
            Route::Token => Handler::Token,
            Route::Tags(_) => Handler::Tags,
            Route::Manifest(..) => Handler::Manifest,
            Route::Blob(..) => Handler::Blob,
            Route::Uploads(_) => Handler::BlobUpload,
            Route::Upload(..) => Handler::BlobUploadChunk,
            Route::Referrers(..) => Handler::Referrers,
            _ => Handler::Other,
        }
    }

    #[test]
    fn every_path_counts_as_the_resource_that_it_names() {
        const SHA256: &str =
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let paths = [
            "/".to_owned(),
            "/v2".to_owned(),
            "/v2/".to_owned(),
            "/v2/_catalog".to_owned(),
            "/v2/token".to_owned(),
            "/v2/a/tags/list".to_owned(),
            "/v2/tags/tags/list".to_owned(),
            "/v2/a/b/manifests/latest".to_owned(),
            "/v2/a/manifests/list".to_owned(),
            "/v2/blobs/manifests/uploads".to_owned(),
            format!("/v2/manifests/blobs/{SHA256}"),
            "/v2/a/blobs/uploads".to_owned(),
            "/v2/a/blobs/uploads/".to_owned(),
            "/v2/a/blobs/uploads/0a1b2c3d-0000-4000-8000-0123456789ab".to_owned(),
            format!("/v2/a/referrers/{SHA256}"),
        ];

        for path in paths {
            let route = Route::parse(&path).unwrap();
            assert_eq!(Handler::of(&path), of_route(&route), "{path}");
        }
    }

    #[test]
    fn paths_that_name_nothing_are_counted_together() {
        for path in ["", "/x", "/v2/a", "/v2/a/tags", "/favicon.ico", "*"] {
            assert_eq!(Handler::of(path), Handler::Other, "{path}");
        }
    }

    #[test]
    fn the_numbers_are_those_of_the_list() {
        for (number, handler) in Handler::ALL.into_iter().enumerate() {
            assert_eq!(handler as usize, number);
        }
    }
}
