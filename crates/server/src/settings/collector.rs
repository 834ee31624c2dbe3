//! Where traces go.

use super::value::Problem;

/// The URL of a collector: `http://HOST:PORT`, with a path where it has one.
pub(super) fn collector(text: &str) -> Result<String, Problem> {
    if cfg!(not(feature = "otel")) {
        return Err("traces are not compiled into this program".into());
    }
    let is_url = text.parse::<http::Uri>().is_ok_and(|url| {
        let is_plain = url.scheme_str() == Some("http") && url.query().is_none();
        // What stands before an `@` may be a password.
        is_plain && url.authority().is_some_and(|one| !one.as_str().contains('@'))
    });
    if is_url {
        Ok(text.to_owned())
    } else {
        Err("not the URL of a collector, such as http://127.0.0.1:4318; one that needs https or a key is reached through a collector of your own".into())
    }
}

#[cfg(all(test, feature = "otel"))]
mod tests {
    use super::*;

    #[test]
    fn collectors() {
        for good in ["http://127.0.0.1:4318", "http://otel.internal:4318/base"] {
            assert_eq!(collector(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "127.0.0.1:4318",
            "https://a:1",
            "http://u:pass@a:1",
            "http://a/?b",
            "http://",
            "x",
        ] {
            let problem = collector(bad).unwrap_err();
            assert!(!problem.contains("pass"), "{problem}");
        }
    }
}
