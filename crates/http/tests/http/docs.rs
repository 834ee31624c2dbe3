//! The pages for people: all that they need comes from the server itself.

use axum::http::header;

use crate::support::{App, Ask, Reply};

async fn get(app: &App, path: &str) -> Reply {
    let reply = app.send(Ask::new(&format!("GET {path}"))).await;
    assert_eq!(reply.status, 200, "{path}");
    reply
}

#[tokio::test]
async fn the_page_needs_nothing_from_anywhere_else() {
    let app = App::new();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    for (path, media_type) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/docs.css", "text/css; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
    ] {
        let reply = get(&app, path).await;
        assert_eq!(reply.header(header::CONTENT_TYPE), Some(media_type));
        assert_eq!(reply.header(header::CONTENT_SECURITY_POLICY), Some(policy));
        assert_eq!(reply.header(header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        for elsewhere in [
            "http:",
            "https:",
            "\"//",
            "'//",
            "url(",
            "@import",
            "innerHTML",
            "eval(",
        ] {
            assert!(!reply.body.contains(elsewhere), "{path} has {elsewhere}");
        }
        // The policy would stop them.
        for inline in ["<style", "style=", "onclick=", "<script>"] {
            assert!(!reply.body.contains(inline), "{path} has {inline}");
        }
    }
}

#[tokio::test]
async fn what_the_pages_name_is_there() {
    let app = App::new();
    let mut named = 0;
    for page in ["/", "/docs"] {
        let html = get(&app, page).await.body;
        for target in html.split(['"']).skip(1).step_by(2) {
            let is_place =
                html.contains(&format!("href=\"{target}\"")) || html.contains(&format!("src=\"{target}\""));
            if is_place && !target.starts_with("data:") {
                // Both pages lie at the root, whatever prefix that has.
                let path = format!("/{}", target.trim_start_matches("./"));
                get(&app, &path).await;
                named += 1;
            }
        }
    }
    assert!(named >= 8, "only {named} were found");
    assert!(get(&app, "/").await.body.contains("href=\"docs\""));
    assert!(
        get(&app, "/docs/docs.js")
            .await
            .body
            .contains("fetch(\"openapi.json\")")
    );
    let document = get(&app, "/openapi.json").await;
    assert_eq!(document.header(header::CONTENT_TYPE), Some("application/json"));
    assert_eq!(document.body, sealroom_http::openapi());
}
