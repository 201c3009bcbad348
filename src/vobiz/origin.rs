//! The URL that Vobiz signed, built from settings and the request's path.

use crate::ConfigError;
use http::Uri;

#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Scheme, authority and an optional prefix, to which the request's path is appended.
    Origin(String),
    /// The whole URL, whatever the request's path is.
    Exact(SignedUrl),
}

impl Target {
    pub(super) fn origin(origin: &str) -> Result<Self, ConfigError> {
        check(origin)?;
        Ok(Self::Origin(origin.strip_suffix('/').unwrap_or(origin).to_owned()))
    }

    pub(super) fn exact(url: &str) -> Result<Self, ConfigError> {
        // The path may be percent-decoded, which `Uri` would not parse.
        let path_at = url.match_indices('/').nth(2).map_or(url.len(), |(place, _)| place);
        let (origin, path) = url.split_at_checked(path_at).unwrap_or((url, ""));
        check(origin)?;
        if path.contains(['?', '#']) {
            return Err(ConfigError::new(
                "the public URL has a query or fragment; Vobiz signs it without",
            ));
        }
        if path.trim_end() != path || path.contains(char::is_control) {
            return Err(ConfigError::new(
                "the public URL ends with white space or has a control character",
            ));
        }
        let is_root = matches!(path, "" | "/");
        let url = if is_root { [origin, "/"].concat() } else { url.to_owned() };
        Ok(Self::Exact(SignedUrl { url, is_root }))
    }

    /// The URL that a request to this raw path was signed for.
    pub(super) fn url(&self, path: &str) -> SignedUrl {
        // A target without a path, such as `POST example.com HTTP/1.1`, is not another delivery.
        let path = if path.is_empty() { "/" } else { path };
        match self {
            Self::Origin(origin) => {
                SignedUrl { url: [origin, path].concat(), is_root: path == "/" }
            }
            Self::Exact(url) => url.clone(),
        }
    }
}

/// A URL without query and fragment. An empty path is stored as `/`, and may have been signed as
/// either.
#[derive(Clone, Debug)]
pub(super) struct SignedUrl {
    url: String,
    is_root: bool,
}

impl SignedUrl {
    pub(super) fn as_str(&self) -> &str {
        &self.url
    }

    pub(super) fn spellings(&self) -> impl Iterator<Item = &str> {
        let bare = if self.is_root { self.url.strip_suffix('/') } else { None };
        [Some(&*self.url), bare].into_iter().flatten()
    }
}

fn check(url: &str) -> Result<(), ConfigError> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(ConfigError::new("the public URL does not begin with https:// or http://"));
    }
    if url.contains('#') {
        return Err(ConfigError::new("the public URL has a fragment"));
    }
    let uri: Uri = url.parse().map_err(|_| ConfigError::new("the public URL is not a URL"))?;
    if uri.query().is_some() {
        return Err(ConfigError::new("the public URL has a query; Vobiz signs it without"));
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(ConfigError::new("the public URL has userinfo"));
    }
    let port = authority.strip_prefix(uri.host().unwrap_or_default()).unwrap_or_default();
    if uri.host().unwrap_or_default().is_empty() || (!port.is_empty() && uri.port_u16().is_none()) {
        return Err(ConfigError::new("the public URL has no host or a bad port"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_origin_may_be() {
        for (origin, url) in [
            ("https://hooks.example.com", "https://hooks.example.com/a"),
            ("https://hooks.example.com/", "https://hooks.example.com/a"),
            ("http://hooks.example.com:8080/in/", "http://hooks.example.com:8080/in/a"),
            ("https://Hooks.Example.com:443", "https://Hooks.Example.com:443/a"),
            ("https://[::1]:8443", "https://[::1]:8443/a"),
        ] {
            assert_eq!(Target::origin(origin).unwrap().url("/a").as_str(), url);
        }
        for bad in [
            "",
            "/",
            "hooks.example.com",
            "ftp://hooks.example.com",
            "HTTPS://hooks.example.com",
            "https://",
            "https:///a",
            "https://:443",
            "https://h:",
            "https://h:99999",
            "https://h:x",
            "https://user@h",
            "https://user:pw@h",
            "https://h?x=1",
            "https://h/?",
            "https://h#",
            "https://h/a#b",
            " https://h",
            "https://h ",
            "https://h\n",
        ] {
            assert!(Target::origin(bad).is_err() && Target::exact(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_exact_url_may_be_encoded_or_decoded() {
        for url in ["https://h/a%20b", "https://h/a b", "https://h/é/\"x\"", "https://h//a;x=1/"] {
            assert_eq!(Target::exact(url).unwrap().url("/x").as_str(), url);
        }
        for bad in [
            "https://h/a ",
            "https://h/a\t",
            "https://h/a\nb",
            "https://h/a?b",
            "https://h/a#b",
            "https://a b/",
        ] {
            assert!(Target::exact(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_the_root_has_two_spellings() {
        let spellings = |target: Target, path: &str| {
            target.url(path).spellings().map(str::to_owned).collect::<Vec<_>>()
        };
        let origin = Target::origin("https://h").unwrap();
        assert_eq!(spellings(origin.clone(), "/"), ["https://h/", "https://h"]);
        assert_eq!(spellings(origin, "/a/"), ["https://h/a/"]);
        assert_eq!(
            spellings(Target::origin("https://h/in").unwrap(), "/"),
            ["https://h/in/", "https://h/in"]
        );
        assert_eq!(
            spellings(Target::exact("https://h").unwrap(), "/x"),
            ["https://h/", "https://h"]
        );
        assert_eq!(
            spellings(Target::exact("https://h/").unwrap(), "/x"),
            ["https://h/", "https://h"]
        );
        assert_eq!(spellings(Target::exact("https://h/in/").unwrap(), "/x"), ["https://h/in/"]);
    }
}
