//! Who speaks when on one microphone: spectral features and clustering, no weights to download.
