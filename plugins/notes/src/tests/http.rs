//! URLs of settings. Sending is tested with real servers in the plugins.

use crate::{base_url, is_this_machine};

#[test]
fn urls() {
    assert_eq!(base_url(" http://localhost:11434/ ").unwrap(), "http://localhost:11434");
    assert_eq!(base_url("https://a.example/v1").unwrap(), "https://a.example/v1");
    for bad in
        ["", "localhost", "localhost:11434", "ftp://x", "http://", "http://a:b@x", "http://x/?key=1", "a b"]
    {
        assert!(base_url(bad).is_err(), "{bad}");
    }
    for here in ["http://localhost:1", "http://127.0.0.1", "http://127.9.9.9/x", "http://[::1]:80/"] {
        assert!(is_this_machine(here), "{here}");
    }
    for elsewhere in
        ["http://localhost.example", "http://10.0.0.1", "https://api.example", "http://127.0.0.1.example"]
    {
        assert!(!is_this_machine(elsewhere), "{elsewhere}");
    }
}
