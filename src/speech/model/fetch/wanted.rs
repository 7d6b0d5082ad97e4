//! What is to be fetched: from what somebody typed to an address and all that is known of the file there.

use super::{
    super::{Size, entry, name_of, store::known},
    FetchError,
};

/// A model to be fetched.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it will be called.
    pub name: String,
    /// Where it is.
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
                "`{url}` is no address of a model: it begins with https:// or http:// and ends in the name of a file"
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
            FetchError::Wanted(format!("`{name_or_url}` does not end in the name of a model's file, such as ggml-NAME.bin: give its name with --name"))
        })?;
        Self::at(name, name_or_url)
    }
}

fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
