//! The document as a whole.

use utoipa::openapi::{
    Components, Info, OpenApi, OpenApiBuilder, Server,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::Tag,
};

use super::{routes::Said, spec::BEARER};

const DESCRIPTION: &str = include_str!("description.md");

/// The document of these routes, with a line break at its end.
pub(crate) fn document(said: &Said) -> String {
    // Texts, numbers and maps with texts as keys can always be written.
    let mut text = serde_json::to_string_pretty(&open_api(said)).unwrap_or_default();
    text.push('\n');
    text
}

fn open_api(said: &Said) -> OpenApi {
    let mut info = Info::new("Sealroom", env!("CARGO_PKG_VERSION"));
    info.description = Some(DESCRIPTION.to_owned());
    let mut components = Components::new();
    // A schema that several routes use comes several times, and is the same each time.
    components.schemas.extend(said.schemas.iter().cloned());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "The token of the user who asks; admin calls need the word `admin` in its `scope`.",
        ))
        .build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .paths(said.paths.clone())
        .components(Some(components))
        .tags(Some(tags(said)))
        .build()
}

/// In the order in which the routes have them.
fn tags(said: &Said) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    for item in said.paths.paths.values() {
        let operations = [&item.get, &item.post, &item.put, &item.patch, &item.delete];
        for tag in operations
            .into_iter()
            .flatten()
            .flat_map(|operation| &operation.tags)
            .flatten()
        {
            if !tags.iter().any(|known| known.name == *tag) {
                tags.push(Tag::new(tag));
            }
        }
    }
    tags
}
