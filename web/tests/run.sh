#!/bin/sh
# The tests of the ES modules, what is pure in node, the rest in Chromium, and of every page in Chromium (needs node 20,
# chromium, chromedriver; AXE names the script of axe-core, as `cargo xtask test` does).
set -eu
cd "$(dirname "$0")/../.."
gallery=$(mktemp -d)
trap 'rm -rf "$gallery"' EXIT
cargo run --quiet --package web --example gallery -- "$gallery"
GALLERY=$gallery node --test web/tests/js/ web/tests/browser/
