//! What is to be fetched: from what somebody typed to an address and all that is known of the file there. Owns
//! what of an address may be shown.

use super::{
    super::{Size, entry, name_of, store::known},
    FetchError,
};

/// A model to be fetched.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it will be called.
    pub name: String,
    /// Where it is; may hold a secret, see [`shown`].
    pub url: String,
    /// Length of its file as published.
    pub size: Option<Size>,
    /// SHA-1 of its file as published.
    pub sha1: Option<String>,
    /// SHA-256 of its file, where somebody knows it.
    pub sha256: Option<String>,
}

impl Wanted {
    /// The model `name` of the catalogue, below `base` (`models.url`).
    ///
    /// # Errors
    /// [`FetchError::Wanted`] when there is none of this name, with one that is near.
    pub fn named(name: &str, base: &str) -> Result<Self, FetchError> {
        let entry = known(name)
            .map_err(|hint| FetchError::Wanted(format!("no model `{name}` is in the catalogue: {hint} A model from elsewhere is fetched by its address")))?;
        Self::at(entry.name, &entry.url(base))
    }

    /// What is at `url`, to be called `name`. When that is a name of the catalogue, it has to be that model.
    ///
    /// # Errors
    /// [`FetchError::Wanted`] when that is no address.
    pub fn at(name: &str, url: &str) -> Result<Self, FetchError> {
        let fits = is_address(url) && url.parse::<ureq::http::Uri>().is_ok_and(|it| it.host().is_some());
        if !fits {
            return Err(FetchError::Wanted(format!(
                "`{}` is no address of a model: it begins with https:// or http:// and ends in the name of a file",
                shown(url)
            )));
        }
        let published = entry(name);
        Ok(Self {
            name: name.into(),
            url: url.into(),
            size: published.and_then(|it| it.size),
            sha1: published.and_then(|it| it.sha1).map(str::to_owned),
            sha256: None,
        })
    }

    /// What somebody typed: a name of the catalogue, or an address, whose file's name then is the model's.
    ///
    /// # Errors
    /// [`FetchError::Wanted`], with what to do.
    pub fn typed(name_or_url: &str, base: &str) -> Result<Self, FetchError> {
        if !is_address(name_or_url) {
            return Self::named(name_or_url, base);
        }
        let path = name_or_url.split(['?', '#']).next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        let name = name_of(file).ok_or_else(|| {
            FetchError::Wanted(format!(
                "`{}` does not end in the name of a model's file, such as ggml-NAME.bin: give its name with --name",
                shown(name_or_url)
            ))
        })?;
        Self::at(name, name_or_url)
    }
}

/// What of an address may be told to everyone: without name and password, query and fragment, which may be
/// secrets (RFC 3986, 3.2.1 and 7.5).
pub fn shown(url: &str) -> String {
    let (scheme, rest) = url.find("://").map_or(("", url), |at| url.split_at(at + 3));
    let bare = |it: &str| it.split(['?', '#']).next().unwrap_or_default().to_owned();
    let has_good_port = |it: &str| {
        let after = it.rsplit(['@', ']']).next().unwrap_or_default();
        after.split_once(':').is_none_or(|it| it.1.parse::<u16>().is_ok())
    };
    let parsed = url.parse::<ureq::http::Uri>();
    if parsed.is_ok_and(|it| it.authority().is_none_or(|it| has_good_port(it.as_str()))) {
        let rest = bare(rest);
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        return format!("{scheme}{}{path}", host.rsplit('@').next().unwrap_or_default());
    }
    // No address: a password that was not escaped may go on after what ends a host.
    format!("{scheme}{}", bare(rest.rsplit('@').next().unwrap_or_default()))
}

fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        for (url, says) in [
            ("https://nas:8443/models/ggml-x.bin", "https://nas:8443/models/ggml-x.bin"),
            ("https://ada:hunter2@nas/ggml-x.bin?token=hunter2#hunter2", "https://nas/ggml-x.bin"),
            ("https://hunter2@nas", "https://nas"),
            ("https://nas?sig=hunter2", "https://nas"),
            ("http://[::1]:80/{repository}", "http://[::1]:80/{repository}"),
            ("ada:hunter2@nas/x", "nas/x"),
            ("https://a:hunter2@hunter2@nas/x", "https://nas/x"),
            ("https://a:hunter2/hunter2@nas/x", "https://nas/x"),
            ("https://a:hunter2?hunter2@nas/x", "https://nas/x"),
            ("https://cdn/ada/models@2/ggml-x.bin", "https://cdn/ada/models@2/ggml-x.bin"),
        ] {
            assert_eq!(shown(url), says);
        }
        for bad in ["https://ada:hunter2@/ggml-x.bin", "https://ada:hunter2@na s/ggml-x.bin"] {
            let error = Wanted::at("x", bad).unwrap_err().to_string();
            assert!(error.contains("no address") && !error.contains("hunter2"), "{error}");
        }
        let error = Wanted::typed("https://ada:hunter2@nas/?token=hunter2", "").unwrap_err().to_string();
        assert!(error.contains("--name") && !error.contains("hunter2"), "{error}");
    }
}
