//! The style sheets, the ES modules (our own and those of xterm.js) and the icons, embedded. Their addresses carry a hash
//! over all of them, so they may be cached for ever, and a module's relative imports stay within one version.

use std::sync::LazyLock;

/// One embedded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// What it contains.
    pub bytes: &'static [u8],
    /// `text/css; charset=utf-8`, …
    pub content_type: &'static str,
    /// A strong entity tag, with its quotes.
    pub etag: &'static str,
    /// `Cache-Control` for the address that it was asked by: for ever under the version that is ours, else not
    /// without asking.
    pub cache_control: &'static str,
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// What is embedded as it is.
const FILES: [(&str, &str, &[u8]); 17] = [
    ("app.css", CSS, include_bytes!("../assets/app.css")),
    ("app.js", JS, include_bytes!("../assets/app.js")),
    ("ansi.js", JS, include_bytes!("../assets/ansi.js")),
    ("events.js", JS, include_bytes!("../assets/events.js")),
    ("lines.js", JS, include_bytes!("../assets/lines.js")),
    ("live.js", JS, include_bytes!("../assets/live.js")),
    ("log.js", JS, include_bytes!("../assets/log.js")),
    ("reader.js", JS, include_bytes!("../assets/reader.js")),
    ("tools.js", JS, include_bytes!("../assets/tools.js")),
    ("terminal.js", JS, include_bytes!("../assets/terminal.js")),
    ("terminal.css", CSS, include_bytes!("../assets/terminal.css")),
    ("xterm-styles.js", JS, include_bytes!("../assets/xterm-styles.js")),
    ("xterm.mjs", JS, include_bytes!("../vendor/xterm/xterm.mjs")),
    ("xterm.css", CSS, include_bytes!("../vendor/xterm/xterm.css")),
    ("addon-fit.mjs", JS, include_bytes!("../vendor/xterm/addon-fit.mjs")),
    (
        "addon-unicode11.mjs",
        JS,
        include_bytes!("../vendor/xterm/addon-unicode11.mjs"),
    ),
    ("icon-drover.svg", SVG, include_bytes!("../assets/icon-drover.svg")),
];

/// The shapes of the pages, of which the window's icons are made.
const SPRITE: &str = include_str!("../templates/icons.html");

struct File {
    name: String,
    content_type: &'static str,
    bytes: Vec<u8>,
    etag: String,
}

struct Bundle {
    version: String,
    files: Vec<File>,
}

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    let fixed = FILES
        .iter()
        .map(|(name, content_type, bytes)| file(name, content_type, bytes.to_vec()));
    let files: Vec<File> = fixed.chain(icons()).collect();
    let tags: String = files.iter().map(|file| file.etag.as_str()).collect();
    Bundle {
        version: hash(tags.as_bytes()),
        files,
    }
});

/// The file at `path`: what follows `/assets/`, as in `{version}/app.css`; also without a version.
pub fn get(path: &str) -> Option<Asset> {
    let (version, name) = path.split_once('/').unwrap_or(("", path));
    let file = BUNDLE.files.iter().find(|file| file.name == name)?;
    let is_ours = version == BUNDLE.version;
    Some(Asset {
        bytes: &file.bytes,
        content_type: file.content_type,
        etag: &file.etag,
        cache_control: if is_ours {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        },
    })
}

/// The address of a file: `/assets/{version}/{name}`.
pub fn url(name: &str) -> String {
    format!("/assets/{}/{name}", BUNDLE.version)
}

/// The names of all files.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUNDLE.files.iter().map(|file| file.name.as_str())
}

fn file(name: &str, content_type: &'static str, bytes: Vec<u8>) -> File {
    let etag = format!("\"{}\"", hash(&bytes));
    File {
        name: name.into(),
        content_type,
        bytes,
        etag,
    }
}

/// `icon-passed.svg` and its like: each shape of the sprite, in a colour that is seen on light and dark.
fn icons() -> impl Iterator<Item = File> {
    SPRITE.split("<symbol ").skip(1).filter_map(|symbol| {
        let name = symbol.strip_prefix("id=\"i-")?.split('"').next()?;
        let (_, shape) = symbol.split_once('>')?;
        let (shape, _) = shape.split_once("</symbol>")?;
        let colour = match name {
            "passed" | "healthy" => "#2f9d85",
            "failed" | "errored" | "timed-out" | "unhealthy" => "#d0364b",
            "running" => "#3f78d8",
            "warning" => "#c08a10",
            _ => "#7f8894",
        };
        let shape = shape.replace("currentColor", colour);
        let svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">{shape}</svg>");
        Some(file(&format!("icon-{name}.svg"), SVG, svg.into_bytes()))
    })
}

/// FNV-1a of 64 bits: it names a version, it guards nothing.
fn hash(bytes: &[u8]) -> String {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_versioned_address_is_kept_for_ever_and_another_is_not() {
        let address = url("app.css");
        let path = address.strip_prefix("/assets/").expect("addresses are under /assets/");
        let asset = get(path).expect("it is there");
        assert_eq!(
            (asset.content_type, asset.cache_control),
            (CSS, "public, max-age=31536000, immutable")
        );
        assert_eq!(
            get("app.css").expect("also without a version").cache_control,
            "no-cache"
        );
        assert_eq!(
            get("0000/app.css").expect("also of an old page").cache_control,
            "no-cache"
        );
        assert_eq!(get("../Cargo.toml"), None);
        assert_eq!(get(""), None);
    }

    #[test]
    fn every_module_that_is_imported_is_embedded() {
        for (name, _, bytes) in FILES.iter().filter(|(_, content_type, _)| *content_type == JS) {
            let text = std::str::from_utf8(bytes).expect("modules are UTF-8");
            for import in text.lines().filter(|line| line.starts_with("import ")) {
                let imported = import.split('"').nth(1).and_then(|path| path.strip_prefix("./"));
                assert!(imported.and_then(get).is_some(), "{name}: {import}");
            }
        }
    }

    #[test]
    fn pages_stay_light() {
        let css = get("app.css").expect("it is there").bytes.len();
        assert!(css <= 15 * 1024, "the style sheet has {css} bytes");
        // The terminal and xterm.js are loaded on their own page only.
        let is_terminal = |name: &str| {
            ["terminal", "xterm", "addon"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        let modules = FILES.iter().filter(|(name, kind, _)| *kind == JS && !is_terminal(name));
        let js: usize = modules.map(|(_, _, bytes)| bytes.len()).sum();
        assert!(
            js <= 42 * 1024,
            "the modules have {js} bytes, about a third of it on the wire"
        );
    }
}
